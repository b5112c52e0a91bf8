"""Elements from tracks: the stretches of bases at or above a threshold, in one pass over the bigWigs.

Probabilities are counted in millionths, so that sums and decisions are exact and do not depend on how a
contig is cut into stretches. Positions are 0-based and half-open.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from dnalm.elements.features import ONE_BASE
from dnalm.elements.source import Source
from dnalm.errors import UserError
from dnalm.stitching import Span, merge_spans
from dnalm.tracks import open_track, read_values

STRETCH_BP = 1 << 20  # bases read together: about 60 MB, whatever the contig's length
UNIT = 1_000_000  # a probability's unit is a millionth
BELOW, ABOVE = 1, 2  # states of a base with a prediction; 0 without


@dataclass(frozen=True)
class Calling:
    """How elements are called.

    Attributes:
        threshold: a base belongs to an element where its (smoothed) probability is at least this.
        thresholds: feature -> threshold, instead of `threshold`.
        smoothing_bp: odd width of the centred moving average, 1 for none.
        min_length_bp: shorter elements are left out.
        merge_gap_bp: elements with at most so many bases between them are one.
    """

    threshold: float = 0.5
    thresholds: Mapping[str, float] = field(default_factory=dict)
    smoothing_bp: int = 1
    min_length_bp: int = 1
    merge_gap_bp: int = 0

    def __post_init__(self) -> None:
        for name, value in {"threshold": self.threshold, **self.thresholds}.items():
            if not 0 <= value <= 1:
                raise UserError(
                    f"threshold of {name}" if name != "threshold" else name,
                    f"is {value} (expected 0 to 1)",
                    "Give a probability.",
                )
        if self.smoothing_bp < 1 or self.smoothing_bp % 2 == 0:
            raise UserError(
                "smoothing_bp",
                f"is {self.smoothing_bp} (expected an odd number)",
                "A window has a middle base.",
            )
        if self.min_length_bp < 1:
            raise UserError("min_length_bp", f"is {self.min_length_bp} (expected 1 or more)", "Raise it.")
        if self.merge_gap_bp < 0:
            raise UserError("merge_gap_bp", f"is {self.merge_gap_bp} (expected 0 or more)", "Raise it.")

    def check_features(self, features: Sequence[str]) -> None:
        """Raises UserError when a threshold names a feature that the tracks lack."""
        if unknown := sorted(set(self.thresholds) - set(features)):
            raise UserError(
                "thresholds",
                f"name '{unknown[0]}', which is no feature here",
                f"Known: {', '.join(features)}.",
            )

    def of(self, feature: str) -> Calling:
        """Returns the settings for one feature: splice sites are one base, and stay as they are."""
        threshold = self.thresholds.get(feature, self.threshold)
        if feature in ONE_BASE:
            return Calling(threshold)
        return Calling(threshold, {}, self.smoothing_bp, self.min_length_bp, self.merge_gap_bp)


@dataclass(frozen=True)
class Element:
    """One called element; mean and maximum are of the track's own values, not of the smoothed ones."""

    contig: str
    start: int
    end: int
    track: str  # file name of its bigWig
    feature: str
    strand: str  # "+", "-", or "either"
    mean: float
    maximum: float


def call_elements(source: Source, calling: Calling) -> Iterator[Element]:
    """Yields the elements of a run, by contig in the genome's order, then by start, end and track.

    Raises:
        UserError: a threshold names a feature that the run has not.
    """
    tracks = source.about["tracks"]
    calling.check_features(list(dict.fromkeys(track["feature"] for track in tracks.values())))
    with ExitStack() as stack:
        callers = [
            _Caller(stack.enter_context(open_track(source.folder / name)), name, **track, calling=calling)
            for name, track in tracks.items()
        ]
        for contig, spans in source.spans.items():
            for span in merge_spans(spans):
                yield from _call_span(callers, contig, span)


