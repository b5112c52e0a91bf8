"""The benchmark figure: one facet per task, one bar per set of features, whiskers of 2 s.d. over folds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import benchmark_rows, layout, palette, style
from dnalm.figures.tables import (
    METRIC_NAMES,
    feature_colours,
    feature_label,
    feature_order,
    folds_text,
    layer_text,
    read_table,
    task_title,
)
from dnalm.leaderboard import HERE

NOTE = (
    "Probes on frozen embeddings or on the baselines' features, chosen inside the training folds; "
    "overlapping and near-identical windows share a fold."
)
DRAWN_COLUMNS = ("task", "suite", "metric", "features", "layer", "mean", "sd2", "folds", "n")
MOST_FACETS = 6  # more tasks are drawn one per line
MOST_COLUMNS = 3
BAR_MM, BAR_SHARE = 4.6, 0.72  # room per bar, and the share of it that the bar fills
TOP_MM, TITLE_MM, AXIS_MM, RIGHT_MM, GAP_MM = 1.5, 10.0, 11.0, 9.0, 10.0
LABEL_GAP_MM, WIDEST_MM, LEAST_MM = 4.0, 80.0, 22.0  # beside labels; of a facet, at most and at least
# In a narrow figure facets stand below each other, each with its title in one line.
NARROW_BAR_MM, NARROW_TITLE_MM, NARROW_AXIS_MM = 3.8, 6.0, 10.0
TALLEST_MM = 240.0  # about the height of a journal's page


def gather(path: str | Path) -> pd.DataFrame:
    """Returns our rows of the leaderboard as DRAWN_COLUMNS; published scores stay in the table.

    Raises:
        UserError: the leaderboard is missing, empty, or lacks a column.
    """
    table = read_table(path, (*DRAWN_COLUMNS, "origin"), "leaderboard")
    return table.loc[table["origin"] == HERE, list(DRAWN_COLUMNS)].reset_index(drop=True)


@dataclass(frozen=True)
class Grid:
    """How the facets of a figure are laid out."""

    labels: list[str]
    columns: int
    left_mm: float
    facet_mm: float
    bar_mm: float
    title_mm: float
    axis_mm: float

    @property
    def facet_tall_mm(self) -> float:
        """The height of a facet without title and axis."""
        return self.bar_mm * len(self.labels)

    def height_mm(self, tasks: int) -> float:
        """Returns the height of all facets."""
        return -(-tasks // self.columns) * self.row_mm

    @property
    def row_mm(self) -> float:
        """The height of a facet with title and axis."""
        return self.facet_tall_mm + self.title_mm + self.axis_mm

    def place(self, number: int) -> tuple[float, float]:
        """Returns where a facet's title and axes begin: left and top in mm."""
        row, column = divmod(number, self.columns)
        return self.left_mm + column * (self.facet_mm + GAP_MM), TOP_MM + row * self.row_mm


def _lay_out(pairs: list[tuple[str, str]], tasks: int, width_mm: float) -> Grid:
    narrow = layout.is_narrow(width_mm)
    labels = [layout.break_label(feature_label(*pair), width_mm / 2 - LABEL_GAP_MM) for pair in pairs]
    left_mm = layout.widest_mm(labels) + LABEL_GAP_MM
    room_mm = width_mm - left_mm - RIGHT_MM + GAP_MM
    columns = 1 if narrow else max(1, min(MOST_COLUMNS, tasks, int(room_mm / (LEAST_MM + GAP_MM))))
    bar_mm = max(NARROW_BAR_MM if narrow else BAR_MM, layout.label_height_mm(labels))
    around = (NARROW_TITLE_MM, NARROW_AXIS_MM) if narrow else (TITLE_MM, AXIS_MM)
    return Grid(labels, columns, left_mm, min(room_mm / columns - GAP_MM, WIDEST_MM), bar_mm, *around)


def _draw_bar(axes: Axes, row: pd.Series | None, y: int, colour: str, low: float) -> bool:
    """Draws one bar with its whisker and value; returns whether there is none to draw."""
    if row is None or not np.isfinite(row["mean"]):
        axes.text(0.01, y, "no value", fontsize=style.SMALL_PT, color=palette.MUTED, va="center")
        return True
    mean, spread = float(row["mean"]), float(row["sd2"]) if np.isfinite(row["sd2"]) else 0.0
    axes.barh(y, mean, height=BAR_SHARE, color=colour, linewidth=0)
    ends = max(mean - spread, low), min(mean + spread, 1.0)
    axes.plot(ends, [y, y], color=palette.INK, linewidth=0.6, solid_capstyle="butt")
    text = f"{mean:.2f}".replace("-", palette.MINUS)
    axes.annotate(
        text, (max(ends[1], 0), y), xytext=(2, 0), textcoords="offset points", va="center",
        fontsize=style.SMALL_PT, annotation_clip=False,
    )  # fmt: skip
    return False


