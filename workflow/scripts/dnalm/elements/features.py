"""What is known of each predicted feature: its term of the Sequence Ontology, its label and its colour.

Source of the terms: the Sequence Ontology (SO). A predicted coding stretch has no
phase, which GFF3 demands of `CDS`; it is written as `CDS_region` (SO:0000851), a part of a CDS.
"""

from __future__ import annotations

from dataclasses import dataclass

from dnalm.figures.palette import BLUE, GREEN, INK, MUTED, ORANGE, PURPLE, SKY, VERMILLION, YELLOW

ONE_BASE = ("splice_donor", "splice_acceptor")  # neither smoothed nor joined, whatever their length
MINUS_TINT = 0.45  # share of white in the colour of the minus strand
STRAND_WORDS = {"+": "plus strand", "-": "minus strand", "either": "either strand"}


@dataclass(frozen=True)
class Kind:
    """One feature as files name and draw it."""

    term: str
    label: str  # UCSC shows 17 letters
    colour: str
    tissue: str = ""


def mixed(colour: str, other: int, share: float) -> str:
    """Returns #RRGGBB with a share of a grey level (255: lighter, 0: darker)."""
    parts = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (other - part) * share):02X}" for part in parts)


KINDS = {
    "protein_coding_gene": Kind("protein_coding_gene", "coding gene", INK),
    "lncRNA": Kind("lncRNA", "lncRNA", MUTED),
    "exon": Kind("exon", "exon", BLUE),
    "intron": Kind("intron", "intron", SKY),
    "splice_donor": Kind("five_prime_cis_splice_site", "splice donor", ORANGE),
    "splice_acceptor": Kind("three_prime_cis_splice_site", "splice acceptor", VERMILLION),
    "CDS": Kind("CDS_region", "CDS", GREEN),
    "5UTR": Kind("five_prime_UTR", "5' UTR", PURPLE),
    "3UTR": Kind("three_prime_UTR", "3' UTR", mixed(PURPLE, 0, 0.4)),
    "CTCF-bound": Kind("CTCF_binding_site", "CTCF-bound", mixed(YELLOW, 0, 0.35)),
    "polyA_signal": Kind("polyA_signal_sequence", "polyA signal", mixed(GREEN, 0, 0.45)),
    "enhancer_Tissue_specific": Kind("enhancer", "enhancer, tissue", mixed(ORANGE, 0, 0.3), "specific"),
    "enhancer_Tissue_invariant": Kind("enhancer", "enhancer, all", mixed(ORANGE, 0, 0.55), "invariant"),
    "promoter_Tissue_specific": Kind("promoter", "promoter, tissue", mixed(VERMILLION, 0, 0.3), "specific"),
    "promoter_Tissue_invariant": Kind("promoter", "promoter, all", mixed(VERMILLION, 0, 0.55), "invariant"),
}


def kind_of(feature: str) -> Kind:
    """Returns what is known of a feature; one of a user's own model is a `sequence_feature`."""
    return KINDS.get(feature) or Kind("sequence_feature", feature.replace("_", " ")[:17], INK)


def rgb(feature: str, strand: str) -> str:
    """Returns the colour as `R,G,B`, lighter on the minus strand."""
    colour = kind_of(feature).colour
    colour = mixed(colour, 255, MINUS_TINT) if strand == "-" else colour
    return ",".join(str(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
