"""All tasks and models in one table: the headline score of each, published scores of the same data beside.

The metric of a task is that by which its suite, or its owner, judges it; the score is the nested one of the
task's summary. Published scores (resources/published/benchmark_scores.tsv) stand beside ours only where the
test rows are the same: of the same suite (revised and original tasks share names, not data), all of them,
and as many as the publisher says. They come from other methods; each says how it was got.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dnalm import suites
from dnalm.baselines import is_baseline
from dnalm.errors import UserError
from dnalm.files import read_manifest, require_file

PUBLISHED = Path(__file__).parents[3] / "resources" / "published" / "benchmark_scores.tsv"
# model: as its authors call it. read_from: table, file or figure (then right to about 0.01). mark: as in
# `suites.MARKS`. score: of the test set; metric: as in the probes' tables.
PUBLISHED_COLUMNS = (
    "suite", "task", "model", "method", "metric", "score", "source", "read_from", "mark", "note",
)  # fmt: skip
READ_FROM = ("table", "file", "figure")
HERE, ELSEWHERE = "here", "published"
# task: of the configuration; suite, suite_task: what it is. rank: among the task's rows, by the mean.
# difference: to the best baseline here; for a published score without interval. source, read_from, mark: of
# published scores; note: what a reader of the row must know.
COLUMNS = (
    "task", "suite", "suite_task", "type", "metric", "rank", "features", "layer", "method", "choice",
    "scored", "origin", "mean", "sd2", "folds", "n", "low", "high", "best_baseline", "difference",
    "difference_low", "difference_high", "source", "read_from", "mark", "note",
)  # fmt: skip
METHODS = {"linear": "linear probe", "mlp": "MLP probe", "linear+mlp": "linear or MLP probe"}
OURS = (
    "features", "layer", "choice", "scored", "mean", "sd2", "folds", "n", "low", "high", "best_baseline",
    "difference", "difference_low", "difference_high",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """A task of the configuration.

    Attributes:
        name: as the configuration calls it.
        content: of the manifest of its data.
        summary: `probe.SUMMARY_COLUMNS`.
    """

    name: str
    content: Mapping[str, Any]
    summary: pd.DataFrame

    @property
    def metric(self) -> str:
        """The metric by which the task is judged, as tables call it."""
        return suites.metric_of(str(self.content["type"]), self.content.get("metric"))


def read_entry(summary: str | Path) -> Entry:
    """Reads a task's summary and what the manifest beside it says of the data.

    Raises:
        UserError: one is missing, or the summary lacks the task's metric.
    """
    path = require_file(summary, "summary of a task")
    content = read_manifest(path.with_name("data.parquet"))["content"]
    table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["NA"])
    entry = Entry(path.resolve().parent.name, content, table)
    if entry.metric not in set(table["metric"]):
        found = ", ".join(dict.fromkeys(table["metric"].astype(str)))
        raise UserError(path, f"holds no metric {entry.metric} (found {found})", "Run train_probe.py again.")
    return entry


def read_entries(summaries: Sequence[str | Path]) -> list[Entry]:
    """Reads several tasks; names all that are missing.

    Raises:
        UserError: see `read_entry`.
    """
    absent = [str(path) for path in summaries if not Path(path).exists()]
    if absent:
        raise UserError(", ".join(absent), "task result not found", "Run the tasks, or leave them out.")
    return [read_entry(path) for path in summaries]


def read_published(path: str | Path = PUBLISHED) -> list[dict[str, str]]:
    """Returns the published scores as PUBLISHED_COLUMNS.

    Raises:
        UserError: other columns, or a row that means nothing.
    """
    with open(require_file(path, "table of published scores"), encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        if tuple(reader.fieldnames or ()) != PUBLISHED_COLUMNS:
            raise UserError(
                path, f"columns {reader.fieldnames} (expected {list(PUBLISHED_COLUMNS)})", "Mend it."
            )
        rows = list(reader)
    for number, row in enumerate(rows, 2):
        where = f"{path}:{number}"
        task = suites.suite_task(row["suite"], row["task"])
        known = {
            "read_from": READ_FROM,
            "mark": suites.MARKS[:3],
            "metric": (suites.metric_of(task.type, task.metric),),
        }
        for column, values in known.items():
            if row[column] not in values:
                expected = ", ".join(values)
                raise UserError(where, f"{column} is {row[column]!r}, expected one of {expected}", "Mend it.")
        try:
            float(row["score"])
        except ValueError as fault:
            raise UserError(where, f"score is {row['score']!r}, expected a number", "Mend it.") from fault
    return rows


def other_data(content: Mapping[str, Any]) -> str:
    """Returns why a task's test rows are not those of published scores; empty where they are."""
    if content["suite"] not in suites.SUITES:
        return "no published task"
    read = int(content["read"].get("test", 0))
    most = content["settings"].get("max_examples")
    if most and most < read:
        return f"{most:,} of {read:,} test rows, by max_examples"
    if kept := content["settings"].get("context_bp"):
        return f"{kept:,} bases of each sequence, by context_bp"
    row = suites.suite_task(content["suite"], content["task"])
    expected = row.sizes.get("test")
    if row.sources["sizes"] == "verified" and expected != read:
        return f"{read:,} test rows, the published data have {expected:,}"
    return ""


