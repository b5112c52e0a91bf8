"""Masking a genome: upper case, only A C G T N, every change counted per contig and letter."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Int64

from dnalm.errors import UserError
from dnalm.files import atomic_path
from dnalm.genome import Genome, count_letters, read_bed
from dnalm.genome.copy import FastaWriter
from dnalm.genome.index import LINE_ENDS
from dnalm.genome.letters import BASES, IUPAC, TO_ACGTN

REPORT_COLUMNS = ("contig", "letter", "count")
BED_LETTER = "bed"  # the report's name for A, C, G, T that became N through the BED file
# As TO_ACGTN, and soft-masked (lower-case) bases to N.
SOFT_TO_N = bytes(ord("N") if bytes([b]).islower() else TO_ACGTN[b] for b in range(256))
_KNOWN = BASES + BASES.lower() + b"Nn"
Intervals = tuple[np.ndarray, np.ndarray]
log = logging.getLogger("dnalm")


def mask_genome(
    source: str | Path,
    target: str | Path,
    soft_masked: Literal["keep", "mask"] = "keep",
    iupac: Literal["mask", "error"] = "mask",
    bed: str | Path | None = None,
) -> pd.DataFrame:
    """Writes a genome of A, C, G, T and N only, in upper case; contigs keep names and lengths.

    Only a piece of a contig is in memory at a time.

    Args:
        soft_masked: "keep" turns lower case into upper case, "mask" into N.
        iupac: "mask" turns ambiguity codes into N, "error" refuses them.
        bed: intervals to turn into N; they may overlap and be in any order.

    Returns:
        REPORT_COLUMNS: how often each letter of the source occurs in each contig (case kept), and as
        letter BED_LETTER how many further bases the BED file turned into N.

    Raises:
        UserError: an ambiguity code with iupac="error", or a BED interval outside the genome.
    """
    table = SOFT_TO_N if soft_masked == "mask" else TO_ACGTN
    counts: list[tuple[str, str, int]] = []
    with Genome(source) as genome:
        intervals = _intervals(bed, genome)
        with atomic_path(target) as temporary, open(temporary, "wb") as handle:
            writer = FastaWriter(handle)
            for contig in genome.lengths:
                letters, by_bed = np.zeros(256, np.int64), 0
                writer.start(contig)
                for start, lines in genome.lines(contig):
                    counted = count_letters(np.frombuffer(lines, np.uint8))
                    counted[list(LINE_ENDS)] = 0
                    letters += counted
                    if iupac == "error":
                        _refuse_iupac(f"{genome.path}: {contig}", start, lines, counted)
                    bases = lines.translate(table, LINE_ENDS)
                    masked, extra = _mask_intervals(start, bases, intervals.get(contig))
                    writer.write(masked)
                    by_bed += extra
                counts += [(contig, chr(code), int(letters[code])) for code in np.flatnonzero(letters)]
                if contig in intervals:
                    counts.append((contig, BED_LETTER, by_bed))
            writer.finish()
    return pd.DataFrame(counts, columns=list(REPORT_COLUMNS))


def _intervals(bed: str | Path | None, genome: Genome) -> dict[str, Intervals]:
    """Returns contig -> starts and ends of the BED file's union, ascending."""
    if bed is None:
        return {}
    table = read_bed(bed, genome.lengths)
    if table.empty:
        log.warning("%s: holds no intervals; nothing is masked by it", bed)
    return {str(contig): _union(rows) for contig, rows in table.groupby("contig", sort=False)}


def _union(rows: pd.DataFrame) -> Intervals:
    rows = rows.sort_values("start")
    reached = rows["end"].cummax()
    first = rows["start"] > reached.shift(fill_value=-1)
    return rows["start"][first].to_numpy(), reached.groupby(first.cumsum()).max().to_numpy()


def _mask_intervals(offset: int, bases: bytes, intervals: Intervals | None) -> tuple[bytes, int]:
    """Returns a piece that starts at `offset` with the intervals as N, and how many bases that changed."""
    if intervals is None:
        return bases, 0
    starts, ends = intervals
    first = np.searchsorted(ends, offset, side="right")
    last = np.searchsorted(starts, offset + len(bases), side="left")
    array = np.frombuffer(bases, np.uint8).copy()
    for start, end in zip(starts[first:last], ends[first:last], strict=True):
        array[max(start - offset, 0) : end - offset] = ord("N")
    return array.tobytes(), array.tobytes().count(b"N") - bases.count(b"N")


def _refuse_iupac(where: str, offset: int, lines: bytes, letters: Int64[np.ndarray, "256"]) -> None:
    codes = [int(code) for code in np.flatnonzero(letters) if code not in _KNOWN]
    if not codes:
        return
    bases = lines.translate(None, LINE_ENDS)
    first = min(bases.find(bytes([code])) for code in codes)
    kind = "ambiguity code" if bases[first : first + 1].upper() in IUPAC else "letter"
    raise UserError(
        where,
        f"{kind} {chr(bases[first])!r} at position {offset + first + 1}",
        "Set iupac to `mask` to turn such letters into N.",
    )
