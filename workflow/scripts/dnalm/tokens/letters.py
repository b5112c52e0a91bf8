"""The bases in the order of every published k-mer vocabulary, and k-mers as numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Int32, UInt8

ALPHABET = "ATCG"  # first letter slowest
NOT_A_BASE = 255


@cache
def digits() -> UInt8[np.ndarray, " 256"]:
    """Returns a table from upper-case ASCII to each base's place in ALPHABET, else NOT_A_BASE."""
    table = np.full(256, NOT_A_BASE, np.uint8)
    for digit, letter in enumerate(ALPHABET):
        table[ord(letter)] = digit
    return table


def kmer_numbers(values: UInt8[np.ndarray, "B S"], k: int, step: int) -> Int32[np.ndarray, "B N"]:
    """Returns the number of each k-mer that starts `step` bases after the last, from their bases' digits."""
    count = (values.shape[1] - k) // step + 1
    numbers = np.zeros((len(values), count), np.int32)
    for offset in range(k):
        numbers = numbers * len(ALPHABET) + values[:, offset : offset + (count - 1) * step + 1 : step]
    return numbers
