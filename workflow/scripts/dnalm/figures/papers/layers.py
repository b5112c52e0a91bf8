"""Scores of probes against the layer they read, and against the length of the sequence they see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from dnalm import leaderboard, metrics, probe
from dnalm.errors import UserError
from dnalm.figures import palette, style
from dnalm.figures.benchmark_rows import MARKERS as BASELINE_MARKERS
from dnalm.figures.papers import hollow
from dnalm.figures.papers.benchmark import deepest, rows_of
from dnalm.figures.tables import METRIC_NAMES, baseline_of, feature_colours, feature_label, task_title

# mean, sd2: over folds, with the sweep's penalty. chosen: how many folds chose this layer (and pooling) for
# the score that is reported. penalty: of the sweep; empty where an MLP's steps were chosen instead.
LAYER_COLUMNS = (
    "task", "metric", "features", "layer", "pooling", "head", "choice", "penalty", "mean", "sd2", "folds",
    "n", "scored", "chosen",
)  # fmt: skip
# family: tasks that differ in the bases they keep: suite, its task, species and metric, joined by "|".
CONTEXT_COLUMNS = (
    "family", "suite", "suite_task", "species", "task", "length_bp", "metric", "features", "layer", "mean",
    "sd2", "folds", "n", "scored",
)  # fmt: skip
LAYER_NOTE = (
    "Probes of every layer with one fixed penalty{penalty}, to look at layers: the best of them was found on "
    "the scored rows and is no score to report."
)
CONTEXT_NOTE = "Tasks of one kind that differ in the bases of sequence they keep; x: median length of a task."
FIXED = "fixed"  # the choice of a sweep's linear probes
TRIED = "layer"  # the choice of a probe that took a layer in each fold
FLAT_LINES = {"kmer": "-", "one_hot": "--", "gc_length": "-.", "constant": ":"}
LEAST = -1.0  # the axis of scores begins here at the lowest
TOP_MM, TITLE_MM, AXIS_MM, LEFT_MM, PLOT_MM = 2.0, 7.5, 9.5, 11.0, 30.0
LINE_MM, LETTER_MM = 2.7, 4.0
MOST_PLOT_MM, MOST_HEIGHT_MM, LEAST_PLOT_MM = 75.0, 240.0, 13.0
LABEL_APART_MM, TICK_LANE_MM, FOLD_APART_MM, DODGE_MM = 2.5, 1.5, 0.35, 0.9
BAND_ALPHA, MARGIN_SHARE = 0.16, 0.06


def gather_layers(summaries: Sequence[str | Path], metric: str | None = None) -> pd.DataFrame:
    """Returns LAYER_COLUMNS of several tasks, from the probes' folders beside their summaries.

    Features whose sweep is missing are one row without a score, so are those of no layers (fine-tuned).

    Args:
        metric: instead of that by which each task is judged.

    Raises:
        UserError: no summaries, a task's result or metric is missing, or a table is not in order.
    """
    if metric is not None and metric not in probe.METRICS:
        raise UserError(
            f"metric {metric!r}", f"is not known (expected one of {', '.join(probe.METRICS)})", "Name one."
        )
    rows: list[dict[str, object]] = []
    for path, entry in zip(summaries, leaderboard.read_entries(summaries), strict=True):
        name = metric or entry.metric
        for features in dict.fromkeys(entry.summary["features"].astype(str)):
            about = {"task": entry.name, "metric": name, "features": features}
            rows += [about | row for row in _layers_of(Path(path).parent / features, name)]
    return pd.DataFrame(rows).reindex(columns=list(LAYER_COLUMNS))


def _layers_of(folder: Path, metric: str) -> list[dict[str, object]]:
    if not (folder / "sweep.tsv").exists() or not (folder / "folds.tsv").exists():
        return [{}]
    sweep, folds = (probe.read_folds(folder / name) for name in ("sweep.tsv", "folds.tsv"))
    if (sweep["choice"] == FIXED).any():
        sweep = sweep[sweep["choice"] == FIXED]
    taken = folds[folds["choice"] == TRIED]
    rows = []
    for (layer, pooling), own in sweep.groupby([sweep["layer"].fillna(-1), "pooling"], sort=True):
        mean, _, sd2 = metrics.spread(own[metric].to_numpy(np.float64))
        tested = (own["scored"] == "test").all()
        rows.append(
            {
                **{
                    key: own[key].iloc[0]
                    for key in ("layer", "pooling", "head", "choice", "penalty", "scored")
                },
                **{"mean": mean, "sd2": sd2, "folds": len(own)},
                "n": int(own["n_test"].iloc[0] if tested else own["n_test"].sum()),
                "chosen": int(((taken["layer"] == layer) & (taken["pooling"] == pooling)).sum()),
            }
        )
    return rows


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


@dataclass(frozen=True)
class _Grid:
    """Facets of one size in rows and columns, in mm; `titles` holds name, species and count of each."""

    width_mm: float
    right_mm: float
    columns: int
    titles: tuple[tuple[str, str, str], ...]
    top_mm: float

    @property
    def plot_mm(self) -> float:
        return min((self.width_mm - 1.0) / self.columns - LEFT_MM - self.right_mm, MOST_PLOT_MM)

    @property
    def stacked(self) -> bool:
        """Whether species and count need a line each."""
        room_mm = self.plot_mm + self.right_mm - 1.5
        return any(
            species and hollow.text_mm(species) + hollow.text_mm(count) > room_mm
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
        across_mm = hollow.text_mm(species) + 1.5 if species else 0.0
        shift = (0.0, LINE_MM) if self.stacked else (across_mm, 0.0)
        style.write_at(figure, left_mm + shift[0], below_mm + shift[1], count, **small)
        return style.add_axes(
            figure, left_mm, top_mm + self.row_mm - PLOT_MM - AXIS_MM, self.plot_mm, PLOT_MM
        )


def _letter(place: int) -> str:
    return chr(ord("a") + place % 26) * (place // 26 + 1)


def _grid(titles: Sequence[tuple[str, str, str]], width_mm: float, right_mm: float, top_mm: float) -> _Grid:
    """Returns the facets in the fewest columns, from a usual number on, with which they fit a page."""
    first = max(1, min(len(titles), 3 if width_mm > 130 else 1))
    grid = _Grid(width_mm, right_mm, first, tuple(titles), top_mm)
    while grid.height_mm > MOST_HEIGHT_MM:
        wider = replace(grid, columns=grid.columns + 1)
        if wider.plot_mm < LEAST_PLOT_MM:
            break
        grid = wider
    return grid


def looks(features: Sequence[str], lines: bool = True) -> dict[str, hollow.Mark]:
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
            feature_label(name, ""), shape, colours[name, ""], twin, ("--" if kind else "-") if lines else ""
        )
    return found


def _range(table: pd.DataFrame) -> tuple[float, float]:
    """Returns the axis of scores, in steps of 0.1, never below LEAST nor above 1."""
    spread = table["sd2"].fillna(0)
    low = float(np.floor(10 * (table["mean"] - spread).min() - 0.2) / 10)
    high = float(np.ceil(10 * (table["mean"] + spread).max() + 0.2) / 10)
    if not np.isfinite([low, high]).all():
        return 0.0, 1.0
    return max(low, LEAST), max(min(high, 1.0), max(low, LEAST) + 0.1)


def _count(own: pd.DataFrame) -> str:
    counts = own["n"].dropna()
    if counts.empty:
        return ""
    ends = [f"{int(number):,}" for number in sorted({counts.min(), counts.max()})]
    return f"n = {palette.DASH.join(ends)}"


def _folds(table: pd.DataFrame) -> str:
    return "/".join(f"{number:.0f}" for number in sorted(table["folds"].dropna().unique()))


def _series(own: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """Returns (features, pooling, rows by layer) of the features with layers."""
    found = own[own["layer"].notna()].groupby(["features", "pooling"], sort=False)
    return [(str(name), str(pooling), rows.sort_values("layer")) for (name, pooling), rows in found]


def plot_layers(table: pd.DataFrame, note: str = LAYER_NOTE, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws a facet per task: a line per model over its layers, its untrained twin, baselines across.

    Args:
        table: LAYER_COLUMNS.
        note: for the line below the figure; `{penalty}` becomes the sweep's.
    """
    marks = looks(list(table.loc[table["layer"].notna(), "features"])) if len(table) else {}
    flat = [name for name in dict.fromkeys(table["features"]) if name not in marks and baseline_of(str(name))]
    gone = _lost_layers(table)
    note = f"{note.format(penalty=_penalty(table))} {_layer_text(table, gone)}"
    if gone or table.empty:
        style.log.warning("layers: %d values are missing and drawn as gaps", len(gone))
    with style.applied():
        if table.empty:
            return _nothing(note, width_mm)
        tasks = list(table.groupby("task", sort=False))
        titles = [(*task_title(str(task)), _count(own)) for task, own in tasks]
        right_mm = max(map(_flat_mm, flat), default=0) + 3
        named = _new(marks, titles, width_mm, right_mm, note)[1].height_mm <= MOST_HEIGHT_MM
        shown = marks if named else marks | {name: _flat_mark(name) for name in flat}
        figure, grid = _new(shown, titles, width_mm, right_mm if named else 3.0, note)
        for place, (_, own) in enumerate(tasks):
            axes = grid.add(figure, place)
            low, high = _range(own)
            lanes = [rows for name, _, rows in _series(own) if rows["chosen"].sum() and not baseline_of(name)]
            strip_mm = TICK_LANE_MM * len(lanes) + (1.0 if lanes else 0.0)
            bottom = low - (high - low) * strip_mm / (PLOT_MM - strip_mm)
            axes.set(ylim=(bottom, high), xlim=_layer_limits(own))
            for name, pooling, rows in _series(own):
                _draw_series(
                    axes, rows, marks[name], own[own["features"] == name]["pooling"].nunique() > 1, pooling
                )
            _draw_flat(axes, own, low, high, named)
            _draw_chosen(axes, lanes, marks, grid.plot_mm)
            _finish(axes, own, low, place % grid.columns == 0, table["metric"].nunique())
            axes.set_xlabel("Layer")
            axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
            _say_missing(axes, own)
        hollow.add_note(figure, note)
    return figure


