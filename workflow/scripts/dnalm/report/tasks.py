"""The report's section on benchmark tasks: the leaderboard, related rows, and every metric of each task."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from dnalm import leaderboard
from dnalm.figures.tables import (
    METRIC_NAMES,
    SUMMARY_COLUMNS,
    baseline_of,
    feature_label,
    feature_order,
    layer_text,
    read_table,
)
from dnalm.files import read_json
from dnalm.report.images import load_figures
from dnalm.report.key_numbers import KeyNumber, compare
from dnalm.report.sources import Run, Sources
from dnalm.report.text import Section, Table, count, number, of_species, plural, rate, words

FEW = 6  # more tasks are summed up in the key numbers, and their tables folded
RELATIONS = {
    "identical": "identical to",
    "reverse_complement": "the reverse complement of",
    "near_identical": "nearly identical to",
    "overlapping": "overlapping",
}
FLATTERED = "Scores are flattered"
SCORED = ("test", "validation", "folds")  # rows that a leak flatters


def task_section(sources: Sources) -> tuple[Section, list[KeyNumber]]:
    """Returns the section on probe tasks and its key numbers, each task in its own metric."""
    section, numbers = Section("tasks", "Probe tasks"), []
    runs = sources.runs("tasks")
    section.lead = (
        "Probes on frozen features; rows that overlap or nearly agree share a fold. Penalty, layer and "
        "pooling are chosen inside the training rows of each fold: no score chose what it is a score of."
    )
    section.figures = load_figures(sources, "tasks")
    if not runs:
        section.notes.append("The configuration has no task.")
        return section, numbers
    board = read_table(sources.file("tasks/leaderboard.tsv"), leaderboard.COLUMNS, "leaderboard")
    titles = {run.folder: _title(sources, run) for run in runs}
    board = board[board["task"].isin(titles)]
    section.tables.append(leaderboard_table(board, titles))
    leaks: list[list[str]] = []
    for run in runs:
        table = read_table(
            sources.file(f"tasks/{run.folder}/summary.tsv"), SUMMARY_COLUMNS, "summary of a task"
        )
        title = titles[run.folder]
        (section.folded if len(runs) > FEW else section.tables).append(task_table(table, title))
        if len(runs) <= FEW:
            metric = str(board.loc[board["task"] == run.folder, "metric"].iloc[0])
            what = f"{title}, {METRIC_NAMES.get(metric, metric)}"
            numbers += compare(table[table["metric"] == metric], what, "mean", "sd2")
        content = read_json(sources.file(f"tasks/{run.folder}/data.parquet.manifest.json"))["content"]
        summed = read_json(sources.file(f"tasks/{run.folder}/summary.tsv.manifest.json"))["content"]
        leaks += leak_rows(content, title)
        notes = task_notes(content, summed, title)
        section.notes += notes
        section.warnings += [note for note in notes if FLATTERED in note]
    if leaks:
        section.tables.append(leak_table(leaks))
    return section, numbers or summed_up(board)


def _title(sources: Sources, run: Run) -> str:
    if not run.species:
        return words(run.name)
    return of_species(words(run.name), run.species, sources.config["species"])


def leaderboard_table(board: pd.DataFrame, titles: Mapping[str, str]) -> Table:
    """Returns one row per task and set of features, published scores with the number of their source."""
    rows, marks = [], {}
    for _, row in board.iterrows():
        here = row["origin"] == leaderboard.HERE
        layer = layer_text(row["layer"])
        features = feature_label(str(row["features"]), layer) if here else str(row["features"])
        rows.append(
            [
                titles[str(row["task"])],
                METRIC_NAMES.get(str(row["metric"]), str(row["metric"])),
                features,
                str(row["method"]),
                "this run" if here else f"published ({marks.setdefault(_source(row), len(marks) + 1)})",
                number(row["mean"]) + (f" ± {number(row['sd2'])}" if math.isfinite(row["sd2"]) else ""),
                _interval(row["low"], row["high"]),
                _signed(row["difference"]),
                _interval(row["difference_low"], row["difference_high"]),
            ]
        )
    headers = [
        "Task", "Metric", "Features", "Method", "From", "Score ± 2 s.d.", "95 % interval",
        "Above baseline", "95 % interval",
    ]  # fmt: skip
    note = "Intervals: resampled groups of rows, paired for differences. Best baseline: of this run, by its "
    note += "mean. Published scores are of the same test rows, by the methods named."
    note += "".join(f" ({mark}) {source}." for source, mark in marks.items())
    return Table("Leaderboard", headers, rows, text_columns=5, note=note)


def _source(row: pd.Series) -> str:
    """Returns where a published score comes from and how sure it is."""
    read = {"figure": "read off a figure"}.get(str(row["read_from"]), "")
    sure = {"second_hand": "second-hand", "memory": "from memory, unsure"}.get(str(row["mark"]), "")
    note = "" if pd.isna(row["note"]) else str(row["note"])
    return "; ".join(filter(None, (str(row["source"]), read, sure, note)))


def _interval(low: float, high: float) -> str:
    return f"{number(low)} to {number(high)}" if math.isfinite(low) and math.isfinite(high) else number(None)


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + number(value)


def leak_rows(content: Mapping[str, Any], title: str) -> list[list[str]]:
    """Returns the rows of a task that are related to rows of another split or fold, as cells."""
    found = []
    for leak in content.get("leakage", []):
        if leak["rows_of"] in SCORED and leak["rows_of"] != leak["related_to"]:
            share = f"{leak['rows'] / leak['of']:.1%}"
            what = RELATIONS.get(leak["relation"], leak["relation"])
            place = [str(leak["rows_of"]), what, str(leak["related_to"])]
            found.append([title, *place, count(leak["rows"]), count(leak["of"]), share])
    return found


def leak_table(rows: list[list[str]]) -> Table:
    """Returns the table of related rows."""
    headers = ["Task", "Rows of", "Are", "A row of", "Rows", "Of", "Share"]
    note = "Counted before training, over all rows of the task; the notes say what was done about them."
    return Table("Rows related to rows of another split", headers, rows, text_columns=4, note=note)


def task_notes(content: Mapping[str, Any], summed: Mapping[str, Any], title: str) -> list[str]:
    """Returns what a reader of a task's scores must know."""
    notes = []
    learnt = ("train", "validation")
    leaks = [
        f"{count(leak['rows'])} of {count(leak['of'])} ({RELATIONS.get(leak['relation'], leak['relation'])})"
        for leak in content.get("leakage", [])
        if leak["rows_of"] == "test" and leak["related_to"] in learnt
    ]
    dropped = int(content.get("dropped", 0))
    if leaks and dropped:
        notes.append(f"{title}: {plural(dropped, 'training row')} related to test rows were left out.")
    elif leaks:
        notes.append(
            f"{title}: test rows are related to training rows: {', '.join(leaks)}. {FLATTERED}; "
            "duplicates: drop leaves such training rows out."
        )
    if content.get("caution"):
        notes.append(f"{title}: {content['caution']}.")
    notes += [f"{title}: the data differ: {difference}." for difference in content.get("differences", [])]
    for features, why in summed.get("left_out", {}).items():
        notes.append(f"{title}: {feature_label(features, '')} is left out, {why}.")
    return notes


