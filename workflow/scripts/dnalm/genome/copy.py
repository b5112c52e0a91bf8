"""Copying a genome from any readable source into checked, evenly wrapped FASTA."""

from __future__ import annotations

import io
import logging
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from dnalm.errors import UserError
from dnalm.files import atomic_path, open_binary
from dnalm.genome.fasta import Header, read_chunks, read_fasta
from dnalm.genome.genbank import GENBANK_START, genbank_chunks

LINE_BASES = 80
log = logging.getLogger("dnalm")


class FastaWriter:
    """Writes contigs in lines of LINE_BASES, piece by piece."""

    def __init__(self, handle: io.BufferedIOBase) -> None:
        self._handle, self._rest = handle, b""

    def start(self, name: str) -> None:
        """Begins a contig."""
        self.finish()
        self._handle.write(b">" + name.encode("ascii") + b"\n")

    def write(self, bases: bytes) -> None:
        """Appends bases to the open contig."""
        bases = self._rest + bases
        lines = len(bases) // LINE_BASES
        self._rest = bases[lines * LINE_BASES :]
        if not lines:
            return
        block = np.full((lines, LINE_BASES + 1), ord("\n"), np.uint8)
        block[:, :LINE_BASES] = np.frombuffer(bases, np.uint8, lines * LINE_BASES).reshape(lines, LINE_BASES)
        self._handle.write(block.data)

    def finish(self) -> None:
        """Ends the open contig's last line."""
        if self._rest:
            self._handle.write(self._rest + b"\n")
            self._rest = b""


def read_contig_names(path: str | Path) -> dict[str, str]:
    """Reads a map of contig names: two tab-separated columns, name in the source and name wanted.

    Raises:
        UserError: with the line, for another number of columns or a name that occurs twice.
    """
    names: dict[str, str] = {}
    lines: dict[str, int] = {}  # of the wanted names
    with open_binary(path, "map of contig names") as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            if not line.strip() or line.startswith("#"):
                continue
            fields = line.split("\t")
            if len(fields) != 2 or not all(field.strip() for field in fields):
                raise UserError(f"{path}:{number}", f"found {len(fields)} columns, expected 2", "old<TAB>new")
            old, new = (field.strip() for field in fields)
            if old in names or new in lines:
                raise UserError(f"{path}:{number}", f"{old!r} -> {new!r} repeats a name", "Name each once.")
            names[old], lines[new] = new, number
    return names


def copy_fasta(
    source: str | Path,
    target: str | Path,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    min_length_bp: int = 0,
    names: Mapping[str, str] | None = None,
) -> list[tuple[str, int]]:
    """Copies FASTA or GenBank, plain or gzip-compressed, into FASTA at `target`, checking every letter.

    Case and IUPAC codes are kept. Nothing is at `target` before the whole source proved right.

    Args:
        include: contigs to keep, by their name before or after `names`; default all.
        exclude: contigs to leave out, likewise.
        min_length_bp: shorter contigs are left out.
        names: name in the source -> name written; others keep theirs.

    Returns:
        The contigs written, as (name, length in bases), in the source's order.

    Raises:
        UserError: the source is no nucleotide FASTA, changed while it was read, or nothing is left.
    """
    source = Path(source)
    selection = _Selection(include, exclude, min_length_bp, names or {})
    with ExitStack() as stack:
        handle = stack.enter_context(open_binary(source, "FASTA"))
        before = source.stat()
        temporary = stack.enter_context(atomic_path(target))
        writer = FastaWriter(stack.enter_context(open(temporary, "wb")))
        for item in read_fasta(_chunks_of(handle, source), source):
            if isinstance(item, Header):
                selection.open(item, source)
            else:
                selection.add(item, writer)
        selection.close()
        writer.finish()
        after = source.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise UserError(source, "changed while it was read", "Run again when it is complete.")
        selection.check(source)
    return selection.written


def _chunks_of(handle: io.BufferedReader, source: Path) -> Iterator[bytes]:
    start = handle.peek(len(GENBANK_START))
    if start.startswith(GENBANK_START):
        return genbank_chunks(handle, source)
    return read_chunks(handle, source)


class _Selection:
    """Which contigs are written, under which names; holds back only what may be too short."""

    def __init__(
        self,
        include: Collection[str] | None,
        exclude: Collection[str],
        min_length_bp: int,
        names: Mapping[str, str],
    ) -> None:
        self.include = None if include is None else set(include)
        self.exclude, self.names = set(exclude), names
        self.min_length_bp = min_length_bp
        self.written: list[tuple[str, int]] = []
        self.seen: dict[str, str] = {}  # written or not: new name -> name in the source
        self.short = 0
        self._wanted, self._held, self._length, self._name = False, b"", 0, ""

    def open(self, header: Header, source: Path) -> None:
        """Closes the contig before and decides on the next."""
        self.close()
        self._name = self.names.get(header.name, header.name)
        both = {header.name, self._name}
        self._wanted = (self.include is None or bool(both & self.include)) and not both & self.exclude
        self._length, self._held = 0, b""
        if self._name in self.seen:
            raise UserError(
                f"{source}:{header.line}",
                f"{header.name!r} and {self.seen[self._name]!r} would both be named {self._name!r}",
                "Mend the map of contig names.",
            )
        self.seen[self._name] = header.name

    def add(self, bases: bytes, writer: FastaWriter) -> None:
        """Writes a piece of the open contig, once it is long enough."""
        if not self._wanted:
            return
        started = self._length > 0 and not self._held
        self._length += len(bases)
        if not started:
            self._held += bases
            if self._length < self.min_length_bp:
                return
            writer.start(self._name)
            bases, self._held = self._held, b""
        writer.write(bases)

    def close(self) -> None:
        """Counts the open contig."""
        if self._wanted and self._held:
            self.short += 1
        elif self._wanted and self._length:
            self.written.append((self._name, self._length))
        self._wanted = False

    def check(self, source: Path) -> None:
        """Refuses names that do not occur and an empty result; says what was left out."""
        known = set(self.seen) | set(self.seen.values())
        examples = ", ".join(list(self.seen)[:3])
        if missing := sorted((self.include or set()) - known):
            raise UserError(
                source, f"has no contig {', '.join(missing[:3])} (it has {examples} ...)", "Mend `include`."
            )
        if self.names and not set(self.names) & known:
            first = ", ".join(list(self.names)[:3])
            raise UserError(source, f"no contig is in the name map ({first}; it has {examples})", "Mend it.")
        if not self.written:
            raise UserError(
                source,
                f"no contig is left of {len(self.seen)} ({self.short} shorter than {self.min_length_bp} bp)",
                "Mend include, exclude or the minimum length.",
            )
        if len(self.written) < len(self.seen):
            left_out = len(self.seen) - len(self.written)
            log.info("%s: %d contigs kept, %d left out", source, len(self.written), left_out)
