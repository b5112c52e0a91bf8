"""Which rows of a task are related to rows of another split or fold: the report before any training.

Relations are direct, between two rows: `identical` (the same sequence), `reverse_complement` (the other
strand of it), `near_identical` (k-mer Jaccard index of both strands at least folds.JACCARD, neither of the
two before), `overlapping` (at least one base of the same contig in common, either strand, where positions are
known).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from dnalm import folds
from dnalm.files import atomic_path
from dnalm.tasks.form import NO_SPLIT

RELATIONS = ("identical", "reverse_complement", "near_identical", "overlapping")
# rows: how many of the rows of `rows_of` (there are `of`) are related to another row of `related_to`;
# example: two names.
COLUMNS = ("relation", "rows_of", "related_to", "rows", "of", "share", "example")
OTHER_FOLDS = "other folds"
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Relations:
    """Who is related to whom among B rows.

    Attributes:
        forward: number of each row's sequence; reverse: that of its other strand, -1 where no row has it.
        either: number of each row's sequence, both strands as one; near: pairs of these numbers.
        positions: contig number, start and end of each row, None where not known.
    """

    forward: Int[np.ndarray, " B"]
    reverse: Int[np.ndarray, " B"]
    either: Int[np.ndarray, " B"]
    near: Int[np.ndarray, "P 2"]
    positions: Int[np.ndarray, "B 3"] | None

    def related(
        self, relation: str, rows: Bool[np.ndarray, " B"], others: Bool[np.ndarray, " B"]
    ) -> Bool[np.ndarray, " B"]:
        """Says which of `rows` have such a relation to one of `others` that is not the row itself."""
        found = {
            "identical": self._identical,
            "reverse_complement": self._reverse_complement,
            "near_identical": self._near_identical,
            "overlapping": self._overlapping,
        }[relation](others)
        return rows & found

    def _identical(self, others: Bool[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
        return np.bincount(self.forward[others], minlength=len(others))[self.forward] > others

    def _reverse_complement(self, others: Bool[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
        is_there = np.bincount(self.forward[others], minlength=len(others) + 1) > 0
        is_there[-1] = False  # of those whose other strand no row has
        return is_there[self.reverse]

    def _near_identical(self, others: Bool[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
        is_there = np.bincount(self.either[others], minlength=len(others)) > 0
        has = np.zeros(len(others), bool)
        first, second = self.near[:, 0], self.near[:, 1]
        has[first[is_there[second]]] = True
        has[second[is_there[first]]] = True
        return has[self.either]

    def _overlapping(self, others: Bool[np.ndarray, " B"]) -> Bool[np.ndarray, " B"]:
        found = np.zeros(len(others), bool)
        if self.positions is None:
            return found
        contig, start, end = self.positions.T
        for number in np.unique(contig):
            own = np.flatnonzero(contig == number)
            starts, ends = (np.sort(side[own][others[own]]) for side in (start, end))
            begun = np.searchsorted(starts, end[own], side="left")
            over = np.searchsorted(ends, start[own], side="right")
            found[own] = begun - over > others[own]
        return found


def relate(task: pd.DataFrame, jaccard: float = folds.JACCARD) -> Relations:
    """Finds the relations among a task's rows (columns sequence; contig, start, end where known)."""
    texts = task["sequence"].tolist()
    turned = [folds.reverse_complement_upper(text) for text in texts]
    forward, known = pd.factorize(pd.Series(texts, dtype=str))
    reverse = pd.Index(known).get_indexer(turned)
    reverse[reverse == forward] = -1  # its own other strand
    smaller = [min(pair) for pair in zip(texts, turned, strict=True)]
    either, unique = pd.factorize(pd.Series(smaller, dtype=str))
    pairs = list(folds.near_identical_pairs([folds.kmer_set(text) for text in unique], jaccard))
    positions = None
    if {"contig", "start", "end"} <= set(task.columns):
        columns = (pd.factorize(task["contig"])[0], task["start"], task["end"])
        positions = np.stack([np.asarray(column, np.int64) for column in columns], axis=1)
    return Relations(
        forward.astype(np.int64),
        reverse.astype(np.int64),
        either.astype(np.int64),
        np.array(pairs, np.int64).reshape(-1, 2),
        positions,
    )


