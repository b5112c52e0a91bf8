"""Groups of related windows: overlaps, neighbours, near-identical ones; and the check that none is parted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from dnalm.errors import UserError
from dnalm.folds.similar import JACCARD, KMER, canonical, kmer_set, near_identical_pairs


def group_windows(
    table: pd.DataFrame,
    sequences: Sequence[str] | None = None,
    jaccard: float = JACCARD,
    k: int = KMER,
    neighbour_bp: int = 0,
) -> Int[np.ndarray, " B"]:
    """Numbers the groups of related windows 0, 1, ... in order of appearance.

    Windows are related, directly or through others, when they overlap, touch or lie at most
    `neighbour_bp` apart on either strand, and when the Jaccard index of their k-mer sets, both strands
    as one, is at least `jaccard`.

    Args:
        table: columns contig, start, end (0-based, half-open); without them only sequences count.
        sequences: one text for each row.
    """
    parent = np.arange(len(table))
    if len(table) and {"contig", "start", "end"} <= set(table.columns):
        _join_equal(parent, clusters(table, neighbour_bp))
    if sequences is not None:
        _join_equal(parent, pd.factorize(pd.Series([canonical(text) for text in sequences], dtype=str))[0])
        sets = [kmer_set(text, k) for text in sequences]

        def are_joined(i: int, j: int) -> bool:
            return _find(parent, i) == _find(parent, j)

        for i, j in near_identical_pairs(sets, jaccard, are_joined):
            _join(parent, i, j)
    return _numbered(parent)


def join_groups(
    size: int, codes: Iterable[np.ndarray], pairs: Iterable[tuple[int, int]] = ()
) -> Int[np.ndarray, " B"]:
    """Numbers the groups of rows that have a code in common, or are a pair, directly or through others.

    Args:
        size: number of rows B.
        codes: arrays of B numbers; rows of equal numbers are related.
    """
    parent = np.arange(size)
    for own in codes:
        _join_equal(parent, own)
    for a, b in pairs:
        _join(parent, a, b)
    return _numbered(parent)


def check_leaks(
    table: pd.DataFrame,
    fold: Int[np.ndarray, " B"],
    sequences: Sequence[str] | None = None,
    where: str | Path = "folds",
    jaccard: float = JACCARD,
    neighbour_bp: int = 0,
) -> None:
    """Finds the groups afresh and refuses folds that part one of them.

    Raises:
        UserError: a window of one fold overlaps or nearly repeats a window of another.
    """
    groups = group_windows(table, sequences, jaccard, neighbour_bp=neighbour_bp)
    check_groups(groups, fold, pd.Series(table.get("name", table.index)), where)


def check_groups(
    groups: Int[np.ndarray, " B"], fold: Int[np.ndarray, " B"], names: pd.Series, where: str | Path
) -> None:
    """Refuses folds that part a group of related rows.

    Raises:
        UserError: a group lies in several folds; names two of its rows.
    """
    parted = pd.Series(fold).groupby(groups).transform("nunique").to_numpy() > 1
    if not parted.any():
        return
    first = np.flatnonzero(groups == groups[parted][0])
    other = first[fold[first] != fold[first[0]]][0]
    a, b = (f"{names.iloc[row]} in fold {fold[row]}" for row in (first[0], other))
    raise UserError(
        where,
        f"{parted.sum()} windows share sequence with a window of another fold (for one, {a} and {b})",
        "Make the folds by group (make_task.py).",
    )


def clusters(table: pd.DataFrame, neighbour_bp: int) -> np.ndarray:
    """Numbers the chains of windows that overlap, touch or are at most `neighbour_bp` apart."""
    import pyranges

    columns = {"contig": "Chromosome", "start": "Start", "end": "End"}
    frame = table[list(columns)].rename(columns=columns).assign(row=np.arange(len(table)))
    joined = pyranges.PyRanges(frame).cluster(strand=False, slack=neighbour_bp).df
    return joined.sort_values("row")["Cluster"].to_numpy()


def _numbered(parent: np.ndarray) -> Int[np.ndarray, " B"]:
    roots = np.array([_find(parent, i) for i in range(len(parent))], dtype=np.int64)
    return pd.factorize(roots)[0].astype(np.int64)


def _find(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return int(i)


def _join(parent: np.ndarray, a: int, b: int) -> None:
    root_a, root_b = _find(parent, a), _find(parent, b)
    parent[max(root_a, root_b)] = min(root_a, root_b)


def _join_equal(parent: np.ndarray, codes: np.ndarray) -> None:
    """Joins the rows that have the same code."""
    first: dict[int, int] = {}
    for row, code in enumerate(codes.tolist()):
        _join(parent, first.setdefault(code, row), row)
