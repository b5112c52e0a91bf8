"""The map of window embeddings, coloured by what the windows overlap and by their GC content."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.figures import layout, palette, style
from dnalm.figures.projection import Projection

COLOURS = {
    "exonic": palette.BLUE,
    "intronic": palette.ORANGE,
    "intergenic": "#8F8F8F",
    "repeat": palette.PURPLE,
}
SQUARE_MM, LEFT_MM, TOP_MM, BOTTOM_MM, KEY_MM = 60.0, 9.0, 8.0, 7.0, 22.0
GAP_MM = 1.0  # between a panel and the one below it
ORDER_SEED = 0  # windows are drawn in random order, so that no class hides another


def _frame(axes: Axes, projection: Projection) -> None:
    axes.set(xticks=[], yticks=[], aspect="auto")
    if projection.kind == "PCA":
        labels = [
            f"PC{place + 1} ({share:.0%} of variance)" for place, share in enumerate(projection.explained)
        ]
    else:
        labels = [f"{projection.kind} 1", f"{projection.kind} 2"]
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.margins(0.04)


def _dot_area(count: int) -> float:
    """Returns a dot's area in square points: smaller the more there are."""
    return float(np.clip(3000 / max(count, 1), 1.8, 16))


def _draw_classes(figure: Figure, axes: Axes, windows: pd.DataFrame, key_mm: float, top_mm: float) -> None:
    order = np.random.default_rng(ORDER_SEED).permutation(len(windows))
    colours = windows["overlaps"].map(COLOURS).to_numpy()[order]
    axes.scatter(windows["x"].to_numpy()[order], windows["y"].to_numpy()[order], s=_dot_area(len(windows)),
                 c=list(colours), linewidths=0, alpha=0.8)  # fmt: skip
    counts = windows["overlaps"].value_counts()
    present = [name for name in COLOURS if counts.get(name, 0)]
    handles = [
        axes.scatter([], [], s=14, color=COLOURS[name], linewidths=0, label=f"{name}\nn = {counts[name]:,}")
        for name in present
    ]
    across, down = style.size_mm(figure)
    place = (key_mm / across, 1 - (top_mm + 1) / down)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=place, labelspacing=0.8, handletextpad=0.3
    )


def _draw_gc(figure: Figure, axes: Axes, windows: pd.DataFrame, key_mm: float, top_mm: float) -> None:
    known = windows[windows["gc"].notna()]
    if known.empty:
        nothing = {"fontsize": style.SMALL_PT, "color": palette.MUTED, "transform": axes.transAxes}
        axes.text(0.5, 0.5, "no value", ha="center", **nothing)
        style.log.warning("embedding map: no window has a GC content")
        return
    low, high = np.quantile(known["gc"], (0.02, 0.98))
    dots = axes.scatter(known["x"], known["y"], s=_dot_area(len(windows)), c=known["gc"], cmap="cividis",
                        vmin=low, vmax=max(high, low + 1e-3), linewidths=0, alpha=0.9)  # fmt: skip
    bar = figure.colorbar(dots, cax=style.add_axes(figure, key_mm + 1, top_mm + 6, 2.2, 22))
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.solids.set(alpha=1)  # type: ignore[union-attr]
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    bar.ax.tick_params(length=1.5)
    style.write_at(figure, key_mm + 1, top_mm + 1, "GC content", fontsize=style.SMALL_PT)


def plot_map(
    windows: pd.DataFrame, projection: Projection, note: str, width_mm: float = style.PAGE_MM
) -> Figure:
    """Draws one panel per colouring that the table has: `overlaps` (classes), `gc` (share).

    Args:
        windows: columns x, y and overlaps, gc or both; the rows of `projection`.
        note: model, layer, n and rule of the classes, for the line below the figure.
        width_mm: of two panels beside each other, below each other where it is narrow; one panel needs less.
    """
    draws = {"overlaps": ("What windows overlap", _draw_classes), "gc": ("GC content of windows", _draw_gc)}
    panels = [value for column, value in draws.items() if column in windows]
    stacked = layout.is_narrow(width_mm)
    with style.applied():
        side_mm = min(SQUARE_MM, width_mm - LEFT_MM - KEY_MM)
        wide_mm, tall_mm = LEFT_MM + side_mm + KEY_MM, TOP_MM + side_mm + BOTTOM_MM
        across_mm, down_mm = (0.0, tall_mm + GAP_MM) if stacked else (wide_mm, 0.0)  # from panel to panel
        width_mm = width_mm if len(panels) == 2 else wide_mm
        height_mm = tall_mm + down_mm * (len(panels) - 1) + style.note_height_mm(note, width_mm)
        figure = style.new_figure(width_mm, height_mm)
        for place, (title, draw) in enumerate(panels):
            left_mm, top_mm = place * across_mm, place * down_mm
            axes = style.add_axes(figure, left_mm + LEFT_MM, top_mm + TOP_MM, side_mm, side_mm)
            draw(figure, axes, windows, left_mm + LEFT_MM + side_mm + 1, top_mm + TOP_MM)
            _frame(axes, projection)
            if len(panels) > 1:
                style.panel_letter(figure, left_mm + 1, top_mm + 1.5, "ab"[place])
            style.write_at(figure, left_mm + 5, top_mm + 1.7, title)
        style.add_note(figure, note)
    return figure
