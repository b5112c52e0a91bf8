"""Records of a published task, or of one's own, made a task: numbers for labels, groups, folds."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm import folds
from dnalm.errors import UserError
from dnalm.suites import CLASSIFICATIONS
from dnalm.tasks import context, leakage
from dnalm.tasks.form import NO_FOLD, POSITIONS, TEST, in_folds, label_columns
from dnalm.tasks.labels import check_outputs, label_table
from dnalm.tasks.records import Record, Records

REPORT, DROP = "report", "drop"
DUPLICATES = (REPORT, DROP)
BINS = 5  # of a regression's labels, so that every fold has low and high ones
_POSITION = re.compile(r"([^\s:]+):(\d+)-(\d+)(?:\(([+-])\))?")
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Task:
    """A task's table (see `form`), its report of leaks, and what was counted on the way."""

    table: pd.DataFrame
    leaks: pd.DataFrame
    classes: list[str]
    dropped: int  # training rows related to a test row


def assemble(
    records: Records,
    kind: str,
    fold_count: int = 10,
    duplicates: str = REPORT,
    seed: int = 0,
    where: str | Path = "task",
    context_bp: int | None = None,
) -> Task:
    """Returns a task: related rows share a group, a group lies in one fold, test rows lie in none.

    Validation rows are cross-validated like training rows; the column `split` tells them apart.

    Args:
        kind: one of `suites.TYPES`.
        duplicates: report keeps all rows; drop leaves out the training and validation rows that are
            related to a test row.
        context_bp: bases that are kept in the middle of each sequence, once relations and folds are known.

    Raises:
        UserError: labels that do not fit the type, one class, fewer than 10 rows of a class, or too few
            groups of related rows.
    """
    if not records.kept:
        raise UserError(where, "holds no sequences", "Give some.")
    if fold_count < 2:
        raise UserError("--folds", f"found {fold_count}, expected at least 2", "Raise it.")
    context.check_context(context_bp)
    labels, classes = label_table(records.kept, kind)
    table = _columns(records.kept, labels)
    relations = leakage.relate(table)
    group = leakage.group_rows(relations, [record.group for record in records.kept])
    table["group"] = context.join_alike(group, table["sequence"].tolist(), context_bp)
    own = in_folds(table)
    kept = own.copy()
    if duplicates == DROP:
        kept &= ~leakage.leaks_from(relations, own, ~own)
    _check_labels(table, kept, classes, str(where))
    table["fold"] = NO_FOLD
    table.loc[kept, "fold"] = _folds(table[kept], kind, fold_count, seed, str(where))
    leaks = leakage.report(table, relations)
    dropped = int((own & ~kept).sum())
    if dropped:
        log.info("%s: %d training rows related to test rows are dropped", where, dropped)
    table = context.keep_centre(table[kept | ~own].reset_index(drop=True), context_bp)
    return Task(table, leaks, classes, dropped)


def _columns(records: list[Record], labels: pd.DataFrame) -> pd.DataFrame:
    """Returns name, sequence, split, the labels, and positions where all records have one."""
    columns = {key: [getattr(record, key) for record in records] for key in ("name", "sequence", "split")}
    positions = [record.position or _position_in_name(record) for record in records]
    if all(positions):
        columns |= dict(zip(POSITIONS, zip(*positions, strict=True), strict=True))
    table = pd.DataFrame(columns)
    order = [key for key in ("name", *POSITIONS, "sequence", "split") if key in table.columns]
    return pd.concat([table[order], labels], axis=1)


def _position_in_name(record: Record) -> tuple[str, int, int, str] | None:
    """Returns the position that a name tells, `contig:start-end`, if that is as long as the sequence.

    Whether it is 0-based, half-open or 1-based, closed follows from the length.
    """
    match = _POSITION.fullmatch(record.name.partition("#")[0])
    if match is None:
        return None
    contig, start, end, strand = match[1], int(match[2]), int(match[3]), match[4] or "."
    extra = end - start - len(record.sequence)
    return (contig, start + extra, end, strand) if extra in (-1, 0) and start + extra >= 0 else None


def _check_labels(table: pd.DataFrame, kept: np.ndarray, classes: list[str], where: str) -> None:
    """Refuses labels that cannot be learnt or scored."""
    if not kept.any():
        raise UserError(where, "has no training rows", "Give some, or keep duplicates.")
    columns = label_columns(table)
    if not classes:
        check_outputs(table.loc[kept, columns], where)
        return
    trained = set(table.loc[kept, "label"])
    for number, name in enumerate(classes):
        if number not in trained:
            raise UserError(where, f"class {name!r} has test rows only", "Give training rows of it.")
    if TEST in set(table["split"]) and table.loc[table["split"] == TEST, "label"].nunique() < 2:
        raise UserError(
            where, "one class only among the test rows, expected two or more", "Check the labels."
        )


def _folds(table: pd.DataFrame, kind: str, fold_count: int, seed: int, where: str) -> np.ndarray:
    """Deals groups to folds, evenly over classes, or over low and high values of a regression."""
    group, strata = pd.factorize(table["group"])[0].astype(np.int64), None
    if kind in CLASSIFICATIONS:
        strata = table["label"].to_numpy(np.int64)
        folds.check_classes(strata, np.zeros(len(strata), np.int64), where, max(10, fold_count))
    elif kind == "regression":
        strata = pd.qcut(table["label"].rank(method="first"), BINS, labels=False).to_numpy(np.int64)
    try:
        fold = folds.grouped_folds(group, strata, fold_count, seed)
    except UserError as fault:
        raise UserError(where, fault.problem, "Use fewer folds, or give unrelated sequences.") from fault
    if kind in CLASSIFICATIONS:
        folds.check_classes(strata, fold, where, max(10, fold_count))
    return fold
