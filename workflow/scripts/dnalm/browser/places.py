"""The places that a page's buttons lead to: genes, chosen without a look at predictions, and regions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.figures.genes import RULES, Gene, Region, choose_genes, list_genes
from dnalm.figures.track_data import shown_region

MOST_GENES = 12


@dataclass(frozen=True)
class Place:
    """A button: where it leads to."""

    label: str
    locus: str  # contig:start-end, 1-based
    about: str


def locus_of(region: Region) -> str:
    """Returns a region as igv.js reads it: 1-based and closed."""
    contig, start, end = region
    return f"{contig}:{start + 1}-{end}"


def starting_gene(annotation: pd.DataFrame | None, region: Region) -> Gene | None:
    """Returns the gene that the page opens with, chosen without a look at predictions; None without genes."""
    if annotation is None or annotation.empty:
        return None
    try:
        return choose_genes(annotation, region)[0][0]
    except UserError:
        return None


def gene_places(annotation: pd.DataFrame | None, regions: Sequence[Region], lengths: Any) -> list[Place]:
    """Returns buttons for at most `MOST_GENES` genes, the one to open with first, the rest by position.

    They are spread evenly over those that the track figure's first rule with a gene admits.
    """
    first = next((gene for region in regions if (gene := starting_gene(annotation, region))), None)
    if annotation is None or first is None:
        return []
    genes = list_genes(annotation)
    for rule in RULES:
        eligible = pd.concat([rule.eligible(genes, region) for region in regions])
        eligible = eligible[eligible["gene_id"] != first.gene_id]
        if len(eligible) >= MOST_GENES - 1:
            break
    spread = np.unique(np.linspace(0, len(eligible) - 1, MOST_GENES - 1).round().astype(int))
    rest = eligible.sort_values(["contig", "start", "gene_id"]).iloc[spread[: len(eligible)]]
    names = ("gene_id", "name", "contig", "start", "end", "strand", "introns")
    others = [Gene(*row) for row in rest[list(names)].itertuples(index=False, name=None)]
    return [_gene_place(gene, lengths[gene.contig]) for gene in (first, *others)]


def _gene_place(gene: Gene, contig_bp: int) -> Place:
    sign = gene.strand.replace("-", "\u2212")
    introns = f"{gene.introns} intron{'' if gene.introns == 1 else 's'}"
    about = f"{gene.gene_id}, strand {sign}, {introns}"
    return Place(gene.name, locus_of(shown_region(gene, contig_bp)), about)
