"""Where windows lie on a piece, and which of their bases are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from dnalm.errors import UserError

HEAD_TOKENS = 4  # the U-Net head halves its input twice: DNA tokens come in fours
MAX_OVERLAP = 0.9
# With it no base's error stands out (tests/unit/test_seams.py). No simple fraction: with 1/4 the seams would
# always lie at the same few places of a window's length.
OVERLAP = 0.29
Span = tuple[int, int]
Stitch = Literal["centre", "blend"]


@dataclass(frozen=True)
class Layout:
    """How pieces are tiled."""

    window_tokens: int  # DNA tokens, CLS not counted
    k: int
    overlap: float = OVERLAP  # fraction of a window shared with the next
    frames: int = 1  # frame phases averaged
    reverse: bool = True  # tile the minus strand too
    stitch: Stitch = "centre"

    def __post_init__(self) -> None:
        if self.window_tokens < HEAD_TOKENS or self.window_tokens % HEAD_TOKENS:
            raise UserError(
                "window",
                f"has {self.window_tokens} DNA tokens (expected a multiple of {HEAD_TOKENS})",
                f"Give a length in bp that is a multiple of {HEAD_TOKENS * self.k}.",
            )
        if not 0 <= self.overlap <= MAX_OVERLAP:
            raise UserError("overlap", f"is {self.overlap} (expected 0 to {MAX_OVERLAP})", "Give a fraction.")
        if self.frames < 1 or self.k % self.frames:
            allowed = [count for count in range(1, self.k + 1) if self.k % count == 0]
            raise UserError(
                "frames", f"{self.frames} does not divide k = {self.k}", f"Give one of {allowed}."
            )

    @property
    def passes(self) -> int:
        """How often every base is read: strands times frames."""
        return self.frames * (1 + self.reverse)

    def expected_windows(self, length_bp: int) -> int:
        """Returns about how many windows so many bases take."""
        stride_bp = (1 - self.overlap) * self.window_tokens * self.k
        return self.passes * max(1, round(length_bp / stride_bp))

    def window_bp(self, length_bp: int) -> int:
        """Returns the window for a piece: the full one, or the largest that fits; 0 where none does."""
        unit = HEAD_TOKENS * self.k
        return min(self.window_tokens * self.k, length_bp // unit * unit)


@dataclass(frozen=True)
class Tiling:
    """The windows of one strand and frame on one piece, in ascending order, and what is kept of each."""

    minus: bool
    window_bp: int
    starts: Int64[np.ndarray, " W"]
    keep_from: Int64[np.ndarray, " W"]
    keep_to: Int64[np.ndarray, " W"]

    def touching(self, start: int, end: int) -> Int64[np.ndarray, " N"]:
        """Returns the numbers of the windows that keep a base of [start, end)."""
        first = np.searchsorted(self.keep_to, start, side="right")
        return np.arange(first, np.searchsorted(self.keep_from, end, side="left"))


def window_starts(layout: Layout, length_bp: int, frame: int) -> Int64[np.ndarray, " W"]:
    """Returns where windows start on a piece, from its first base.

    Frame 0 begins at the first base and ends with a window at the piece's end. The others begin up to
    k - 1 bases later, keep one frame to the end, and shift the grid between by a share of the
    stride, so that averaging over frames averages over places in the window too.
    """
    window = layout.window_bp(length_bp)
    stride = max(1, round((1 - layout.overlap) * window / layout.k)) * layout.k
    phase = frame * layout.k // layout.frames
    last = length_bp - window
    if frame:
        last -= (last - phase) % layout.k
    if window == 0 or last < phase:
        return np.zeros(0, np.int64)
    shift = frame * stride // layout.frames // layout.k * layout.k
    inner = np.arange(phase + shift, last, stride, dtype=np.int64)
    return np.unique(np.concatenate([np.array([phase, last], np.int64), inner]))


def tile(layout: Layout, piece: Span) -> list[Tiling]:
    """Returns the tilings of a piece: every frame on the plus strand, then on the minus strand if asked."""
    start, end = piece
    tilings = []
    for minus in (False, True) if layout.reverse else (False,):
        for frame in range(layout.frames):
            window = layout.window_bp(end - start)
            starts = window_starts(layout, end - start, frame)
            if not len(starts):
                continue
            low, high = kept_spans(starts, window, layout.stitch)
            if minus:
                starts, low, high = (
                    (end - start - array)[::-1] for array in (starts + window, high, low)
                )  # mirrored
            tilings.append(Tiling(minus, window, starts + start, low + start, high + start))
    return tilings


def kept_spans(
    starts: Int64[np.ndarray, " W"], window_bp: int, stitch: Stitch
) -> tuple[Int64[np.ndarray, " W"], Int64[np.ndarray, " W"]]:
    """Returns which bases each window gives: all for a blend, else those nearest to its own centre.

    Halfway between the centres of two neighbours a base is equally far from the edges of both, so each
    base comes from the window in which it lies farthest inside.
    """
    if stitch == "blend":
        return starts, starts + window_bp
    halfway = (starts[:-1] + starts[1:] + window_bp) // 2
    return np.append(starts[:1], halfway), np.append(halfway, starts[-1:] + window_bp)


def base_weights(window_bp: int, stitch: Stitch) -> Float32[np.ndarray, " S"]:
    """Returns the weight of each base of a window: 1, or for a blend rising linearly from the edges."""
    if stitch == "centre":
        return np.ones(window_bp, np.float32)
    place = np.arange(1, window_bp + 1)
    return (np.minimum(place, place[::-1]) / ((window_bp + 1) // 2)).astype(np.float32)
