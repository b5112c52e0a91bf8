"""What the track figure draws: a model's bigWigs over a gene's region, binned, with the gene models there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from dnalm.errors import UserError
from dnalm.figures.gene_models import model_parts
from dnalm.figures.genes import Gene, Region
from dnalm.tracks import open_track, read_values

# slug of the bigWig -> how the positions that share a bin of the figure are summed up
SUMMARIES = {
    "exon": np.nanmean,
    "intron": np.nanmean,
    "splice_donor": np.nanmax,  # one base each: a mean would hide them
    "splice_acceptor": np.nanmax,
}
STRANDS = {"+": ".plus", "-": ".minus", ".": ""}  # "." marks a model whose tracks hold both strands
FLANK_SHARE, MIN_FLANK_BP = 0.08, 300
MAX_BINS = 1000  # about six per mm at 180 mm
BIN_COLUMNS = ("contig", "bin_start", "bin_end", "probability")
TRACK_COLUMNS = ("gene_id", "contig", "bin_start", "bin_end", "strand", "feature", "probability")


@dataclass(frozen=True)
class Stretch:
    """What is drawn of a region: its binned tracks and the gene models in it."""

    region: Region
    tracks: pd.DataFrame  # BIN_COLUMNS, strand, feature
    models: pd.DataFrame  # gene_models.MODEL_COLUMNS

    @property
    def bin_bp(self) -> int:
        """How many positions one drawn value sums up."""
        return int((self.tracks["bin_end"] - self.tracks["bin_start"]).max())


@dataclass(frozen=True)
class Panel(Stretch):
    """One gene's part of the figure; the tracks have TRACK_COLUMNS."""

    gene: Gene


def shown_region(gene: Gene, contig_bp: int) -> Region:
    """Returns the gene's region with flanks, cut at the contig's ends (0-based half-open)."""
    flank = max(MIN_FLANK_BP, int((gene.end - gene.start) * FLANK_SHARE))
    return gene.contig, max(0, gene.start - flank), min(contig_bp, gene.end + flank)


def track_files(folder: str | Path) -> dict[tuple[str, str], Path]:
    """Finds the bigWig of each drawn feature and strand: `exon.plus.bw`, `exon.minus.bw` or `exon.bw`.

    Raises:
        UserError: a feature has none.
    """
    folder, found = Path(folder), {}
    for slug in SUMMARIES:
        names = {strand: folder / f"{slug}{suffix}.bw" for strand, suffix in STRANDS.items()}
        here = {(slug, strand): path for strand, path in names.items() if path.exists()}
        if not here:
            raise UserError(
                folder,
                f"no track of {slug} (expected {slug}.bw, or {slug}.plus.bw and {slug}.minus.bw)",
                "Run the segmentation step for this folder.",
            )
        found.update(here)
    return found


def bin_values(
    values: Float[np.ndarray, " S"], size_bp: int, summary: Any = np.nanmean
) -> Float[np.ndarray, " B"]:
    """Sums up each bin of `size_bp` positions; a bin without any prediction stays NaN."""
    bins = -(-len(values) // size_bp)
    padded = np.full(bins * size_bp, np.nan, values.dtype)
    padded[: len(values)] = values
    table = padded.reshape(bins, size_bp)
    empty = np.isnan(table).all(axis=1)
    table[empty] = 0.0  # nanmean of nothing would warn
    result = np.asarray(summary(table, axis=1))
    return np.where(empty, np.nan, result).astype(values.dtype)


def read_bins(path: str | Path, region: Region, summary: Any = np.nanmean) -> pd.DataFrame:
    """Reads a bigWig over a region in at most MAX_BINS bins: BIN_COLUMNS.

    Raises:
        UserError: the track does not hold the region.
    """
    contig, start, end = region
    size_bp = -(-(end - start) // MAX_BINS)
    starts = np.arange(start, end, size_bp)
    with open_track(path) as track:
        if track.chroms(contig) is None or track.chroms(contig) < end:
            raise UserError(path, f"holds no {contig}:{start}-{end}", "Use the tracks of the same genome.")
        values = read_values(track, contig, start, end)
    place = {"contig": contig, "bin_start": starts, "bin_end": np.minimum(starts + size_bp, end)}
    return pd.DataFrame({**place, "probability": bin_values(values, size_bp, summary)})


def missing_spans(track: pd.DataFrame) -> list[tuple[int, int]]:
    """Returns the stretches of a binned track without a prediction as (start, end)."""
    missing = track[track["probability"].isna()]
    spans = missing.groupby((missing["bin_start"] != missing["bin_end"].shift()).cumsum())
    return [(int(span["bin_start"].iloc[0]), int(span["bin_end"].iloc[-1])) for _, span in spans]


def read_tracks(folder: str | Path, gene: Gene, region: Region) -> pd.DataFrame:
    """Reads the drawn features' probabilities over a region and bins them.

    Raises:
        UserError: a track is missing or does not hold the region.
    """
    tables = [
        read_bins(path, region, SUMMARIES[slug]).assign(gene_id=gene.gene_id, strand=strand, feature=slug)
        for (slug, strand), path in track_files(folder).items()
    ]
    return pd.concat(tables, ignore_index=True)[list(TRACK_COLUMNS)]


def contig_lengths(files: Mapping[tuple[str, str], Path]) -> dict[str, int]:
    """Returns the contigs of a run's tracks and their lengths in bases."""
    with open_track(next(iter(files.values()))) as track:
        return {str(contig): int(length) for contig, length in track.chroms().items()}


def make_panel(folder: str | Path, annotation: pd.DataFrame, gene: Gene, lengths: Mapping[str, int]) -> Panel:
    """Gathers what one gene's panel draws.

    Raises:
        UserError: a track is missing, or the gene's contig is in none.
    """
    if gene.contig not in lengths:
        raise UserError(
            folder, f"the tracks hold no contig {gene.contig} of gene {gene.gene_id}", "Name another."
        )
    region = shown_region(gene, lengths[gene.contig])
    return Panel(region, read_tracks(folder, gene, region), model_parts(annotation, region), gene)


def track_table(panels: Sequence[Panel]) -> pd.DataFrame:
    """Returns what the tracks draw, one row per bin, one column per feature and strand (`exon+`)."""
    index = ["gene_id", "contig", "bin_start", "bin_end"]
    return pd.concat([widen(panel.tracks, index) for panel in panels], ignore_index=True)


def widen(tracks: pd.DataFrame, index: list[str]) -> pd.DataFrame:
    """Returns one row per bin, one column per feature and strand, in the order of their first rows."""
    tracks = tracks.assign(column=tracks["feature"] + tracks["strand"].replace(".", ""))
    order = list(dict.fromkeys(tracks["column"]))
    return tracks.pivot(index=index, columns="column", values="probability")[order].reset_index()