def summed_up(board: pd.DataFrame) -> list[KeyNumber]:
    """Returns one key number per model: in how many tasks it is above the best baseline."""
    ours = board[
        (board["origin"] == leaderboard.HERE)
        & ~board["features"].map(lambda name: baseline_of(str(name)) != "")
    ]
    lines = []
    for pair in feature_order(ours) if len(ours) else []:
        own = ours[(ours["features"] == pair[0]) & (ours["layer"].map(layer_text) == pair[1])]
        known = own[own["difference_low"].notna()]
        above = int((known["difference_low"] > 0).sum())
        below = int((known["difference_high"] < 0).sum())
        reading = f"above in {above}, below in {below}, no clear difference in {len(known) - above - below}"
        text = f"{above} of {len(known)}"
        lines.append(
            KeyNumber(
                plural(len(own), "probe task"), feature_label(*pair), text, "best of each task", reading
            )
        )
    return lines


def task_table(table: pd.DataFrame, title: str) -> Table:
    """Returns one row per set of features, one column per metric: mean ± 2 s.d. over folds."""
    metrics = list(dict.fromkeys(table["metric"]))
    cells = {
        (str(row["features"]), layer_text(row["layer"]), row["metric"]): (
            f"{number(row['mean'])} ± {number(row['sd2'])}" if math.isfinite(row["mean"]) else number(None)
        )
        for _, row in table.iterrows()
    }
    rows = [
        [feature_label(*pair), *(cells.get((*pair, metric), number(None)) for metric in metrics)]
        for pair in feature_order(table)
    ]
    headers = ["Features", *(METRIC_NAMES.get(metric, words(metric)) for metric in metrics)]
    first = table.iloc[0]
    note = f"Mean ± 2 s.d. over {count(first['folds'])} folds; n = {count(first['n'])} examples"
    note += f", share of positives {rate(first['base_rate'])}." if math.isfinite(first["base_rate"]) else "."
    return Table(title, headers, rows, note=note)
