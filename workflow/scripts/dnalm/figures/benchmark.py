"""The benchmark figure: one facet per task, one bar per set of features, whiskers of 2 s.d. over folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.errors import UserError
from dnalm.figures import palette, style
from dnalm.figures.tables import (
    SUMMARY_COLUMNS,
    feature_colours,
    feature_label,
    feature_order,
    layer_text,
    read_table,
)

NOTE = (
    "Probes on frozen embeddings or on the baselines' features, chosen inside the training folds; "
    "overlapping and near-identical windows share a fold."
)
MOST_COLUMNS = 3
BAR_MM, BAR_SHARE = 4.6, 0.72  # room per bar, and the share of it that the bar fills
TOP_MM, TITLE_MM, AXIS_MM, RIGHT_MM, GAP_MM = 1.5, 10.0, 11.0, 9.0, 10.0


def gather(paths: Sequence[str | Path], metric: str) -> pd.DataFrame:
    """Reads the summaries of tasks and returns the rows of one metric.

    Raises:
        UserError: a summary is missing (all of them are named), empty, or lacks the metric.
    """
    absent = [str(path) for path in paths if not Path(path).exists()]
    if absent:
        raise UserError(", ".join(absent), "task result not found", "Run the tasks, or leave them out.")
    tables = []
    for path in paths:
        table = read_table(path, SUMMARY_COLUMNS, "summary of a task")
        own = table[table["metric"] == metric]
        if own.empty:
            known = ", ".join(dict.fromkeys(table["metric"].astype(str)))
            raise UserError(path, f"holds no metric {metric} (found {known})", "Name one of these.")
        tables.append(own)
    return pd.concat(tables, ignore_index=True)[list(SUMMARY_COLUMNS)]


def task_title(task: str) -> tuple[str, str]:
    """Returns a task's name for people and its species: `donors.zea_mays` -> Donors, Zea mays."""
    name, _, species = task.replace("_", " ").partition(".")
    return name[:1].upper() + name[1:], species[:1].upper() + species[1:]


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


def plot_tasks(
    table: pd.DataFrame, note: str, metric: str = "MCC", width_mm: float = style.PAGE_MM
) -> Figure:
    """Draws one facet per task; a value that is missing is a gap with a note.

    Args:
        table: task, features, layer, mean, sd2 (2 s.d. over folds), folds, n (examples), of one metric.
        note: probe, folds and models, for the line below the figure.
        metric: name of the metric, for the axis.
    """
    tasks, pairs = list(dict.fromkeys(table["task"])), feature_order(table)
    colours, labels = feature_colours(pairs), [feature_label(*pair) for pair in pairs]
    low = min(0.0, float(np.floor(10 * (table["mean"] - table["sd2"].fillna(0)).min()) / 10))
    folds = "/".join(f"{number:.0f}" for number in sorted(table["folds"].dropna().unique()))
    note += f" Bars: mean {metric} over {folds} folds; whiskers: ± 2 s.d. over folds; grey: baselines."
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
            axes.set_xlabel(metric)
            letter = chr(ord("a") + place) if len(tasks) > 1 else ""
            _title(figure, left_mm - 4, top_mm, letter, task, own)
        if gaps:
            style.log.warning(
                "tasks: a value is missing in %d of %d tasks and drawn as a gap", gaps, len(tasks)
            )
        style.add_note(figure, note)
    return figure
