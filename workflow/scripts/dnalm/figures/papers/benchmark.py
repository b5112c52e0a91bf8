"""The Nucleotide Transformer paper's benchmark bars: a facet per task, by category, published scores beside.

The paper's Fig. 2 (Dalla-Torre et al. 2025, Nature Methods, doi:10.1038/s41592-024-02523-z) shows MCC with
whiskers of 2 s.d. over ten folds, and its means by category. To which category a task belongs follows from
what it predicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm import suites
from dnalm.figures import palette, style
from dnalm.figures.benchmark_rows import SUITE_NAMES, lowest
from dnalm.figures.papers import hollow
from dnalm.figures.tables import (
    METRIC_NAMES,
    baseline_of,
    feature_colours,
    feature_label,
    feature_order,
    layer_text,
    read_table,
)
from dnalm.leaderboard import ELSEWHERE, HERE

SUITES = ("nt_revised", "nt_original")
NOTES = {
    "nt_revised": "Revised tasks; those of the original set have the same names and other data.",
    "nt_original": "Original tasks; those of the revised set have the same names and other data, and "
    "supersede these, of which test sequences are also training sequences.",
}
HISTONE, REGULATORY, SPLICING = "Histone marks", "Regulatory elements", "Splicing"
CATEGORIES = (HISTONE, REGULATORY, SPLICING)
# suite's task -> category and name; all others of both suites are histone marks, named as they are
TASKS = {
    "promoter_all": (REGULATORY, "Promoters"), "promoter_tata": (REGULATORY, "TATA promoters"),
    "promoter_no_tata": (REGULATORY, "Non-TATA promoters"), "enhancers": (REGULATORY, "Enhancers"),
    "enhancers_types": (REGULATORY, "Enhancer types"), "splice_sites_all": (SPLICING, "Splice sites"),
    "splice_sites_acceptors": (SPLICING, "Splice acceptors"),
    "splice_sites_donors": (SPLICING, "Splice donors"),
}  # fmt: skip
READ_FROM = {
    "figure": "read off a figure, right to about 0.01", "table": "from a table", "file": "from a file",
}  # fmt: skip
LEFT_OUT = "published scores left out: "  # as the leaderboard's note says it
# task: of the configuration; name: of its facet; the others as the leaderboard has them.
DRAWN_COLUMNS = (
    "category", "task", "suite", "suite_task", "name", "metric", "features", "layer", "method", "origin",
    "mean", "sd2", "folds", "n", "scored", "source", "read_from", "mark", "note",
)  # fmt: skip
TASK, ALONE = "task", ["task", "features"]
BAR_MM, BAR_SHARE, LANE_MM, MARKS_APART_MM = 2.8, 0.74, 1.6, 1.7
TOP_MM, TITLE_MM, HEAD_MM, AXIS_MM, GAP_MM = 2.0, 4.5, 4.6, 5.5, 6.5
LINE_MM, LETTER_MM = 2.7, 3.5
MOST_FACET_MM, MOST_HEIGHT_MM = 60.0, 240.0  # the latter is a printed page without its margins


def gather(path: str | Path, suite: str) -> pd.DataFrame:
    """Returns a suite's rows of the leaderboard as DRAWN_COLUMNS, in the order in which they are drawn.

    Where every layer has a probe of its own, the deepest is taken: that looks at no score.

    Raises:
        UserError: the leaderboard is missing, empty, or lacks a column.
    """
    wanted = [column for column in DRAWN_COLUMNS if column not in ("category", "name")]
    table = read_table(path, wanted, "leaderboard")
    table = deepest(table.loc[table["suite"] == suite, wanted])
    if table.empty:
        return table.reindex(columns=list(DRAWN_COLUMNS))
    order = {name: place for place, name in enumerate(suites.read_suite(suite))}
    named = [TASKS.get(str(task), (HISTONE, str(task))) for task in table["suite_task"]]
    table = table.assign(category=[pair[0] for pair in named], name=[pair[1] for pair in named])
    places = table["category"].map(CATEGORIES.index), table["suite_task"].map(order).fillna(len(order))
    table = table.assign(_category=places[0], _place=places[1])
    table = table.sort_values(["_category", "_place", TASK], kind="stable")
    several = table.groupby("suite_task")[TASK].transform("nunique") > 1
    table["name"] = table["name"].where(~several, table["name"] + " (" + table[TASK] + ")")
    return table[list(DRAWN_COLUMNS)].reset_index(drop=True)


def deepest(table: pd.DataFrame) -> pd.DataFrame:
    """Returns of each task's features (and method) the row of the deepest layer; published rows stay."""
    depth = pd.to_numeric(table["layer"].map(layer_text), errors="coerce").fillna(-1)
    ours = table["origin"] == HERE if "origin" in table else pd.Series(True, table.index)
    best = depth.groupby([table[column] for column in ALONE]).transform("max")
    return table[~ours | (depth == best)]


