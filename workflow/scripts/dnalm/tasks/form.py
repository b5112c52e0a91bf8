"""The form of a task's table, data.parquet, whatever it was made from.

name, sequence (A, C, G, T, N), split (train, validation, test; empty where the source has none), the labels,
group (rows related to each other), fold (-1 for test rows), and where known contig, start, end, strand.

One label: `label`; several: `label_1`, `label_2`, ... Whole numbers are classes (0, 1, ...), floats values.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dnalm import folds
from dnalm.errors import UserError
from dnalm.files import require_file

NO_FOLD = -1  # of test rows
NO_SPLIT, TEST = "", "test"
POSITIONS = ("contig", "start", "end", "strand")


def label_columns(task: pd.DataFrame) -> list[str]:
    """Returns the columns that hold the labels, in order: `label`, or `label_1`, `label_2`, ..."""
    numbered = [column for column in task.columns if column[:6] == "label_" and column[6:].isdecimal()]
    return ["label"] if "label" in task.columns else sorted(numbered, key=lambda column: int(column[6:]))


def task_type(task: pd.DataFrame) -> str:
    """Returns binary, multiclass, multilabel, regression or multi_regression, by the labels' number and kind.

    Classes are whole numbers; a task of one label with three classes or more is multiclass.
    """
    columns = label_columns(task)
    floating = task[columns[0]].dtype.kind == "f"
    if columns != ["label"]:
        return "multi_regression" if floating else "multilabel"
    if floating:
        return "regression"
    return "binary" if task["label"].max() < 2 else "multiclass"


def label_values(task: pd.DataFrame) -> Int[np.ndarray, "B O"] | Float[np.ndarray, "B O"]:
    """Returns the labels, one column per output."""
    return task[label_columns(task)].to_numpy()


def in_folds(task: pd.DataFrame) -> Bool[np.ndarray, " B"]:
    """Says which rows are cross-validated: all but the test rows."""
    return (task["split"] != TEST).to_numpy()


def read_task(path: str | Path) -> pd.DataFrame:
    """Reads a task's table and checks what a probe relies on.

    Where the table has groups, near-identical sequences are not looked for again.

    Raises:
        UserError: missing, no Parquet, a column missing, a name twice, labels or folds that cannot be
            cross-validated, or related rows in several folds.
    """
    import pyarrow as pa

    path, columns = require_file(path, "task"), ["name", "sequence", "fold"]
    try:
        task = pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as fault:
        raise UserError(path, f"is no readable Parquet table ({fault})", "Run make_task.py again.") from fault
    missing = [column for column in columns if column not in task.columns]
    missing += [] if label_columns(task) else ["label"]
    if missing:
        raise UserError(path, f"lacks the columns {', '.join(missing)}", "Run make_task.py again.")
    if task["name"].duplicated().any():
        raise UserError(path, f"holds {task['name'][task['name'].duplicated()].iloc[0]!r} twice", "Mend it.")
    if "split" not in task.columns:
        task["split"] = NO_SPLIT
    _check_values(task, path)
    _check_folds(task, path)
    return task


def _check_values(task: pd.DataFrame, path: Path) -> None:
    for column in label_columns(task):
        values = task[column]
        if values.dtype.kind == "f":
            if not np.isfinite(values).all():
                name = task["name"][~np.isfinite(values)].iloc[0]
                raise UserError(path, f"{column} of {name} is missing or not finite", "Mend the task.")
            continue
        classes = sorted(pd.unique(values)) if values.dtype.kind in "iu" else []
        is_counted = len(classes) == 1 or classes == list(range(len(classes)))
        if not classes or not is_counted or classes[0] < 0:
            what = "labels" if column == "label" else column
            found = ", ".join(map(str, pd.unique(values)[:5]))
            raise UserError(
                path, f"{what} are {found}, expected 0 and 1, or 0, 1, 2 and so on", "Mend the task."
            )


def _check_folds(task: pd.DataFrame, path: Path) -> None:
    rows = in_folds(task)
    fold = task["fold"].to_numpy()
    if (fold[rows] < 0).any() or (fold[~rows] != NO_FOLD).any():
        raise UserError(path, f"test rows must have fold {NO_FOLD}, all others 0 or more", "Mend the task.")
    own = task[rows].reset_index(drop=True)
    fold = own["fold"].to_numpy()
    if len(np.unique(fold)) < 2:
        raise UserError(path, f"one fold only (of {len(own)} rows), expected two or more", "Mend the task.")
    for column in label_columns(task):
        if own[column].dtype.kind != "f":
            folds.check_classes(own[column].to_numpy(), fold, path, minimum=2)
    if "group" not in own.columns:
        folds.check_leaks(own, fold, own["sequence"].tolist(), path)
        return
    codes = [own["group"].to_numpy(np.int64), pd.factorize(own["sequence"].map(folds.canonical))[0]]
    if {"contig", "start", "end"} <= set(own.columns):
        codes.append(folds.clusters(own, neighbour_bp=-1))
    folds.check_groups(folds.join_groups(len(own), codes), fold, own["name"], path)
