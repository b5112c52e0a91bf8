"""Probes' scores against the length of the sequence that they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from dnalm import leaderboard
from dnalm.figures import style
from dnalm.figures.papers import gaps, hollow, panels, score_facets
from dnalm.figures.papers.benchmark_scores import deepest
from dnalm.figures.tables import baseline_of, feature_label, folds_text, scored_text, task_title

# family: tasks that differ in the bases they keep: suite, its task, species and metric, joined by "|".
CONTEXT_COLUMNS = (
    "family", "suite", "suite_task", "species", "task", "length_bp", "metric", "features", "layer", "mean",
    "sd2", "folds", "n", "scored",
)  # fmt: skip
CONTEXT_NOTE = "Tasks of one kind that differ in the bases of sequence they keep; x: median length of a task."
DODGE_MM = 0.9  # between two models of one length
LABEL_APART_MM = 1.0  # between the lengths below the axis
SHORT_NAME_MM = 25.0  # an axis up to here has a shorter name


def gather_context(summaries: Sequence[str | Path]) -> pd.DataFrame:
    """Returns CONTEXT_COLUMNS: the headline scores of tasks with the median length of their sequences.

    Where every layer has a probe of its own, the deepest is taken: that looks at no score.

    Raises:
        UserError: a task's result is missing.
    """
    tables = []
    for path, entry in zip(summaries, leaderboard.read_entries(summaries), strict=True):
        sequences = pd.read_parquet(Path(path).with_name("data.parquet"), columns=["sequence"])["sequence"]
        suite, suite_task = (str(entry.content[key]) for key in ("suite", "task"))
        about = {"suite": suite, "suite_task": suite_task, "species": entry.name.partition(".")[2]}
        about |= {"metric": entry.metric}
        own = entry.summary[entry.summary["metric"] == entry.metric].assign(**about, task=entry.name)
        tables.append(
            deepest(own).assign(
                family="|".join(about.values()), length_bp=float(sequences.str.len().median())
            )
        )
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    return table.reindex(columns=list(CONTEXT_COLUMNS))


def plot_context(table: pd.DataFrame, note: str = CONTEXT_NOTE, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws a facet per family of tasks: scores against length of sequence, a line per set of features.

    Args:
        table: CONTEXT_COLUMNS.
        note: for the line below the figure.
    """
    marks = score_facets.looks(list(table["features"])) if len(table) else {}
    gone = _lost_lengths(table)
    note = f"{note} {_describe(table, gone)}"
    if gone or table.empty:
        style.log.warning("context: %d values are missing and drawn as gaps", len(gone))
    with style.applied():
        if table.empty:
            return gaps.empty_figure(note, width_mm)
        families = [own for _, own in table.groupby("family", sort=False)]
        firsts = [own.iloc[0] for own in families]
        names = [f"{row['suite_task'].replace('.', ' ')}.{row['species']}" for row in firsts]
        counts = map(score_facets.count_text, families)
        titles = [(*task_title(name), count) for name, count in zip(names, counts, strict=True)]
        figure, grid = score_facets.new_figure(marks, titles, width_mm, 4.0, note)
        for place, own in enumerate(families):
            axes = grid.add(figure, place)
            low, high = score_facets.score_range(own)
            axes.set(xscale="log", ylim=(low, high), xlim=_length_limits(own))
            _draw_lengths(axes, own, marks, grid.plot_mm)
            score_facets.finish(axes, own, low, place % grid.columns == 0, table["metric"].nunique())
            _label_lengths(axes, sorted(set(own["length_bp"].tolist())), grid.plot_mm)
            if _lost_lengths(own):
                score_facets.say_missing(axes)
        hollow.add_note(figure, note)
    return figure


def _length_limits(own: pd.DataFrame) -> tuple[float, float]:
    low, high = float(own["length_bp"].min()), float(own["length_bp"].max())
    margin = (high / low) ** 0.12 if high > low else 2.0
    return low / margin, high * margin


def _draw_lengths(axes: Axes, own: pd.DataFrame, marks: Mapping[str, hollow.Mark], plot_mm: float) -> None:
    """Draws the series; models stand a little apart so that their whiskers can be told apart."""
    left, right = np.log10(axes.get_xlim())
    step = DODGE_MM * (right - left) / plot_mm
    names = [name for name in marks if name in set(own["features"])]
    models = [name for name in names if not baseline_of(name)]
    every = own[["task", "length_bp"]].drop_duplicates().sort_values("length_bp", kind="stable")
    for name in sorted(names, key=models.__contains__):
        rows = every.merge(own[own["features"] == name].drop(columns="length_bp"), on="task", how="left")
        shift = step * (models.index(name) - (len(models) - 1) / 2) if name in models else 0.0
        x, mean = rows["length_bp"].to_numpy(np.float64) * 10**shift, rows["mean"].to_numpy(np.float64)
        settings = marks[name].settings() | {"linewidth": 0.9 if name in models else 0.6}
        if name in models:
            spread = rows["sd2"].fillna(0).to_numpy(np.float64)
            axes.errorbar(x, mean, yerr=spread, fmt="none", ecolor=marks[name].colour, elinewidth=0.7)
        axes.plot(x, mean, **settings)  # type: ignore[arg-type]


def _label_lengths(axes: Axes, lengths: Sequence[float], plot_mm: float) -> None:
    """Labels as many lengths as there is room for, always the longest."""
    axes.xaxis.set_major_locator(FixedLocator(list(lengths)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(
        panels.thin_labels(axes, lengths, lambda text: style.text_width_mm(text) + LABEL_APART_MM)
    )
    axes.set_xlabel("Sequence length (bp)" if plot_mm > SHORT_NAME_MM else "Length (bp)")


def _lost_lengths(table: pd.DataFrame) -> list[str]:
    """Returns what has no score at one length of its family, and has a row at another."""
    lost = []
    for _, own in table.groupby("family", sort=False):
        known = set(zip(*(own.loc[own["mean"].notna(), key] for key in ("features", "task")), strict=True))
        for task in dict.fromkeys(own["task"]):
            names = [name for name in dict.fromkeys(own["features"]) if (name, task) not in known]
            lost += [f"{feature_label(str(name), '')} ({task})" for name in names]
    return lost


def _describe(table: pd.DataFrame, gone: Sequence[str]) -> str:
    if table.empty:
        return "No task has a result."
    text = f"Marks: mean over {folds_text(table)} folds, scored on {scored_text(table)}; whiskers of the "
    text += "models, a little apart in x: ± 2 s.d. over folds; grey: baselines, hollow with random "
    text += "weights; n: rows scored."
    if table["layer"].notna().any():
        text += " Where layers were not chosen from, the deepest."
    lengths = table.groupby("family", sort=False)["length_bp"].nunique()
    text += " A family of one length is a point." if (lengths == 1).any() else ""
    return text + (f" No value: {', '.join(gone)}." if gone else "")
