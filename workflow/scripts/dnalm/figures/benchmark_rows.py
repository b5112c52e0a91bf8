"""Many tasks in one figure: one line per task, one mark per set of features, panels by suite and metric."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import layout, palette, style
from dnalm.figures.tables import (
    METRIC_NAMES,
    baseline_of,
    feature_colours,
    feature_label,
    feature_order,
    folds_text,
    layer_text,
    task_title,
)

Pair = tuple[str, str]  # features, layer
SUITE_NAMES = {
    "nt_revised": "Nucleotide Transformer tasks, revised",
    "nt_original": "Nucleotide Transformer tasks, original",
    "pgb": "Plant Genomic Benchmark", "gue": "Genome Understanding Evaluation",
    "annotation": "Tasks from annotations", "own": "Own tasks",
}  # fmt: skip
MARKERS = {"random_weights": "o", "kmer": "D", "one_hot": "s", "gc_length": "^", "constant": "x"}
TOP_MM, LEGEND_MM, HEAD_MM, AXIS_MM, N_MM, GAP_MM = 1.5, 3.6, 5.5, 9.5, 14.0, 2.0
LANE_MM = 1.5  # between two models of a line
LEAST_ROW_MM, LONGEST_LABEL_MM, LABEL_GAP_MM = 4.4, 62.0, 4.0
TICK_MM = 6.5  # at least from tick to tick
MARK_PT = 3.2
LEAST = -1.0  # lower scores are drawn here as arrowheads


def plot_rows(table: pd.DataFrame, note: str, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws every task as a line: models as dots with whiskers, random weights hollow, other baselines grey.

    Args:
        table: task, suite, metric, features, layer, mean, sd2, folds, n.
        note: for the line below the figure.
    """
    pairs = feature_order(table)
    colours, groups = _colours(pairs), list(table.groupby(["suite", "metric"], sort=False))
    models = [pair for pair in pairs if not baseline_of(pair[0])]
    row_mm = max(LEAST_ROW_MM, LANE_MM * len(models) + 1.4)
    note += f" Marks: mean over {folds_text(table)} folds; whiskers of the models: ± 2 s.d. over folds."
    note += f" Arrowheads: below {palette.MINUS}1." if (table["mean"] < LEAST).any() else ""
    gone = _missing(table, pairs)
    note += f" {gone} of the values are missing." if gone else ""
    with style.applied():
        longest_mm = min(LONGEST_LABEL_MM, width_mm / 2 - LABEL_GAP_MM)
        labels = {task: _label(task, longest_mm) for task in dict.fromkeys(table["task"])}
        label_mm = layout.widest_mm(labels.values())
        plot_mm, left_mm = width_mm - label_mm - N_MM - 5, label_mm + LABEL_GAP_MM
        lines = _legend_lines(pairs, width_mm - 4)
        heights = [HEAD_MM + row_mm * own["task"].nunique() + AXIS_MM for _, own in groups]
        legend_mm = LEGEND_MM * len(lines) + 2
        below_mm = style.note_height_mm(note, width_mm)
        figure = style.new_figure(width_mm, TOP_MM + legend_mm + sum(heights) + below_mm)
        _draw_legend(figure, lines, colours)
        top_mm = TOP_MM + legend_mm
        for ((suite, metric), own), height in zip(groups, heights, strict=True):
            tasks = list(dict.fromkeys(own["task"]))
            name = METRIC_NAMES.get(str(metric), str(metric))
            style.write_at(figure, 2, top_mm, f"{SUITE_NAMES.get(suite, suite)}: {name}", fontweight="bold")
            axes = style.add_axes(figure, left_mm, top_mm + HEAD_MM, plot_mm, row_mm * len(tasks))
            for y, task in enumerate(tasks):
                _draw_line(axes, own[own["task"] == task], y, pairs, models, colours, row_mm)
            _finish(axes, own, {task: labels[task] for task in tasks}, name, plot_mm)
            top_mm += height
        if gone:
            style.log.warning("tasks: %d values are missing and not drawn", gone)
        style.add_note(figure, note)
    return figure


def lowest(table: pd.DataFrame) -> float:
    """Returns where the axis of scores begins: at 0, or lower where a whisker is; at least LEAST."""
    least = float(np.floor(10 * (table["mean"] - table["sd2"].fillna(0)).min()) / 10)
    return max(min(0.0, least), LEAST)


def _colours(pairs: list[Pair]) -> dict[Pair, str]:
    """Gives random weights the colour of their model."""
    own = feature_colours(pairs)
    models = {name: own[name, layer] for name, layer in pairs if not baseline_of(name)}
    return {pair: models.get(pair[0].rpartition(".")[0], colour) for pair, colour in own.items()}


