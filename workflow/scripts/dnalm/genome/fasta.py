"""Reading FASTA strictly: a stream of headers and checked pieces of sequence, at memory speed.

Every byte is checked by `bytes.translate`; Python looks at single letters only to name a fault.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from dnalm.errors import UserError
from dnalm.genome.letters import ALLOWED

CHUNK_BYTES = 1 << 22
LONGEST_HEADER = 1 << 20  # bytes; a longer line after ">" is no header
log = logging.getLogger("dnalm")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What a file that is no FASTA looks like, by its first bytes; the first match counts.
LOOKS_LIKE = (
    (b"@", "FASTQ"),
    (b"##gff", "GFF"),
    (b"#", "a table or GFF (comment line)"),
    (b";", "old FASTA with a comment line"),
    (b"<", "HTML or XML (an error page?)"),
    (b"{", "JSON (an error message?)"),
    (b"LOCUS ", "GenBank"),
    (b"ID   ", "EMBL"),
    (b"version https://git-lfs", "a git-lfs pointer, not the file itself"),
    (b"PK\x03\x04", "a zip archive (unpack it)"),
    (b"BZh", "bzip2 (unpack it)"),
    (b"\xfd7zXZ", "xz (unpack it)"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"TWOB", "2bit"),
    (b"\x43\x27\x41\x1a", "2bit"),
)
_BAD_LETTER = re.compile(b"[^" + ALLOWED + b"\n]")


class Header(NamedTuple):
    """The start of a contig: its name (first word after ">") and its line in the file."""

    name: str
    line: int


def read_fasta(chunks: Iterator[bytes], path: Path) -> Iterator[Header | bytes]:
    """Yields, in order, each contig's Header and then its sequence in pieces without line ends.

    Args:
        chunks: the file's bytes with "\\n" as the only line end (see `read_chunks`).
        path: named in faults.

    Raises:
        UserError: with the line, for whatever is no nucleotide FASTA.
    """
    reader = _Reader(path)
    for chunk in chunks:
        yield from reader.feed(chunk)
    reader.finish()


def read_chunks(handle: io.BufferedReader, path: Path) -> Iterator[bytes]:
    """Yields a file's bytes with CRLF and CR turned into LF, without byte order mark and blank start."""
    held, started = b"", False
    while chunk := handle.read(CHUNK_BYTES):
        chunk, held = held + chunk, b""
        if chunk.endswith(b"\r"):  # its "\n" may be in the next chunk
            chunk, held = chunk[:-1], b"\r"
        if b"\r" in chunk:
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if not started and chunk.startswith(BYTE_ORDER_MARK):
            log.warning("%s: starts with a byte order mark; it is ignored", path)
            chunk = chunk[len(BYTE_ORDER_MARK) :]
        started = True
        yield chunk
    if held:
        yield b"\n"


