"""Sequences of GenBank records, through Biopython."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.errors import UserError

if TYPE_CHECKING:
    from Bio.SeqRecord import SeqRecord

GENBANK_START = b"LOCUS "


def read_genbank(handle: io.BufferedReader, path: Path) -> Iterator[SeqRecord]:
    """Yields the records of a GenBank file.

    Raises:
        UserError: Biopython cannot read it, or the file ends within a record.
    """
    from Bio import BiopythonParserWarning, SeqIO

    data = handle.read()
    if not data.rstrip().endswith(b"//"):
        raise UserError(path, 'the last GenBank record does not end with "//"', "It looks truncated.")
    text = io.StringIO(data.decode("utf-8", errors="replace"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", BiopythonParserWarning)  # old LOCUS lines and the like
        try:
            yield from SeqIO.parse(text, "genbank")
        except ValueError as fault:
            raise UserError(path, f"is no readable GenBank record ({fault})", "Fetch it again.") from fault


def genbank_chunks(handle: io.BufferedReader, path: Path) -> Iterator[bytes]:
    """Yields the records' sequences as FASTA, each named by accession and version."""
    from Bio.Seq import UndefinedSequenceError

    for record in read_genbank(handle, path):
        try:
            sequence = bytes(record.seq)
        except UndefinedSequenceError as fault:
            raise UserError(
                path, f"record {record.id} holds no sequence (no ORIGIN)", "Fetch the full record."
            ) from fault
        yield b">" + record.id.encode() + b"\n" + sequence + b"\n"