def _new(
    marks: Mapping[str, hollow.Mark],
    titles: Sequence[tuple[str, str, str]],
    width_mm: float,
    right_mm: float,
    note: str,
) -> tuple[Figure, _Grid]:
    """Returns a figure of the right height with its legend, and the places of its facets."""
    shown, legend_width_mm = list(marks.values()), width_mm - 2 * hollow.MARGIN_MM
    legend_mm = hollow.legend_height_mm(shown, legend_width_mm)
    grid = _grid(titles, width_mm, right_mm, TOP_MM + (legend_mm + 2.5 if marks else 0))
    figure = style.new_figure(width_mm, grid.height_mm + hollow.note_height_mm(note, width_mm))
    hollow.draw_legend(figure, shown, hollow.MARGIN_MM, TOP_MM, legend_width_mm)
    return figure, grid


def _nothing(note: str, width_mm: float) -> Figure:
    figure = style.new_figure(width_mm, 12 + hollow.note_height_mm(note, width_mm))
    small = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
    style.write_at(figure, hollow.MARGIN_MM, 5, "no value", **small)
    hollow.add_note(figure, note)
    return figure


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
    return hollow.text_mm(feature_label(name, ""))


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


def _finish(axes: Axes, own: pd.DataFrame, low: float, first: bool, several: int) -> None:
    ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(low, axes.get_ylim()[1])
    axes.yaxis.set_major_locator(FixedLocator(ticks[ticks >= low]))
    axes.grid(axis="y", color=palette.PALE, linewidth=0.4)
    metric = str(own["metric"].iloc[0])
    if first or several > 1:
        axes.set_ylabel(METRIC_NAMES.get(metric, metric))


