"""The bases in the order of every published k-mer vocabulary, and k-mers as numbers."""

from __future__ import annotations

from functools import cache

import numpy as np
from jaxtyping import Int32, UInt8, UInt16

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


def ids_at_bases(
    bases: UInt8[np.ndarray, " S"], k: int, first_id: int, unknown_id: int
) -> UInt16[np.ndarray, " S"]:
    """Returns the id of the k-mer at each base of upper-case ASCII; `unknown_id` where none starts."""
    result = np.full(len(bases), unknown_id, np.uint16)
    count = len(bases) - k + 1
    if count < 1:
        return result
    values = digits()[bases]
    numbers = np.zeros(count, np.uint16)
    known = np.ones(count, bool)
    for offset in range(k):
        part = values[offset : offset + count]
        numbers = numbers * np.uint16(len(ALPHABET)) + part % len(ALPHABET)
        known &= part != NOT_A_BASE
    result[:count] = np.where(known, numbers + np.uint16(first_id), np.uint16(unknown_id))
    return result


@cache
def complements(size: int, k: int, first_id: int) -> UInt16[np.ndarray, " V"]:
    """Returns the id of each id's reverse complement, of `size` ids; what is no k-mer keeps its own."""
    base = len(ALPHABET)
    partner = np.array([ALPHABET.index("ACGT"[::-1]["ACGT".index(letter)]) for letter in ALPHABET])
    kmers = np.arange(base**k)
    reverse = sum(partner[kmers // base**place % base] * base ** (k - 1 - place) for place in range(k))
    table = np.arange(size, dtype=np.uint16)
    table[first_id : first_id + len(kmers)] = first_id + np.asarray(reverse)
    return table
