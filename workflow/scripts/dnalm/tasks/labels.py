"""Labels as they stand in files, turned into numbers of one type."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.suites import CLASSIFICATIONS
from dnalm.tasks.records import Record

MISSING = ("", "NA", "None")
FEWEST = 10  # rows of a class in training, as `folds.check_classes`
_WHOLE = re.compile(r"([+-]?\d+)(?:\.0*)?")


def label_table(records: Sequence[Record], kind: str) -> tuple[pd.DataFrame, list[str]]:
    """Returns the labels' columns (see `form`) and, of a classification, the classes as the files name them.

    Classes are numbered in the order of their numbers, or of their names where these are no numbers.

    Args:
        kind: one of `suites.TYPES`.

    Raises:
        UserError: a label missing, not finite or no number, more or fewer than in the first record, or not
            what the type can be.
    """
    several = kind in ("multilabel", "multi_regression")
    expected = len(records[0].labels) if several else 1
    for record in records:
        if len(record.labels) != expected:
            why = f"{records[0].name} has {expected}" if several else f"type {kind} has one"
            raise UserError(record.place, f"{record.name} has {len(record.labels)} labels, {why}", "Mend it.")
        if any(label in MISSING for label in record.labels):
            raise UserError(
                record.place, f"the label of {record.name} is missing", "Add it or remove the row."
            )
    if kind in CLASSIFICATIONS:
        numbers, classes = _classes(records, kind)
        return pd.DataFrame({"label": numbers}), classes
    columns = [f"label_{number}" for number in range(1, expected + 1)] if several else ["label"]
    values = np.array([[_number(label, record) for label in record.labels] for record in records])
    if kind == "multilabel":
        _check_zero_or_one(values, records)
        values = values.astype(np.int64)
    return pd.DataFrame(values, columns=columns), []


def check_outputs(table: pd.DataFrame, where: str) -> None:
    """Refuses outputs from which nothing can be learnt; `table` holds the labels of training rows.

    Raises:
        UserError: a value that never changes, or fewer than 10 rows of a class of a multi-label output.
    """
    for column in table:
        counts = table[column].value_counts()
        if len(counts) < 2:
            raise UserError(
                where,
                f"{column} has one value only ({counts.index[0]}), expected several",
                "Check the labels.",
            )
        if table[column].dtype.kind != "f" and counts.min() < FEWEST:
            found = {int(label): int(number) for label, number in counts.sort_index().items()}
            raise UserError(
                where,
                f"{column}: too few rows of a class (found {found}, expected at least {FEWEST})",
                "Add rows.",
            )


def _classes(records: Sequence[Record], kind: str) -> tuple[np.ndarray, list[str]]:
    whole = [_WHOLE.fullmatch(record.labels[0]) for record in records]
    if all(whole):
        names = [str(int(match[1])) for match in whole if match]
        classes = sorted(set(names), key=int)
    else:
        names = [record.labels[0] for record in records]
        classes = sorted(set(names))
    if kind == "binary" and len(classes) > 2:
        found = ", ".join(classes[:5]) + (", ..." if len(classes) > 5 else "")
        third = next(record for record, name in zip(records, names, strict=True) if name == classes[2])
        raise UserError(
            third.place, f"{len(classes)} classes ({found}), type binary has two", "Is it another type?"
        )
    place = {name: number for number, name in enumerate(classes)}
    return np.array([place[name] for name in names], np.int64), classes


def _number(label: str, record: Record) -> float:
    try:
        value = float(label)
    except ValueError as fault:
        raise UserError(
            record.place, f"the label of {record.name} is {label!r}, expected a number", "Is it another type?"
        ) from fault
    if not np.isfinite(value):
        raise UserError(record.place, f"the label of {record.name} is {label}, not finite", "Remove the row.")
    return value


def _check_zero_or_one(values: np.ndarray, records: Sequence[Record]) -> None:
    others = ~np.isin(values, (0, 1))
    if others.any():
        row, column = np.argwhere(others)[0]
        found = records[row].labels[column]
        raise UserError(
            records[row].place,
            f"label {column + 1} of {records[row].name} is {found}, expected 0 or 1",
            "Is it another type?",
        )
