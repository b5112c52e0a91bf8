"""Rows of GTF: types and identifiers in the workflow's words."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.annotation.attributes import gtf_values
from dnalm.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

# "UTR" (GENCODE) does not say which end: those are derived from exons and CDS instead.
GTF_TYPES = {
    "gene": "gene",
    "transcript": "transcript",
    "mRNA": "transcript",
    "exon": "exon",
    "CDS": "CDS",
    "stop_codon": "stop_codon",
    "five_prime_utr": "five_prime_utr",
    "five_prime_UTR": "five_prime_utr",
    "5UTR": "five_prime_utr",
    "three_prime_utr": "three_prime_utr",
    "three_prime_UTR": "three_prime_utr",
    "3UTR": "three_prime_utr",
}
NAME_KEYS = ("gene_name", "gene")
BIOTYPE_KEYS = ("gene_biotype", "gene_type", "biotype")
log = logging.getLogger("dnalm")


def gtf_rows(block: pa.Table, path: Path, cds_verified: tuple[str, str] | None) -> pd.DataFrame:
    """Returns a block's rows of known types with contig, start, end, strand, type, identifiers, cds_verified.

    Raises:
        UserError: with the line, for an exon or CDS without a transcript.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    block = block.filter(pc.is_in(block["type"], pa.array(list(GTF_TYPES))))
    attributes = block["attributes"]
    rows = block.drop_columns(["attributes"]).to_pandas()
    rows["type"] = rows["type"].map(GTF_TYPES)
    rows["gene_id"] = gtf_values(attributes, "gene_id").to_pandas()
    rows["transcript_id"] = gtf_values(attributes, "transcript_id").to_pandas()
    rows["gene_name"] = _first_of(attributes, NAME_KEYS)
    rows["biotype"] = _first_of(attributes, BIOTYPE_KEYS)
    rows["cds_verified"] = True
    if cds_verified:
        rows["cds_verified"] = gtf_values(attributes, cds_verified[0]).to_pandas() == cds_verified[1]
    rows.loc[rows["type"] == "gene", "transcript_id"] = ""
    return _with_ids(rows, path)


def _with_ids(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    orphans = (rows["type"] != "gene") & (rows["transcript_id"] == "")
    if orphans.any():
        row = rows[orphans].iloc[0]
        raise UserError(
            f"{path}:{row['line']}",
            f'{row["type"]} without transcript_id "..."',
            "Give GTF with gene_id and transcript_id.",
        )
    rows["gene_id"] = rows["gene_id"].where(rows["gene_id"] != "", rows["transcript_id"])
    return rows[rows["gene_id"] != ""].drop(columns="line")


def _first_of(attributes: pa.ChunkedArray, keys: tuple[str, ...]) -> pd.Series:
    """Returns the value of the first key that a line has."""
    values = gtf_values(attributes, keys[0]).to_pandas()
    for key in keys[1:]:
        if (values != "").all():
            break
        values = values.where(values != "", gtf_values(attributes, key).to_pandas())
    return values
