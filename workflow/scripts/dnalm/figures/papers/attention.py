"""The figure of attention maps: one small panel per head, one scale of colours."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.attention.maps import AttentionMaps
from dnalm.figures import palette, style
from dnalm.figures.density import COLOURS
from dnalm.figures.papers.attention_cells import MOST_HEADS, bin_maximum, bin_size, describe, top_weight
from dnalm.figures.papers.attention_grid import SCALE_MM, TITLE_MM, TOP_MM, Grid, plan_grid
from dnalm.figures.papers.gaps import write_gap

SHADE_POWER = 0.5  # below 1: a column that takes most attention does not make all others pale


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
        norm = PowerNorm(SHADE_POWER, vmin=0.0, vmax=top_weight(maps), clip=True)
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
        write_gap(axes, "no value")
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