def _say_missing(axes: Axes, own: pd.DataFrame) -> None:
    if _lost_layers(own):
        small = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
        axes.text(0.02, 0.98, "no value", transform=axes.transAxes, va="top", **small)


def _lost_layers(table: pd.DataFrame) -> list[str]:
    """Returns what has no score: a layer's, or all of a set of features."""
    lost = table[table["mean"].isna()] if len(table) else table
    names = [", ".join(filter(None, task_title(str(task)))) for task in lost["task"]]
    labels = [feature_label(str(row.features), row.layer) for row in lost.itertuples()]
    return [f"{label} ({name})" for label, name in zip(labels, names, strict=True)]


def _penalty(table: pd.DataFrame) -> str:
    linear = table[table["choice"] == FIXED] if len(table) else table
    values = sorted(linear["penalty"].dropna().unique()) if len(linear) else []
    return f" ({'/'.join(f'{value:g}' for value in values)})" if values else ""


def _layer_text(table: pd.DataFrame, gone: Sequence[str]) -> str:
    if table.empty:
        return "No probe of these tasks has a result."
    text = f"Lines: mean over {_folds(table)} folds; bands, or whiskers: ± 2 s.d. over folds; hollow grey "
    text += (
        "marks: the same network with random weights; grey lines: baselines of the sequence, same penalty."
    )
    if table["chosen"].sum():
        text += (
            " Ticks at the foot: the layer that each fold's reported probe chose inside its training rows."
        )
    layers = table.dropna(subset="layer").groupby(["task", "features"], sort=False)["layer"].nunique()
    alone = dict.fromkeys(name for (_, name), count in layers.items() if count == 1)
    text += f" One layer only: {', '.join(feature_label(name, '') for name in alone)}." if alone else ""
    several = table.groupby(["task", "features"])["pooling"].nunique().gt(1).any()
    text += " Dotted: another pooling than the mean." if several else ""
    mlp = sorted(set(table.loc[table["head"] == "mlp", "features"]))
    text += f" MLP probes, stopped inside the training rows: {', '.join(mlp)}." if mlp else ""
    own = table["layer"].isna() & table["mean"].notna() & table["features"].map(baseline_of).eq("")
    tuned = dict.fromkeys(table.loc[own, "features"])
    text += f" Without layers, not drawn: {', '.join(tuned)}." if tuned else ""
    text += f" Below {palette.MINUS}1, not drawn in full: see table." if (table["mean"] < LEAST).any() else ""
    return text + (f" No value: {', '.join(gone)}." if gone else "")


