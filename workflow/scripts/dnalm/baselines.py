"""Features of the sequence alone, that a model's embeddings must beat.

K-mer counts, one-hot letters, GC and length, and a constant, whose probe predicts the majority or the mean.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Int8

from dnalm.errors import UserError

BASELINES = ("kmer", "one_hot", "gc_length", "constant")
RANDOM = "random_weights"  # the same network untrained: MODEL.random_weights
SHUFFLED = "shuffled"  # features dealt anew among the rows, of expression: MODEL.shuffled
KMER_LENGTHS = (3, 4, 5)  # of the probes: 64 + 256 + 1,024 columns
BLOCK_BASES = 1 << 22  # counted at a time; bounds memory

_CODES = np.full(256, -1, np.int8)
for _letters, _code in ((b"Aa", 0), (b"Cc", 1), (b"Gg", 2), (b"Tt", 3)):
    _CODES[list(_letters)] = _code


def is_baseline(features: str) -> bool:
    """Says whether features, as tables call them, are a baseline's."""
    return features.rpartition(".")[2] in (*BASELINES, RANDOM, SHUFFLED)


def baseline_features(name: str, sequences: Sequence[str]) -> Float32[np.ndarray, "B K"]:
    """Returns the features of one of BASELINES."""
    make = {"kmer": kmer_counts, "one_hot": one_hot, "gc_length": gc_length, "constant": constant}
    return make[name](sequences)


def left_out(name: str, sequences: Sequence[str]) -> str:
    """Returns why a baseline cannot be computed for these sequences; empty where it can."""
    lengths = sorted({len(sequence) for sequence in sequences}) if name == "one_hot" else []
    if len(lengths) < 2:
        return ""
    return f"sequences differ in length (found {lengths[0]} to {lengths[-1]} bp)"


def base_codes(sequences: Sequence[str]) -> Int8[np.ndarray, "B S"]:
    """Returns A, C, G, T as 0 to 3; -1 for other letters and after the end of shorter sequences."""
    codes = np.full((len(sequences), max(map(len, sequences), default=0)), -1, np.int8)
    for row, sequence in enumerate(sequences):
        codes[row, : len(sequence)] = _CODES[np.frombuffer(sequence.encode("ascii", "replace"), np.uint8)]
    return codes


def kmer_counts(
    sequences: Sequence[str], lengths: Sequence[int] = KMER_LENGTHS
) -> Float32[np.ndarray, "B K"]:
    """Counts each sequence's k-mers as they read, for each k of `lengths`: K = sum of 4^k columns.

    K-mers are in the order of the alphabet; those that hold a letter other than A, C, G, T count nowhere.
    """
    columns = sum(4**k for k in lengths)
    rows = max(1, BLOCK_BASES // max(max(map(len, sequences), default=1), columns))
    blocks = [np.empty((0, columns), np.float32)]
    for first in range(0, len(sequences), rows):
        codes = base_codes(sequences[first : first + rows])
        blocks.append(np.concatenate([_count(codes, k) for k in lengths], axis=1))
    return np.concatenate(blocks)


def one_hot(sequences: Sequence[str]) -> Float32[np.ndarray, "B K"]:
    """Returns four columns per base (A, C, G, T), K = 4 S; all zero for other letters.

    Raises:
        UserError: sequences of different lengths.
    """
    if why := left_out("one_hot", sequences):
        raise UserError("one_hot", why, "Use kmer, or windows of one length.")
    codes = base_codes(sequences)
    return (codes[:, :, None] == np.arange(4, dtype=np.int8)).astype(np.float32).reshape(len(codes), -1)


def gc_length(sequences: Sequence[str]) -> Float32[np.ndarray, "B K"]:
    """Returns two columns: the share of G and C among A, C, G, T (0.5 without any), and the length (bp)."""
    counts = kmer_counts(sequences, (1,)).astype(np.float64)
    known = counts.sum(axis=1)
    share = np.divide(counts[:, 1] + counts[:, 2], known, out=np.full(len(counts), 0.5), where=known > 0)
    return np.stack([share, [len(text) for text in sequences]], axis=1).astype(np.float32)


def constant(sequences: Sequence[str]) -> Float32[np.ndarray, "B K"]:
    """Returns a column of zeros: a probe is left with the training rows' class shares, or their mean."""
    return np.zeros((len(sequences), 1), np.float32)


def _count(codes: Int8[np.ndarray, "B S"], k: int) -> Float32[np.ndarray, "B K"]:
    count = codes.shape[1] - k + 1
    if count < 1:
        return np.zeros((len(codes), 4**k), np.float32)
    kmers, known = np.zeros((len(codes), count), np.int64), np.ones((len(codes), count), bool)
    for i in range(k):
        kmers = kmers * 4 + codes[:, i : i + count]
        known &= codes[:, i : i + count] >= 0
    kmers += np.arange(len(codes))[:, None] * 4**k
    counted = np.bincount(kmers[known], minlength=len(codes) * 4**k)
    return counted.reshape(len(codes), -1).astype(np.float32)