def _call_span(callers: Sequence[_Caller], contig: str, span: Span) -> Iterator[Element]:
    """Yields a span's elements as soon as none that begins earlier can come."""
    waiting: list[tuple[int, int, int, Element]] = []
    for start in range(*span, STRETCH_BP):
        end = min(span[1], start + STRETCH_BP)
        for order, caller in enumerate(callers):
            found = caller.read(contig, start, end, span)
            waiting += [(element.start, element.end, order, element) for element in found]
        reached = min(caller.open_from(end) for caller in callers) if end < span[1] else end
        waiting.sort(key=lambda row: row[:3])
        done = sum(row[0] < reached for row in waiting)
        yield from (row[3] for row in waiting[:done])
        del waiting[:done]


class _Caller:
    """Calls the elements of one track, stretch by stretch."""

    def __init__(self, track: Any, name: str, feature: str, strand: str, calling: Calling) -> None:
        self._track, self._name, self._feature, self._strand = track, name, feature, strand
        self._calling = calling.of(feature)
        self._threshold = round(self._calling.threshold * UNIT)
        self._open: list[int] = []  # start, end, sum, maximum of what may still grow
        self._gap = [0, 0, 0]  # bases, sum and maximum of the bases below the threshold after it

    def open_from(self, otherwise: int) -> int:
        """Returns where the element begins that may still grow."""
        return self._open[0] if self._open else otherwise

    def read(self, contig: str, start: int, end: int, span: Span) -> Iterator[Element]:
        """Yields the elements that end in [start, end), and at the span's end the last one."""
        reach = self._calling.smoothing_bp // 2
        first, last = max(span[0], start - reach), min(span[1], end + reach)
        values = read_values(self._track, contig, first, last)
        known = ~np.isnan(values)
        counted = np.rint(np.where(known, values, 0).astype(np.float64) * UNIT).astype(np.int64)
        above = known & reaches(counted, known, self._threshold, self._calling.smoothing_bp)
        inner = slice(start - first, end - first)
        states, counted = (known + above.astype(np.uint8))[inner], counted[inner]
        borders = np.concatenate([[0], np.flatnonzero(states[1:] != states[:-1]) + 1])
        for piece in zip(
            (borders + start).tolist(),
            [*(borders[1:] + start).tolist(), end],
            states[borders].tolist(),
            np.add.reduceat(counted, borders).tolist(),
            np.maximum.reduceat(counted, borders).tolist(),
            strict=True,
        ):
            yield from self._take(contig, *piece)
        if end == span[1]:
            yield from self._close(contig)

    def _take(self, contig: str, start: int, end: int, state: int, total: int, top: int) -> Iterator[Element]:
        """Adds a piece whose bases are all above, below or without a prediction."""
        if state == ABOVE:
            gap_bp, gap_total, gap_top = self._gap
            begin, _, before, highest = self._open or (start, start, 0, 0)
            self._open = [begin, end, before + gap_total + total, max(highest, gap_top, top)]
            self._gap = [0, 0, 0]
        elif self._open:
            gap_bp, gap_total, gap_top = self._gap
            self._gap = [gap_bp + end - start, gap_total + total, max(gap_top, top)]
            if state != BELOW or self._gap[0] > self._calling.merge_gap_bp:
                yield from self._close(contig)

    def _close(self, contig: str) -> Iterator[Element]:
        if self._open:
            start, end, total, top = self._open
            if end - start >= self._calling.min_length_bp:
                mean = total / (end - start) / UNIT
                yield Element(contig, start, end, self._name, self._feature, self._strand, mean, top / UNIT)
        self._open, self._gap = [], [0, 0, 0]


def reaches(
    counted: Int64[np.ndarray, " S"], known: Bool[np.ndarray, " S"], threshold: int, smoothing_bp: int
) -> Bool[np.ndarray, " S"]:
    """Returns which bases' moving average is at least the threshold; what it says of unknown bases is void.

    The average of a base is that of the known bases around it, up to the nearest missing one or the end.
    """
    if smoothing_bp == 1:
        return np.asarray(counted >= threshold)
    length, reach = len(counted), smoothing_bp // 2
    place = np.arange(length)
    left = np.maximum.accumulate(np.where(known, 0, place + 1))
    right = np.minimum.accumulate(np.where(known, length, place)[::-1])[::-1]
    low, high = np.maximum(place - reach, left), np.minimum(place + reach + 1, right)
    sums = np.concatenate([[0], np.cumsum(counted)])
    return np.asarray(sums[high] - sums[low] >= threshold * (high - low))