def _draw_task(
    axes: Axes,
    table: pd.DataFrame,
    pairs: list[tuple[str, str]],
    colours: dict[tuple[str, str], str],
    low: float,
) -> bool:
    missing = False
    for y, pair in enumerate(pairs):
        own = table[(table["features"] == pair[0]) & (table["layer"].map(layer_text) == pair[1])]
        missing |= _draw_bar(axes, None if own.empty else own.iloc[0], y, colours[pair], low)
    axes.axvline(0, color=palette.INK, linewidth=0.5)
    axes.set(xlim=(low, 1), ylim=(len(pairs) - 0.4, -0.6))
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    return missing


def _title(
    figure: Figure, left_mm: float, top_mm: float, letter: str, task: str, table: pd.DataFrame, room_mm: float
) -> None:
    """Writes the task's name and below it species and n; in a narrow figure all in one line."""
    name, species = task_title(task)
    counts = table["n"].dropna()
    count = f"n = {int(counts.max()):,}" if len(counts) else ""
    species_mm = style.text_width_mm(species, style="italic") + 1.5 if species else 0.0
    small = {"fontsize": style.SMALL_PT}
    style.panel_letter(figure, left_mm, top_mm, letter)
    left_mm += 4
    if layout.is_narrow(style.size_mm(figure)[0]):
        room_mm -= species_mm + style.text_width_mm(count) + 2
        name, line = layout.shorten(name, room_mm, style.TEXT_PT), {"va": "baseline"}
        style.write_at(figure, left_mm, top_mm + 2.4, name, **line)
        left_mm += style.text_width_mm(name, style.TEXT_PT) + 2
        style.write_at(figure, left_mm, top_mm + 2.4, species, style="italic", **line, **small)
        style.write_at(figure, left_mm + species_mm, top_mm + 2.4, count, **line, **small)
        return
    style.write_at(figure, left_mm, top_mm + 0.2, layout.shorten(name, room_mm, style.TEXT_PT))
    style.write_at(figure, left_mm, top_mm + 4.0, species, style="italic", **small)
    style.write_at(figure, left_mm + species_mm, top_mm + 4.0, count, **small)


def plot_tasks(table: pd.DataFrame, note: str, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws one facet per task, or one line per task where they are many.

    A value that is missing is a gap with a note.

    Args:
        table: DRAWN_COLUMNS; sd2 is 2 s.d. over folds, n counts examples.
        note: probe, folds and models, for the line below the figure.
        width_mm: a narrow figure has one facet per row, or lines where these would be taller than a page.
    """
    tasks, pairs = list(dict.fromkeys(table["task"])), feature_order(table)
    bars = f"{note} Bars: mean over {folds_text(table)} folds of the metric named below; whiskers: ± 2 s.d. "
    bars += "over folds; grey: baselines."
    with style.applied():
        grid, note_mm = _lay_out(pairs, len(tasks), width_mm), style.note_height_mm(bars, width_mm)
        height_mm = TOP_MM + grid.height_mm(len(tasks)) + note_mm
        too_tall = layout.is_narrow(width_mm) and height_mm > TALLEST_MM
        if len(tasks) > MOST_FACETS or too_tall:
            return benchmark_rows.plot_rows(table, note, width_mm)
        figure = style.new_figure(width_mm, height_mm)
        gaps = sum(_draw_facet(figure, table, task, pairs, grid, place) for place, task in enumerate(tasks))
        if gaps:
            style.log.warning(
                "tasks: a value is missing in %d of %d tasks and drawn as a gap", gaps, len(tasks)
            )
        style.add_note(figure, bars)
    return figure


def _draw_facet(
    figure: Figure, table: pd.DataFrame, task: str, pairs: list[tuple[str, str]], grid: Grid, place: int
) -> bool:
    """Draws one task's title, bars and axis; returns whether a value is missing."""
    width_mm, own = style.size_mm(figure)[0], table[table["task"] == task]
    left_mm, top_mm = grid.place(place)
    axes = style.add_axes(figure, left_mm, top_mm + grid.title_mm, grid.facet_mm, grid.facet_tall_mm)
    gap = _draw_task(axes, own, pairs, feature_colours(pairs), benchmark_rows.lowest(table))
    first = place % grid.columns == 0
    axes.set_yticks(range(len(pairs)), grid.labels if first else [""] * len(pairs))
    metric = str(own["metric"].iloc[0])
    axes.set_xlabel(METRIC_NAMES.get(metric, metric))
    letter = chr(ord("a") + place) if table["task"].nunique() > 1 else ""
    narrow = layout.is_narrow(width_mm)
    title_mm, room_mm = (1.0, width_mm - 7) if narrow else (left_mm - 4, grid.facet_mm + GAP_MM - 4)
    _title(figure, title_mm, top_mm, letter, task, own, room_mm)
    return gap
