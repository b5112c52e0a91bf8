"""Segment overlap (SOV_refine): how well predicted segments match those of the annotation, whole by whole.

A segment is a maximal run of bases in one state, positive or negative; missing bases end it. Each strand of
a contig, or each window of a sampling, is a sequence with an allowance of its own; sums are pooled over
sequences. Work and memory follow the number of segments, not of bases.

Source: Liu and Wang 2018, Source Code for Biology and Medicine 13:1 (SOV_refine), after Zemla et al. 1999,
Proteins 34:220 (sums and normalisation). In their terms, for the segments of a state in the reference, s1,
and in the prediction, s2, of a sequence of L bases:

    S(i)       pairs (s1, s2) of state i that share a base
    minov      bases that the two share
    maxov      bases from the start of the first to the end of the last
    delta      min(allowance x len(s1) / L x minov / maxov, maxov - minov)
    allowance  lambda x number of states in the reference / sum over its segments of (len / L)^2
    N(i)       len(s1) over all pairs of S(i), and over the s1 in none
    SOV(i)     sum over S(i) of (minov + delta) / maxov x len(s1), divided by N(i)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int8

UNKNOWN, NEGATIVE, POSITIVE = 0, 1, 2  # states of a base
STATES = (NEGATIVE, POSITIVE)
LAMBDA = 1.0  # SegmentNT's choice, and the default of Liu and Wang 2018


@dataclass(frozen=True)
class Segments:
    """Segments of one strand of a contig, ascending and disjoint; bases in none are unknown."""

    starts: Int[np.ndarray, " N"]
    ends: Int[np.ndarray, " N"]
    states: Int8[np.ndarray, " N"]  # NEGATIVE or POSITIVE
    sequences: Int[np.ndarray, " N"]  # number of the sequence that each lies in

    @property
    def lengths(self) -> Int[np.ndarray, " N"]:
        return self.ends - self.starts

    def of(self, state: int) -> Segments:
        """Returns those of a state."""
        kept = self.states == state
        return Segments(self.starts[kept], self.ends[kept], self.states[kept], self.sequences[kept])


def find_segments(states: Int8[np.ndarray, " S"], start: int) -> Segments:
    """Returns the segments of a stretch whose first base is at `start`, all of one sequence."""
    borders = np.flatnonzero(states[1:] != states[:-1]) + 1
    starts = np.concatenate([[0], borders]) if len(states) else borders
    ends = np.append(borders, len(states))[: len(starts)]
    found = states[starts]
    kept = found != UNKNOWN
    return Segments(starts[kept] + start, ends[kept] + start, found[kept], np.zeros(kept.sum(), np.int64))


def join_segments(parts: Sequence[Segments]) -> Segments:
    """Joins the segments of stretches in their order; those of one state that touch become one."""
    starts, ends, states, sequences = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("starts", "ends", "states", "sequences")
    )
    goes_on = (starts[1:] == ends[:-1]) & (states[1:] == states[:-1])
    first, last = np.append(True, ~goes_on)[: len(starts)], np.append(~goes_on, True)[: len(starts)]
    return Segments(starts[first], ends[last], states[first], sequences[first])


def cut_segments(segments: Segments, windows: Int[np.ndarray, "W 2"]) -> Segments:
    """Cuts segments at disjoint, ascending windows; each window is a sequence, bases in none are left out."""
    one, window = _meetings(segments.starts, segments.ends, windows[:, 0], windows[:, 1])
    starts = np.maximum(segments.starts[one], windows[window, 0])
    ends = np.minimum(segments.ends[one], windows[window, 1])
    return Segments(starts, ends, segments.states[one], window)


def _meetings(
    starts: Int[np.ndarray, " A"],
    ends: Int[np.ndarray, " A"],
    other_starts: Int[np.ndarray, " B"],
    other_ends: Int[np.ndarray, " B"],
) -> tuple[Int[np.ndarray, " P"], Int[np.ndarray, " P"]]:
    """Returns the places of all spans that share a base, in pairs; either kind is ascending and disjoint."""
    low = np.searchsorted(other_ends, starts, "right")
    count = np.maximum(np.searchsorted(other_starts, ends, "left") - low, 0)
    one = np.repeat(np.arange(len(starts)), count)
    return one, np.arange(len(one)) + np.repeat(low - (np.cumsum(count) - count), count)


@dataclass(frozen=True)
class SegmentOverlap:
    """The sums of SOV by state, which add up over sequences."""

    segments: int  # positive ones of the reference
    gained: dict[int, float]  # numerator
    total: dict[int, int]  # N(i)

    def __add__(self, other: SegmentOverlap) -> SegmentOverlap:
        return SegmentOverlap(
            self.segments + other.segments,
            {state: self.gained[state] + other.gained[state] for state in STATES},
            {state: self.total[state] + other.total[state] for state in STATES},
        )

    def score(self, states: Sequence[int] = (POSITIVE,)) -> float:
        """Returns SOV_refine, 0 to 1; NaN where the reference has no segment of these states.

        Args:
            states: (POSITIVE,) for the segments of the feature alone; STATES for both, the score that the
                authors' program prints last, and which the background governs.
        """
        total = sum(self.total[state] for state in states)
        return sum(self.gained[state] for state in states) / total if total else float("nan")


def overlap_segments(
    reference: Segments, predicted: Segments, allowance_factor: float = LAMBDA
) -> SegmentOverlap:
    """Returns the sums over all sequences of a strand.

    Args:
        allowance_factor: lambda.
    """
    scale = allowance_factor * _allowance_per_base(reference)
    gained, total = {}, {}
    for state in STATES:
        own, called = reference.of(state), predicted.of(state)
        one, other = _meetings(own.starts, own.ends, called.starts, called.ends)
        starts, ends, lengths = own.starts[one], own.ends[one], own.lengths[one]
        shared = np.minimum(ends, called.ends[other]) - np.maximum(starts, called.starts[other])
        extents = np.maximum(ends, called.ends[other]) - np.minimum(starts, called.starts[other])
        bonus = scale[own.sequences[one]] * lengths * (shared / extents)
        gained[state] = float(((shared + np.minimum(bonus, extents - shared)) / extents * lengths).sum())
        matched = np.zeros(len(own.starts), bool)
        matched[one] = True
        total[state] = int(lengths.sum()) + int(own.lengths[~matched].sum())
    return SegmentOverlap(int((reference.states == POSITIVE).sum()), gained, total)


def _allowance_per_base(reference: Segments) -> Float[np.ndarray, " Q"]:
    """Returns, per sequence, what the allowance / L is for lambda 1: states x L / sum of len^2."""
    numbers, lengths = reference.sequences, reference.lengths.astype(np.float64)
    size = int(numbers.max()) + 1 if len(numbers) else 0
    bases = np.bincount(numbers, lengths, size)
    squares = np.bincount(numbers, lengths**2, size)
    present = np.zeros(size)
    for state in STATES:
        present += np.bincount(numbers[reference.states == state], minlength=size) > 0
    return np.divide(present * bases, squares, out=np.zeros(size), where=squares > 0)
