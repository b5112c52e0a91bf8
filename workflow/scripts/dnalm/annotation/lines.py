"""The nine columns of GTF and GFF3: read in blocks, every line checked, positions made 0-based."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.errors import UserError
from dnalm.genome.fasta import read_chunks

if TYPE_CHECKING:
    import pyarrow as pa

NINE_COLUMNS = ("contig", "source", "type", "start", "end", "score", "strand", "phase", "attributes")
_POSITION = "^[0-9]{1,15}$"


def read_blocks(handle: io.BufferedReader, path: Path) -> Iterator[pa.Table]:
    """Yields tables of contig, start, end, strand, type, attributes and line (its number, from 1).

    Comments and blank lines are left out; reading stops at `##FASTA`.

    Raises:
        UserError: with the line, for a wrong number of columns, position or strand.
    """
    rest, first_line = b"", 1
    for chunk in read_chunks(handle, path):
        block, newline, rest = (rest + chunk).rpartition(b"\n")
        if not newline:
            continue
        lines = block.split(b"\n")
        yield from _tables(lines, first_line, path, cut=False)
        if any(map(_starts_fasta, lines)):
            return
        first_line += len(lines)
    if rest:
        yield from _tables([rest], first_line, path, cut=True)


def _starts_fasta(line: bytes) -> bool:
    return line.startswith((b"##FASTA", b">"))


def _tables(lines: list[bytes], first_line: int, path: Path, cut: bool) -> Iterator[pa.Table]:
    """Yields the table of a block of lines, if it has any; `cut`: the line ended without a line end."""
    numbers, data = [], []
    for number, line in enumerate(lines, start=first_line):
        if _starts_fasta(line):
            break
        if line and not line.startswith(b"#") and not line.isspace():
            columns = line.count(b"\t") + 1
            if columns != len(NINE_COLUMNS):
                raise _wrong_columns(f"{path}:{number}", line, columns, cut)
            numbers.append(number)
            data.append(line)
    if data:
        yield _checked(_parse(data), numbers, path)


def _wrong_columns(where: str, line: bytes, columns: int, cut: bool) -> UserError:
    hint = "Give GTF or GFF3, tab-separated."
    if line.lstrip().startswith(b"<"):
        hint = "It looks like HTML (an error page?)."
    elif len(line.split(None, len(NINE_COLUMNS) - 1)) == len(NINE_COLUMNS):
        hint = "The columns are separated by spaces; separate them by tabs."
    elif cut:
        hint = "The last line is cut: the file looks truncated."
    return UserError(where, f"found {columns} columns, expected {len(NINE_COLUMNS)}", hint)


def _parse(lines: list[bytes]) -> pa.Table:
    """Splits lines at tabs; everything stays text ("NA" and "1" are names)."""
    import pyarrow as pa
    from pyarrow import csv

    text = b"\n".join(lines)
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        text = text.decode("latin-1").encode("utf-8")
    return csv.read_csv(
        pa.BufferReader(text),
        read_options=csv.ReadOptions(column_names=list(NINE_COLUMNS), block_size=len(text) + 1),
        parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(NINE_COLUMNS, pa.string())),
    )


def _checked(table: pa.Table, numbers: list[int], path: Path) -> pa.Table:
    """Checks positions, strands and names; returns the columns needed, start made 0-based."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def refuse(good: pa.ChunkedArray, column: str, expected: str) -> None:
        if not pc.all(good).as_py():
            row = pc.index(good, False).as_py()
            value = table[column][row].as_py()
            raise UserError(
                f"{path}:{numbers[row]}", f"{column} {value!r}, expected {expected}", "Mend the line."
            )

    for column in ("start", "end"):
        refuse(pc.match_substring_regex(table[column], _POSITION), column, "a whole number")
    refuse(pc.is_in(table["strand"], pa.array(["+", "-", ".", "?"])), "strand", "+, -, . or ?")
    refuse(pc.not_equal(table["contig"], ""), "contig", "a name")
    start, end = pc.cast(table["start"], pa.int64()), pc.cast(table["end"], pa.int64())
    refuse(pc.greater_equal(start, 1), "start", "1 or more (GTF and GFF3 count from 1)")
    refuse(pc.less_equal(start, end), "start", "a start not above the end")
    return pa.table(
        {
            "contig": table["contig"],
            "start": pc.subtract(start, 1),  # 1-based closed -> 0-based half-open; the end stays
            "end": end,
            "strand": table["strand"],
            "type": table["type"],
            "attributes": table["attributes"],
            "line": pa.array(numbers, pa.int64()),
        }
    )
