"""The workflow's annotation table: its columns, its file, its fit to a genome."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file

# contig, start, end: 0-based half-open. type: one of TYPES. gene_id, transcript_id, gene_name, biotype:
# text, "" where unknown (a gene row has no transcript_id). cds_verified: whether CDS and UTRs of the
# row's transcript may serve as truth.
ANNOTATION_COLUMNS = (
    "contig",
    "start",
    "end",
    "strand",
    "type",
    "gene_id",
    "transcript_id",
    "gene_name",
    "biotype",
    "cds_verified",
)
TYPES = ("gene", "transcript", "exon", "CDS", "five_prime_utr", "three_prime_utr")
# Below this share of the genome's bases on annotated contigs, with annotated contigs that the genome
# lacks, the two use different names.
LEAST_NAMED_SHARE = 0.1
log = logging.getLogger("dnalm")


def write_annotation(table: pd.DataFrame, path: str | Path) -> None:
    """Writes the table as Parquet; the same table gives the same bytes."""
    with atomic_path(path) as temporary:
        table[list(ANNOTATION_COLUMNS)].to_parquet(temporary, index=False)


def load_annotation(path: str | Path) -> pd.DataFrame:
    """Reads what `write_annotation` wrote.

    Raises:
        UserError: missing, damaged, or another table.
    """
    import pyarrow as pa

    path = require_file(path, "annotation table")
    try:
        table = pd.read_parquet(path)
    except (pa.ArrowInvalid, OSError) as fault:
        raise UserError(
            path, f"is no readable Parquet table ({fault})", "Run read_annotation.py again."
        ) from fault
    if tuple(table.columns) != ANNOTATION_COLUMNS:
        raise UserError(path, f"has columns {list(table.columns)[:3]} ...", "Run read_annotation.py again.")
    return table


def fit_to_genome(
    table: pd.DataFrame,
    lengths: Mapping[str, int],
    where: str | Path,
    contig_names: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Returns the rows on the genome's contigs, their contigs renamed by `contig_names`.

    Raises:
        UserError: the names do not match the genome's, or a row leaves its contig.
    """
    if contig_names:
        table = table.assign(contig=table["contig"].map(lambda name: contig_names.get(name, name)))
    known = table["contig"].isin(list(lengths))
    annotated = set(table["contig"].unique())
    missing = [name for name in table["contig"].unique() if name not in lengths]
    named_bp = sum(length for name, length in lengths.items() if name in annotated)
    share = named_bp / max(sum(lengths.values()), 1)
    if missing and share < LEAST_NAMED_SHARE:
        raise UserError(
            where,
            f"contig names do not match the genome's: {share:.0%} of its bases are on contigs named here "
            f"(here: {', '.join(missing[:3])}; genome: {', '.join(list(lengths)[:3])})",
            "Give the same assembly, or a map with --contig-names (name here<TAB>name in the genome).",
        )
    if missing:
        log.warning(
            "%s: %d rows on %d contigs that the genome lacks are left out (%s)",
            where,
            int((~known).sum()),
            len(missing),
            ", ".join(missing[:3]),
        )
    table = table[known].reset_index(drop=True)
    past = table["end"] > table["contig"].map(lengths)
    if past.any():
        row = table[past].iloc[0]
        raise UserError(
            where,
            f"{row['type']} of {row['gene_id']} ends at {row['end']}, past the end of {row['contig']} "
            f"({lengths[row['contig']]} bp)",
            "Is it the annotation of another assembly version?",
        )
    return table
