"""Cross-validation folds that keep related windows together: overlaps, neighbours, near-identical ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from dnalm.errors import UserError

JACCARD = 0.8  # share of common k-mers from which two windows count as near-identical
KMER = 12  # 4^12 = 16.8 million k-mers: two unrelated windows of 6,000 bp share 0.04 % of theirs
SHARED = 8  # k-mers that two candidates must share in their prefixes; keeps chance pairs away
BLOCK = 4096  # windows compared with all others at a time; bounds the memory of one product

_CODES = np.full(256, -1, np.int32)
for _letters, _code in (("Aa", 0), ("Cc", 1), ("Gg", 2), ("Tt", 3)):
    _CODES[[ord(letter) for letter in _letters]] = _code


def kmer_set(sequence: str, k: int = KMER) -> Int[np.ndarray, " M"]:
    """Returns the sorted distinct k-mers of a sequence, a k-mer and its reverse complement as one code.

    K-mers that hold a letter other than A, C, G, T are left out; k is at most 12.
    """
    bases = _CODES[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]
    length = len(bases) - k + 1
    if length < 1:
        return np.empty(0, np.int32)
    forward = np.zeros(length, np.int32)
    reverse, valid = forward.copy(), np.ones(length, bool)
    for i in range(k):
        letter = bases[i : i + length]
        forward = forward * 4 + letter
        reverse += (3 - letter) * 4**i
        valid &= letter >= 0
    codes = np.sort(np.minimum(forward, reverse)[valid])
    return codes[np.diff(codes, prepend=-1) > 0]  # np.unique takes ten times as long


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
        _join_equal(parent, _clusters(table, neighbour_bp))
    if sequences is not None:
        _join_equal(parent, pd.factorize(pd.Series([_canonical(text) for text in sequences], dtype=str))[0])
        _join_near_identical(parent, [kmer_set(text, k) for text in sequences], jaccard)
    roots = np.array([_find(parent, i) for i in range(len(parent))], dtype=np.int64)
    return pd.factorize(roots)[0].astype(np.int64)


def grouped_folds(
    groups: Int[np.ndarray, " B"],
    labels: Int[np.ndarray, " B"] | None = None,
    folds: int = 10,
    seed: int = 0,
) -> Int[np.ndarray, " B"]:
    """Deals whole groups to folds of nearly equal size and, where labels are given, class shares.

    The largest groups go first, each to the fold that its classes leave least uneven; the order of
    groups of one size comes from the seed.

    Raises:
        UserError: fewer groups than folds.
    """
    number = int(groups.max()) + 1 if len(groups) else 0
    if number < folds or folds < 2:
        raise UserError(
            "folds", f"too few groups of related windows (found {number}, expected at least {max(folds, 2)})"
        )
    classes = np.zeros(len(groups), int) if labels is None else np.unique(labels, return_inverse=True)[1]
    sizes = np.zeros((number, classes.max() + 1))
    np.add.at(sizes, (groups, classes), 1)
    shares = sizes / sizes.sum(axis=0)
    order = np.random.default_rng(seed).permutation(number)
    order = order[np.argsort(-sizes.sum(axis=1)[order], kind="stable")]
    filled, fold_of = np.zeros((folds, shares.shape[1])), np.empty(number, np.int64)
    for group in order:
        # Growth of the sum of squared class shares; a tie goes to the emptier, then the earlier fold.
        growth = np.round(filled @ shares[group], 12)
        fold = np.lexsort((filled.sum(axis=1), growth))[0]
        fold_of[group], filled[fold] = fold, filled[fold] + shares[group]
    return fold_of[groups]


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
    parted = pd.Series(fold).groupby(groups).transform("nunique").to_numpy() > 1
    if not parted.any():
        return
    first = np.flatnonzero(groups == groups[parted][0])
    other = first[fold[first] != fold[first[0]]][0]
    names = pd.Series(table.get("name", table.index))
    a, b = (f"{names.iloc[row]} in fold {fold[row]}" for row in (first[0], other))
    raise UserError(
        where,
        f"{parted.sum()} windows share sequence with a window of another fold (for one, {a} and {b})",
        "Make the folds by group (make_task.py).",
    )


def check_classes(
    labels: np.ndarray, fold: Int[np.ndarray, " B"], where: str | Path, minimum: int = 10
) -> None:
    """Refuses labels that cannot be cross-validated.

    Raises:
        UserError: fewer than two classes, a class with fewer than `minimum` rows, a fold without a class.
    """
    table = pd.crosstab(pd.Series(labels, name="label"), pd.Series(fold, name="fold"))
    totals = {label: int(n) for label, n in table.sum(axis=1).items()}
    if len(totals) < 2:
        raise UserError(where, f"one class only (found {totals}, expected two)", "Check the labels.")
    if min(totals.values()) < minimum:
        raise UserError(
            where, f"too few rows of a class (found {totals}, expected at least {minimum})", "Add rows."
        )
    empty = np.argwhere(table.to_numpy() == 0)
    if len(empty):
        label, number = table.index[empty[0][0]], table.columns[empty[0][1]]
        raise UserError(where, f"fold {number} has no row of class {label} (of {totals})", "Use fewer folds.")


def _clusters(table: pd.DataFrame, neighbour_bp: int) -> np.ndarray:
    """Numbers the chains of windows that overlap, touch or are at most `neighbour_bp` apart."""
    import pyranges

    columns = {"contig": "Chromosome", "start": "Start", "end": "End"}
    frame = table[list(columns)].rename(columns=columns).assign(row=np.arange(len(table)))
    joined = pyranges.PyRanges(frame).cluster(strand=False, slack=neighbour_bp).df
    return joined.sort_values("row")["Cluster"].to_numpy()


def _canonical(sequence: str) -> str:
    """Returns the smaller of a sequence and its reverse complement, upper case."""
    upper = sequence.upper()
    return min(upper, upper[::-1].translate(str.maketrans("ACGT", "TGCA")))


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


def _join_near_identical(parent: np.ndarray, sets: list[np.ndarray], jaccard: float) -> None:
    """Joins the rows whose k-mer sets have at least this Jaccard index.

    Exact, without comparing all pairs: with the k-mers of all sets in one order, rarest first, two sets
    x and y of J >= t have their first l common k-mers among the first |x| - ceil(t |x|) + l of x and those
    of y alike.

    Source: prefix filtering, Bayardo, Ma and Srikant 2007 (WWW), section 4; l > 1: Wang, Li and Feng 2012
    (SIGMOD, AdaptJoin).
    """
    from scipy.sparse import csr_matrix

    rows = [i for i, codes in enumerate(sets) if len(codes)]
    if len(rows) < 2:
        return
    shared = min(SHARED, max(1, int(np.ceil(jaccard * min(len(sets[i]) for i in rows)))))
    codes, first = np.concatenate([sets[i] for i in rows]), np.zeros(len(rows) + 1, np.int64)
    counts = np.bincount(codes)
    prefixes = [_prefix(sets[i], counts, jaccard, shared) for i in rows]
    first[1:] = np.cumsum([len(prefix) for prefix in prefixes])
    columns = np.concatenate(prefixes)
    shape = (len(rows), len(counts))
    matrix = csr_matrix((np.ones(len(columns), np.int32), columns, first), shape=shape)
    matrix = matrix[:, np.unique(columns)] if len(columns) else matrix
    for start in range(0, len(rows), BLOCK):
        product = (matrix[start : start + BLOCK] @ matrix.T).tocoo()
        likely = (product.data >= shared) & (product.col > product.row + start)
        for a, b in zip(product.row[likely] + start, product.col[likely], strict=True):
            i, j = rows[a], rows[b]
            if _find(parent, i) != _find(parent, j) and _jaccard(sets[i], sets[j]) >= jaccard:
                _join(parent, i, j)


def _prefix(codes: np.ndarray, counts: np.ndarray, jaccard: float, shared: int) -> np.ndarray:
    """Returns the rarest k-mers, some of which a near-identical set must hold, but those of no other set."""
    length = len(codes) - int(np.ceil(jaccard * len(codes))) + shared
    prefix = codes[np.argsort(counts[codes], kind="stable")][:length]
    return prefix[counts[prefix] > 1]


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