def plot_context(table: pd.DataFrame, note: str = CONTEXT_NOTE, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws a facet per family of tasks: scores against length of sequence, a line per set of features.

    Args:
        table: CONTEXT_COLUMNS.
        note: for the line below the figure.
    """
    marks = looks(list(table["features"])) if len(table) else {}
    gone = _lost_lengths(table)
    note = f"{note} {_context_text(table, gone)}"
    if gone or table.empty:
        style.log.warning("context: %d values are missing and drawn as gaps", len(gone))
    with style.applied():
        if table.empty:
            return _nothing(note, width_mm)
        families = [own for _, own in table.groupby("family", sort=False)]
        firsts = [own.iloc[0] for own in families]
        names = [f"{row['suite_task'].replace('.', ' ')}.{row['species']}" for row in firsts]
        titles = [(*task_title(name), _count(own)) for name, own in zip(names, families, strict=True)]
        figure, grid = _new(marks, titles, width_mm, 4.0, note)
        for place, own in enumerate(families):
            axes = grid.add(figure, place)
            low, high = _range(own)
            axes.set(xscale="log", ylim=(low, high), xlim=_length_limits(own))
            _draw_lengths(axes, own, marks, grid.plot_mm)
            _finish(axes, own, low, place % grid.columns == 0, table["metric"].nunique())
            _label_lengths(axes, sorted(set(own["length_bp"].tolist())), grid.plot_mm)
            if _lost_lengths(own):
                small = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
                axes.text(0.02, 0.98, "no value", transform=axes.transAxes, va="top", **small)
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
    left, right = np.log10(axes.get_xlim())
    labels, end_mm = [], np.inf
    for length in reversed(lengths):
        at_mm = (np.log10(length) - left) / (right - left) * plot_mm
        half_mm = hollow.text_mm(f"{length:,.0f}") / 2
        fits = at_mm + half_mm + 1.0 < end_mm
        labels.append(f"{length:,.0f}" if fits else "")
        end_mm = at_mm - half_mm if fits else end_mm
    axes.xaxis.set_major_locator(FixedLocator(list(lengths)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(labels[::-1])
    axes.set_xlabel("Sequence length (bp)" if plot_mm > 25 else "Length (bp)")


def _lost_lengths(table: pd.DataFrame) -> list[str]:
    """Returns what has no score at one length of its family, and has a row at another."""
    lost = []
    for _, own in table.groupby("family", sort=False):
        known = set(zip(*(own.loc[own["mean"].notna(), key] for key in ("features", "task")), strict=True))
        for task in dict.fromkeys(own["task"]):
            names = [name for name in dict.fromkeys(own["features"]) if (name, task) not in known]
            lost += [f"{feature_label(str(name), '')} ({task})" for name in names]
    return lost


def _context_text(table: pd.DataFrame, gone: Sequence[str]) -> str:
    if table.empty:
        return "No task has a result."
    scored = {"test": "the test set", "held_out": "held-out folds"}
    where = " or ".join(scored.get(str(name), str(name)) for name in dict.fromkeys(table["scored"].dropna()))
    text = (
        f"Marks: mean over {_folds(table)} folds, scored on {where}; whiskers of the models, a little apart "
    )
    text += "in x: ± 2 s.d. over folds; grey: baselines, hollow with random weights; n: rows scored."
    if table["layer"].notna().any():
        text += " Where layers were not chosen from, the deepest."
    lengths = table.groupby("family", sort=False)["length_bp"].nunique()
    text += " A family of one length is a point." if (lengths == 1).any() else ""
    return text + (f" No value: {', '.join(gone)}." if gone else "")
