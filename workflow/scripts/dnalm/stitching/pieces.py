"""Stretches of a contig that can be predicted, and what stands in for the isolated Ns inside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Bool, UInt8

from dnalm.stitching.layout import Span

SCAN_BP = 1 << 24  # bases looked at together when pieces are sought
CONTEXT_BP = 12  # on each side of an N in the middle of two bases, which tells the strands apart
COMPLEMENT = bytes.maketrans(b"ACGTN", b"TGCAN")


def known_spans(parts: Iterable[UInt8[np.ndarray, " _"]]) -> list[Span]:
    """Returns the stretches without any letter but A, C, G, T of a sequence given in parts, ascending.

    Args:
        parts: ASCII letters, upper or lower case.
    """
    known = np.zeros(256, bool)
    known[list(b"ACGTacgt")] = True
    edges, before, offset = [], False, 0
    for part in parts:
        inside = np.concatenate([[before], known[part]])
        edges.append(np.flatnonzero(inside[1:] != inside[:-1]) + offset)
        before, offset = bool(inside[-1]), offset + len(part)
    edges.append(np.array([offset] if before else [], np.int64))
    bounds = np.concatenate(edges).reshape(-1, 2)
    return [(int(start), int(end)) for start, end in bounds]


def join_spans(spans: Sequence[Span], max_filled_n: int) -> tuple[list[Span], list[Span]]:
    """Joins stretches that at most `max_filled_n` Ns part; returns the pieces, and the Ns within them."""
    pieces: list[Span] = []
    filled: list[Span] = []
    for start, end in spans:
        if pieces and start - pieces[-1][1] <= max_filled_n:
            filled.append((pieces[-1][1], start))
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((start, end))
    return pieces, filled


def find_pieces(sequence: UInt8[np.ndarray, " S"], max_filled_n: int = 0) -> list[Span]:
    """Returns the stretches of a sequence that can be predicted (see `join_spans`), ascending.

    Args:
        sequence: ASCII letters, upper or lower case.
        max_filled_n: longest run of N that does not end a piece.
    """
    parts = (sequence[at : at + SCAN_BP] for at in range(0, max(len(sequence), 1), SCAN_BP))
    return join_spans(known_spans(parts), max_filled_n)[0]


def fill_margin(max_filled_n: int) -> int:
    """Returns how many bases beyond a window decide how the Ns in it are filled."""
    return max_filled_n + CONTEXT_BP if max_filled_n else 0


def fill(bases: UInt8[np.ndarray, " S"]) -> UInt8[np.ndarray, " S"]:
    """Returns bases with every N replaced by the nearest known one.

    Halfway between two, the strand decides that reads the surrounding bases in alphabetical order first:
    the reverse complement of a sequence is filled with the reverse complement of what fills it.

    Args:
        bases: ASCII A, C, G, T, N; runs of N at the ends are filled from their one side.
    """
    known = bases != ord("N")
    if known.all() or not known.any():
        return bases
    places = np.arange(len(bases))
    left = np.maximum.accumulate(np.where(known, places, -1))
    right = np.minimum.accumulate(np.where(known, places, len(bases))[::-1])[::-1]
    to_left = np.where(left < 0, len(bases), places - left)
    to_right = np.where(right >= len(bases), len(bases), right - places)
    nearest = np.where(to_left <= to_right, left, right)
    for place in np.flatnonzero(~known & (to_left == to_right)):
        if _reads_backwards(bases, int(place)):
            nearest[place] = right[place]
    return bases[nearest]


def _reads_backwards(bases: UInt8[np.ndarray, " S"], place: int) -> bool:
    """Says whether the surroundings come first in alphabetical order on the other strand."""
    low, high = max(0, place - CONTEXT_BP), min(len(bases), place + CONTEXT_BP + 1)
    around = bases[low:high].tobytes()
    return around.translate(COMPLEMENT)[::-1] < around


def known_bases(letters: bytes) -> Bool[np.ndarray, " S"]:
    """Says of upper-case letters which of them are A, C, G or T."""
    codes = np.frombuffer(letters, np.uint8)
    return np.isin(codes, np.frombuffer(b"ACGT", np.uint8))
