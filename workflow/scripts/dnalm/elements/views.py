"""The tracks of a run as browsers show them, in one order for all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnalm.elements.features import ONE_BASE, STRAND_WORDS, kind_of, rgb
from dnalm.genome import regions

FIRST_LOOK_BP = 50_000  # a browser opens with so many bases of the first region
SIGNS = {"+": " +", "-": " \u2212", "either": ""}


@dataclass(frozen=True)
class View:
    """One bigWig."""

    file: str
    name: str  # unique, letters, digits and underscores, a letter first
    feature: str
    strand: str
    colour: str  # R,G,B

    @property
    def label(self) -> str:
        """Short, with the strand's sign."""
        return kind_of(self.feature).label + SIGNS[self.strand]

    @property
    def description(self) -> str:
        """For a reader who sees nothing else."""
        return f"Probability of {self.feature.replace('_', ' ')}, {STRAND_WORDS[self.strand]}"

    @property
    def is_one_base(self) -> bool:
        """Whether a mean over many bases would hide what the track shows."""
        return self.feature in ONE_BASE


def views(about: Mapping[str, Any]) -> dict[str, list[View]]:
    """Returns feature -> its tracks, features in the model's order, plus strand before minus.

    Args:
        about: of `segmentation.evaluation.read_tracks`.
    """
    found: dict[str, list[View]] = {}
    for file, track in about["tracks"].items():
        view = View(file, safe_name(file.removesuffix(".bw")), **track, colour=rgb(**track))
        found.setdefault(view.feature, []).append(view)
    return found


def safe_name(text: str) -> str:
    """Returns a name that UCSC takes for a track or genome."""
    return re.sub(r"^(?![A-Za-z])", "n_", re.sub(r"\W", "_", text, flags=re.ASCII))


def first_look(about: Mapping[str, Any]) -> str:
    """Returns where a browser opens, as `contig:start-end`, 1-based."""
    contig, start, end = regions.parse_region(about["regions"][0])
    return f"{contig}:{start + 1}-{min(end, start + FIRST_LOOK_BP)}"
