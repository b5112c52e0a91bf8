"""The elements of the SegmentNT paper, and what the figure of tracks draws: binned bigWigs, gene models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.figures import palette
from dnalm.figures.gene_models import model_parts
from dnalm.figures.genes import Region
from dnalm.figures.style import log
from dnalm.figures.track_data import MAX_BINS, bin_values
from dnalm.genome.regions import read_regions
from dnalm.labels import FEATURES, slug
from dnalm.tracks import open_track, read_values

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
    with open_track(next(iter(find_tracks(folder).values()))) as track:
        lengths: Mapping[str, int] = {str(name): int(length) for name, length in track.chroms().items()}
    regions = []
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
class Block:
    """One region of the figure: its binned tracks and the gene models in it."""

    region: Region
    tracks: pd.DataFrame  # TRACK_COLUMNS
    models: pd.DataFrame  # gene_models.MODEL_COLUMNS

    @property
    def bin_bp(self) -> int:
        """How many positions one drawn value sums up."""
        return int((self.tracks["bin_end"] - self.tracks["bin_start"]).max())

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
    contig, start, end = region
    size_bp = -(-(end - start) // MAX_BINS)
    starts = np.arange(start, end, size_bp)
    tables = []
    for (feature, strand), path in find_tracks(folder).items():
        with open_track(path) as track:
            if track.chroms(contig) is None or track.chroms(contig) < end:
                raise UserError(path, f"holds no {contig}:{start}-{end}", "Use the tracks of one genome.")
            values = read_values(track, contig, start, end)
        binned = bin_values(values, size_bp, np.nanmax if feature in PEAKED else np.nanmean)
        place = {"contig": contig, "bin_start": starts, "bin_end": np.minimum(starts + size_bp, end)}
        tables.append(pd.DataFrame({**place, "strand": strand, "feature": feature, "probability": binned}))
    tracks = pd.concat(tables, ignore_index=True)[list(TRACK_COLUMNS)]
    block = Block(region, tracks, model_parts(annotation, region))
    if block.empty:
        log.warning("segmentnt_tracks: no prediction in %s:%d-%d", *region)
    return block


def block_table(blocks: Sequence[Block]) -> pd.DataFrame:
    """Returns what the tracks draw, one row per bin, one column per feature and strand (`exon+`)."""
    tables = []
    for block in blocks:
        tracks = block.tracks.assign(column=block.tracks["feature"] + block.tracks["strand"].replace(".", ""))
        pairs = pair_up(tracks["feature"])
        rank = {element.feature: place for place, element in enumerate(one for pair in pairs for one in pair)}
        order = tracks.assign(rank=tracks["feature"].map(rank)).sort_values(["rank", "strand"])["column"]
        wide = tracks.pivot(index=["contig", "bin_start", "bin_end"], columns="column", values="probability")
        tables.append(wide[list(dict.fromkeys(order))].reset_index())
    return pd.concat(tables, ignore_index=True)
