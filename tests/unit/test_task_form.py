"""The form of data.parquet: what its columns say of a task, and what `read_task` refuses."""

import numpy as np
import pandas as pd
import pytest
from toy_suites import random_dna

from dnalm import tasks
from dnalm.errors import UserError


def table(rows=60, **columns):
    generator = np.random.default_rng(0)
    split = ["test" if row % 6 == 5 else "train" for row in range(rows)]
    return pd.DataFrame({
        "name": [f"r{row}" for row in range(rows)],
        "sequence": [random_dna(generator, 60) for _ in range(rows)],
        "split": split,
        **(columns or {"label": [row % 2 for row in range(rows)]}),
        "group": range(rows),
        "fold": [-1 if name == "test" else row // 2 % 5 for row, name in enumerate(split)],
    })  # fmt: skip


def read(tmp_path, changed):
    changed.to_parquet(tmp_path / "data.parquet", index=False)
    return tasks.read_task(tmp_path / "data.parquet")


NUMBERS = np.linspace(0, 1, 60)
TYPES = [
    ("binary", {"label": np.arange(60) % 2}, ["label"]),
    ("multiclass", {"label": np.arange(60) // 2 % 3}, ["label"]),
    ("regression", {"label": NUMBERS}, ["label"]),
    (
        "multilabel",
        {f"label_{n}": np.arange(60) // 2 % 2 for n in (1, 2, 10)},
        ["label_1", "label_2", "label_10"],
    ),
    ("multi_regression", {f"label_{n}": n * NUMBERS for n in (10, 9)}, ["label_9", "label_10"]),
]


@pytest.mark.parametrize(("kind", "columns", "order"), TYPES, ids=[case[0] for case in TYPES])
def test_the_columns_tell_the_type(tmp_path, kind, columns, order):
    task = read(tmp_path, table(**columns))
    assert tasks.task_type(task) == kind and tasks.label_columns(task) == order
    assert np.array_equal(tasks.label_values(task), np.stack([columns[name] for name in order], axis=1))
    assert tasks.in_folds(task).sum() == 50


def without(column, value, row=0):
    def change(task):
        task[column] = task[column].astype(object) if isinstance(value, str) else task[column]
        task.loc[row, column] = value
        return task

    return change


def one_class_output(task):
    return task.assign(label_1=task["label"], label_2=1).drop(columns="label")


FAULTS = [
    ("a test row in a fold", without("fold", 0, 5), r"test rows must have fold -1, all others 0 or more"),
    ("a training row in none", without("fold", -1), r"test rows must have fold -1"),
    (
        "a group in two folds",
        without("group", 3),
        r"2 windows share sequence .* r0 in fold 0 and r3 in fold 1",
    ),
    ("no label", lambda task: task.drop(columns="label"), r"lacks the columns label"),
    (
        "classes 0 and 2",
        lambda task: task.assign(label=task["label"] * 2),
        r"labels are 0, 2, expected 0 and 1",
    ),
    ("negative", lambda task: task.assign(label=task["label"] - 1), r"labels are -1, 0, expected"),
    (
        "not finite",
        lambda task: task.assign(label=task["label"] / 0.0),
        r"label of r0 is missing or not finite",
    ),
    ("an output of one class", one_class_output, r"one class only"),
]


@pytest.mark.parametrize(
    ("change", "pattern"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS]
)
def test_what_is_refused(tmp_path, change, pattern):
    with pytest.raises(UserError, match=pattern):
        read(tmp_path, change(table()))


def test_a_twin_in_another_fold_is_refused_whatever_the_groups_say(tmp_path):
    task = table()
    task.loc[2, "sequence"] = task.loc[0, "sequence"]
    with pytest.raises(UserError, match="r0 in fold 0 and r2 in fold 1"):
        read(tmp_path, task)
    task.loc[5, "sequence"] = task.loc[0, "sequence"]  # of a test row: in no fold
    task.loc[2, "sequence"] = "ACGTTGCA" * 7
    assert len(read(tmp_path, task)) == 60


def test_a_table_without_splits_is_cross_validated_whole(tmp_path):
    task = table()
    task["fold"] = np.arange(60) // 2 % 5
    assert (read(tmp_path, task.drop(columns="split"))["split"] == "").all()
