"""Per-base labels of genomic elements from an annotation; one definition for training and evaluation.

Genes are the annotation's gene rows of a type. Exon and intron are unions over transcripts and may overlap.
A splice donor is the first base of an intron and an acceptor its last, in the direction of transcription:
one base each. CDS and UTRs are the annotation's own rows. Coordinates are 0-based and half-open, on the
forward strand of the contig.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool

from dnalm.errors import UserError

# Types of genes, as Ensembl and GENCODE name them today and named them before release 97.
GENES = {
    "protein_coding_gene": ("protein_coding",),
    "lncRNA": (
        "lncRNA",
        "lincRNA",
        "antisense",
        "antisense_RNA",
        "sense_intronic",
        "sense_overlapping",
        "processed_transcript",
        "3prime_overlapping_ncRNA",
        "bidirectional_promoter_lncRNA",
        "macro_lncRNA",
        "non_coding",
    ),
}
FEATURES = (*GENES, "exon", "intron", "splice_donor", "splice_acceptor", "CDS", "5UTR", "3UTR")
CODING = {"CDS": "CDS", "5UTR": "five_prime_utr", "3UTR": "three_prime_utr"}  # feature -> annotation type
SLUGS = {"CDS": "cds", "5UTR": "five_prime_utr", "3UTR": "three_prime_utr"}
STRANDS = {"+": ("+",), "-": ("-",), "either": ("+", "-")}


def slug(feature: str) -> str:
    """Returns a feature's name as part of a file name: lower case, letters, digits and underscores."""
    lowered = "".join(letter if letter.isalnum() else "_" for letter in feature.lower())
    return SLUGS.get(feature, lowered)


def introns(table: pd.DataFrame) -> pd.DataFrame:
    """Returns the gaps between a transcript's exons: contig, start, end, strand, gene_id, transcript_id.

    Exons of one transcript that touch or overlap leave no intron between them; exons that name no
    transcript have none.
    """
    keys = ["contig", "strand", "transcript_id"]
    exons = table[(table["type"] == "exon") & table["transcript_id"].fillna("").ne("")]
    exons = exons.sort_values([*keys, "start", "end"], kind="stable")
    reached = exons.groupby(keys, sort=False)["end"].cummax()
    previous = reached.groupby([exons[key] for key in keys], sort=False).shift(fill_value=-1)
    gaps = exons.assign(start=previous, end=exons["start"])
    gaps = gaps[(gaps["start"] >= 0) & (gaps["end"] > gaps["start"])]
    return gaps[["contig", "start", "end", "strand", "gene_id", "transcript_id"]].reset_index(drop=True)


def known_features(table: pd.DataFrame) -> list[str]:
    """Returns the features that an annotation can tell: types of genes only where its genes have one."""
    typed = bool(((table["type"] == "gene") & table["biotype"].fillna("").ne("")).any())
    return [feature for feature in FEATURES if typed or feature not in GENES]


def feature_intervals(table: pd.DataFrame, feature: str) -> pd.DataFrame:
    """Returns where a feature lies: contig, start, end, strand, transcript_id; repeats are not merged.

    Raises:
        UserError: the feature is none of `FEATURES`.
    """
    columns = ["contig", "start", "end", "strand", "transcript_id"]
    if feature == "exon" or feature in CODING:
        return table.loc[table["type"] == CODING.get(feature, "exon"), columns].reset_index(drop=True)
    if feature in GENES:
        genes = (table["type"] == "gene") & table["biotype"].isin(GENES[feature])
        return table.loc[genes, columns].reset_index(drop=True)
    if feature not in FEATURES:
        raise UserError(
            f"feature {feature!r}", f"has no label (expected one of {', '.join(FEATURES)})", "Leave it out."
        )
    gaps = introns(table)[columns]
    if feature == "intron":
        return gaps
    first = (gaps["strand"] == "+") == (feature == "splice_donor")  # whether the site is the leftmost base
    start = gaps["start"].where(first, gaps["end"] - 1)
    return gaps.assign(start=start, end=start + 1)


def label_track(
    table: pd.DataFrame,
    contig: str,
    length_bp: int,
    features: Sequence[str],
    strand: str = "+",
    verified_only: bool = False,
    start: int = 0,
) -> tuple[Bool[np.ndarray, "S F"], Bool[np.ndarray, "S F"]]:
    """Labels every base of a stretch of a contig.

    Args:
        table: annotation table of `annotation.load_annotation`.
        length_bp: S, the stretch's length, from `start`; rows beyond it are cut.
        strand: "+", "-", or "either" for the union of both.
        verified_only: take CDS and UTRs from transcripts with a verified CDS alone.

    Returns:
        labels (S, F), and scored (S, F), which is False where the truth is not known: with
        `verified_only`, for CDS and UTRs, on the exons of transcripts without a verified CDS.
    """
    if strand not in STRANDS:
        raise UserError(f"strand {strand!r}", "is none of +, - and either", "Give one of these.")
    rows = table[(table["contig"] == contig) & table["strand"].isin(STRANDS[strand])]
    labels = np.zeros((length_bp, len(features)), bool)
    scored = np.ones((length_bp, len(features)), bool)
    unknown = rows[~rows["cds_verified"].astype(bool)] if verified_only else rows[:0]
    for column, feature in enumerate(features):
        coding = feature in CODING
        known = rows.drop(unknown.index) if coding else rows
        _paint(labels[:, column], feature_intervals(known, feature), start, True)
        if coding:
            _paint(scored[:, column], feature_intervals(unknown, "exon"), start, False)
    return labels, scored


def _paint(track: Bool[np.ndarray, " S"], intervals: pd.DataFrame, offset: int, value: bool) -> None:
    """Sets the intervals' bases, in place; `offset` is the contig position of the track's first base."""
    starts = np.clip(intervals["start"].to_numpy() - offset, 0, len(track))
    ends = np.clip(intervals["end"].to_numpy() - offset, 0, len(track))
    for left, right in zip(starts, ends, strict=True):
        track[left:right] = value
