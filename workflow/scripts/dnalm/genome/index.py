"""Random access to the contigs of a FASTA file through its .fai index."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

from dnalm.errors import UserError
from dnalm.files import GZIP_MAGIC, atomic_path, require_file

PIECE_BASES = 80 * (1 << 13)  # whole lines; small enough for the processor's cache
LINE_ENDS = b"\r\n"


class _Entry(NamedTuple):
    """One row of a .fai: lengths in bases, offset and widths in bytes."""

    length: int
    offset: int
    line_bases: int
    line_bytes: int

    def byte_of(self, position: int) -> int:
        lines, column = divmod(position, self.line_bases)
        return self.offset + lines * self.line_bytes + column


def write_index(fasta: str | Path) -> Path:
    """Writes `<fasta>.fai` (samtools' format) and returns its path.

    Raises:
        UserError: the file is no FASTA with lines of one width per contig.
    """
    import pysam

    fasta = require_file(fasta, "FASTA")
    index = fasta.with_name(fasta.name + ".fai")
    with atomic_path(index) as temporary:
        verbosity = pysam.set_verbosity(0)  # the library's own lines on stderr
        try:
            pysam.faidx(str(fasta), "--fai-idx", str(temporary))
        except pysam.SamtoolsError as fault:
            raise UserError(
                fasta, "cannot be indexed (no FASTA, or ragged lines)", "Copy it with fetch_genome.py."
            ) from fault
        finally:
            pysam.set_verbosity(verbosity)
    return index


def _read_index(path: Path) -> dict[str, _Entry]:
    """Returns contig -> entry in the file's order."""
    entries = {}
    for number, line in enumerate(path.read_text(encoding="ascii").splitlines(), start=1):
        fields = line.split("\t")
        if len(fields) < 5 or not all(field.isdigit() for field in fields[1:5]):
            raise UserError(f"{path}:{number}", "is no row of a FASTA index", "Delete it; it is made again.")
        entries[fields[0]] = _Entry(*(int(field) for field in fields[1:5]))
    return entries


class Genome:
    """An indexed FASTA file, opened for reading; the index is written where missing or outdated.

    Attributes:
        path: the FASTA file.
        lengths: contig -> length in bases, in the file's order.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = require_file(path, "genome FASTA")
        index = self.path.with_name(self.path.name + ".fai")
        with open(self.path, "rb") as handle:
            if handle.read(2) == GZIP_MAGIC:
                raise UserError(self.path, "is gzip-compressed, expected plain FASTA", "Use fetch_genome.py.")
            if not index.exists() or index.stat().st_mtime_ns < self.path.stat().st_mtime_ns:
                write_index(self.path)
            self._entries = _read_index(index)
            self._map = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        self.lengths: dict[str, int] = {name: entry.length for name, entry in self._entries.items()}
        last = max((e.byte_of(e.length - 1) for e in self._entries.values() if e.length), default=0)
        if last >= len(self._map):
            raise UserError(
                index,
                f"does not fit its FASTA (needs {last + 1} bytes, found {len(self._map)})",
                "Delete it.",
            )

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases the file."""
        self._map.close()

    def read(self, contig: str, start: int = 0, end: int | None = None, table: bytes | None = None) -> bytes:
        """Returns the bases [start, end) of a contig, each translated by `table` where given.

        Raises:
            UserError: no such contig, or the interval leaves it.
        """
        entry = self._entries.get(contig)
        if entry is None:
            known = ", ".join(list(self._entries)[:3])
            raise UserError(self.path, f"has no contig {contig!r} (it has {known} ...)", "Check the names.")
        end = entry.length if end is None else end
        if not 0 <= start <= end <= entry.length:
            raise UserError(
                self.path,
                f"{contig}:{start}-{end} leaves its {entry.length} bases",
                "Check the interval.",
            )
        if start == end:
            return b""
        return self._map[entry.byte_of(start) : entry.byte_of(end - 1) + 1].translate(table, LINE_ENDS)

    def lines(self, contig: str) -> Iterator[tuple[int, bytes]]:
        """Yields a contig in pieces: the position where each starts, its bytes with line ends."""
        entry = self._entries[contig]
        for start in range(0, entry.length, PIECE_BASES):
            end = min(start + PIECE_BASES, entry.length)
            yield start, self._map[entry.byte_of(start) : entry.byte_of(end - 1) + 1]

    def fetch(self, contig: str, start: int, end: int) -> str:
        """Returns the bases [start, end) as text, as they stand in the file."""
        return self.read(contig, start, end).decode("ascii")

    def sequence(self, contig: str) -> UInt8[np.ndarray, " S"]:
        """Returns a whole contig as ASCII codes, read-only."""
        return np.frombuffer(self.read(contig), np.uint8)
