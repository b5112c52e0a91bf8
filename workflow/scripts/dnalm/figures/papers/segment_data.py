"""The elements of the SegmentNT paper, and what the figure of tracks draws: binned bigWigs, gene models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.figures import palette
from dnalm.figures.gene_models import model_parts
from dnalm.figures.genes import Region
from dnalm.figures.style import log
from dnalm.figures.track_data import Stretch, contig_lengths, read_bins, widen
from dnalm.genome.regions import read_regions
from dnalm.labels import FEATURES, slug

LONGEST_BP = 500_000  # of a region: the genes of more would not fit on a page
SITES = ("splice_donor", "splice_acceptor")  # one base each
PEAKED = (*SITES, "polyA_signal")  # of a few bases: the mean of a bin would hide them
SUFFIXES = {".plus": "+", ".minus": "-"}  # without one, a track holds both strands: "."
TRACK_COLUMNS = ("contig", "bin_start", "bin_end", "strand", "feature", "probability")


@dataclass(frozen=True)
class Element:
    """A predicted feature, what a figure calls it, and its colour."""

    feature: str
    label: str
    colour: str


# Order, pairs and hues of the SegmentNT paper's track figures (de Almeida et al. 2025, Fig. 1d and 3).
PAIRS = (
    (
        Element("protein_coding_gene", "Protein-coding gene", "#66C2A5"),
        Element("lncRNA", "lncRNA", "#FC8D62"),
    ),
    (Element("5UTR", "5\u2032 UTR", "#8DA0CB"), Element("3UTR", "3\u2032 UTR", "#27408B")),
    (Element("exon", "Exon", "#A6D854"), Element("intron", "Intron", "#FFD92F")),
    (
        Element("splice_donor", "Splice donor", "#8F8F8F"),
        Element("splice_acceptor", "Splice acceptor", "#D9A860"),
    ),
    (
        Element("promoter_Tissue_specific", "Promoter, specific", "#EE6A8B"),
        Element("promoter_Tissue_invariant", "Promoter, invariant", "#BF9B30"),
    ),
    (
        Element("enhancer_Tissue_specific", "Enhancer, specific", "#6CC067"),
        Element("enhancer_Tissue_invariant", "Enhancer, invariant", "#2A9D9D"),
    ),
    (Element("CTCF-bound", "CTCF-bound", "#4A90D9"), Element("polyA_signal", "polyA signal", "#D43F9B")),
)
PUBLISHED = tuple(element for pair in PAIRS for element in pair)


def find_element(feature: str, place: int = 0) -> Element:
    """Returns how a feature is drawn; one that the paper has not takes a colour by its place among these."""
    for element in PUBLISHED:
        if element.feature == feature:
            return element
    colours = palette.MODEL_COLOURS
    return Element(feature, feature.replace("_", " "), colours[(place + 3) % len(colours)])


def pair_up(features: Iterable[str]) -> list[tuple[Element, ...]]:
    """Returns the paper's seven pairs, and in pairs the features that the paper has not."""
    published = {element.feature for element in PUBLISHED}
    others = sorted(set(features) - published)
    extra = [find_element(feature, place) for place, feature in enumerate(others)]
    return [*PAIRS, *(tuple(extra[first : first + 2]) for first in range(0, len(extra), 2))]


def find_tracks(folder: str | Path) -> dict[tuple[str, str], Path]:
    """Finds the bigWigs of a run: (feature, strand) -> `slug.plus.bw`, `slug.minus.bw` or `slug.bw`.

    Raises:
        UserError: the folder holds none.
    """
    names = {slug(feature): feature for feature in (*(element.feature for element in PUBLISHED), *FEATURES)}
    found = {}
    for path in sorted(Path(folder).glob("*.bw")):
        stem, dot, side = path.name.removesuffix(".bw").rpartition(".")
        strand = SUFFIXES.get(dot + side, ".")
        name = path.name.removesuffix(".bw") if strand == "." else stem
        found[names.get(name, name), strand] = path
    if not found:
        raise UserError(
            folder, "holds no tracks (found no *.bw)", "Run the segmentation step for this folder."
        )
    return found


def find_regions(texts: Sequence[str], folder: str | Path) -> list[Region]:
    """Returns the regions named as `contig:start-end`, in the order given.

    Raises:
        UserError: one has another form, lies on no contig of the tracks, or is too long to draw.
    """
    lengths, regions = contig_lengths(find_tracks(folder)), []
    for text in texts:
        contig, spans = next(iter(read_regions([text], lengths).items()))
        start, end = spans[0]
        if end - start > LONGEST_BP:
            raise UserError(
                f"region {text!r}",
                f"is too long to draw (found {end - start} bp, expected <= {LONGEST_BP})",
                "Name a shorter one.",
            )
        regions.append((contig, start, end))
    return regions


@dataclass(frozen=True)
class Block(Stretch):
    """One region of the figure; the tracks have TRACK_COLUMNS."""

    @property
    def features(self) -> set[str]:
        """The features that have a track."""
        return set(self.tracks["feature"])

    @property
    def empty(self) -> bool:
        """Whether no base of the region has a prediction."""
        return bool(self.tracks["probability"].isna().all())


def read_block(folder: str | Path, annotation: pd.DataFrame, region: Region) -> Block:
    """Reads every track over a region, in at most MAX_BINS bins: their mean, of short elements the maximum.

    A region without any prediction is warned of once, here.

    Raises:
        UserError: a track does not hold the region.
    """
    tables = [
        read_bins(path, region, np.nanmax if feature in PEAKED else np.nanmean).assign(
            strand=strand, feature=feature
        )
        for (feature, strand), path in find_tracks(folder).items()
    ]
    tracks = pd.concat(tables, ignore_index=True)[list(TRACK_COLUMNS)]
    block = Block(region, tracks, model_parts(annotation, region))
    if block.empty:
        log.warning("segmentnt_tracks: no prediction in %s:%d-%d", *region)
    return block


def block_table(blocks: Sequence[Block]) -> pd.DataFrame:
    """Returns what the tracks draw, one row per bin, one column per feature and strand (`exon+`)."""
    tables = []
    for block in blocks:
        pairs = pair_up(block.tracks["feature"])
        rank = {element.feature: place for place, element in enumerate(one for pair in pairs for one in pair)}
        ranked = block.tracks.assign(rank=block.tracks["feature"].map(rank)).sort_values(["rank", "strand"])
        tables.append(widen(ranked, ["contig", "bin_start", "bin_end"]))
    return pd.concat(tables, ignore_index=True)
