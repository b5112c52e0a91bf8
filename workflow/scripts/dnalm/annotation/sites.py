"""Transcription start sites."""

from __future__ import annotations

import numpy as np
import pandas as pd

TRANSCRIPT_KEY = ["contig", "strand", "gene_id", "transcript_id"]


def transcription_start_sites(table: pd.DataFrame) -> pd.DataFrame:
    """Returns one transcription start site per gene: gene_id, contig, strand, tss.

    It is the 0-based position of the first transcribed base (5' end on the gene's strand) of the
    transcript with the longest CDS; among equals, and where no transcript has a CDS, of the one that
    starts most 5'. A gene without transcripts counts as its own transcript. Genes keep the table's order.
    """
    transcripts = table[table["type"] == "transcript"]
    genes = table[table["type"] == "gene"]
    bare = genes[~genes["gene_id"].isin(transcripts["gene_id"])]
    transcripts = pd.concat([transcripts, bare], ignore_index=True)
    coding = table[table["type"] == "CDS"]
    lengths = (
        (coding["end"] - coding["start"]).groupby([coding[key] for key in TRANSCRIPT_KEY], sort=False).sum()
    )
    transcripts = transcripts.join(lengths.rename("cds_bp"), on=TRANSCRIPT_KEY)
    reverse = (transcripts["strand"] == "-").to_numpy()
    transcripts["tss"] = np.where(reverse, transcripts["end"] - 1, transcripts["start"])
    best = transcripts.assign(
        cds_bp=transcripts["cds_bp"].fillna(0),
        downstream=np.where(reverse, -transcripts["tss"], transcripts["tss"]),
    ).sort_values(
        ["cds_bp", "downstream", "contig", "strand", "transcript_id"],
        ascending=[False, True, True, True, True],
    )
    order = pd.Series(range(table["gene_id"].nunique()), index=table["gene_id"].unique())
    best = best.drop_duplicates("gene_id").sort_values(
        "gene_id", key=lambda ids: ids.map(order), kind="stable"
    )
    return best[["gene_id", "contig", "strand", "tss"]].reset_index(drop=True)
