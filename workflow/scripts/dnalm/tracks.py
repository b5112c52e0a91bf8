"""Per-base tracks as bigWig: rounded values, written in contig order, read back exactly.

A probability is kept as a level: the whole number nearest to probability / resolution. A base without a
prediction has `MISSING_LEVEL` and no entry in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt16

from dnalm.bigwig import BigWigWriter
from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file

MISSING_LEVEL = int(np.iinfo(np.uint16).max)
RESOLUTION = 0.001  # default step between two probabilities of a track


def to_levels(values: Float[np.ndarray, "..."], resolution: float) -> UInt16[np.ndarray, "..."]:
    """Rounds probabilities to levels; NaN becomes `MISSING_LEVEL`."""
    missing = np.isnan(values)
    levels = np.rint(np.where(missing, 0, values) / resolution).astype(np.uint16)
    return np.where(missing, np.uint16(MISSING_LEVEL), levels)


def parse_resolution(text: str) -> float | None:
    """Returns the step between two probabilities of a track, None for "float32" (none: all digits).

    Raises:
        UserError: neither "float32" nor a number from 0.0001 to 0.1, whose levels up to probability 1 fit.
    """
    if text == "float32":
        return None
    try:
        resolution = float(text)
    except ValueError:
        resolution = float("nan")
    if not 1e-4 <= resolution <= 0.1:
        raise UserError("resolution", f"is {text} (expected 0.0001 to 0.1, or float32)", "Give 0.001, say.")
    return resolution


class TrackWriter:
    """Writes stretches of several tracks, in order, to one bigWig each."""

    def __init__(self, paths: Sequence[Path], lengths: Mapping[str, int], resolution: float | None) -> None:
        self._contigs = {contig: order for order, contig in enumerate(lengths)}
        self._reached = (-1, 0)  # contig's order, base
        self._resolution = resolution
        self._tracks = [BigWigWriter(path, lengths) for path in paths]

    @property
    def covered_bp(self) -> list[int]:
        """Bases with a value, per track."""
        return [track.covered_bp for track in self._tracks]

    def add(self, contig: str, start: int, levels: Shaped[np.ndarray, "S F"]) -> None:
        """Appends levels (or, without a resolution, float32 values with NaN where there is none) of
        [start, start + S) for all F tracks; stretches must come in order.

        Raises:
            ValueError: the stretch lies before the end of an earlier one.
        """
        here = (self._contigs[contig], start)
        if here < self._reached:
            raise ValueError(f"{contig}:{start} comes after {self._reached}")
        self._reached = (here[0], start + len(levels))
        for column, track in enumerate(self._tracks):
            track.add(contig, start, self._values(np.ascontiguousarray(levels[:, column])))

    def _values(self, levels: Shaped[np.ndarray, " S"]) -> Float32[np.ndarray, " S"]:
        if self._resolution is None:
            return levels.astype(np.float32, copy=False)
        return np.where(levels == MISSING_LEVEL, np.nan, levels * float(self._resolution)).astype(np.float32)

    def close(self) -> None:
        """Writes what is held back, the zoom levels and the indices, one file after another."""
        for track in self._tracks:
            track.close()

    def discard(self) -> None:
        """Lets go of the files after a fault; what they hold is not looked at."""
        for track in self._tracks:
            track.discard()


@contextmanager
def write_tracks(
    paths: Sequence[Path], lengths: Mapping[str, int], resolution: float | None
) -> Iterator[TrackWriter]:
    """Yields a writer of several bigWigs, which appear together once all of them are whole.

    Args:
        lengths: contig -> bp of the whole genome, in the order in which stretches are added.
        resolution: step between two values; None: stretches are float32 values, written as they are.

    Raises:
        OSError: a write failed, as on a full disk.
    """
    with ExitStack() as stack:
        temporary = [stack.enter_context(atomic_path(path)) for path in paths]
        writer = TrackWriter(temporary, lengths, resolution)
        try:
            yield writer
        except BaseException:
            writer.discard()
            raise
        writer.close()


def open_track(path: str | Path) -> Any:
    """Opens a bigWig for reading.

    Raises:
        UserError: missing, empty or no bigWig.
    """
    import pyBigWig

    try:
        return pyBigWig.open(str(require_file(path, "bigWig")))
    except RuntimeError as fault:
        raise UserError(path, "is not a bigWig file", "Run the segmentation again.") from fault


def read_values(track: Any, contig: str, start: int, end: int) -> Float[np.ndarray, " S"]:
    """Returns the values of [start, end) of an open track, NaN where there is none."""
    return np.asarray(track.values(contig, start, end, numpy=True), np.float32)


def read_levels(track: Any, contig: str, start: int, end: int, resolution: float) -> UInt16[np.ndarray, " S"]:
    """Returns the levels of [start, end) of an open track, `MISSING_LEVEL` where there is none."""
    return to_levels(read_values(track, contig, start, end), resolution)
