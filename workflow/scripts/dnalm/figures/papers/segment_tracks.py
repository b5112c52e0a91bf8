"""The SegmentNT paper's track figure: two elements a panel, probabilities along a region, genes below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch
from matplotlib.patheffects import Normal, Stroke
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from dnalm.figures import gene_models, palette, style
from dnalm.figures.papers.segment_data import PEAKED, SITES, Block, Element, find_element, pair_up

ONE_SIDED_MM, TWO_SIDED_MM = 8.5, 13.0  # heights of a panel
TITLE_MM, GAP_MM, STRIP_MM, SLOT_MM, AXIS_MM, RIGHT_MM = 6.0, 2.0, 3.4, 2.4, 9.5, 5.0
SWATCH_MM, TEXT_MM, TICKS_MM = 2.0, 6.5, 7.0  # of the legend: its marks, its words; room for the ticks
LINE_MM = 3.4  # between two entries of a legend
NEEDLE_FLOOR, TIP_FLOOR = 0.02, 0.1  # needles below are no ink, and below have no tip
TOP = 1.05  # of the axis of probabilities, as in the paper
CASING = "#4A4A4A"  # around lines, of which some are pale
LINE_PT, CASED_PT = 0.6, 1.1
TIP = {"marker": "s", "markersize": 2.2, "markerfacecolor": "white", "markeredgewidth": 0.6}
LETTERS = "abcdefghijkl"


def _runs(track: pd.DataFrame) -> list[tuple[int, int]]:
    """Returns the stretches of a track without a prediction as (start, end)."""
    missing = track[track["probability"].isna()]
    spans = missing.groupby((missing["bin_start"] != missing["bin_end"].shift()).cumsum())
    return [(int(span["bin_start"].iloc[0]), int(span["bin_end"].iloc[-1])) for _, span in spans]


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


def _draw_panel(axes: Axes, block: Block, pair: Sequence[Element], two_sided: bool) -> None:
    gaps: set[tuple[int, int, int]] = set()
    for place, element in enumerate(pair):
        tracks = block.tracks[block.tracks["feature"] == element.feature]
        for strand, track in tracks.groupby("strand", sort=True):
            sign = -1 if strand == "-" else 1
            _draw_element(axes, track, element, sign, place == 1)
            gaps |= {(*run, sign) for run in _runs(track)}
    face = {"facecolor": "#F4F4F4", "edgecolor": "#BBBBBB", "hatch": "////", "linewidth": 0}
    for start, end, sign in sorted(gaps):
        axes.add_patch(Rectangle((start, min(0, sign)), end - start, 1, zorder=0, **face))
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


def _draw_legend(figure: Figure, top_mm: float, pair: Sequence[Element], features: set[str]) -> None:
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


def _draw_genes(axes: Axes, block: Block, mm_wide: float) -> None:
    gene_models.draw_models(axes, block.models, block.region, "", mm_wide)
    for label in axes.texts:
        label.set_color(palette.INK)
    if block.models.empty:
        _write_gap(axes, "no annotated gene")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(3, int(mm_wide / 18)), steps=[1, 2, 5, 10]))
    axes.xaxis.set_minor_locator(AutoMinorLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.1f}")
    axes.set_xlabel(f"Position on {block.region[0]} (kb)")


def _write_gap(axes: Axes, text: str) -> None:
    look = {"ha": "center", "va": "center", "fontsize": style.SMALL_PT, "color": palette.MUTED}
    ground = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    axes.text(0.5, 0.5, text, transform=axes.transAxes, bbox=ground, zorder=6, **look)


def _absent(pair: Sequence[Element], features: set[str], model: str, room_mm: float) -> str:
    """Says which elements of a panel the model has not; leaves its name out where it does not fit."""
    missing = [element.label for element in pair if element.feature not in features]
    text = f"{'; '.join(missing)}: not predicted by {model}"
    return text if model and style.text_width_mm(text) <= room_mm else text.split(" by ")[0]


def _panel_mm(pair: Sequence[Element], block: Block) -> float:
    """Returns the height of a panel with the gap below it: a strip where the model has neither element."""
    known = [element.feature in block.features for element in pair]
    if not any(known):
        return STRIP_MM
    tall_mm = TWO_SIDED_MM if (block.tracks["strand"] == "-").any() else ONE_SIDED_MM
    return tall_mm + GAP_MM + (0 if all(known) else SLOT_MM)


def _draw_block(
    figure: Figure, top_mm: float, block: Block, model: str, left_mm: float, mm_wide: float
) -> None:
    two_sided, gap = bool((block.tracks["strand"] == "-").any()), block.empty
    tall_mm = TWO_SIDED_MM if two_sided else ONE_SIDED_MM
    faint = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
    for pair in pair_up(block.features):
        need_mm = _panel_mm(pair, block)
        if need_mm == STRIP_MM:
            text = _absent(pair, block.features, model, left_mm + mm_wide - SWATCH_MM)
            style.write_at(figure, SWATCH_MM, top_mm, text, **faint)
        else:
            panel_mm = top_mm + need_mm - GAP_MM - tall_mm
            if panel_mm > top_mm:
                text, end_mm = _absent(pair, block.features, model, mm_wide), left_mm + mm_wide
                style.write_at(figure, end_mm, top_mm - 0.2, text, ha="right", **faint)
            axes = style.add_axes(figure, left_mm, panel_mm, mm_wide, tall_mm)
            _draw_panel(axes, block, pair, two_sided)
            _draw_legend(figure, panel_mm + (tall_mm - 2 * LINE_MM) / 2, pair, block.features)
            if gap:
                _write_gap(axes, "no prediction in this region")
                gap = False
        top_mm += need_mm
    tall_mm = gene_models.height_mm(block.models, block.region, mm_wide)
    style.write_at(figure, TEXT_MM, top_mm + tall_mm / 2, "Genes", va="center", fontsize=style.SMALL_PT)
    _draw_genes(style.add_axes(figure, left_mm, top_mm, mm_wide, tall_mm), block, mm_wide)


def _legend(blocks: Sequence[Block]) -> str:
    """Says what areas, lines, bins and gaps mean, as far as the blocks show them."""
    tracks, models = (pd.concat([getattr(block, name) for block in blocks]) for name in ("tracks", "models"))
    lines = [
        "Probability per base, two elements a panel, the first an area, the second a line with dark edges "
        "(splice acceptors: square tips), so that they differ without colour."
    ]
    if (tracks["strand"] == "-").any():
        lines.append("Plus strand above the line, minus strand mirrored below.")
    if tracks["feature"].str.contains("Tissue").any():
        lines.append("Specific, invariant: tissue-specific, tissue-invariant.")
    sizes = sorted({block.bin_bp for block in blocks} - {1})
    if sizes:
        labels = [find_element(name).label for name in PEAKED if name in set(tracks["feature"])]
        peaked = ", ".join(labels).replace("Splice", "splice")
        text = f"Bins of {', '.join(map(str, sizes))} bp".replace(", ", " or ")
        lines.append(f"{text}: mean{f'; maximum of {peaked}' if peaked else ''}.")
    if tracks["probability"].isna().any():
        lines.append("Hatched: no prediction.")
    lines.append("Genes, transcripts merged: thick, CDS; thin, other exon parts.")
    if (models["part"] == "cds_unverified").any():
        lines.append("Outlined: CDS not verified.")
    return " ".join(lines)


def plot_segments(
    blocks: Sequence[Block], model: str, note: str = "", width_mm: float = style.PAGE_MM
) -> Figure:
    """Draws one block per region: seven panels of two elements each in the paper's order, then the genes.

    Elements that the model has not leave a note; a region without a prediction is a gap with a note.

    Args:
        model: name of the tracks' model.
        note: put before what the figure itself says in the line below it.
    """
    note = " ".join(filter(None, [f"Model: {model}." if model else "", note, _legend(blocks)]))
    with style.applied():
        drawn = [element for block in blocks for pair in pair_up(block.features) for element in pair]
        left_mm = TEXT_MM + max(style.text_width_mm(element.label) for element in drawn) + TICKS_MM
        mm_wide = width_mm - left_mm - RIGHT_MM
        heights = [
            TITLE_MM + sum(_panel_mm(pair, block) for pair in pair_up(block.features)) + AXIS_MM
            + gene_models.height_mm(block.models, block.region, mm_wide)
            for block in blocks
        ]  # fmt: skip
        figure = style.new_figure(width_mm, 1.5 + sum(heights) + style.note_height_mm(note, width_mm))
        top_mm = 1.5
        for letter, block, tall_mm in zip(LETTERS, blocks, heights, strict=False):
            contig, start, end = block.region
            style.panel_letter(figure, 1.0, top_mm, letter if len(blocks) > 1 else "")
            place = f"{contig}:{start + 1:,}{palette.DASH}{end:,} ({end - start:,} bp)"
            style.write_at(figure, 5.0 if len(blocks) > 1 else 2.0, top_mm + 0.2, place)
            _draw_block(figure, top_mm + TITLE_MM, block, model, left_mm, mm_wide)
            top_mm += tall_mm
        style.add_note(figure, note)
    return figure
