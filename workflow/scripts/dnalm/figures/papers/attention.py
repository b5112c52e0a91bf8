"""The figure of attention maps: one small panel per head, one scale of colours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.attention.maps import AttentionMaps
from dnalm.figures import palette, style
from dnalm.figures.density import COLOURS

MOST_HEADS = 12
MOST_CELLS = 400  # along each axis; more tokens are binned
MOST_NAMED = 40  # tokens whose names are written
NAME_MM = 2.3  # room that a token's name of SMALL_PT needs
SHADE_POWER = 0.5  # below 1: a column that takes most attention does not make all others pale
COLUMNS = {style.COLUMN_MM: 2, style.PAGE_MM: 4}
LARGEST_MM, TALLEST_MM = 62.0, 235.0  # of a panel, and of a figure whose tokens are named
TOP_MM, TITLE_MM, AXIS_MM, GAP_MM, RIGHT_MM, SCALE_MM = 1.5, 4.5, 8.5, 5.0, 4.0, 11.5
TOP_QUANTILE = 0.998  # of all cells, where the scale ends: single cells would make all others pale
SIGNIFICANT = 3  # digits of the table


@dataclass(frozen=True)
class Grid:
    """Where the panels lie.

    Args:
        named: the axes name tokens, not positions.
        left_mm: room for the labels of the first column (of every column where tokens are named).
    """

    columns: int
    rows: int
    panel_mm: float
    left_mm: float
    named: bool

    @property
    def step_mm(self) -> tuple[float, float]:
        """From one panel to the next, across and down."""
        across = self.panel_mm + (self.left_mm if self.named else GAP_MM)
        down = self.panel_mm + TITLE_MM + (self.left_mm if self.named else GAP_MM)
        return across, down

    @property
    def height_mm(self) -> float:
        """All panels with their labels, and the scale below."""
        below = self.left_mm if self.named else AXIS_MM
        return (
            TOP_MM
            + self.rows * self.step_mm[1]
            - (self.step_mm[1] - self.panel_mm - TITLE_MM)
            + below
            + SCALE_MM
        )


def plan_grid(count: int, tokens: Sequence[str], width_mm: float) -> Grid:
    """Returns as many columns as the width holds; fewer where that leaves room to name up to 40 tokens."""
    most = min(max(count, 1), COLUMNS.get(width_mm, int(width_mm // 42)))
    left_mm = 6.0 + max((style.text_width_mm(token) for token in tokens), default=0.0)
    if len(tokens) <= MOST_NAMED:
        for columns in range(most, 0, -1):
            panel_mm = min((width_mm - RIGHT_MM) / columns - left_mm, LARGEST_MM)
            panel_mm = max(panel_mm, min((width_mm - RIGHT_MM) / columns - left_mm, NAME_MM * len(tokens)))
            grid = Grid(columns, -(-count // columns), panel_mm, left_mm, named=True)
            if panel_mm >= NAME_MM * len(tokens) and grid.height_mm <= TALLEST_MM:
                return grid
    panel_mm = min((width_mm - 15.0 - RIGHT_MM - GAP_MM * (most - 1)) / most, LARGEST_MM)
    return Grid(most, -(-max(count, 1) // most), panel_mm, 15.0, named=False)


def bin_maximum(values: Float[np.ndarray, "L L"], size: int) -> Float[np.ndarray, "B B"]:
    """Returns the maximum of each square of `size` x `size` cells."""
    starts = np.arange(0, len(values), size)
    return np.maximum.reduceat(np.maximum.reduceat(values, starts, axis=0), starts, axis=1)


def bin_size(maps: AttentionMaps) -> int:
    """Returns how many tokens one cell stands for."""
    return max(1, -(-len(maps.tokens) // MOST_CELLS))


def map_table(maps: AttentionMaps) -> pd.DataFrame:
    """Returns what is drawn, one row per head and query: its first base and its attention to each key.

    Columns: layer, head, query (number of its first token), start, then `key_N`, N the key's first token.
    """
    size, tables = bin_size(maps), []
    firsts = np.arange(0, len(maps.tokens), size)
    for (layer, head), values in list(zip(maps.heads, maps.values, strict=True))[:MOST_HEADS]:
        place = {"layer": layer, "head": head, "query": firsts, "start": maps.spans[firsts, 0]}
        cells = _rounded(bin_maximum(values, size).astype(np.float64))
        keys = {f"key_{first}": cells[:, column] for column, first in enumerate(firsts)}
        tables.append(pd.DataFrame({**place, **keys}))
    columns = ["layer", "head", "query", "start"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _rounded(values: Float[np.ndarray, "B B"]) -> Float[np.ndarray, "B B"]:
    """Returns values of three digits, so that the table stays small."""
    scale = 10.0 ** (SIGNIFICANT - 1 - np.floor(np.log10(np.where(values > 0, values, 1.0))))
    return np.round(values * scale) / scale


def _position_ticks(maps: AttentionMaps, panel_mm: float) -> tuple[list[float], list[str]]:
    """Returns the tokens where round positions start, and the positions in kb."""
    stands = np.flatnonzero(maps.spans[:, 1] > maps.spans[:, 0])
    if not len(stands):
        return [], []
    starts, low, high = maps.spans[stands, 0], *(int(maps.spans[stands[end], 0]) for end in (0, -1))
    locator = MaxNLocator(nbins=max(2, int(panel_mm / 13)), steps=[1, 2, 5, 10], integer=True)
    values = [value for value in locator.tick_values(low, high) if low <= value <= high]
    step = values[1] - values[0] if len(values) > 1 else 1
    digits = 1 if step >= 100 else 2 if step >= 10 else 3
    return np.interp(values, starts, stands).tolist(), [f"{value / 1000:,.{digits}f}" for value in values]


def _draw_map(axes: Axes, values: Float[np.ndarray, "L L"], size: int, norm: PowerNorm) -> bool:
    """Draws one head's map; returns whether it has none."""
    length = len(values)
    axes.set(xlim=(0, length), ylim=(length, 0), xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(visible=True, linewidth=0.4)
    if not np.isfinite(values).all():
        note = {"transform": axes.transAxes, "ha": "center", "va": "center"}
        axes.text(0.5, 0.5, "no value", color=palette.MUTED, fontsize=style.SMALL_PT, **note)
        return True
    extent = (0, -(-length // size) * size, -(-length // size) * size, 0)
    axes.imshow(
        bin_maximum(values, size),
        cmap=COLOURS,
        norm=norm,
        extent=extent,
        interpolation="nearest",
        aspect="auto",
    )
    axes.set(xlim=(0, length), ylim=(length, 0))
    return False


def _label(axes: Axes, maps: AttentionMaps, grid: Grid, place: int, count: int) -> None:
    """Names tokens on every panel, or positions on the outer ones."""
    if grid.named:
        middles = np.arange(len(maps.tokens)) + 0.5
        axes.set_xticks(middles, maps.tokens, rotation=90)
        axes.set_yticks(middles, maps.tokens)
        axes.tick_params(length=0, pad=1)
        return
    ticks, texts = _position_ticks(maps, grid.panel_mm)
    lowest, first = place + grid.columns >= count, place % grid.columns == 0
    axes.set_xticks(ticks, texts if lowest else [""] * len(ticks))
    axes.set_yticks(ticks, texts if first else [""] * len(ticks), rotation=90, va="center")
    if lowest:
        axes.set_xlabel(f"Key, {maps.contig} (kb)")
    if first:
        axes.set_ylabel(f"Query, {maps.contig} (kb)")


def _top(maps: AttentionMaps) -> float:
    """Returns where the scale of colours ends."""
    size = bin_size(maps)
    cells = [bin_maximum(one, size).ravel() for one in maps.values[:MOST_HEADS] if np.isfinite(one).all()]
    return float(np.quantile(np.concatenate(cells), TOP_QUANTILE)) or 1.0 if cells else 1.0


def _draw_scale(figure: Figure, grid: Grid, norm: PowerNorm, top_mm: float) -> None:
    text = "Attention weight"
    left_mm = grid.left_mm + style.text_width_mm(text, style.TEXT_PT) + 2.5
    style.write_at(figure, grid.left_mm, top_mm - 0.6, text)
    axes = style.add_axes(figure, left_mm, top_mm, 36.0, 2.2)
    steps = np.linspace(0, norm.vmax, 257)
    axes.pcolormesh(
        steps, [0, 1], ((steps[:-1] + steps[1:]) / 2)[None], cmap=COLOURS, norm=norm, rasterized=True
    )
    axes.set_xscale("function", functions=(np.sqrt, np.square))
    axes.set(xlim=(0, norm.vmax), yticks=[])
    ticks = [norm.vmax * share for share in (0, 0.1, 0.4, 1)]
    axes.set_xticks(ticks, [*(f"{tick:.2g}" for tick in ticks[:-1]), f"\u2265 {ticks[-1]:.2g}"])
    axes.minorticks_off()


def describe(maps: AttentionMaps) -> str:
    """Says how many tokens there are, what a cell is, and which heads are left out."""
    stands = maps.spans[maps.spans[:, 1] > maps.spans[:, 0]]
    lines = [f"n = {len(maps.tokens):,} tokens"]
    if len(stands):
        lines[0] += f" of {maps.contig}:{stands[0, 0]:,}{palette.DASH}{stands[:, 1].max():,} (0-based)"
    lines[0] += ". Rows are queries, columns keys; layers count from 1, heads from 0."
    if maps.weights != "checkpoint":
        lines.append(f"Weights: {maps.weights}.")
    if bin_size(maps) > 1:
        lines.append(f"Each cell: the maximum over {bin_size(maps)} by {bin_size(maps)} tokens.")
    if len(maps.heads) > MOST_HEADS:
        lines.append(f"The first {MOST_HEADS} of {len(maps.heads)} heads.")
    return " ".join(lines)


def plot_attention(maps: AttentionMaps, note: str, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws the attention maps of up to 12 heads as small panels that share one scale (square root).

    Up to 40 tokens are named where they fit, else the axes give positions; more than 400 are binned by their
    maximum. A map that is not finite is a gap with a note.

    Args:
        note: the model, for the line below the figure.
    """
    heads, note = maps.heads[:MOST_HEADS], f"{note} {describe(maps)}".strip()
    if len(maps.heads) > len(heads):
        style.log.warning("attention: the first %d of %d heads are drawn", len(heads), len(maps.heads))
    with style.applied():
        grid, size = plan_grid(len(heads), maps.tokens, width_mm), bin_size(maps)
        height_mm = grid.height_mm + style.note_height_mm(note, width_mm)
        figure = style.new_figure(width_mm, height_mm)
        norm = PowerNorm(SHADE_POWER, vmin=0.0, vmax=_top(maps), clip=True)
        gaps = 0
        for place, (layer, head) in enumerate(heads):
            row, column = divmod(place, grid.columns)
            left_mm, top_mm = grid.left_mm + column * grid.step_mm[0], TOP_MM + row * grid.step_mm[1]
            axes = style.add_axes(figure, left_mm, top_mm + TITLE_MM, grid.panel_mm, grid.panel_mm)
            gaps += _draw_map(axes, maps.values[place], size, norm)
            _label(axes, maps, grid, place, len(heads))
            style.write_at(figure, left_mm, top_mm + 0.7, f"layer {layer}, head {head}")
        if gaps or not heads:
            style.log.warning("attention: %d of %d maps hold no values", gaps, len(heads))
        if heads:
            _draw_scale(figure, grid, norm, grid.height_mm - SCALE_MM + 4.0)
        else:
            style.write_at(figure, 4, 4, "no value", color=palette.MUTED, fontsize=style.SMALL_PT)
        style.add_note(figure, note)
    return figure