def group_rows(relations: Relations, groups: Sequence[str] = ()) -> Int[np.ndarray, " B"]:
    """Numbers the groups of rows that are related, directly or through others.

    Args:
        groups: what each row belongs to besides, such as a gene; empty texts belong to nothing.
    """
    size = len(relations.forward)
    codes = [relations.either]
    if relations.positions is not None and size:
        table = pd.DataFrame(relations.positions, columns=["contig", "start", "end"])
        codes.append(folds.clusters(table, neighbour_bp=-1))  # one base in common; touching is no relation
    if any(groups):
        own = pd.factorize(pd.Series(groups, dtype=str))[0]
        codes.append(np.where(np.array(groups) == "", len(own) + np.arange(len(own)), own))
    first = pd.Series(np.arange(size)).groupby(relations.either).first().tolist()
    return folds.join_groups(size, codes, ((first[a], first[b]) for a, b in relations.near.tolist()))


def leaks_from(
    relations: Relations, rows: Bool[np.ndarray, " B"], others: Bool[np.ndarray, " B"]
) -> np.ndarray:
    """Says which of `rows` have any relation to one of `others`."""
    return np.logical_or.reduce([relations.related(relation, rows, others) for relation in RELATIONS])


def report(task: pd.DataFrame, relations: Relations) -> pd.DataFrame:
    """Returns COLUMNS: every relation within each split, between the splits, and between folds.

    Args:
        task: columns name, split, and fold where there are folds (-1: in none).
    """
    split, places = task["split"].to_numpy(), []
    present = [name for name in ("train", "validation", "test", NO_SPLIT) if (split == name).any()]
    for relation in RELATIONS:
        if relation == "overlapping" and relations.positions is None:
            continue
        for own in present:
            for other in present:
                rows, others = split == own, split == other
                found = relations.related(relation, rows, others)
                example = _example(task, relations, relation, found, others)
                places.append((relation, own or "all", other or "all", found.sum(), rows.sum(), example))
        if "fold" in task.columns:
            places.append((relation, "folds", OTHER_FOLDS, *_between_folds(task, relations, relation)))
    table = pd.DataFrame(places, columns=["relation", "rows_of", "related_to", "rows", "of", "example"])
    return table.assign(share=table["rows"] / table["of"])[list(COLUMNS)]


def say(table: pd.DataFrame, where: str) -> None:
    """Logs a report: what lies between splits or folds as warnings."""
    leaks = table[table["rows"] > 0]
    if leaks.empty:
        log.info("%s: no two rows are related", where)
    for row in leaks.itertuples():
        level = logging.INFO if row.rows_of == row.related_to else logging.WARNING
        what = f"{row.rows} of {row.of} rows of {row.rows_of} are {row.relation} to a row of {row.related_to}"
        log.log(level, "%s: %s (%s)", where, what, row.example)


def summary(table: pd.DataFrame) -> list[dict[str, object]]:
    """Returns what a report found, for a manifest."""
    leaks = table.loc[table["rows"] > 0, ["relation", "rows_of", "related_to", "rows", "of"]]
    return [{str(key): value for key, value in row.items()} for row in leaks.to_dict("records")]


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """Writes a report as TSV."""
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    return Path(path)


def _between_folds(task: pd.DataFrame, relations: Relations, relation: str) -> tuple[int, int, str]:
    fold, example = task["fold"].to_numpy(), ""
    found = np.zeros(len(task), bool)
    for number in np.unique(fold[fold >= 0]):
        rows, others = fold == number, (fold >= 0) & (fold != number)
        own = relations.related(relation, rows, others)
        example = example or _example(task, relations, relation, own, others)
        found |= own
    return int(found.sum()), int((fold >= 0).sum()), example


def _example(
    task: pd.DataFrame,
    relations: Relations,
    relation: str,
    found: Bool[np.ndarray, " B"],
    others: Bool[np.ndarray, " B"],
) -> str:
    """Returns the names of the first row found and of the first to which it is related."""
    if not found.any():
        return ""
    row = np.flatnonzero(found)
    only = np.zeros(len(task), bool)
    only[row[0]] = True
    # The relations go both ways: whoever of the others is related to that row alone.
    partners = np.flatnonzero(relations.related(relation, others, only))
    return f"{task['name'].iloc[row[0]]}, {task['name'].iloc[partners[0]]}"
