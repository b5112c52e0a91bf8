"""Published benchmark suites: one table per suite in resources/suites/, one row per task.

What a row says of the data is what its source says, not what was loaded: the marks tell numbers that were
`verified` in the publisher's own listing from `second_hand` ones and those from `memory`. An empty cell is
not known.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from pathlib import Path

from dnalm.errors import UserError
from dnalm.files import require_file

FOLDER = Path(__file__).parents[3] / "resources" / "suites"
SUITES = ("nt_revised", "nt_original", "pgb", "gue")
SPLITS = ("train", "validation", "test")
TYPES = ("binary", "multiclass", "multilabel", "regression", "multi_regression")
CLASSIFICATIONS = ("binary", "multiclass")
DEFAULT_METRICS = {  # of one's own tasks
    "binary": "mcc",
    "multiclass": "mcc",
    "multilabel": "auroc",
    "regression": "r2",
    "multi_regression": "r2",
}
CLASS_METRICS = ("mcc", "f1_macro", "accuracy", "auroc", "auprc")  # columns of the probes' tables
VALUE_METRICS = ("r2_pearson", "R2", "spearman")
# Names that publishers use. What the Plant Genomic Benchmark's paper prints as coefficient of determination
# equals the squared Pearson correlation of its released predictions, not 1 - SSE/SST.
OTHER_NAMES = {"r2": "r2_pearson", "macro_f1": "f1_macro"}
MARKS = ("verified", "second_hand", "memory", "")
COLUMNS = (
    "task",
    "hub_repository",
    "revision",  # 40 hexadecimal digits; empty: the lock file, else the branch main, says
    "layout",  # one of LAYOUTS
    "path",  # what the names of the task's files begin with
    "type",  # one of TYPES
    "classes",  # of a classification
    "outputs",  # of a task with several labels a sequence
    "metric",
    "length_bp",  # one length, or shortest-longest
    "train",  # rows of each split
    "validation",
    "test",
    "length_source",  # marks, see above
    "classes_source",
    "sizes_source",
    "licence",
    "caution",  # what a reader of the scores must know
)
# layout -> the sets of files in which a task may lie, the first that is there counts: split -> end of the
# file's name. Sources: the repositories' file listings.
LAYOUTS: dict[str, tuple[dict[str, str], ...]] = {
    "nt": (
        {"train": "/train.fna", "test": "/test.fna"},
        {"train": "/train.parquet", "test": "/test.parquet"},
    ),
    "pgb": ({"train": "_train.fa", "validation": "_validation.fa", "test": "_test.fa"},),
    "gue": ({"train": "/train.csv", "validation": "/dev.csv", "test": "/test.csv"},),
}
OPTIONAL = ("validation",)  # splits that some tasks of a layout lack


@dataclass(frozen=True)
class SuiteTask:
    """A task of a suite and what its publisher says of it; None and empty: not known."""

    suite: str
    task: str
    hub_repository: str
    revision: str
    layout: str
    path: str
    type: str
    classes: int | None
    outputs: int | None
    metric: str
    shortest_bp: int | None
    longest_bp: int | None
    sizes: dict[str, int]  # split -> rows
    sources: dict[str, str]  # length, classes, sizes -> mark
    licence: str
    caution: str

    def file_sets(self) -> list[dict[str, str]]:
        """Returns the sets of files, split -> name in the repository, in which the task may lie."""
        return [{split: self.path + end for split, end in ends.items()} for ends in LAYOUTS[self.layout]]


def read_suite(suite: str, folder: Path | None = None) -> dict[str, SuiteTask]:
    """Returns a suite's tasks by name.

    Raises:
        UserError: no such suite, or a table that is not in order.
    """
    if suite not in SUITES:
        raise UserError(
            f"suite {suite!r}", f"is not known (expected one of {', '.join(SUITES)})", "Name one."
        )
    path = require_file((folder or FOLDER) / f"{suite}.tsv", "table of a suite")
    with open(path, encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise UserError(path, f"columns {reader.fieldnames} (expected {list(COLUMNS)})", "Mend it.")
        return {row["task"]: _task(suite, row, f"{path}:{number}") for number, row in enumerate(reader, 2)}


def suite_task(suite: str, task: str, folder: Path | None = None) -> SuiteTask:
    """Returns a task of a suite.

    Raises:
        UserError: no such suite or task; names the nearest ones.
    """
    tasks = read_suite(suite, folder)
    if task not in tasks:
        near = difflib.get_close_matches(task, tasks, n=3) or list(tasks)
        raise UserError(
            f"task {task!r}", f"is not in suite {suite} (nearest: {', '.join(near)})", "Name one."
        )
    return tasks[task]


def metric_of(kind: str, metric: str | None = None) -> str:
    """Returns the metric by which a task of a type is judged, as the probes' tables call it.

    Raises:
        UserError: a metric that tasks of this type do not have.
    """
    known = VALUE_METRICS if kind.endswith("regression") else CLASS_METRICS
    found = metric or DEFAULT_METRICS[kind]
    name = OTHER_NAMES.get(found, found)
    if name not in known:
        expected = ", ".join(known)
        raise UserError("metric", f"found {found!r}, expected one of {expected} for type {kind}", "Name one.")
    return name


def _task(suite: str, row: dict[str, str], where: str) -> SuiteTask:
    """Returns a row's task.

    Raises:
        UserError: a value that means nothing.
    """
    known = {"layout": tuple(LAYOUTS), "type": TYPES, **dict.fromkeys(COLUMNS[13:16], MARKS)}
    for column, values in known.items():
        if row[column] not in values:
            raise UserError(
                where, f"{column} is {row[column]!r}, expected one of {', '.join(values)}", "Mend it."
            )
    shortest, _, longest = row["length_bp"].partition("-")
    try:
        sizes = {split: int(row[split]) for split in SPLITS if row[split]}
        numbers = [
            int(text) if text else None for text in (row["classes"], row["outputs"], shortest, longest)
        ]
    except ValueError as fault:
        raise UserError(where, f"a number is none ({fault})", "Mend it.") from fault
    classes, outputs, shortest_bp, longest_bp = numbers
    return SuiteTask(
        suite=suite,
        classes=classes,
        outputs=outputs,
        shortest_bp=shortest_bp,
        longest_bp=longest_bp or shortest_bp,
        sizes=sizes,
        sources={what: row[f"{what}_source"] for what in ("length", "classes", "sizes")},
        **{
            key: row[key]
            for key in (
                "task",
                "hub_repository",
                "revision",
                "layout",
                "path",
                "type",
                "metric",
                "licence",
                "caution",
            )
        },
    )
