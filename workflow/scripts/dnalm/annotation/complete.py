"""What an annotation file leaves out: exons of CDS-only transcripts, transcripts, genes, UTRs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dnalm.annotation.sites import TRANSCRIPT_KEY
from dnalm.annotation.table import ANNOTATION_COLUMNS, TYPES

GENE_KEY = ["contig", "strand", "gene_id"]
UTR_TYPES = ("five_prime_utr", "three_prime_utr")
_PARTS = ("exon", "CDS", *UTR_TYPES)


def complete(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows, those that follow from them, in the table's columns and order.

    * A transcript without exons gets them from its CDS and UTRs, abutting ones joined.
    * A transcript or gene without its own row gets one that spans its parts.
    * Where the file has no five_prime_utr and no three_prime_utr, they are the parts of exons outside
      the CDS; a stop codon that the CDS leaves out (GTF's habit) is no UTR.
    """
    rows = pd.concat([rows, _exons_of_coding(rows)], ignore_index=True)
    rows = pd.concat([rows, _spans(rows, "transcript", TRANSCRIPT_KEY, _PARTS)], ignore_index=True)
    rows = pd.concat([rows, _spans(rows, "gene", GENE_KEY, ("transcript",))], ignore_index=True)
    if not rows["type"].isin(UTR_TYPES).any():
        rows = pd.concat([rows, _derive_utrs(rows)], ignore_index=True)
    rows = rows[rows["type"].isin(TYPES)]
    return _sorted(rows[list(ANNOTATION_COLUMNS)].drop_duplicates())


def _keys(table: pd.DataFrame, key: list[str]) -> pd.MultiIndex:
    return pd.MultiIndex.from_frame(table[key])


def _exons_of_coding(rows: pd.DataFrame) -> pd.DataFrame:
    """Joins overlapping and abutting CDS, stop codons and UTRs of transcripts that have no exon row."""
    coding = rows[rows["type"].isin([*_PARTS, "stop_codon"])]
    with_exons = _keys(rows[rows["type"] == "exon"], TRANSCRIPT_KEY)
    coding = coding[~_keys(coding, TRANSCRIPT_KEY).isin(with_exons)].sort_values([*TRANSCRIPT_KEY, "start"])
    if coding.empty:
        return coding
    transcript = coding.groupby(TRANSCRIPT_KEY, sort=False).ngroup()
    reached = coding.groupby(transcript)["end"].cummax().shift()
    new = (transcript != transcript.shift()) | (coding["start"] > reached)
    return coding.groupby(new.cumsum().to_numpy()).agg(_span_of(coding)).assign(type="exon")


def _span_of(table: pd.DataFrame) -> dict[str, str]:
    """Returns how to aggregate rows into one that spans them."""
    special = {"start": "min", "end": "max", "cds_verified": "max"}
    return {column: special.get(column, "first") for column in table.columns}


def _spans(rows: pd.DataFrame, kind: str, key: list[str], of: tuple[str, ...]) -> pd.DataFrame:
    """Returns a row of type `kind` for every key that has rows of the types `of` but none of its own."""
    parts = rows[rows["type"].isin(of)]
    own = _keys(rows[rows["type"] == kind], key)
    parts = parts[~_keys(parts, key).isin(own)]
    if parts.empty:
        return parts
    spans = parts.groupby(key, sort=False).agg(_span_of(parts)).reset_index(drop=True).assign(type=kind)
    return spans.assign(transcript_id="") if kind == "gene" else spans


def _derive_utrs(rows: pd.DataFrame) -> pd.DataFrame:
    """Returns the parts of coding transcripts' exons before and after the CDS."""
    coding = rows[rows["type"].isin(["CDS", "stop_codon"])]
    limits = coding.groupby(TRANSCRIPT_KEY, sort=False).agg(
        cds_start=("start", "min"), cds_end=("end", "max"), verified=("cds_verified", "max")
    )
    exons = rows[rows["type"] == "exon"].join(limits, on=TRANSCRIPT_KEY, how="inner")
    exons["cds_verified"] = exons["verified"].astype(bool)
    reverse = exons["strand"] == "-"
    left = exons.assign(
        end=np.minimum(exons["end"], exons["cds_start"]), type=np.where(reverse, UTR_TYPES[1], UTR_TYPES[0])
    )
    right = exons.assign(
        start=np.maximum(exons["start"], exons["cds_end"]), type=np.where(reverse, UTR_TYPES[0], UTR_TYPES[1])
    )
    utrs = pd.concat([left, right], ignore_index=True).drop(columns=["cds_start", "cds_end", "verified"])
    utrs[["start", "end"]] = utrs[["start", "end"]].astype("int64")
    return utrs[utrs["start"] < utrs["end"]]


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    """Sorts by contig (in order of appearance), start, gene, transcript and type."""
    contigs = {name: place for place, name in enumerate(rows["contig"].unique())}
    types = {name: place for place, name in enumerate(TYPES)}
    order = rows.assign(contig=rows["contig"].map(contigs), type=rows["type"].map(types))
    columns = ["contig", "start", "gene_id", "transcript_id", "type", "end"]
    return rows.loc[order.sort_values(columns, kind="stable").index].reset_index(drop=True)