def rows_of(ours: pd.DataFrame) -> dict[str, str]:
    """Returns features -> label, a model's untrained twin right below it, then the other baselines."""
    pairs = feature_order(ours.sort_values("features", kind="stable"))
    names = list(dict.fromkeys(name for name, _ in pairs))
    layers = {name: {layer for own, layer in pairs if own == name} for name in names}
    labels: dict[str, str] = {}
    for name in names:
        layer = next(iter(layers[name])) if len(layers[name]) == 1 else ""
        labels.setdefault(name, feature_label(name, layer))
        twin = f"{name}.random_weights"
        if twin in names and not baseline_of(name):
            labels[twin] = "its random weights"
    return labels


@dataclass(frozen=True)
class _Layout:
    """Where things are, in mm; `rows` holds (column, task) of each row of facets."""

    table: pd.DataFrame
    labels: dict[str, str]
    marks: dict[str, hollow.Mark]
    low: float
    width_mm: float
    label_mm: float
    facet_mm: float
    rows: list[list[tuple[int, str]]]

    def own(self, task: str) -> pd.DataFrame:
        return self.table[self.table[TASK] == task]

    def title(self, task: str) -> list[str]:
        return hollow.wrap(str(self.own(task)["name"].iloc[0]), self.facet_mm + GAP_MM - 2)

    def left_mm(self, column: int) -> float:
        return self.label_mm + column * (self.facet_mm + GAP_MM)

    def title_mm(self, row: list[tuple[int, str]]) -> float:
        return LINE_MM * (1 + max(len(self.title(task)) for _, task in row)) + 0.8

    def head_mm(self, row: list[tuple[int, str]]) -> float:
        return HEAD_MM if any(self.begins(task) for _, task in row) else 0.0

    def begins(self, task: str) -> bool:
        category = self.own(task)["category"].iloc[0]
        return bool(self.table.loc[self.table["category"] == category, TASK].iloc[0] == task)

    def places(self, task: str) -> tuple[pd.DataFrame, np.ndarray]:
        """Returns a task's published rows and their lanes."""
        own = self.own(task)
        theirs = own[(own["origin"] == ELSEWHERE) & np.isfinite(own["mean"].astype(float))]
        places = (theirs["mean"].to_numpy(np.float64) - self.low) / (1 - self.low) * self.facet_mm
        return theirs, hollow.lanes(places, MARKS_APART_MM)

    def strip_mm(self, row: list[tuple[int, str]]) -> float:
        """Returns the height of the strip of published marks below a row's bars."""
        most = max((int(found.max()) + 1 for _, task in row if len(found := self.places(task)[1])), default=0)
        return LANE_MM * most + 1.0 if most else 0.0

    def height_mm(self, row: list[tuple[int, str]]) -> float:
        bars = BAR_MM * len(self.labels)
        return self.head_mm(row) + self.title_mm(row) + bars + self.strip_mm(row) + AXIS_MM


def _published_label(row: pd.Series, methods: int) -> str:
    return f"{row['features']}, {row['method']}" if methods > 1 else str(row["features"])


def _lay_out(table: pd.DataFrame, width_mm: float) -> _Layout:
    theirs, ours = table[table["origin"] == ELSEWHERE], table[table["origin"] == HERE]
    labels = rows_of(ours)
    names = dict.fromkeys(_published_label(row, theirs["method"].nunique()) for _, row in theirs.iterrows())
    marks = hollow.published_marks(sorted(names))
    shown = {key: hollow.shorten(label, width_mm * 0.36) for key, label in labels.items()}
    texts = [*shown.values(), *(["published"] if marks else [])]
    label_mm = max(hollow.text_mm(text) for text in texts) + 3.5
    tasks = table[TASK].nunique()
    narrow = width_mm < (style.COLUMN_MM + style.PAGE_MM) / 2
    found = []
    for columns in (2, 3) if narrow else (5, 6):
        rows = _flow(table, min(columns, tasks), (width_mm - label_mm) / min(columns, tasks))
        facet_mm = min((width_mm - label_mm) / max(map(len, rows)) - GAP_MM, MOST_FACET_MM)
        found.append(_Layout(table, shown, marks, lowest(ours), width_mm, label_mm, facet_mm, rows))
        if sum(map(found[-1].height_mm, rows)) <= MOST_HEIGHT_MM:
            return found[-1]
    return found[-1]


