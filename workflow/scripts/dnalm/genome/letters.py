"""The letters of a DNA sequence: which are allowed, their complements, how often each occurs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int64, UInt8

BASES = b"ACGT"
IUPAC = b"RYSWKMBDHV"  # ambiguity codes of IUPAC-IUB 1985, without N
ALLOWED = BASES + IUPAC + b"N" + (BASES + IUPAC + b"N").lower()
COMPLEMENT = bytes.maketrans(b"ACGTRYSWKMBDHVNacgtryswkmbdhvn", b"TGCAYRSWMKVHDBNtgcayrswmkvhdbn")
# Upper case; whatever is not A, C, G or T becomes N.
TO_ACGTN = bytes(upper if upper in BASES else ord("N") for upper in bytes(range(256)).upper())
_COMPLEMENT_ARRAY = np.frombuffer(COMPLEMENT, np.uint8)
_CHUNK = 1 << 18  # bases; keeps the histogram's 8-byte copies within the processor's cache


def reverse_complement(sequence: UInt8[np.ndarray, " S"]) -> UInt8[np.ndarray, " S"]:
    """Returns the other strand, 5' to 3', of a sequence of ASCII codes; N stays N, case is kept."""
    return _COMPLEMENT_ARRAY[sequence[::-1]]


def reverse_complement_text(sequence: str) -> str:
    """Returns the other strand, 5' to 3', of a sequence; N stays N, case is kept."""
    return sequence.encode("ascii").translate(COMPLEMENT)[::-1].decode("ascii")


def count_letters(sequence: UInt8[np.ndarray, " S"]) -> Int64[np.ndarray, "256"]:
    """Counts every byte value of a sequence.

    Long sequences are counted by pairs of bases: half the work of one base at a time.
    """
    if len(sequence) < _CHUNK:
        return np.bincount(sequence, minlength=256)
    pairs = np.zeros((256, 256), np.int64)
    even = len(sequence) // 2 * 2
    for start in range(0, even, _CHUNK):
        chunk = np.ascontiguousarray(sequence[start : min(start + _CHUNK, even)])
        pairs += np.bincount(chunk.view(np.uint16), minlength=65536).reshape(256, 256)
    counts: np.ndarray = pairs.sum(0) + pairs.sum(1)
    if even < len(sequence):
        counts[sequence[-1]] += 1
    return counts
