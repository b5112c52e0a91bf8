"""Segment overlap (SOV_refine): how well predicted segments match those of the annotation, whole by whole.

A segment is a maximal run of bases in one state, positive or negative; missing bases end it. Segments of
different contigs and strands are one pool. Work and memory follow the number of segments, not of bases.

Source: Liu and Wang 2018, Source Code for Biology and Medicine 13:1 (SOV_refine), after Zemla et al. 1999,
Proteins 34:220 (sums and normalisation). In their terms, for the segments of a state in the reference, s1,
and in the prediction, s2:

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
from jaxtyping import Bool, Int, Int8

UNKNOWN, NEGATIVE, POSITIVE = 0, 1, 2  # states of a base
STATES = (NEGATIVE, POSITIVE)
LAMBDA = 1.0  # SegmentNT's choice, and the default of Liu and Wang 2018


@dataclass(frozen=True)
class Segments:
    """Segments of one strand of a contig, ascending and disjoint; bases in none are unknown."""

    starts: Int[np.ndarray, " N"]
    ends: Int[np.ndarray, " N"]
    states: Int8[np.ndarray, " N"]  # NEGATIVE or POSITIVE

    @property
    def lengths(self) -> Int[np.ndarray, " N"]:
        return self.ends - self.starts

    def of(self, state: int) -> Segments:
        """Returns those of a state."""
        kept = self.states == state
        return Segments(self.starts[kept], self.ends[kept], self.states[kept])


def find_segments(states: Int8[np.ndarray, " S"], start: int) -> Segments:
    """Returns the segments of a stretch whose first base is at `start`."""
    borders = np.flatnonzero(states[1:] != states[:-1]) + 1
    starts = np.concatenate([[0], borders]) if len(states) else borders
    ends = np.append(borders, len(states))[: len(starts)]
    found = states[starts]
    kept = found != UNKNOWN
    return Segments(starts[kept] + start, ends[kept] + start, found[kept])


def join_segments(parts: Sequence[Segments]) -> Segments:
    """Joins the segments of stretches in their order; those of one state that touch become one."""
    starts = np.concatenate([part.starts for part in parts])
    ends = np.concatenate([part.ends for part in parts])
    states = np.concatenate([part.states for part in parts])
    goes_on = (starts[1:] == ends[:-1]) & (states[1:] == states[:-1])
    first, last = np.append(True, ~goes_on)[: len(starts)], np.append(~goes_on, True)[: len(starts)]
    return Segments(starts[first], ends[last], states[first])


@dataclass(frozen=True)
class Overlaps:
    """What SOV asks of segments: sums over the reference, and one entry per pair of S(i)."""

    segments: int  # positive ones of the reference
    reference_bp: dict[int, int]  # state -> bases of its reference segments
    squares: int  # sum of the squared lengths of all reference segments
    unmatched_bp: dict[int, int]  # state -> bases of the reference segments that overlap none
    states: Int8[np.ndarray, " P"]
    lengths: Int[np.ndarray, " P"]  # len(s1)
    shared: Int[np.ndarray, " P"]  # minov
    extents: Int[np.ndarray, " P"]  # maxov

    def __add__(self, other: Overlaps) -> Overlaps:
        return Overlaps(
            self.segments + other.segments,
            {state: self.reference_bp[state] + other.reference_bp[state] for state in STATES},
            self.squares + other.squares,
            {state: self.unmatched_bp[state] + other.unmatched_bp[state] for state in STATES},
            *(
                np.concatenate([getattr(self, name), getattr(other, name)])
                for name in ("states", "lengths", "shared", "extents")
            ),
        )


def overlap(reference: Segments, predicted: Segments) -> Overlaps:
    """Returns the overlaps of a strand's segments."""
    lengths = reference.lengths.astype(np.int64)
    pairs, bases, unmatched = [], {}, {}
    for state in STATES:
        own, called = reference.of(state), predicted.of(state)
        # Disjoint and sorted: those that overlap s1 follow each other.
        low = np.searchsorted(called.ends, own.starts, "right")
        count = np.maximum(np.searchsorted(called.starts, own.ends, "left") - low, 0)
        one = np.repeat(np.arange(len(own.starts)), count)
        other = np.arange(len(one)) + np.repeat(low - (np.cumsum(count) - count), count)
        starts, ends = own.starts[one], own.ends[one]
        shared = np.minimum(ends, called.ends[other]) - np.maximum(starts, called.starts[other])
        extents = np.maximum(ends, called.ends[other]) - np.minimum(starts, called.starts[other])
        pairs.append((np.full(len(one), state, np.int8), ends - starts, shared, extents))
        bases[state], unmatched[state] = int(own.lengths.sum()), int(own.lengths[count == 0].sum())
    return Overlaps(
        int((reference.states == POSITIVE).sum()),
        bases,
        int((lengths**2).sum()),
        unmatched,
        *(np.concatenate(part) for part in zip(*pairs, strict=True)),
    )


def sov_refine(
    overlaps: Overlaps, states: Sequence[int] = (POSITIVE,), allowance_factor: float = LAMBDA
) -> float:
    """Returns SOV_refine, 0 to 1, of the segments of the given states.

    Args:
        states: (POSITIVE,) for the segments of the feature alone; STATES for the sum over both states,
            which the authors' program prints last, and which the background governs.
        allowance_factor: lambda.

    Returns:
        NaN where the reference has no segment of these states.
    """
    wanted: Bool[np.ndarray, " P"] = np.isin(overlaps.states, states)
    lengths, shared = overlaps.lengths[wanted], overlaps.shared[wanted]
    extents = overlaps.extents[wanted]
    total = int(lengths.sum()) + sum(overlaps.unmatched_bp[state] for state in states)
    if not total:
        return float("nan")
    present = sum(count > 0 for count in overlaps.reference_bp.values())
    bases = sum(overlaps.reference_bp.values())
    # allowance x len(s1) / L, with L cancelled once
    bonus = allowance_factor * present * bases / overlaps.squares * lengths * (shared / extents)
    gained = (shared + np.minimum(bonus, extents - shared)) / extents * lengths
    return float(gained.sum() / total)