def _flow(table: pd.DataFrame, columns: int, pitch_mm: float) -> list[list[tuple[int, str]]]:
    """Returns rows of (column, task); a category begins a row, or follows another where all of it fits."""
    rows: list[list[tuple[int, str]]] = []
    for category, own in table.groupby("category", sort=False):
        tasks = list(dict.fromkeys(own[TASK]))
        room = columns - len(rows[-1]) if rows else 0
        head_mm = hollow.text_mm(_heading(str(category), own), style.TEXT_PT, "bold") + 2 * LETTER_MM
        if len(tasks) > room or head_mm > len(tasks) * pitch_mm:
            rows.append([])
        for task in tasks:
            if len(rows[-1]) == columns:
                rows.append([])
            rows[-1].append((len(rows[-1]), task))
    return rows


def _heading(category: str, own: pd.DataFrame) -> str:
    metrics = dict.fromkeys(METRIC_NAMES.get(str(metric), str(metric)) for metric in own["metric"])
    return f"{category}: {', '.join(metrics)}"


def plot_benchmark(
    table: pd.DataFrame, note: str, width_mm: float = style.PAGE_MM, suite: str = SUITES[0]
) -> Figure:
    """Draws bars of models and baselines, a facet per task, and published scores as hollow marks below them.

    Args:
        table: DRAWN_COLUMNS, published rows only of the same test rows.
        note: about the tasks, for the line below the figure (see NOTES).
        suite: names the figure, and the tasks that were not run.
    """
    title = SUITE_NAMES[suite]
    missing, absent = _missing(table), _not_run(table, suite)
    note = " ".join(filter(None, (note, describe(table), _gaps(missing, absent))))
    if missing or absent or table.empty:
        style.log.warning(
            "%s: %d values are missing and drawn as gaps; %d tasks are not run", suite, missing, len(absent)
        )
    with style.applied():
        if not (table["origin"] == HERE).any():
            return _nothing(title, note, width_mm)
        layout = _lay_out(table, width_mm)
        marks = list(layout.marks.values())
        legend_mm = hollow.legend_height_mm(marks, width_mm - 2 * hollow.MARGIN_MM)
        top_mm = TOP_MM + TITLE_MM + (legend_mm + 1.5 if marks else 0)
        below_mm = hollow.note_height_mm(note, width_mm)
        figure = style.new_figure(width_mm, top_mm + sum(map(layout.height_mm, layout.rows)) + below_mm)
        style.write_at(figure, hollow.MARGIN_MM, TOP_MM, title, fontweight="bold")
        hollow.draw_legend(
            figure, marks, hollow.MARGIN_MM, TOP_MM + TITLE_MM, width_mm - 2 * hollow.MARGIN_MM
        )
        for row in layout.rows:
            for column, task in row:
                _draw_facet(figure, layout, row, column, task, top_mm)
            top_mm += layout.height_mm(row)
        hollow.add_note(figure, note)
    return figure


def _nothing(title: str, note: str, width_mm: float) -> Figure:
    figure = style.new_figure(width_mm, 20 + hollow.note_height_mm(note, width_mm))
    style.write_at(figure, hollow.MARGIN_MM, TOP_MM, title, fontweight="bold")
    style.write_at(figure, hollow.MARGIN_MM, 10, "no value", fontsize=style.SMALL_PT, color=palette.MUTED)
    hollow.add_note(figure, note)
    return figure


def _draw_facet(
    figure: Figure, layout: _Layout, row: list[tuple[int, str]], column: int, task: str, top_mm: float
) -> None:
    own, left_mm = layout.own(task), layout.left_mm(column)
    if layout.begins(task):
        category = str(own["category"].iloc[0])
        letter = "abc"[list(dict.fromkeys(layout.table["category"])).index(category)]
        heading = _heading(category, layout.table[layout.table["category"] == category])
        at_mm = left_mm - LETTER_MM if column else hollow.MARGIN_MM
        if layout.table["category"].nunique() > 1:
            style.panel_letter(figure, at_mm, top_mm, letter)
            at_mm += LETTER_MM
        style.write_at(figure, at_mm, top_mm + 0.2, heading, fontweight="bold")
    top_mm += layout.head_mm(row)
    lines, counts = layout.title(task), own.loc[own["origin"] == HERE, "n"].dropna()
    lines = [*lines, f"n = {int(counts.max()):,}" if len(counts) else ""]
    top_mm += layout.title_mm(row)
    for number, line in enumerate(reversed(lines)):
        colour = palette.INK if number else palette.MUTED
        at = top_mm - LINE_MM * (number + 1) - 0.8
        style.write_at(figure, left_mm, at, line, fontsize=style.SMALL_PT, color=colour)
    bars_mm, strip_mm = BAR_MM * len(layout.labels), layout.strip_mm(row)
    axes = style.add_axes(figure, left_mm, top_mm, layout.facet_mm, bars_mm + strip_mm)
    axes.set(xlim=(layout.low, 1), ylim=(len(layout.labels) - 0.5 + strip_mm / BAR_MM, -0.5))
    colours = feature_colours([(name, "") for name in layout.labels])
    for y, name in enumerate(layout.labels):
        found = own[(own["features"] == name) & (own["origin"] == HERE)]
        _draw_bar(axes, None if found.empty else found.iloc[0], y, colours[name, ""], layout.low)
    _draw_published(axes, layout, task)
    _finish(axes, layout, column, strip_mm)


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