def fewer_rows(content: Mapping[str, Any]) -> str:
    """Says where probes here learnt from fewer rows than there are."""
    read, most = int(content["read"].get("train", 0)), content["settings"].get("max_examples")
    used = min(read, most or read) - int(content.get("dropped", 0))
    return f"probes here learnt from {used:,} of {read:,} training rows" if used < read else ""


def make_leaderboard(entries: Sequence[Entry], published: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """Returns COLUMNS: every task's feature sets and published scores, best first.

    Args:
        entries: in the order in which tasks are shown.
        published: PUBLISHED_COLUMNS.
    """
    tables = [_of_task(entry, published) for entry in entries]
    return pd.concat(tables, ignore_index=True)


def _of_task(entry: Entry, published: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    content, metric = entry.content, entry.metric
    own = entry.summary[entry.summary["metric"] == metric]
    beside = [
        row
        for row in published
        if (row["suite"], row["task"], row["metric"]) == (content["suite"], content["task"], metric)
    ]
    note = str(content.get("caution", ""))
    if beside and (why := other_data(content)):
        beside, note = [], "; ".join(filter(None, (note, f"published scores left out: {why}")))
    rows = [
        {
            **{column: row[column] for column in OURS},
            "method": METHODS.get(str(row["head"]), row["head"]),
            "origin": HERE,
            "note": note,
        }
        for _, row in own.iterrows()
    ]
    best = _best_baseline(own)
    for row in beside:
        rows.append(
            {
                **{key: row[key] for key in ("method", "source", "read_from", "mark")},
                **{"features": row["model"], "origin": ELSEWHERE, "mean": float(row["score"])},
                **{"scored": "test", "n": int(content["read"]["test"])},
                **(
                    {}
                    if best is None
                    else {"best_baseline": best[0], "difference": float(row["score"]) - best[1]}
                ),
                "note": "; ".join(filter(None, (row["note"], fewer_rows(content)))),
            }
        )
    about = {"task": entry.name, "suite": content["suite"], "suite_task": content["task"]}
    table = pd.DataFrame(rows).assign(**about, type=content["type"], metric=metric)
    table["rank"] = table["mean"].rank(ascending=False, method="min")
    return table.sort_values("rank", kind="stable", na_position="last").reindex(columns=list(COLUMNS))


def _best_baseline(own: pd.DataFrame) -> tuple[str, float] | None:
    """Returns the name and mean of the best baseline, None without any."""
    means = own.loc[own["features"].astype(str).map(is_baseline) & np.isfinite(own["mean"])]
    if means.empty:
        return None
    first = means.loc[means["mean"].idxmax()]
    return str(first["features"]), float(first["mean"])
