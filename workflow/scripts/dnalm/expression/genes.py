"""The genes that can be predicted: those with a window and a row of the expression table."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dnalm.errors import UserError
from dnalm.expression.table import Expression
from dnalm.genome import Genome, reverse_complement_text
from dnalm.genome.regions import read_regions

log = logging.getLogger("dnalm")


def gather_genes(
    windows: pd.DataFrame, expression: Expression, genome: Genome, held_out: Sequence[str], where: str | Path
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Joins windows and expression by the gene's name, in the windows' order.

    Returns:
        contig, start, end, name, strand, sequence (as it reads on the gene's strand) and held_out (whether
        the window lies wholly in a region of `held_out`); and how many rows there are on either side.

    Raises:
        UserError: no gene has both; a region that is not on the genome.
    """
    known = windows["name"].isin(expression.values.index)
    counts = {
        "genes": int(known.sum()),
        "windows_without_row": int((~known).sum()),
        "rows_without_window": int((~expression.values.index.isin(windows["name"])).sum()),
    }
    log.info(
        "%s: %s", where, ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in counts.items())
    )
    if not counts["genes"]:
        raise UserError(
            where,
            f"no gene matches a window's name (here: {', '.join(expression.values.index[:3])}; "
            f"windows: {', '.join(windows['name'][:3])})",
            "Use the annotation's gene ids, or name their column with --gene-column.",
        )
    genes = windows.loc[known, ["contig", "start", "end", "name", "strand"]].reset_index(drop=True)
    regions = read_regions(held_out, genome.lengths) if held_out else {}
    rows = [(str(row.contig), int(row.start), int(row.end), row.strand) for row in genes.itertuples()]
    genes["sequence"] = [_sequence(genome, *row) for row in rows]
    genes["held_out"] = [
        any(first <= start and end <= last for first, last in regions.get(contig, ()))
        for contig, start, end, _ in rows
    ]
    return genes, counts


def _sequence(genome: Genome, contig: str, start: int, end: int, strand: object) -> str:
    text = genome.fetch(contig, start, end).upper()
    return reverse_complement_text(text) if strand == "-" else text