def _lane(pair: Pair, models: list[Pair]) -> float:
    """Returns how many lanes below the middle of its line a set of features lies."""
    name = pair[0].removesuffix(".random_weights")
    own = [place for place, model in enumerate(models) if model == (name, pair[1])]
    return own[0] - (len(models) - 1) / 2 if own else 0.0


def _label(task: str, width_mm: float) -> str:
    """Returns what stands beside a task's line; a long one has its genus and then its middle shortened."""
    name, species = task_title(task)
    genus, _, epithet = species.partition(" ")
    label = ", ".join(filter(None, (name, species)))
    if epithet and style.text_width_mm(label) > width_mm:
        label = f"{name}, {genus[0]}. {epithet}"
    return layout.shorten(label, width_mm)


def _missing(table: pd.DataFrame, pairs: list[Pair]) -> int:
    return table["task"].nunique() * len(pairs) - int(table["mean"].notna().sum())


def _row(own: pd.DataFrame, pair: Pair) -> pd.Series | None:
    found = own[(own["features"] == pair[0]) & (own["layer"].map(layer_text) == pair[1])]
    return None if found.empty or not np.isfinite(found["mean"].iloc[0]) else found.iloc[0]


def _draw_line(
    axes: Axes,
    own: pd.DataFrame,
    y: int,
    pairs: list[Pair],
    models: list[Pair],
    colours: dict[Pair, str],
    row_mm: float,
) -> None:
    for pair in sorted(pairs, key=models.__contains__):
        row = _row(own, pair)
        if row is None:
            continue
        place, mean = y + _lane(pair, models) * LANE_MM / row_mm, float(row["mean"])
        if pair in models:
            spread = float(row["sd2"]) if np.isfinite(row["sd2"]) else 0.0
            ends = [mean - spread, mean + spread]
            axes.plot(ends, [place, place], color=colours[pair], linewidth=0.7, solid_capstyle="butt")
        _mark(axes, mean, place, pair, colours[pair])


def _mark(axes: Axes, x: float, y: float, pair: Pair, colour: str) -> None:
    kind = baseline_of(pair[0])
    fill = "white" if kind == "random_weights" else colour
    marker = MARKERS.get(kind, "o") if x >= LEAST else "<"
    axes.plot(
        [max(x, LEAST)], [y], marker=marker, markersize=MARK_PT, color=colour, markerfacecolor=fill,
        markeredgewidth=0.7, linestyle="none", clip_on=False,
    )  # fmt: skip


def _finish(axes: Axes, own: pd.DataFrame, labels: dict[str, str], name: str, plot_mm: float) -> None:
    tasks = list(labels)
    axes.set(xlim=(lowest(own), 1), ylim=(len(tasks) - 0.5, -0.5), xlabel=name)
    axes.xaxis.set_major_locator(MaxNLocator(min(6, int(plot_mm / TICK_MM))))
    axes.set_yticks(range(len(tasks)), list(labels.values()))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=palette.PALE, linewidth=0.4)
    for y in range(len(tasks) - 1):
        axes.axhline(y + 0.5, color=palette.PALE, linewidth=0.4)
    axes.axvline(0, color=palette.INK, linewidth=0.5)
    for y, task in enumerate(tasks):
        counts = own.loc[own["task"] == task, "n"].dropna()
        text = f"n = {int(counts.max()):,}" if len(counts) else ""
        axes.annotate(
            text, (1, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=style.SMALL_PT,
            color=palette.MUTED, annotation_clip=False,
        )  # fmt: skip


def _legend_lines(pairs: list[Pair], width_mm: float) -> list[list[Pair]]:
    """Returns the pairs of each line of the legend."""
    return layout.flow(pairs, lambda pair: _entry_mm(pair, width_mm), width_mm)


def _entry(pair: Pair, width_mm: float) -> str:
    return layout.shorten(feature_label(*pair), width_mm - 3.0 - 2 * GAP_MM)


def _entry_mm(pair: Pair, width_mm: float) -> float:
    return 3.0 + style.text_width_mm(_entry(pair, width_mm)) + 2 * GAP_MM


def _draw_legend(figure: Figure, lines: list[list[Pair]], colours: dict[Pair, str]) -> None:
    width_mm = style.size_mm(figure)[0]
    high_mm = LEGEND_MM * len(lines)
    axes = style.add_axes(figure, 0, TOP_MM, width_mm, high_mm)
    axes.set(xlim=(0, width_mm), ylim=(high_mm, 0))
    axes.axis("off")
    for number, line in enumerate(lines):
        x, y = 3.0, LEGEND_MM * (number + 0.5)
        for pair in line:
            _mark(axes, x, y, pair, colours[pair])
            axes.text(x + 1.6, y, _entry(pair, width_mm - 4), fontsize=style.SMALL_PT, va="center_baseline")
            x += _entry_mm(pair, width_mm - 4)
