"""Per-base tracks as bigWig: rounded values, written in contig order, read back exactly.

A probability is kept as a level: the whole number nearest to probability / resolution. A base without a
prediction has `MISSING_LEVEL` and no entry in the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt16

from dnalm.engine.preflight import reserve
from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file

MISSING_LEVEL = int(np.iinfo(np.uint16).max)
RESOLUTION = 0.001  # default step between two probabilities of a track
BIGWIG_MAGIC = 0x888FFC26  # first and last four bytes of a whole file
RUN_BYTES = 12  # of one run in a bigWig before compression
BASE_BYTES = 4  # of one base where every base is written
BLOCK_BP = 8000  # bases written alike, as runs or one by one: what fills the library's buffer of 32 kB
SPARE_BYTES = 4 << 20  # for the indices and what the library below has not yet written


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
        self._tracks = [_TrackFile(path, lengths, resolution) for path in paths]

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
            track.add(contig, start, np.ascontiguousarray(levels[:, column]))

    def close(self) -> None:
        """Writes what is held back, and the files' indices."""
        for track in self._tracks:
            track.close()

    def discard(self) -> None:
        """Lets go of the files after a fault; what they hold is not looked at."""
        for track in self._tracks:
            track.file.close()


class _TrackFile:
    """One bigWig. Blocks of a contig with many short runs are written base by base, which takes a third of
    the bytes and time, the others as runs. The bytes depend on the levels alone, not on the stretches."""

    def __init__(self, path: Path, lengths: Mapping[str, int], resolution: float | None) -> None:
        import pyBigWig

        self._path, self._resolution, self.covered_bp = path, resolution, 0
        self.file = pyBigWig.open(str(path), "w")
        self.file.addHeader(list(lengths.items()), maxZooms=10)
        self._contig, self._start = "", 0  # of the tail: what is held back until its block is full
        self._tail = np.zeros(0, np.uint16 if resolution else np.float32)
        self._run: tuple[int, int, Any] | None = None  # start, end, level: what the next block may lengthen

    def _values(self, levels: Shaped[np.ndarray, " S"]) -> Shaped[np.ndarray, " S"]:
        return levels if self._resolution is None else levels * float(self._resolution)

    def _missing(self, levels: Shaped[np.ndarray, " S"]) -> Bool[np.ndarray, " S"]:
        return np.isnan(levels) if self._resolution is None else levels == MISSING_LEVEL

    def add(self, contig: str, start: int, levels: Shaped[np.ndarray, " S"]) -> None:
        """Appends a stretch."""
        reserve(self._path, RUN_BYTES * (len(levels) + BLOCK_BP) + SPARE_BYTES)
        if (contig, start) == (self._contig, self._start + len(self._tail)):
            levels = np.concatenate([self._tail, levels])
        else:
            self._finish_contig()
            self._contig, self._start = contig, start
        first = self._start
        last = max(first, (first + len(levels)) // BLOCK_BP * BLOCK_BP)
        borders = [first, *range(first // BLOCK_BP * BLOCK_BP + BLOCK_BP, last + 1, BLOCK_BP)]
        for low, high in pairwise(borders):
            self._add_block(low, levels[low - first : high - first])
        self._start, self._tail = borders[-1], levels[borders[-1] - first :]

    def _add_block(self, start: int, levels: Shaped[np.ndarray, " S"]) -> None:
        missing = self._missing(levels)
        changed = (levels[1:] != levels[:-1]) & ~(missing[1:] & missing[:-1])  # NaN differs from itself
        changes = np.flatnonzero(changed) + 1
        if len(changes) * RUN_BYTES > len(levels) * BASE_BYTES and not missing.any():
            self._end_run()
            self.file.addEntries(
                self._contig, start, values=self._values(levels), span=1, step=1, validate=False
            )
            self.covered_bp += len(levels)
        else:
            starts = np.concatenate([[0], changes])
            self._add_runs(starts + start, np.append(changes, len(levels)) + start, levels[starts])

    def _add_runs(self, starts: Any, ends: Any, levels: Any) -> None:
        """Writes all runs but the last, which the next block may lengthen."""
        if self._run is not None and (self._run[1], self._run[2]) == (starts[0], levels[0]):
            starts[0] = self._run[0]
        else:
            self._end_run()
        self._run = (int(starts[-1]), int(ends[-1]), levels[-1].item())
        self._write(starts[:-1], ends[:-1], levels[:-1])

    def _end_run(self) -> None:
        if self._run is not None:
            self._write(*(np.array([number]) for number in self._run))
        self._run = None

    def _write(self, starts: Any, ends: Any, levels: Any) -> None:
        known = ~self._missing(levels)
        if known.any():
            starts, ends, values = starts[known], ends[known], self._values(levels[known])
            names = np.full(len(starts), self._contig)
            self.file.addEntries(names, starts, ends=ends, values=values, validate=False)
            self.covered_bp += int((ends - starts).sum())

    def _finish_contig(self) -> None:
        if len(self._tail):
            self._add_block(self._start, self._tail)
        self._tail = self._tail[:0]
        self._end_run()

    def close(self) -> None:
        """Writes what is held back, then indices and zoom levels."""
        self._finish_contig()
        reserve(self._path, self._path.stat().st_size + SPARE_BYTES)
        self.file.close()


@contextmanager
def write_tracks(
    paths: Sequence[Path], lengths: Mapping[str, int], resolution: float | None
) -> Iterator[TrackWriter]:
    """Yields a writer of several bigWigs, which appear together once all of them are whole.

    Args:
        lengths: contig -> bp of the whole genome, in the order in which stretches are added.
        resolution: step between two values; None: stretches are float32 values, written as they are.

    Raises:
        UserError: a file came out short, as on a full disk.
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
        for path, written, covered_bp in zip(paths, temporary, writer.covered_bp, strict=True):
            _check_whole(path, written, covered_bp)


def _check_whole(path: Path, written: Path, covered_bp: int) -> None:
    """Refuses a bigWig that lacks its last bytes: the library below does not report a failed write."""
    import pyBigWig

    with open(written, "rb") as handle:
        handle.seek(-4, 2)
        ends_well = struct.unpack("<I", handle.read(4))[0] == BIGWIG_MAGIC
    if ends_well:
        with pyBigWig.open(str(written)) as file:
            ends_well = file.header()["nBasesCovered"] == covered_bp
    if not ends_well:
        raise UserError(path, "could not be written whole", "Free space on its disk and run again.")


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
