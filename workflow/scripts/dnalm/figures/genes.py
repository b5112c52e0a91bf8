"""Which genes the track figure shows, chosen from the annotation alone or named by the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.genome.regions import read_regions

MIN_INTRONS = 2
MAX_GENE_BP = 15_000  # a longer gene's exons are too thin to see at the page's width
MARGIN_BP = 5_000  # between a chosen gene and the region's ends, where windows lack context
APART_BP = 10_000  # between chosen genes, so that no panel repeats another
QUANTILES = (("+", 0.50), ("-", 0.75))  # per panel: strand, quantile of the number of introns
RULE = (
    f"Genes chosen without looking at predictions: verified CDS, at least {MIN_INTRONS} introns, at most "
    f"{MAX_GENE_BP // 1000} kb, {MARGIN_BP // 1000} kb or more inside the region; of these, nearest to the "
    "region's centre, one with the median (plus strand) and one with the upper-quartile (minus strand) "
    "number of introns."
)
Region = tuple[str, int, int]


@dataclass(frozen=True)
class Gene:
    """A gene's place (0-based half-open) and what a panel's title says of it."""

    gene_id: str
    name: str
    contig: str
    start: int
    end: int
    strand: str
    introns: int


def first_region(regions: Sequence[str], lengths: Mapping[str, int]) -> Region:
    """Returns the first region named (`contig:start-end` or a contig), the longest contig where none is.

    Raises:
        UserError: it has another form or lies on no contig.
    """
    named = read_regions(regions[:1] or [max(lengths, key=lambda name: lengths[name])], lengths)
    contig, spans = next(iter(named.items()))
    return contig, *spans[0]


def list_genes(annotation: pd.DataFrame) -> pd.DataFrame:
    """Returns one row per gene with exons: place, name, most introns of a transcript, verified CDS or not."""
    exons = annotation[annotation["type"] == "exon"]
    per_transcript = exons.groupby(["gene_id", "transcript_id"], observed=True).size() - 1
    genes = exons.groupby("gene_id", observed=True, sort=True).agg(
        contig=("contig", "first"), start=("start", "min"), end=("end", "max"), strand=("strand", "first")
    )
    genes["introns"] = per_transcript.groupby("gene_id", observed=True).max()
    cds = annotation[(annotation["type"] == "CDS") & annotation["cds_verified"].astype(bool)]
    genes["verified"] = genes.index.isin(cds["gene_id"].unique())
    names = annotation.groupby("gene_id", observed=True)["gene_name"].first()
    genes["name"] = names.reindex(genes.index)
    genes["name"] = genes["name"].where(genes["name"].fillna("").astype(str) != "", genes.index.to_series())
    return genes.reset_index()


def _as_gene(row: pd.Series) -> Gene:
    place = str(row["contig"]), int(row["start"]), int(row["end"])
    return Gene(str(row["gene_id"]), str(row["name"]), *place, str(row["strand"]), int(row["introns"]))


def _apart(row: pd.Series, gene: Gene) -> bool:
    return bool(row["start"] >= gene.end + APART_BP or row["end"] <= gene.start - APART_BP)


def choose_genes(annotation: pd.DataFrame, region: Region) -> list[Gene]:
    """Chooses the genes of the track figure by `RULE`, from the annotation alone.

    Raises:
        UserError: the region holds fewer than two such genes.
    """
    contig, start, end = region
    genes = list_genes(annotation)
    inside = (
        (genes["contig"] == contig)
        & (genes["start"] >= start + MARGIN_BP)
        & (genes["end"] <= end - MARGIN_BP)
    )
    short = genes["end"] - genes["start"] <= MAX_GENE_BP
    eligible = genes[inside & short & genes["verified"] & (genes["introns"] >= MIN_INTRONS)]
    if len(eligible) < len(QUANTILES):
        raise UserError(
            f"{contig}:{start}-{end}",
            f"found {len(eligible)} genes to draw, expected {len(QUANTILES)} with a verified CDS and "
            f"{MIN_INTRONS} introns or more",
            "Name genes with --genes, or give a larger region.",
        )
    chosen: list[Gene] = []
    for strand, quantile in QUANTILES:
        rest = eligible[[all(_apart(row, gene) for gene in chosen) for _, row in eligible.iterrows()]]
        own = rest if rest[rest["strand"] == strand].empty else rest[rest["strand"] == strand]
        introns = np.quantile(own["introns"], quantile, method="nearest")
        away = (own["start"] + own["end"] - start - end).abs()
        best = own[own["introns"] == introns].assign(away=away).sort_values(["away", "gene_id"]).iloc[0]
        chosen.append(_as_gene(best))
    return chosen


def find_genes(annotation: pd.DataFrame, gene_ids: Sequence[str]) -> list[Gene]:
    """Returns the named genes (by gene_id or gene name) in the order given.

    Raises:
        UserError: a gene is not in the annotation.
    """
    genes = list_genes(annotation)
    found = []
    for gene_id in gene_ids:
        match = genes[(genes["gene_id"] == gene_id) | (genes["name"] == gene_id)]
        if match.empty:
            examples = ", ".join(genes["gene_id"].head(3))
            raise UserError(
                "--genes", f"gene {gene_id!r} is not in the annotation (it has, for example, {examples})",
                "Check the gene's id.",
            )  # fmt: skip
        found.append(_as_gene(match.iloc[0]))
    return found
