"""The Nucleotide Transformer paper's benchmark bars: a facet per task, by category, published scores beside.

The paper's Fig. 2 (Dalla-Torre et al. 2025, Nature Methods, doi:10.1038/s41592-024-02523-z) shows MCC with
whiskers of 2 s.d. over ten folds, and its means by category.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.figures import palette, style
from dnalm.figures.benchmark_rows import SUITE_NAMES
from dnalm.figures.papers import gaps, hollow
from dnalm.figures.papers.benchmark_note import count_missing, describe, gaps_text, tasks_not_run
from dnalm.figures.papers.benchmark_plan import (
    BAR_MM,
    LANE_MM,
    LETTER_MM,
    LINE_MM,
    Plan,
    Row,
    heading,
    make_plan,
    published_label,
)
from dnalm.figures.papers.benchmark_scores import SUITES
from dnalm.figures.tables import feature_colours
from dnalm.leaderboard import ELSEWHERE, HERE

TOP_MM, TITLE_MM = 2.0, 4.5
BAR_SHARE = 0.74


def plot_benchmark(
    table: pd.DataFrame, note: str, width_mm: float = style.PAGE_MM, suite: str = SUITES[0]
) -> Figure:
    """Draws bars of models and baselines, a facet per task, and published scores as hollow marks below them.

    Args:
        table: benchmark_scores.DRAWN_COLUMNS, published rows only of the same test rows.
        note: about the tasks, for the line below the figure (see benchmark_note.NOTES).
        suite: names the figure, and the tasks that were not run.
    """
    title = SUITE_NAMES[suite]
    missing, absent = count_missing(table), tasks_not_run(table, suite)
    note = " ".join(filter(None, (note, describe(table), gaps_text(missing, absent))))
    if missing or absent or table.empty:
        style.log.warning(
            "%s: %d values are missing and drawn as gaps; %d tasks are not run", suite, missing, len(absent)
        )
    with style.applied():
        if not (table["origin"] == HERE).any():
            return gaps.empty_figure(note, width_mm, title)
        plan = make_plan(table, width_mm)
        marks = list(plan.marks.values())
        legend_mm = hollow.legend_height_mm(marks, width_mm - 2 * hollow.MARGIN_MM)
        top_mm = TOP_MM + TITLE_MM + (legend_mm + 1.5 if marks else 0)
        below_mm = hollow.note_height_mm(note, width_mm)
        figure = style.new_figure(width_mm, top_mm + sum(map(plan.height_mm, plan.rows)) + below_mm)
        style.write_at(figure, hollow.MARGIN_MM, TOP_MM, title, fontweight="bold")
        hollow.draw_legend(
            figure, marks, hollow.MARGIN_MM, TOP_MM + TITLE_MM, width_mm - 2 * hollow.MARGIN_MM
        )
        for row in plan.rows:
            for column, task in row:
                _draw_facet(figure, plan, row, column, task, top_mm)
            top_mm += plan.height_mm(row)
        hollow.add_note(figure, note)
    return figure


def _draw_facet(figure: Figure, plan: Plan, row: Row, column: int, task: str, top_mm: float) -> None:
    own, left_mm = plan.own(task), plan.left_mm(column)
    if plan.begins(task):
        category = str(own["category"].iloc[0])
        letter = "abc"[list(dict.fromkeys(plan.table["category"])).index(category)]
        text = heading(category, plan.table[plan.table["category"] == category])
        at_mm = left_mm - LETTER_MM if column else hollow.MARGIN_MM
        if plan.table["category"].nunique() > 1:
            style.panel_letter(figure, at_mm, top_mm, letter)
            at_mm += LETTER_MM
        style.write_at(figure, at_mm, top_mm + 0.2, text, fontweight="bold")
    top_mm += plan.head_mm(row)
    lines, counts = plan.title(task), own.loc[own["origin"] == HERE, "n"].dropna()
    lines = [*lines, f"n = {int(counts.max()):,}" if len(counts) else ""]
    top_mm += plan.title_mm(row)
    for number, line in enumerate(reversed(lines)):
        colour = palette.INK if number else palette.MUTED
        at = top_mm - LINE_MM * (number + 1) - 0.8
        style.write_at(figure, left_mm, at, line, fontsize=style.SMALL_PT, color=colour)
    bars_mm, strip_mm = BAR_MM * len(plan.labels), plan.strip_mm(row)
    axes = style.add_axes(figure, left_mm, top_mm, plan.facet_mm, bars_mm + strip_mm)
    axes.set(xlim=(plan.low, 1), ylim=(len(plan.labels) - 0.5 + strip_mm / BAR_MM, -0.5))
    colours = feature_colours([(name, "") for name in plan.labels])
    for y, name in enumerate(plan.labels):
        found = own[(own["features"] == name) & (own["origin"] == HERE)]
        _draw_bar(axes, None if found.empty else found.iloc[0], y, colours[name, ""], plan.low)
    _draw_published(axes, plan, task)
    _finish(axes, plan, column, strip_mm)


def _draw_bar(axes: Axes, row: pd.Series | None, y: int, colour: str, low: float) -> None:
    if row is None or not np.isfinite(row["mean"]):
        axes.annotate(
            "no value", (0, y), xytext=(2, 0), textcoords="offset points", va="center",
            fontsize=style.SMALL_PT, color=palette.MUTED, annotation_clip=False,
        )  # fmt: skip
        return
    mean, spread = float(row["mean"]), float(row["sd2"]) if np.isfinite(row["sd2"]) else 0.0
    axes.barh(y, mean, height=BAR_SHARE, color=colour, linewidth=0)
    ends = max(mean - spread, low), min(mean + spread, 1.0)
    axes.plot(ends, [y, y], color=palette.INK, linewidth=0.5, solid_capstyle="butt")
    axes.annotate(
        f"{mean:.2f}".replace("-", palette.MINUS), (max(ends[1], 0), y), xytext=(1.5, 0),
        textcoords="offset points", va="center", fontsize=style.SMALL_PT, annotation_clip=False,
    )  # fmt: skip


def _draw_published(axes: Axes, plan: Plan, task: str) -> None:
    theirs, lanes = plan.places(task)
    methods = plan.table.loc[plan.table["origin"] == ELSEWHERE, "method"].nunique()
    for (_, row), lane in zip(theirs.iterrows(), lanes, strict=True):
        y = len(plan.labels) - 0.5 + (1.0 + LANE_MM * (lane + 0.5)) / BAR_MM
        settings = plan.marks[published_label(row, methods)].settings()
        axes.plot([float(row["mean"])], [y], clip_on=False, **settings)  # type: ignore[arg-type]


def _finish(axes: Axes, plan: Plan, column: int, strip_mm: float) -> None:
    places, labels = list(range(len(plan.labels))), list(plan.labels.values())
    last = len(labels) - 0.5
    if strip_mm:
        axes.axhline(last + 0.5 / BAR_MM, color=palette.PALE, linewidth=0.5)
        places, labels = [*places, last + (strip_mm / 2 + 0.5) / BAR_MM], [*labels, "published"]
    axes.set_yticks(places, labels if column == 0 else [""] * len(labels))
    ticks = [tick for tick in (-1.0, -0.5, 0.0, 0.5, 1.0) if tick >= plan.low]
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", palette.MINUS) for tick in ticks])
    axes.grid(axis="x", color=palette.PALE, linewidth=0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=palette.INK, linewidth=0.5)
