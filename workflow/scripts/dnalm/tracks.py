"""Per-base tracks as bigWig: written in contig order as runs of equal rounded values, read back exactly.

A probability is kept as a level: the whole number nearest to probability / resolution. A base without a
prediction has `MISSING_LEVEL` and no entry in the file.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt16

from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file

MISSING_LEVEL = int(np.iinfo(np.uint16).max)
RESOLUTION = 0.001  # default step between two probabilities of a track
BIGWIG_MAGIC = 0x888FFC26  # first and last four bytes of a whole file
RUN_BYTES = 12  # of one run in a bigWig before compression
SPARE_BYTES = 4 << 20  # for the indices and what the library below has not yet written


def to_levels(values: Float[np.ndarray, "..."], resolution: float) -> UInt16[np.ndarray, "..."]:
    """Rounds probabilities to levels; NaN becomes `MISSING_LEVEL`."""
    missing = np.isnan(values)
    levels = np.rint(np.where(missing, 0, values) / resolution).astype(np.uint16)
    return np.where(missing, np.uint16(MISSING_LEVEL), levels)


def check_resolution(resolution: float) -> float:
    """Returns the resolution when levels up to probability 1 fit.

    Raises:
        UserError: not within 0.0001 to 0.1.
    """
    if not 1e-4 <= resolution <= 0.1:
        raise UserError("resolution", f"is {resolution} (expected 0.0001 to 0.1)", "Give 0.001, say.")
    return resolution


class TrackWriter:
    """Writes stretches of several tracks to one bigWig each; runs join across stretches.

    The bytes depend on the levels alone, not on how they are cut into stretches.
    """

    def __init__(self, paths: Sequence[Path], lengths: Mapping[str, int], resolution: float) -> None:
        import pyBigWig

        self._paths, self._resolution = list(paths), resolution
        self._contigs = {contig: order for order, contig in enumerate(lengths)}
        self._reached = (-1, 0)  # contig's order, base
        self._files = [pyBigWig.open(str(path), "w") for path in paths]
        self._open_runs: list[tuple[str, int, int, int] | None] = [None] * len(paths)
        self.covered_bp = [0] * len(paths)
        for file in self._files:
            file.addHeader(list(lengths.items()), maxZooms=10)

    def add(self, contig: str, start: int, levels: UInt16[np.ndarray, "S F"]) -> None:
        """Appends levels of [start, start + S) for all F tracks; stretches must come in order.

        Raises:
            ValueError: the stretch lies before the end of an earlier one.
        """
        here = (self._contigs[contig], start)
        if here < self._reached:
            raise ValueError(f"{contig}:{start} comes after {self._reached}")
        self._reached = (here[0], start + len(levels))
        for track in range(len(self._files)):
            self._add_track(track, contig, start, levels[:, track])

    def _add_track(self, track: int, contig: str, start: int, levels: UInt16[np.ndarray, " S"]) -> None:
        """Writes all runs but the last, which the next stretch may lengthen."""
        if not len(levels):
            return
        changes = np.flatnonzero(levels[1:] != levels[:-1]) + 1
        starts = np.concatenate([[0], changes]) + start
        ends = np.append(starts[1:], start + len(levels))
        values = levels[starts - start]
        opened = self._open_runs[track]
        if opened is not None and (contig, start, int(values[0])) == (opened[0], opened[2], opened[3]):
            starts[0] = opened[1]
        elif opened is not None:
            self._write(track, opened[0], *(np.array([number]) for number in opened[1:]))
        self._open_runs[track] = (contig, int(starts[-1]), int(ends[-1]), int(values[-1]))
        self._write(track, contig, starts[:-1], ends[:-1], values[:-1])

    def _write(self, track: int, contig: str, starts: Any, ends: Any, levels: Any) -> None:
        known = levels != MISSING_LEVEL
        if not known.any():
            return
        starts, ends = starts[known].astype(np.int64), ends[known].astype(np.int64)
        reserve(self._paths[track], RUN_BYTES * len(starts) + SPARE_BYTES)
        names = np.full(len(starts), contig)
        values = levels[known] * float(self._resolution)
        self._files[track].addEntries(names, starts, ends=ends, values=values, validate=False)
        self.covered_bp[track] += int((ends - starts).sum())

    def close(self) -> None:
        """Writes the runs left open and the files' indices."""
        for track, opened in enumerate(self._open_runs):
            if opened is not None:
                self._write(track, opened[0], *(np.array([number]) for number in opened[1:]))
        self._open_runs = [None] * len(self._files)
        for file, path in zip(self._files, self._paths, strict=True):
            reserve(path, path.stat().st_size + SPARE_BYTES)  # indices and zoom levels
            file.close()

    def discard(self) -> None:
        """Lets go of the files after a fault; what they hold is not looked at."""
        for file in self._files:
            file.close()


def reserve(path: Path, size_bytes: int) -> None:
    """Makes sure that a file can grow by so many bytes: the library below breaks where a write fails.

    Raises:
        OSError: the disk, the quota or the limit of a file's size does not allow it.
    """
    probe = path.with_name(path.name + ".probe")
    try:
        with open(probe, "wb") as handle:
            os.posix_fallocate(handle.fileno(), path.stat().st_size, size_bytes)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(path.parent)) from fault
    finally:
        probe.unlink(missing_ok=True)


@contextmanager
def write_tracks(
    paths: Sequence[Path], lengths: Mapping[str, int], resolution: float
) -> Iterator[TrackWriter]:
    """Yields a writer of several bigWigs, which appear together once all of them are whole.

    Args:
        lengths: contig -> bp of the whole genome, in the order in which stretches are added.

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
