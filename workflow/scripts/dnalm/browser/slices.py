"""The part of a run that a page carries: its sequence, tracks, genes and elements, as data URIs.

A slice keeps the coordinates of the whole contig. Genes and elements that reach over its borders stay whole.
"""

from __future__ import annotations

import gzip
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float32

from dnalm.bigwig import BigWigWriter
from dnalm.elements.genes import bed12
from dnalm.elements.views import View
from dnalm.errors import UserError
from dnalm.figures.genes import Region
from dnalm.genome import Genome
from dnalm.genome.regions import read_regions
from dnalm.report.images import data_uri
from dnalm.stitching import merge_spans
from dnalm.tracks import MISSING_LEVEL, open_track, read_values, to_levels

if TYPE_CHECKING:
    import pandas as pd

RESOLUTION = 0.01  # step between two probabilities of a page: finer ones need twice the bytes, and no eye
FASTA_COLUMNS = 60
NOT_IN_NAMES = ":"  # igv.js parts a FASTA header's contig from its place there


@dataclass(frozen=True)
class Inputs:
    """What slices are cut from.

    Attributes:
        folder: of the run.
        views: its tracks, in the order of display.
        annotation: table of `annotation.load_annotation`; None where the genome has none.
        elements: lines of BED, with their ends.
    """

    genome: Genome
    folder: Path
    views: Sequence[View]
    annotation: pd.DataFrame | None
    elements: Sequence[str]

    def narrowed(self, regions: Sequence[Region]) -> Inputs:
        """Returns the same without the genes and elements that do not touch the regions."""
        table = None if self.annotation is None else touching(self.annotation, regions)
        return replace(self, annotation=table, elements=bed_lines(self.elements, regions))


@dataclass(frozen=True)
class Slices:
    """Data URIs of what lies in the regions; an empty one where there is nothing to show."""

    regions: Sequence[Region]
    fasta: str
    tracks: Sequence[str]  # one per view
    genes: str
    elements: str


def joined_regions(texts: Sequence[str], lengths: Mapping[str, int]) -> list[Region]:
    """Returns named regions in the genome's order, those that overlap or touch as one.

    Raises:
        UserError: a region does not lie on the genome, or its contig's name holds a colon.
    """
    named = read_regions(texts, lengths)
    if wrong := [contig for contig in named if NOT_IN_NAMES in contig]:
        raise UserError(
            f"contig {wrong[0]}", "has a colon in its name, which igv.js cannot show", "Name other regions."
        )
    return [(contig, *span) for contig, spans in named.items() for span in merge_spans(spans)]


def cut_slices(inputs: Inputs, regions: Sequence[Region], resolution: float | None = RESOLUTION) -> Slices:
    """Returns all that a page shows of some regions.

    Args:
        regions: disjoint, in the genome's order.
        resolution: step between two probabilities; None keeps them as they are.

    Raises:
        UserError: a track is missing, damaged, or of another genome.
    """
    lengths, near = inputs.genome.lengths, inputs.narrowed(regions)
    return Slices(
        regions,
        _packed(fasta_of(inputs.genome, regions).encode()),
        [
            _packed(bigwig_of(inputs.folder / view.file, regions, lengths, resolution))
            for view in inputs.views
        ],
        "" if near.annotation is None else _packed(bed12(near.annotation, lengths).encode()),
        _packed("".join(near.elements).encode()),
    )


def _packed(data: bytes) -> str:
    """Returns gzip as a data URI: a small bigWig is mostly the empty rest of its index's nodes."""
    return data_uri("application/gzip", gzip.compress(data, mtime=0)) if data else ""


def fasta_of(genome: Genome, regions: Sequence[Region]) -> str:
    """Returns FASTA whose headers say where a sequence begins (1-based) and how long its contig is.

    Source of the form: igv.js reads `>contig:start-end @len=length` as part of a longer contig.
    """
    lines = []
    for contig, start, end in regions:
        lines.append(f">{contig}:{start + 1}-{end} @len={genome.lengths[contig]}")
        text = genome.fetch(contig, start, end)
        lines += [text[at : at + FASTA_COLUMNS] for at in range(0, len(text), FASTA_COLUMNS)]
    return "\n".join(lines) + "\n"


def bigwig_of(
    path: Path, regions: Sequence[Region], lengths: Mapping[str, int], resolution: float | None = RESOLUTION
) -> bytes:
    """Returns a bigWig of the regions alone; bases without a prediction have no value there either.

    Args:
        lengths: contig -> bp of the whole genome.

    Raises:
        UserError: the track is missing, damaged, or of another genome.
    """
    contigs = {contig: lengths[contig] for contig, _, _ in regions}
    with tempfile.TemporaryDirectory() as folder, open_track(path) as track:
        for contig, length in contigs.items():
            if track.chroms(contig) != length:
                raise UserError(
                    path,
                    f"is of another genome ({contig}: found {track.chroms(contig)} bp, expected {length})",
                    "Name the genome that was segmented.",
                )
        sliced = Path(folder) / path.name
        writer = BigWigWriter(sliced, contigs)
        for contig, start, end in regions:
            writer.add(contig, start, _values(track, (contig, start, end), resolution))
        writer.close()
        return sliced.read_bytes()


def _values(track: Any, region: Region, resolution: float | None) -> Float32[np.ndarray, " S"]:
    values = read_values(track, *region)
    if resolution is None:
        return values
    levels = to_levels(values, resolution)
    return np.where(levels == MISSING_LEVEL, np.nan, levels * resolution).astype(np.float32)


def touching(annotation: pd.DataFrame, regions: Sequence[Region]) -> pd.DataFrame:
    """Returns the rows of the transcripts with an exon or intron in the regions, each whole."""
    named = annotation[annotation["transcript_id"] != ""]
    keys = ["contig", "transcript_id"]
    spans = named.groupby(keys, observed=True).agg(start=("start", "min"), end=("end", "max")).reset_index()
    inside = spans["start"] < 0
    for contig, start, end in regions:
        inside |= (spans["contig"] == contig) & (spans["start"] < end) & (spans["end"] > start)
    return named.merge(spans.loc[inside, keys], on=keys)


def read_elements(path: Path) -> list[str]:
    """Returns the lines of a run's elements; none where they were not called.

    Raises:
        UserError: a line is no element of this run's form.
    """
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as handle:
        lines = list(handle)
    for number, line in enumerate(lines, start=1):
        _, *place = line.rstrip("\n").split("\t")[:3]
        if len(place) < 2 or not (place[0].isdecimal() and place[1].isdecimal() and line.endswith("\n")):
            raise UserError(f"{path}:{number}", "is no whole line of BED", "Call the elements again.")
    return lines


def bed_lines(lines: Sequence[str], regions: Sequence[Region]) -> list[str]:
    """Returns the lines of BED whose elements touch the regions."""
    kept = []
    for line in lines:
        contig, first, last = line.split("\t", 3)[:3]
        if any(contig == name and int(first) < end and int(last) > start for name, start, end in regions):
            kept.append(line)
    return kept
