"""Facets of scores, all of one size: their places, marks, range, and what all of them say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from dnalm.figures import layout, palette, style
from dnalm.figures.benchmark_rows import LEAST
from dnalm.figures.benchmark_rows import MARKERS as BASELINE_MARKERS
from dnalm.figures.papers import hollow
from dnalm.figures.papers.benchmark_scores import rows_of
from dnalm.figures.tables import METRIC_NAMES, baseline_of, feature_colours, feature_label

Title = tuple[str, str, str]  # name, species, count
TOP_MM, TITLE_MM, AXIS_MM, LEFT_MM, PLOT_MM = 2.0, 7.5, 9.5, 11.0, 30.0
LINE_MM, LETTER_MM = 2.7, 4.0
MOST_PLOT_MM, MOST_HEIGHT_MM, LEAST_PLOT_MM = 75.0, 240.0, 13.0


@dataclass(frozen=True)
class Grid:
    """Facets of one size in rows and columns, in mm."""

    width_mm: float
    right_mm: float
    columns: int
    titles: tuple[Title, ...]
    top_mm: float

    @property
    def plot_mm(self) -> float:
        return min((self.width_mm - 1.0) / self.columns - LEFT_MM - self.right_mm, MOST_PLOT_MM)

    @property
    def stacked(self) -> bool:
        """Whether species and count need a line each."""
        room_mm = self.plot_mm + self.right_mm - 1.5
        return any(
            species and style.text_width_mm(species) + style.text_width_mm(count) > room_mm
            for _, species, count in self.titles
        )

    @property
    def row_mm(self) -> float:
        return TITLE_MM + (LINE_MM if self.stacked else 0.0) + PLOT_MM + AXIS_MM

    @property
    def height_mm(self) -> float:
        return self.top_mm + -(-len(self.titles) // self.columns) * self.row_mm

    def add(self, figure: Figure, place: int) -> Axes:
        """Adds a facet's axes below its title."""
        row, column = divmod(place, self.columns)
        left_mm = LEFT_MM + column * (self.plot_mm + self.right_mm + LEFT_MM)
        top_mm, room_mm = self.top_mm + row * self.row_mm, self.plot_mm + self.right_mm
        title, species, count = self.titles[place]
        if len(self.titles) > 1:
            style.panel_letter(figure, left_mm - LETTER_MM, top_mm, _letter(place))
        style.write_at(figure, left_mm, top_mm + 0.2, hollow.shorten(title, room_mm, style.TEXT_PT))
        small = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
        below_mm = top_mm + TITLE_MM - 4.2
        style.write_at(figure, left_mm, below_mm, hollow.shorten(species, room_mm), style="italic", **small)
        across_mm = style.text_width_mm(species) + 1.5 if species else 0.0
        shift = (0.0, LINE_MM) if self.stacked else (across_mm, 0.0)
        style.write_at(figure, left_mm + shift[0], below_mm + shift[1], count, **small)
        return style.add_axes(
            figure, left_mm, top_mm + self.row_mm - PLOT_MM - AXIS_MM, self.plot_mm, PLOT_MM
        )


def _letter(place: int) -> str:
    return chr(ord("a") + place % 26) * (place // 26 + 1)


def plan_grid(titles: Sequence[Title], width_mm: float, right_mm: float, top_mm: float) -> Grid:
    """Returns the facets in the fewest columns, from a usual number on, with which they fit a page."""
    first = max(1, min(len(titles), 1 if layout.is_narrow(width_mm) else 3))
    grid = Grid(width_mm, right_mm, first, tuple(titles), top_mm)
    while grid.height_mm > MOST_HEIGHT_MM:
        wider = replace(grid, columns=grid.columns + 1)
        if wider.plot_mm < LEAST_PLOT_MM:
            break
        grid = wider
    return grid


def new_figure(
    marks: Mapping[str, hollow.Mark],
    titles: Sequence[Title],
    width_mm: float,
    right_mm: float,
    note: str,
) -> tuple[Figure, Grid]:
    """Returns a figure of the right height with its legend, and the places of its facets."""
    shown, legend_width_mm = list(marks.values()), width_mm - 2 * hollow.MARGIN_MM
    legend_mm = hollow.legend_height_mm(shown, legend_width_mm)
    grid = plan_grid(titles, width_mm, right_mm, TOP_MM + (legend_mm + 2.5 if marks else 0))
    figure = style.new_figure(width_mm, grid.height_mm + hollow.note_height_mm(note, width_mm))
    hollow.draw_legend(figure, shown, hollow.MARGIN_MM, TOP_MM, legend_width_mm)
    return figure, grid


def looks(features: Sequence[str]) -> dict[str, hollow.Mark]:
    """Returns features -> mark: a model's twin has its shape, hollow and grey; other baselines are grey."""
    table = pd.DataFrame({"features": list(features), "layer": np.nan})
    names = list(rows_of(table))
    colours = feature_colours([(name, "") for name in names])
    models = [name for name in names if not baseline_of(name)]
    found = {}
    for name in names:
        kind, model = baseline_of(name), name.rpartition(".")[0]
        own = model if kind and model in models else name
        shape = hollow.MARKERS[models.index(own) % len(hollow.MARKERS)] if own in models else ""
        shape = shape or BASELINE_MARKERS.get(kind, "o")
        twin = kind == "random_weights"
        found[name] = hollow.Mark(
            feature_label(name, ""), shape, colours[name, ""], twin, "--" if kind else "-"
        )
    return found


def score_range(table: pd.DataFrame) -> tuple[float, float]:
    """Returns the axis of scores, in steps of 0.1, never below LEAST nor above 1."""
    spread = table["sd2"].fillna(0)
    low = float(np.floor(10 * (table["mean"] - spread).min() - 0.2) / 10)
    high = float(np.ceil(10 * (table["mean"] + spread).max() + 0.2) / 10)
    if not np.isfinite([low, high]).all():
        return 0.0, 1.0
    return max(low, LEAST), max(min(high, 1.0), max(low, LEAST) + 0.1)


def count_text(own: pd.DataFrame) -> str:
    """Returns how many rows were scored, fewest and most."""
    counts = own["n"].dropna()
    if counts.empty:
        return ""
    ends = [f"{int(number):,}" for number in sorted({counts.min(), counts.max()})]
    return f"n = {palette.DASH.join(ends)}"


def finish(axes: Axes, own: pd.DataFrame, low: float, first: bool, several: int) -> None:
    """Gives a facet its axis of scores.

    Args:
        low: no tick stands below.
        first: the facet stands on the left.
        several: how many metrics the figure has.
    """
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, axes.get_ylim()[1])
    axes.yaxis.set_major_locator(FixedLocator(ticks[ticks >= low]))
    axes.grid(axis="y", color=palette.PALE, linewidth=0.4)
    metric = str(own["metric"].iloc[0])
    if first or several > 1:
        axes.set_ylabel(METRIC_NAMES.get(metric, metric))


def say_missing(axes: Axes) -> None:
    """Writes in a facet that a value is missing."""
    small = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
    axes.text(0.02, 0.98, "no value", transform=axes.transAxes, va="top", **small)
