"""Which genes the track figure shows, chosen from the annotation alone or named by the user."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.genome.regions import read_regions

APART_BP = 5_000  # between chosen genes, so that no panel repeats another
QUANTILES = (("+", 0.50), ("-", 0.75))  # per panel: strand, quantile of the number of introns
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


@dataclass(frozen=True)
class Rule:
    """Which genes may be chosen; nothing of it looks at a prediction."""

    verified: bool  # a transcript with verified CDS
    introns: int  # at least
    longest_bp: int  # a longer gene's exons are too thin to see at the page's width
    margin_bp: int  # to the region's ends, where windows lack context

    def eligible(self, genes: pd.DataFrame, region: Region) -> pd.DataFrame:
        """Returns the genes of a region that the rule admits."""
        contig, start, end = region
        inside = (genes["start"] >= start + self.margin_bp) & (genes["end"] <= end - self.margin_bp)
        short = genes["end"] - genes["start"] <= self.longest_bp
        kept = (genes["contig"] == contig) & inside & short & (genes["introns"] >= self.introns)
        return genes[kept & (genes["verified"] | (not self.verified))]

    @property
    def text(self) -> str:
        """The rule for the line below the figure."""
        parts = ["verified CDS"] if self.verified else []
        parts += [f"at least {self.introns} introns"] if self.introns else []
        parts += [f"at most {self.longest_bp // 1000} kb"]
        parts += [f"{self.margin_bp // 1000} kb or more inside the region"] if self.margin_bp else []
        return (
            f"Genes chosen without looking at predictions: {', '.join(parts)}; of these, nearest to the "
            "region's centre, one with the median (plus strand) and one with the upper-quartile (minus "
            "strand) number of introns."
        )


# The first rule that admits enough genes holds: annotations may know no CDS, and genomes no introns.
RULES = (
    Rule(verified=True, introns=2, longest_bp=15_000, margin_bp=5_000),
    Rule(verified=False, introns=2, longest_bp=15_000, margin_bp=5_000),
    Rule(verified=False, introns=1, longest_bp=60_000, margin_bp=0),
    Rule(verified=False, introns=0, longest_bp=60_000, margin_bp=0),
)


def choose_genes(annotation: pd.DataFrame, region: Region) -> tuple[list[Gene], str]:
    """Chooses the genes of the track figure, from the annotation alone, and says by which rule.

    Raises:
        UserError: the region holds no gene short enough to draw.
    """
    genes = list_genes(annotation)
    for rule in RULES:
        eligible = rule.eligible(genes, region)
        if len(eligible) >= (len(QUANTILES) if rule != RULES[-1] else 1):
            return _choose(eligible, region), rule.text
    raise UserError(
        f"{region[0]}:{region[1]}-{region[2]}",
        f"found no gene of at most {RULES[-1].longest_bp} bp to draw",
        "Name genes with --genes, or give another region.",
    )


def _choose(eligible: pd.DataFrame, region: Region) -> list[Gene]:
    _, start, end = region
    chosen: list[Gene] = []
    for strand, quantile in QUANTILES:
        rest = eligible[~eligible["gene_id"].isin([gene.gene_id for gene in chosen])]
        for gene in chosen:
            apart = (rest["start"] >= gene.end + APART_BP) | (rest["end"] <= gene.start - APART_BP)
            rest = rest[apart] if apart.any() else rest
        own = rest[rest["strand"] == strand] if (rest["strand"] == strand).any() else rest
        if own.empty:
            break
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
