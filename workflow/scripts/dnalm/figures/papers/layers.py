"""Probes' scores against the layer that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import palette, style
from dnalm.figures.papers import gaps, hollow, score_facets
from dnalm.figures.papers.layer_scores import describe, lost_layers, penalty_text
from dnalm.figures.papers.score_facets import MOST_HEIGHT_MM, PLOT_MM
from dnalm.figures.tables import baseline_of, feature_label, task_title

LAYER_NOTE = (
    "Probes of every layer with one fixed penalty{penalty}, to look at layers: the best of them was found on "
    "the scored rows and is no score to report."
)
FLAT_LINES = {"kmer": "-", "one_hot": "--", "gc_length": "-.", "constant": ":"}
LABEL_APART_MM, TICK_LANE_MM, FOLD_APART_MM = 2.5, 1.5, 0.35
RIGHT_MM = 3.0  # right of the axes, or of the names there
BAND_ALPHA, MARGIN_SHARE = 0.16, 0.06


def plot_layers(table: pd.DataFrame, note: str = LAYER_NOTE, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws a facet per task: a line per model over its layers, its untrained twin, baselines across.

    Args:
        table: layer_scores.LAYER_COLUMNS.
        note: for the line below the figure; `{penalty}` becomes the sweep's.
    """
    marks = score_facets.looks(list(table.loc[table["layer"].notna(), "features"])) if len(table) else {}
    flat = [name for name in dict.fromkeys(table["features"]) if name not in marks and baseline_of(str(name))]
    gone = lost_layers(table)
    note = f"{note.format(penalty=penalty_text(table))} {describe(table, gone)}"
    if gone or table.empty:
        style.log.warning("layers: %d values are missing and drawn as gaps", len(gone))
    with style.applied():
        if table.empty:
            return gaps.empty_figure(note, width_mm)
        tasks = list(table.groupby("task", sort=False))
        titles = [(*task_title(str(task)), score_facets.count_text(own)) for task, own in tasks]
        right_mm = max(map(_flat_mm, flat), default=0) + RIGHT_MM
        height_mm = score_facets.new_figure(marks, titles, width_mm, right_mm, note)[1].height_mm
        named = height_mm <= MOST_HEIGHT_MM
        shown = marks if named else marks | {name: _flat_mark(name) for name in flat}
        figure, grid = score_facets.new_figure(shown, titles, width_mm, right_mm if named else RIGHT_MM, note)
        for place, (_, own) in enumerate(tasks):
            axes = grid.add(figure, place)
            low = _draw_task(axes, own, marks, grid.plot_mm, named)
            score_facets.finish(axes, own, low, place % grid.columns == 0, table["metric"].nunique())
            axes.set_xlabel("Layer")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
            if lost_layers(own):
                score_facets.say_missing(axes)
        hollow.add_note(figure, note)
    return figure


def _draw_task(
    axes: Axes, own: pd.DataFrame, marks: Mapping[str, hollow.Mark], plot_mm: float, named: bool
) -> float:
    """Draws a task's scores, and below them the ticks of the folds; returns where the scores begin."""
    low, high = score_facets.score_range(own)
    series = _series(own)
    lanes = [rows for name, _, rows in series if rows["chosen"].sum() and not baseline_of(name)]
    strip_mm = TICK_LANE_MM * len(lanes) + (1.0 if lanes else 0.0)
    bottom = low - (high - low) * strip_mm / (PLOT_MM - strip_mm)
    axes.set(ylim=(bottom, high), xlim=_layer_limits(own))
    for name, pooling, rows in series:
        several = own[own["features"] == name]["pooling"].nunique() > 1
        _draw_series(axes, rows, marks[name], several, pooling)
    _draw_flat(axes, own, low, high, named)
    _draw_chosen(axes, lanes, marks, plot_mm)
    return low


def _series(own: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Returns (features, pooling, rows by layer) of the features with layers."""
    found = own[own["layer"].notna()].groupby(["features", "pooling"], sort=False)
    return [(str(name), str(pooling), rows.sort_values("layer")) for (name, pooling), rows in found]


def _layer_limits(own: pd.DataFrame) -> tuple[float, float]:
    layers = own["layer"].dropna()
    low, high = (float(layers.min()), float(layers.max())) if len(layers) else (0.0, 1.0)
    margin = max(MARGIN_SHARE * (high - low), 0.5)
    return low - margin, high + margin


def _draw_series(axes: Axes, rows: pd.DataFrame, mark: hollow.Mark, several: bool, pooling: str) -> None:
    x, mean = rows["layer"].to_numpy(np.float64), rows["mean"].to_numpy(np.float64)
    spread = rows["sd2"].fillna(0).to_numpy(np.float64)
    settings = mark.settings() | {"linewidth": 0.9, "clip_on": True}
    if several and pooling != "mean":
        settings["linestyle"] = ":"
    if len(x) > 1:
        below, above = mean - spread, mean + spread
        axes.fill_between(x, below, above, color=mark.colour, alpha=BAND_ALPHA, linewidth=0)
    else:
        axes.errorbar(x, mean, yerr=spread, fmt="none", ecolor=mark.colour, elinewidth=0.7)
    axes.plot(x, mean, zorder=2 if mark.hollow else 3, **settings)  # type: ignore[arg-type]


def _flat_mm(name: str) -> float:
    return style.text_width_mm(feature_label(name, ""))


def _flat_mark(name: str) -> hollow.Mark:
    kind = baseline_of(name)
    return hollow.Mark(
        feature_label(name, ""), "", palette.BASELINES[kind][1], line=FLAT_LINES.get(kind, "-")
    )


def _draw_flat(axes: Axes, own: pd.DataFrame, low: float, high: float, named: bool) -> None:
    """Draws the baselines of the sequence, each `named` right of the axes, or else in the legend."""
    flat = own[own["layer"].isna() & own["mean"].notna() & own["features"].map(baseline_of).ne("")]
    flat = flat[flat["mean"] >= low]
    if flat.empty:
        return
    bottom = axes.get_ylim()[0]
    apart = LABEL_APART_MM / PLOT_MM * (high - bottom)
    places = hollow.spread_apart(flat["mean"].to_numpy(np.float64), apart, high)
    for (_, row), place in zip(flat.iterrows(), places, strict=True):
        mark = _flat_mark(str(row["features"]))
        axes.axhline(float(row["mean"]), color=mark.colour, linestyle=mark.line, linewidth=0.8, zorder=1)
        axes.annotate(
            mark.label if named else "", (1, place), xytext=(3, 0), xycoords=("axes fraction", "data"),
            textcoords="offset points", va="center", fontsize=style.SMALL_PT, color=palette.MUTED,
            annotation_clip=False,
        )  # fmt: skip


def _draw_chosen(
    axes: Axes, lanes: Sequence[pd.DataFrame], marks: Mapping[str, hollow.Mark], plot_mm: float
) -> None:
    """Draws below the scores a tick for each fold at the layer it chose, models in lanes of their own."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    wide, tall = (right - left) / plot_mm, (top - bottom) / PLOT_MM
    for lane, rows in enumerate(lanes):
        y = bottom + TICK_LANE_MM * tall * (lane + np.array([0.2, 0.9]))
        for _, row in rows[rows["chosen"] > 0].iterrows():
            count = int(row["chosen"])
            shifts = (np.arange(count) - (count - 1) / 2) * FOLD_APART_MM * wide
            colour = marks[str(row["features"])].colour
            axes.vlines(float(row["layer"]) + shifts, *y, color=colour, linewidth=0.6)
