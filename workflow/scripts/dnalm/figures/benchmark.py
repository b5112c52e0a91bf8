"""The benchmark figure: one facet per task, one bar per set of features, whiskers of 2 s.d. over folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import benchmark_rows, palette, style
from dnalm.figures.tables import (
    METRIC_NAMES,
    feature_colours,
    feature_label,
    feature_order,
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


def gather(path: str | Path) -> pd.DataFrame:
    """Returns our rows of the leaderboard as DRAWN_COLUMNS; published scores stay in the table.

    Raises:
        UserError: the leaderboard is missing, empty, or lacks a column.
    """
    table = read_table(path, (*DRAWN_COLUMNS, "origin"), "leaderboard")
    return table.loc[table["origin"] == HERE, list(DRAWN_COLUMNS)].reset_index(drop=True)


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
    figure: Figure, left_mm: float, top_mm: float, letter: str, task: str, table: pd.DataFrame
) -> None:
    name, species = task_title(task)
    counts = table["n"].dropna()
    style.panel_letter(figure, left_mm, top_mm, letter)
    style.write_at(figure, left_mm + 4, top_mm + 0.2, name)
    count = f"n = {int(counts.max()):,}" if len(counts) else ""
    style.write_at(figure, left_mm + 4, top_mm + 4.0, species, fontsize=style.SMALL_PT, style="italic")
    gap_mm = style.text_width_mm(species, style="italic") + 1.5 if species else 0.0
    style.write_at(figure, left_mm + 4 + gap_mm, top_mm + 4.0, count, fontsize=style.SMALL_PT)


def plot_tasks(table: pd.DataFrame, note: str, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws one facet per task, or one line per task where they are many.

    A value that is missing is a gap with a note.

    Args:
        table: DRAWN_COLUMNS; sd2 is 2 s.d. over folds, n counts examples.
        note: probe, folds and models, for the line below the figure.
    """
    tasks = list(dict.fromkeys(table["task"]))
    if len(tasks) > MOST_FACETS:
        return benchmark_rows.plot_rows(table, note, width_mm)
    pairs = feature_order(table)
    colours, labels = feature_colours(pairs), [feature_label(*pair) for pair in pairs]
    low = benchmark_rows.lowest(table)
    folds = "/".join(f"{number:.0f}" for number in sorted(table["folds"].dropna().unique()))
    note += f" Bars: mean over {folds} folds of the metric named below; whiskers: ± 2 s.d. over folds;"
    note += " grey: baselines."
    with style.applied():
        columns = min(MOST_COLUMNS, len(tasks))
        rows = -(-len(tasks) // columns)
        label_mm = max(style.text_width_mm(label) for label in labels) + 4
        facet_mm = (width_mm - label_mm - RIGHT_MM - GAP_MM * (columns - 1)) / columns
        facet_mm = min(facet_mm, 80.0)
        tall_mm, row_mm = BAR_MM * len(pairs), BAR_MM * len(pairs) + TITLE_MM + AXIS_MM
        figure = style.new_figure(width_mm, TOP_MM + rows * row_mm + style.note_height_mm(note, width_mm))
        gaps = 0
        for place, task in enumerate(tasks):
            row, column = divmod(place, columns)
            left_mm, top_mm = label_mm + column * (facet_mm + GAP_MM), TOP_MM + row * row_mm
            axes = style.add_axes(figure, left_mm, top_mm + TITLE_MM, facet_mm, tall_mm)
            own = table[table["task"] == task]
            gaps += _draw_task(axes, own, pairs, colours, low)
            axes.set_yticks(range(len(pairs)), labels if column == 0 else [""] * len(pairs))
            metric = str(own["metric"].iloc[0])
            axes.set_xlabel(METRIC_NAMES.get(metric, metric))
            letter = chr(ord("a") + place) if len(tasks) > 1 else ""
            _title(figure, left_mm - 4, top_mm, letter, task, own)
        if gaps:
            style.log.warning(
                "tasks: a value is missing in %d of %d tasks and drawn as a gap", gaps, len(tasks)
            )
        style.add_note(figure, note)
    return figure
