"""Panels of how tokens are used: occurrences by rank, by length and by GC content."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from dnalm.figures import palette, style

MANY = 2000  # dots from which on an SVG holds them as an image
DASHED = (0, (3, 2))
LENGTH_COLOURS = LinearSegmentedColormap.from_list(
    "length", ["#B9DDF3", palette.SKY, palette.BLUE, "#3B2F6B", "#1B0F2E"]
)
PERCENT = FuncFormatter(lambda value, _: f"{value:.0%}")


def overall(tokens: pd.DataFrame, column: str) -> float:
    """Returns the share of all counted bases (gc, soft_masked), from the shares of the tokens."""
    used = tokens[tokens["count"] > 0]
    bases = used["count"] * used["length_bp"]
    return float((used[column] * bases).sum() / bases.sum())


def _lengths(tokens: pd.DataFrame) -> Normalize:
    """Returns how lengths become colours; the longest 2 % of the tokens share one."""
    low, high = float(tokens["length_bp"].min()), float(np.quantile(tokens["length_bp"], 0.98))
    return Normalize(low, max(high, low + 1), clip=True)


def _coloured(axes: Axes, x: pd.Series | np.ndarray, tokens: pd.DataFrame) -> None:
    area = float(np.clip(2400 / len(tokens), 1.5, 10))
    axes.scatter(
        x, tokens["count"], s=area, c=tokens["length_bp"], cmap=LENGTH_COLOURS, norm=_lengths(tokens),
        linewidths=0, rasterized=len(tokens) > MANY,
    )  # fmt: skip
    axes.set(yscale="log", ylabel="Occurrences")
    axes.yaxis.set_minor_locator(NullLocator())


def draw_ranks(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws occurrences by rank on logarithmic axes, coloured by length; equal counts by id."""
    used = tokens[tokens["count"] > 0].sort_values(["count", "id"], ascending=[False, True])
    _coloured(axes, np.arange(1, len(used) + 1), used)
    axes.set(xscale="log", xlabel="Rank")
    axes.xaxis.set_minor_locator(NullLocator())
    if used["length_bp"].nunique() > 1:
        _length_key(axes.inset_axes((0.08, 0.2, 0.42, 0.055)), _lengths(used), used)


def _length_key(axes: Axes, norm: Normalize, tokens: pd.DataFrame) -> None:
    figure = axes.get_figure()
    shades = ScalarMappable(norm, LENGTH_COLOURS)
    bar = figure.colorbar(shades, cax=axes, orientation="horizontal")  # type: ignore[union-attr]
    bar.outline.set_visible(False)  # type: ignore[operator]
    ends = sorted({int(norm.vmin or 0), int(norm.vmax or 0)})
    more = "+" if tokens["length_bp"].max() > ends[-1] else ""
    bar.set_ticks([float(end) for end in ends], labels=[str(ends[0]), f"{ends[-1]}{more}"])
    bar.ax.tick_params(length=1.5)
    axes.set_title("Length (bp)", fontsize=style.SMALL_PT, pad=2)


def draw_lengths(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws per length the share of the tokens and of the counted bases that such tokens cover."""
    bases = (tokens["count"] * tokens["length_bp"]).groupby(tokens["length_bp"]).sum()
    number = tokens["length_bp"].value_counts().sort_index()
    draws = ((number, palette.ORANGE, "tokens"), (bases, palette.BLUE, "bases"))
    for shift, (sizes, colour, label) in zip((-0.2, 0.2), draws, strict=True):
        share = sizes / sizes.sum()
        axes.bar(share.index + shift, share, width=0.4, color=colour, linewidth=0, label=label)
    axes.set_ylim(0, 1.18 * axes.dataLim.y1)  # room for the key
    axes.legend(loc="upper right", ncols=2, handlelength=0.8, columnspacing=1.2, handletextpad=0.4)
    axes.set(xlabel="Length (bp)", ylabel="Share of", xlim=(0.4, float(tokens["length_bp"].max()) + 0.6))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(PERCENT)


def draw_gc(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws occurrences against GC content; dashed the GC content of all counted bases."""
    used = tokens[tokens["count"] > 0].sort_values("length_bp")
    axes.axvline(overall(tokens, "gc"), color=palette.MUTED, linewidth=0.6, linestyle=DASHED, zorder=0)
    _coloured(axes, used["gc"], used)
    axes.set(xlabel="GC content", xlim=(-0.04, 1.04), xticks=(0, 0.5, 1))
    axes.xaxis.set_major_formatter(PERCENT)
