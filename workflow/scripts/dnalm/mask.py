"""Masking a genome: upper case, only A C G T N, every change counted per contig and letter."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.files import atomic_path
from dnalm.genome import Genome, count_letters, read_bed
from dnalm.genome.copy import FastaWriter
from dnalm.genome.letters import BASES, IUPAC, TO_ACGTN

REPORT_COLUMNS = ("contig", "letter", "count")
BED_LETTER = "bed"  # the report's name for A, C, G, T that became N through the BED file
# As TO_ACGTN, and soft-masked (lower-case) bases to N.
SOFT_TO_N = bytes(ord("N") if bytes([b]).islower() else TO_ACGTN[b] for b in range(256))
_N = ord("N")
log = logging.getLogger("dnalm")


def mask_genome(
    source: str | Path,
    target: str | Path,
    soft_masked: Literal["keep", "mask"] = "keep",
    iupac: Literal["mask", "error"] = "mask",
    bed: str | Path | None = None,
) -> pd.DataFrame:
    """Writes a genome of A, C, G, T and N only, in upper case; contigs keep names and lengths.

    One contig is in memory at a time.

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
                bases = genome.read(contig)
                letters = count_letters(np.frombuffer(bases, np.uint8))
                counts += [(contig, chr(code), int(letters[code])) for code in np.flatnonzero(letters)]
                if iupac == "error":
                    _refuse_iupac(contig, bases, letters, genome.path)
                masked, extra = _mask_intervals(bases.translate(table), intervals.get(contig, []))
                if contig in intervals:
                    counts.append((contig, BED_LETTER, extra))
                writer.start(contig)
                writer.write(masked)
            writer.finish()
    return pd.DataFrame(counts, columns=list(REPORT_COLUMNS))


def _intervals(bed: str | Path | None, genome: Genome) -> dict[str, list[tuple[int, int]]]:
    """Returns contig -> intervals (start, end)."""
    if bed is None:
        return {}
    table = read_bed(bed, genome.lengths)
    if table.empty:
        log.warning("%s: holds no intervals; nothing is masked by it", bed)
    return {
        str(contig): list(zip(rows["start"], rows["end"], strict=True))
        for contig, rows in table.groupby("contig", sort=False)
    }


def _mask_intervals(bases: bytes, intervals: list[tuple[int, int]]) -> tuple[bytes, int]:
    """Returns the bases with the intervals as N, and how many that changed."""
    if not intervals:
        return bases, 0
    array = np.frombuffer(bases, np.uint8).copy()
    before = np.count_nonzero(array == _N)
    for start, end in intervals:
        array[start:end] = _N
    return array.tobytes(), int(np.count_nonzero(array == _N) - before)


def _refuse_iupac(contig: str, bases: bytes, letters: np.ndarray, path: Path) -> None:
    known = BASES + BASES.lower() + b"Nn"
    if sum(int(letters[code]) for code in known) == len(bases):
        return
    codes = [code for code in np.flatnonzero(letters) if code not in known]
    first = min(bases.find(bytes([code])) for code in codes)
    kind = "ambiguity code" if bases[first : first + 1].upper() in IUPAC else "letter"
    raise UserError(
        f"{path}: {contig}",
        f"{kind} {chr(bases[first])!r} at position {first + 1} ({len(codes)} kinds in this contig)",
        "Set iupac to `mask` to turn them into N.",
    )