def _draw_published(axes: Axes, layout: _Layout, task: str) -> None:
    theirs, lanes = layout.places(task)
    methods = layout.table.loc[layout.table["origin"] == ELSEWHERE, "method"].nunique()
    for (_, row), lane in zip(theirs.iterrows(), lanes, strict=True):
        y = len(layout.labels) - 0.5 + (1.0 + LANE_MM * (lane + 0.5)) / BAR_MM
        settings = layout.marks[_published_label(row, methods)].settings()
        axes.plot([float(row["mean"])], [y], clip_on=False, **settings)  # type: ignore[arg-type]


def _finish(axes: Axes, layout: _Layout, column: int, strip_mm: float) -> None:
    places, labels = list(range(len(layout.labels))), list(layout.labels.values())
    last = len(labels) - 0.5
    if strip_mm:
        axes.axhline(last + 0.5 / BAR_MM, color=palette.PALE, linewidth=0.5)
        places, labels = [*places, last + (strip_mm / 2 + 0.5) / BAR_MM], [*labels, "published"]
    axes.set_yticks(places, labels if column == 0 else [""] * len(labels))
    ticks = [tick for tick in (-1.0, -0.5, 0.0, 0.5, 1.0) if tick >= layout.low]
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", palette.MINUS) for tick in ticks])
    axes.grid(axis="x", color=palette.PALE, linewidth=0.4)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.axvline(0, color=palette.INK, linewidth=0.5)


def _missing(table: pd.DataFrame) -> int:
    ours = table[table["origin"] == HERE]
    return int(ours["features"].nunique() * table[TASK].nunique() - ours["mean"].notna().sum())


def _not_run(table: pd.DataFrame, suite: str) -> list[str]:
    run = set(table["suite_task"])
    return [TASKS.get(task, ("", task))[1] for task in suites.read_suite(suite) if task not in run]


def _gaps(missing: int, absent: list[str]) -> str:
    texts = [f"{missing} values are missing." if missing else ""]
    texts += [f"Not run: {', '.join(absent)}." if absent else ""]
    return " ".join(filter(None, texts))


def describe(table: pd.DataFrame) -> str:
    """Says what bars and whiskers are, and of the published scores where they come from and how."""
    ours, theirs = table[table["origin"] == HERE], table[table["origin"] == ELSEWHERE]
    if ours.empty:
        return "No task of this set has a result."
    folds = "/".join(f"{number:.0f}" for number in sorted(ours["folds"].dropna().unique()))
    methods = ", ".join(sorted(set(ours["method"].dropna().astype(str))))
    scored = {"test": "the test set", "held_out": "held-out folds"}
    where = " or ".join(scored.get(str(name), str(name)) for name in dict.fromkeys(ours["scored"].dropna()))
    text = f"Bars: mean over {folds} folds ({methods}), scored on {where} of n rows; whiskers: ± 2 s.d. over "
    text += "folds; grey: baselines."
    if ours["layer"].map(layer_text).ne("").any():
        text += " A layer that is named is the deepest one probed."
    if len(theirs):
        text += f" Hollow marks: published scores of the same test rows: {'; '.join(_sources(theirs))}."
    left_out = [str(note).split(LEFT_OUT)[1] for note in ours["note"].dropna() if LEFT_OUT in str(note)]
    why = list(dict.fromkeys(left_out))
    if why:
        names = dict.fromkeys(ours.loc[ours["note"].fillna("").str.contains(LEFT_OUT), "name"])
        text += (
            f" Published scores left out, as the data differ ({why[0] if len(why) == 1 else 'see table'}): "
        )
        text += f"{', '.join(names)}."
    return text


def _sources(theirs: pd.DataFrame) -> list[str]:
    """Returns a text for each source: where from, how read, by which method, and what else to know."""
    texts = []
    for (source, read_from), own in theirs.groupby(["source", "read_from"], sort=False):
        about = [READ_FROM.get(str(read_from), str(read_from)), *dict.fromkeys(own["method"].astype(str))]
        about += ["second-hand"] if (own["mark"] == "second_hand").any() else []
        for note in dict.fromkeys(part for text in own["note"].dropna() for part in str(text).split("; ")):
            shared = own["note"].fillna("").str.contains(note, regex=False)
            which = "" if shared.all() else " in " + ", ".join(dict.fromkeys(own.loc[shared, "name"]))
            about += [f"{note}{which}"]
        texts.append(f"{source} ({'; '.join(about)})")
    return texts
