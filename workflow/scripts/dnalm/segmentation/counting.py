"""One pass over tracks and annotation: bases per label and level, and the segments of both.

A base of a track has a code: its level, plus the number of levels where it is labelled, or one of two
codes beyond for a base without prediction or without known truth. Counting codes per stretch gives every
score exactly, and sums over contigs, samplings and types of genes cost nothing more.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int, UInt16

from dnalm.errors import UserError
from dnalm.labels import STRANDS, label_track
from dnalm.metrics import ScoreCounts, first_called
from dnalm.segmentation import sov
from dnalm.segmentation.samplings import kept_windows, make_pieces, shifts
from dnalm.stitching import Span, merge_spans
from dnalm.tracks import MISSING_LEVEL, open_track, read_levels

if TYPE_CHECKING:
    import pandas as pd

STRETCH_BP = 1 << 23  # bases labelled together: about 150 MB
FINEST = 1e-4  # step to which tracks of float32 are rounded for counting
Codes = Int[np.ndarray, " C"]  # how often each code occurs
Group = tuple[str, Any]  # feature, and a contig, the number of a sampling, or a type of gene


@dataclass
class Tallies:
    """Counts of codes by (feature, group), over both strands where a model has two."""

    resolution: float
    contigs: dict[Group, Codes] = field(default_factory=dict)
    samplings: dict[Group, Codes] = field(default_factory=dict)
    gene_types: dict[Group, Codes] = field(default_factory=dict)
    overlaps: dict[Group, sov.SegmentOverlap] = field(default_factory=dict)  # by contig
    window_overlaps: dict[Group, sov.SegmentOverlap] = field(default_factory=dict)  # by sampling

    @property
    def levels(self) -> int:
        """Number of levels, those of probability 0 and 1 included."""
        return round(1 / self.resolution) + 1

    def scores(self, codes: Codes) -> ScoreCounts:
        """Returns labels per score."""
        negatives, positives = codes[: self.levels], codes[self.levels : 2 * self.levels]
        seen = np.flatnonzero(negatives + positives)
        return ScoreCounts(seen * float(self.resolution), positives[seen], negatives[seen])

    def unpredicted(self, codes: Codes) -> int:
        """Returns how many bases of known truth have no prediction."""
        return int(codes[2 * self.levels])


def count_tracks(
    folder: Path,
    about: Mapping[str, Any],
    table: pd.DataFrame,
    regions: Mapping[str, Sequence[Span]],
    features: Sequence[str],
    threshold: float,
    window_bp: int | None,
) -> Tallies:
    """Reads every track once.

    Args:
        about: of `evaluation.read_tracks`.
        threshold: from which a base is called, for the segments.
        window_bp: of the samplings; none without it.

    Raises:
        UserError: a track holds values above 1.
    """
    resolution = about["resolution"]
    tallies = Tallies(FINEST if resolution == "float32" else float(resolution))
    cutoff = first_called(np.arange(tallies.levels) * tallies.resolution, threshold)
    with ExitStack() as stack:
        files = {
            (track["feature"], track["strand"]): (
                folder / name,
                stack.enter_context(open_track(folder / name)),
            )
            for name, track in about["tracks"].items()
        }
        for contig, spans in regions.items():
            for strand in sorted({strand for _, strand in files}):
                found: dict[str, _Parts] = defaultdict(_Parts)
                genes = gene_spans(table, contig, strand)
                for start, end, pieces in _stretches(spans, window_bp):
                    labels, scored = label_track(table, contig, end - start, features, strand, True, start)
                    for column, feature in enumerate(features):
                        path, track = files[feature, strand]
                        levels = read_levels(track, contig, start, end, tallies.resolution)
                        codes = _encode(levels, labels[:, column], scored[:, column], tallies.levels, path)
                        _count(tallies, codes, feature, contig, start, pieces, genes)
                        found[feature].add(codes, start, tallies.levels, cutoff)
                for feature, parts in found.items():
                    _overlap(tallies, parts, feature, contig, spans, window_bp)
    return tallies


def gene_spans(table: pd.DataFrame, contig: str, strand: str) -> dict[str, Int[np.ndarray, "_ 2"]]:
    """Returns type of gene -> spans of such genes on a strand of a contig, ascending and disjoint.

    Types are the annotation's own words (biotype, gene_biotype, gene_type); genes without one are left out.
    """
    genes = table[(table["contig"] == contig) & table["strand"].isin(STRANDS[strand])]
    genes = genes[(genes["type"] == "gene") & genes["biotype"].fillna("").ne("")]
    return {
        str(kind): np.array(merge_spans(list(zip(rows["start"], rows["end"], strict=True))))
        for kind, rows in genes.groupby("biotype")
    }


class _Parts:
    """Segments of one strand of a contig, stretch by stretch."""

    def __init__(self) -> None:
        self.reference: list[sov.Segments] = []
        self.predicted: list[sov.Segments] = []

    def add(self, codes: Int[np.ndarray, " S"], start: int, levels: int, cutoff: int) -> None:
        known = codes < 2 * levels
        positive = known & (codes >= levels)
        called = known & (codes - levels * positive >= cutoff)
        for parts, high in ((self.reference, positive), (self.predicted, called)):
            parts.append(sov.find_segments(known.astype(np.int8) + high, start))


def _overlap(
    tallies: Tallies, parts: _Parts, feature: str, contig: str, spans: Sequence[Span], window_bp: int | None
) -> None:
    both = sov.join_segments(parts.reference), sov.join_segments(parts.predicted)
    _add(tallies.overlaps, (feature, contig), sov.overlap_segments(*both))
    for number, shift in enumerate(shifts(window_bp) if window_bp else ()):
        windows = kept_windows(spans, shift, window_bp)
        cut = [sov.cut_segments(segments, windows) for segments in both]
        _add(tallies.window_overlaps, (feature, number), sov.overlap_segments(*cut))


def _stretches(
    spans: Sequence[Span], window_bp: int | None
) -> Iterator[tuple[int, int, list[tuple[int, int, Bool[np.ndarray, " N"]]]]]:
    """Yields start, end and the pieces within; without samplings a stretch is one piece."""
    for start, end in merge_spans(spans):
        whole = [(start, end, np.zeros(0, bool))]
        pieces = list(make_pieces(start, end, window_bp)) if window_bp else whole
        for low in range(start, end, STRETCH_BP):
            high = min(end, low + STRETCH_BP)
            within = [(max(a, low), min(b, high), held) for a, b, held in pieces if a < high and b > low]
            yield low, high, within


def _encode(
    levels: UInt16[np.ndarray, " S"],
    labels: Bool[np.ndarray, " S"],
    scored: Bool[np.ndarray, " S"],
    count: int,
    path: Path,
) -> Int[np.ndarray, " S"]:
    missing = levels == MISSING_LEVEL
    if (levels[~missing] >= count).any():
        raise UserError(path, "holds values above 1", "Run the segmentation again.")
    codes = levels.astype(np.intp)
    codes[labels] += count
    codes[missing] = 2 * count
    codes[~scored] = 2 * count + 1
    return codes


def _count(
    tallies: Tallies,
    codes: Int[np.ndarray, " S"],
    feature: str,
    contig: str,
    start: int,
    pieces: Sequence[tuple[int, int, Bool[np.ndarray, " N"]]],
    genes: Mapping[str, Int[np.ndarray, "_ 2"]],
) -> None:
    size = 2 * tallies.levels + 2
    for low, high, held in pieces:
        counts = np.bincount(codes[low - start : high - start], minlength=size)
        _add(tallies.contigs, (feature, contig), counts)
        for number in np.flatnonzero(held).tolist():
            _add(tallies.samplings, (feature, number), counts)
    for kind, spans in genes.items():
        within = np.clip(spans - start, 0, len(codes))
        within = within[within[:, 1] > within[:, 0]]
        if len(within):
            parts = [codes[low:high] for low, high in within]
            _add(tallies.gene_types, (feature, kind), np.bincount(np.concatenate(parts), minlength=size))


def _add(sums: dict[Group, Any], group: Group, more: Any) -> None:
    sums[group] = sums[group] + more if group in sums else more
