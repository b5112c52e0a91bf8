"""The run that elements and browser files are made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnalm import files
from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.genome.regions import read_regions
from dnalm.segmentation.evaluation import read_tracks
from dnalm.stitching import Span


@dataclass(frozen=True)
class Source:
    """A complete segmentation run and the genome it read."""

    folder: Path
    about: Mapping[str, Any]  # content of the run's manifest
    lengths: Mapping[str, int]  # contig -> bp, in the genome's order
    spans: Mapping[str, Sequence[Span]]  # contig -> what was predicted

    @property
    def track_sums(self) -> dict[str, str]:
        """The tracks' sha256, of the run's own manifest: they are large, and were summed up once."""
        return {name: self.about["files"][name]["sha256"] for name in self.about["tracks"]}


def open_source(folder: str | Path, genome: Genome) -> Source:
    """Returns a run after checking that it is whole, and of this genome.

    Raises:
        UserError: no run, an incomplete one, or one of another genome.
    """
    about = read_tracks(folder)
    if about["inputs"]["genome"] != files.fingerprint(genome.path):
        raise UserError(genome.path, "is not the genome of these tracks", "Run segment.py on it.")
    return Source(Path(folder), about, genome.lengths, read_regions(about["regions"], genome.lengths))