class _Reader:
    """Where the reader stands: the open header, the open contig, line and column."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.line, self.column = 1, 0  # of the next byte; the line counts from 1, the column from 0
        self.header: bytearray | None = None
        self.contig: Header | None = None
        self.bases = 0  # of the open contig
        self.first_lines: dict[str, int] = {}

    def where(self, line: int | None = None) -> str:
        return f"{self.path}:{self.line if line is None else line}"

    def feed(self, chunk: bytes) -> Iterator[Header | bytes]:
        """Yields what one chunk completes."""
        position = 0
        while position < len(chunk):
            if self.header is not None:
                end = chunk.find(b"\n", position)
                self._extend_header(chunk[position : end if end >= 0 else len(chunk)])
                if end < 0:
                    return
                yield self._open_contig()
                position = end + 1
            elif self.column == 0 and chunk.startswith(b">", position):
                self._close_contig(last=False)
                self.header = bytearray()
                position += 1
            else:
                end = chunk.find(b"\n>", position)
                end = len(chunk) if end < 0 else end + 1
                yield from self._sequence(chunk[position:end])
                position = end

    def finish(self) -> None:
        """Checks that the file ended where a FASTA may end."""
        if self.header is not None:
            raise UserError(self.where(), "the file ends within a header", "It looks truncated.")
        if self.contig is None:
            raise UserError(self.path, "holds no sequences", "Give a FASTA file with at least one contig.")
        self._close_contig(last=True)

    def _extend_header(self, text: bytes) -> None:
        self.header = (self.header or bytearray()) + text
        if len(self.header) > LONGEST_HEADER:
            raise UserError(self.where(), f"a header of more than {LONGEST_HEADER} bytes", "Is this FASTA?")

    def _open_contig(self) -> Header:
        header, where = bytes(self.header or b""), self.where()
        words = header.split(maxsplit=1)
        if not words or header[:1].isspace():
            raise UserError(where, 'no name directly after ">"', "Name every contig, without a space before.")
        if not words[0].isascii() or not words[0].decode("ascii").isprintable():
            raise UserError(where, f"contig name {words[0]!r} is not plain ASCII", "Rename the contig.")
        self.contig, self.bases = Header(words[0].decode("ascii"), self.line), 0
        first = self.first_lines.setdefault(self.contig.name, self.line)
        if first != self.line:
            raise UserError(
                where,
                f"duplicate contig name {self.contig.name!r} (first on line {first})",
                "Give every contig its own name.",
            )
        self.header, self.column, self.line = None, 0, self.line + 1
        return self.contig

    def _close_contig(self, last: bool) -> None:
        if self.contig is not None and self.bases == 0:
            raise UserError(
                self.where(self.contig.line),
                f"contig {self.contig.name!r} has no bases" + ", the file looks truncated" * last,
                "Fetch the file again." if last else "Remove the header.",
            )

    def _sequence(self, piece: bytes) -> Iterator[bytes]:
        if self.contig is None:
            yield from self._before_first(piece)
            return
        if piece.translate(None, ALLOWED + b"\n"):
            raise self._bad_letter(piece)
        lines = piece.count(b"\n")
        bases = piece.translate(None, b"\n")
        self.line += lines
        self.column = len(piece) - piece.rfind(b"\n") - 1 if lines else self.column + len(piece)
        self.bases += len(bases)
        if bases:
            yield bases

    def _before_first(self, piece: bytes) -> Iterator[bytes]:
        text = piece.lstrip()
        if text:
            looks = next(
                (kind for start, kind in LOOKS_LIKE if text.startswith(start)), "sequence without a header"
            )
            raise UserError(
                self.where(self.line + piece[: len(piece) - len(text)].count(b"\n")),
                f'no FASTA: the first line must start with ">"; it looks like {looks} (found {text[:20]!r})',
                "Give a FASTA file.",
            )
        log.warning("%s: starts with blank lines; they are ignored", self.path)
        self.line += piece.count(b"\n")
        self.column = 0 if piece.endswith(b"\n") else len(piece)
        yield from ()

    def _bad_letter(self, piece: bytes) -> UserError:
        match = _BAD_LETTER.search(piece)
        at = match.start() if match else 0
        line_start = piece.rfind(b"\n", 0, at) + 1
        column = at - line_start + (self.column if line_start == 0 else 0)
        letter = piece[at : at + 1]
        letters = piece.translate(None, b"\n")
        share = len(letters.translate(None, b"ACGTNacgtn")) / len(letters)
        hint = "Allowed are A C G T N and the IUPAC codes, in either case."
        if letter in b"Uu":
            hint = "RNA? Write T instead of U."
        elif letter == b">":
            hint = "A header must start on its own line; the line end before it is missing."
        elif share > 0.3:
            hint = f"Protein? {share:.0%} of the letters here are not A, C, G, T or N."
        return UserError(
            self.where(self.line + piece.count(b"\n", 0, at)),
            f"column {column + 1}: {letter.decode('latin-1')!r} is no nucleotide letter",
            hint,
        )
