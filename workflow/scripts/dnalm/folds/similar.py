"""Sequences that are equal, of the other strand, or share nearly all k-mers, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from jaxtyping import Int

JACCARD = 0.8  # share of common k-mers from which two windows count as near-identical
KMER = 12  # 4^12 = 16.8 million k-mers: two unrelated windows of 6,000 bp share 0.04 % of theirs
SHARED = 8  # k-mers that two candidates must share in their prefixes; keeps chance pairs away
BLOCK = 4096  # windows compared with all others at a time; bounds the memory of one product

_CODES = np.full(256, -1, np.int32)
for _letters, _code in (("Aa", 0), ("Cc", 1), ("Gg", 2), ("Tt", 3)):
    _CODES[[ord(letter) for letter in _letters]] = _code
_OTHER_STRAND = str.maketrans("ACGT", "TGCA")


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


def reverse_complement_upper(sequence: str) -> str:
    """Returns the other strand of A, C, G and T, upper case; other letters stay what they are."""
    return sequence.upper()[::-1].translate(_OTHER_STRAND)


def canonical(sequence: str) -> str:
    """Returns the smaller of a sequence and its reverse complement, upper case."""
    return min(sequence.upper(), reverse_complement_upper(sequence))


def near_identical_pairs(
    sets: Sequence[Int[np.ndarray, " _"]],
    jaccard: float = JACCARD,
    skip: Callable[[int, int], bool] | None = None,
) -> Iterator[tuple[int, int]]:
    """Yields the pairs of rows, first < second, whose k-mer sets have at least this Jaccard index.

    Exact: with the k-mers of all sets in one order, rarest first, two sets x and y of J >= t have their
    first l common k-mers among the first |x| - ceil(t |x|) + l of x and those of y alike.

    Args:
        sets: of `kmer_set`.
        skip: says of a candidate pair that it need not be looked at.

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
            if not (skip and skip(i, j)) and _jaccard(sets[i], sets[j]) >= jaccard:
                yield i, j


def _prefix(codes: np.ndarray, counts: np.ndarray, jaccard: float, shared: int) -> np.ndarray:
    """Returns the rarest k-mers, some of which a near-identical set must hold, but those of no other set."""
    length = len(codes) - int(np.ceil(jaccard * len(codes))) + shared
    prefix = codes[np.argsort(counts[codes], kind="stable")][:length]
    return prefix[counts[prefix] > 1]


def _jaccard(a: np.ndarray, b: np.ndarray) -> float:
    common = len(np.intersect1d(a, b, assume_unique=True))
    return common / (len(a) + len(b) - common)
