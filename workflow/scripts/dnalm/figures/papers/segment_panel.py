"""One panel of the SegmentNT paper's track figure: two elements, the first an area, the second a line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.patheffects import Normal, Stroke

from dnalm.figures import palette, style
from dnalm.figures.papers.segment_data import SITES, Block, Element
from dnalm.figures.track_data import missing_spans

SWATCH_MM, TEXT_MM = 2.0, 6.5  # of the legend: its marks, its words
LINE_MM = 3.4  # between two entries of a legend
NEEDLE_FLOOR, TIP_FLOOR = 0.02, 0.1  # needles below are no ink, and below have no tip
TOP = 1.05  # of the axis of probabilities, as in the paper
CASING = "#4A4A4A"  # around lines, of which some are pale
LINE_PT, CASED_PT = 0.6, 1.1
TIP = {"marker": "s", "markersize": 2.2, "markerfacecolor": "white", "markeredgewidth": 0.6}


def draw_panel(axes: Axes, block: Block, pair: Sequence[Element], two_sided: bool) -> None:
    """Draws two elements along a block's region; what has no prediction is hatched."""
    gaps: set[tuple[int, int, int]] = set()
    for place, element in enumerate(pair):
        tracks = block.tracks[block.tracks["feature"] == element.feature]
        for strand, track in tracks.groupby("strand", sort=True):
            sign = -1 if strand == "-" else 1
            _draw_element(axes, track, element, sign, place == 1)
            gaps |= {(*run, sign) for run in missing_spans(track)}
    for start, end, sign in sorted(gaps):
        axes.add_patch(Rectangle((start, min(0, sign)), end - start, 1, zorder=0, **style.HATCHED))
    axes.set(xlim=block.region[1:], ylim=(-TOP if two_sided else 0, TOP))
    axes.set_yticks([-1, 0, 1] if two_sided else [0, 1], ["1", "0", "1"] if two_sided else ["0", "1"])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.set_ylabel("Prob.", labelpad=1.5)
    axes.spines["bottom"].set_visible(False)
    axes.axhline(0, color=palette.INK, linewidth=0.4, zorder=5)
    for height, sign in ((0.75, "+"), (0.25, palette.MINUS)) if two_sided else ():
        axes.annotate(
            sign,
            (1, height),
            xycoords="axes fraction",
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
        )


def _draw_needles(axes: Axes, track: pd.DataFrame, element: Element, sign: int, second: bool) -> None:
    """Draws one line per site; the second element's have a square tip."""
    middle = (track["bin_start"] + track["bin_end"]).to_numpy() / 2
    height = np.nan_to_num(track["probability"].to_numpy())
    drawn = [((x, 0.0), (x, sign * y)) for x, y in zip(middle, height, strict=True) if y >= NEEDLE_FLOOR]
    axes.add_collection(LineCollection(drawn, colors=element.colour, linewidths=0.8, zorder=3 + second))
    if second:
        tips = height >= TIP_FLOOR
        heads = axes.plot(middle[tips], sign * height[tips], linestyle="none", color=element.colour, **TIP)
        heads[0].set(zorder=5, clip_on=False)


def _draw_element(axes: Axes, track: pd.DataFrame, element: Element, sign: int, second: bool) -> None:
    """Draws one strand of an element: the panel's first as an area, its second as a line."""
    if element.feature in SITES:
        _draw_needles(axes, track, element, sign, second)
        return
    edges = np.append(track["bin_start"].to_numpy(), track["bin_end"].iloc[-1])
    height = sign * track["probability"].to_numpy()
    if second:
        steps = StepPatch(height, edges, baseline=None, fill=False, edgecolor=element.colour, zorder=4)
        steps.set(linewidth=LINE_PT, path_effects=[Stroke(linewidth=CASED_PT, foreground=CASING), Normal()])
    else:
        steps = StepPatch(np.nan_to_num(height), edges, facecolor=element.colour, linewidth=0, zorder=3)
    axes.add_artist(steps)  # axes.stairs would search its limits, which are known


def draw_legend(figure: Figure, top_mm: float, pair: Sequence[Element], features: set[str]) -> None:
    """Writes which element is which, left of a panel; those without a track are grey and have no mark."""
    axes = style.add_axes(figure, 0, top_mm, TEXT_MM, LINE_MM * 2)
    axes.set(xlim=(0, TEXT_MM), ylim=(LINE_MM * 2, 0))
    axes.axis("off")
    for place, element in enumerate(pair):
        y = LINE_MM * (place + 0.5)
        known = element.feature in features
        ink = palette.INK if known else palette.MUTED
        axes.text(TEXT_MM, y, element.label, fontsize=style.SMALL_PT, color=ink, va="center_baseline")
        if known:
            _draw_swatch(axes, y, element, place == 1)


def _draw_swatch(axes: Axes, y: float, element: Element, second: bool) -> None:
    ends = [SWATCH_MM, TEXT_MM - 1.2]
    if element.feature in SITES:
        axes.plot(ends, [y, y], color=element.colour, linewidth=1.0)
        axes.plot(ends[1:], [y], color=element.colour, **(TIP if second else {}))
    elif second:
        effects = [Stroke(linewidth=CASED_PT + 0.3, foreground=CASING), Normal()]
        axes.plot(ends, [y, y], color=element.colour, linewidth=LINE_PT + 0.3, path_effects=effects)
    else:
        axes.add_patch(
            Rectangle((ends[0], y - 1), ends[1] - ends[0], 2, facecolor=element.colour, linewidth=0)
        )
