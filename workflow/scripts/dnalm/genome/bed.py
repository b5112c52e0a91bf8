"""Reading BED intervals, checked against a genome's contigs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.errors import UserError
from dnalm.files import open_binary

if TYPE_CHECKING:
    import pandas as pd

BED_COLUMNS = ("contig", "start", "end", "name", "strand")
_SKIPPED = ("#", "track ", "browser ")


def read_bed(path: str | Path, lengths: Mapping[str, int] | None = None) -> pd.DataFrame:
    """Reads BED3 to BED6+ into a table of BED_COLUMNS, 0-based half-open, in the file's order.

    A missing name becomes `contig:start-end`, a missing strand `.`; an empty file gives no rows.

    Args:
        path: plain or gzip-compressed.
        lengths: contig -> length; where given, every interval must lie within its contig.

    Raises:
        UserError: with the line, for wrong columns, numbers, strands, contigs or intervals.
    """
    import pandas as pd

    path, rows = Path(path), []
    if path.is_file() and path.stat().st_size == 0:
        return pd.DataFrame(columns=list(BED_COLUMNS)).astype({"start": "int64", "end": "int64"})
    with open_binary(path, "BED") as handle:
        for number, raw in enumerate(handle, start=1):
            line = raw.decode("utf-8", errors="replace").rstrip("\r\n")
            if line.strip() and not line.startswith(_SKIPPED):
                rows.append(_parse_line(f"{path}:{number}", line, lengths))
    return pd.DataFrame(rows, columns=list(BED_COLUMNS)).astype({"start": "int64", "end": "int64"})


def _parse_line(where: str, line: str, lengths: Mapping[str, int] | None) -> tuple[str, int, int, str, str]:
    fields = line.split("\t") if "\t" in line else line.split()
    if len(fields) < 3:
        raise UserError(where, f"found {len(fields)} columns, expected at least 3", "Separate them by tabs.")
    contig, start_text, end_text = fields[:3]
    if not (start_text.isdecimal() and end_text.isdecimal()):
        raise UserError(where, f"start {start_text!r} or end {end_text!r} is no whole number", "Write BED.")
    start, end = int(start_text), int(end_text)
    if start >= end:
        raise UserError(where, f"start {start} is not below end {end}", "BED is 0-based, half-open.")
    if lengths is not None and contig not in lengths:
        raise UserError(where, f"contig {contig!r} is not in the genome", "Use the genome's contig names.")
    if lengths is not None and end > lengths[contig]:
        raise UserError(
            where, f"end {end} is past the end of {contig} ({lengths[contig]} bp)", "Other assembly version?"
        )
    name = fields[3] if len(fields) > 3 and fields[3] else f"{contig}:{start}-{end}"
    strand = fields[5] if len(fields) > 5 else "."
    if strand not in ("+", "-", "."):
        raise UserError(where, f"strand {strand!r}, expected +, - or .", "Mend column 6.")
    return contig, start, end, name, strand
