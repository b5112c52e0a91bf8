"""Scores of predicted tracks against an annotation: every base of the regions, ties counted exactly.

The tracks are scored as written. Their rounding makes ties of the smallest probabilities, which for
features of few bases (splice sites) lowers AUROC by about 0.01 at a resolution of 0.001, and auPRC hardly.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnalm.errors import UserError
from dnalm.files import read_manifest
from dnalm.labels import CODING, FEATURES, label_track
from dnalm.metrics import (
    ScoreCounts,
    auroc_of,
    average_precision_of,
    best_mcc,
    count_levels,
    mcc_at,
)
from dnalm.stitching import Span, merge_spans
from dnalm.tracks import MISSING_LEVEL, open_track, read_levels

if TYPE_CHECKING:
    import pandas as pd

STRETCH_BP = 1 << 23  # bases labelled together: about 150 MB
METRIC_COLUMNS = (
    "feature",
    "labels",  # strand convention: own_strand (both strands pooled as separate positions) or either_strand
    "truth",  # all, or verified_cds: CDS and UTRs only where the annotation's CDS is verified
    "n_bases",
    "positives",
    "base_rate",
    "auprc",
    "auroc",
    "mcc",  # at 0.5
    "best_mcc",  # optimistic: its threshold is chosen on the same bases
    "best_mcc_threshold",
    "unpredicted_bases",
)
NOTHING = ScoreCounts(np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.int64))
log = logging.getLogger("dnalm")


def read_tracks(folder: str | Path) -> dict[str, Any]:
    """Returns the manifest content of a segmentation run whose tracks are complete.

    Raises:
        UserError: no such run, or one of its tracks is missing or incomplete.
    """
    if not Path(folder).is_dir():
        raise UserError(folder, "is no folder of tracks", "Run segment.py first.")
    content = dict(read_manifest(folder)["content"])
    if "tracks" not in content:
        raise UserError(folder, "holds no tracks of a segmentation", "Run segment.py first.")
    return content


def evaluate_tracks(
    folder: str | Path, about: Mapping[str, Any], table: pd.DataFrame, regions: Mapping[str, Sequence[Span]]
) -> pd.DataFrame:
    """Returns METRIC_COLUMNS, one row per feature that the annotation can tell.

    Args:
        about: of `read_tracks`.
        table: annotation table of `annotation.load_annotation`.
        regions: contig -> spans to score.
    """
    import pandas as pd

    known = {track["feature"] for track in about["tracks"].values()}
    features = [feature for feature in FEATURES if feature in known]
    if others := sorted(known - set(features)):
        log.warning("no labels for %s: not scored", ", ".join(others))
    counts, unpredicted = _count(Path(folder), about, table, regions, features)
    rows = [_row(feature, about["labels"], counts[feature], unpredicted[feature]) for feature in features]
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def _count(
    folder: Path,
    about: Mapping[str, Any],
    table: pd.DataFrame,
    regions: Mapping[str, Sequence[Span]],
    features: Sequence[str],
) -> tuple[dict[str, ScoreCounts], dict[str, int]]:
    """Returns counts per score, and bases without prediction, per feature over all strands and regions."""
    counts, unpredicted = dict.fromkeys(features, NOTHING), dict.fromkeys(features, 0)
    with ExitStack() as stack:
        files = {
            (track["feature"], track["strand"]): stack.enter_context(open_track(folder / name))
            for name, track in about["tracks"].items()
        }
        strands = sorted({strand for _, strand in files})
        for contig, start, end in _stretches(regions):
            for strand in strands:
                labels, scored = label_track(table, contig, end - start, features, strand, True, start)
                for column, feature in enumerate(features):
                    levels = read_levels(files[feature, strand], contig, start, end, about["resolution"])
                    wanted = scored[:, column]
                    predicted = wanted & (levels != MISSING_LEVEL)
                    counts[feature] += count_levels(
                        labels[predicted, column], levels[predicted], about["resolution"]
                    )
                    unpredicted[feature] += int(wanted.sum() - predicted.sum())
    return counts, unpredicted


def _stretches(regions: Mapping[str, Sequence[Span]]) -> Iterator[tuple[str, int, int]]:
    for contig, spans in regions.items():
        for start, end in merge_spans(spans):
            for at in range(start, end, STRETCH_BP):
                yield contig, at, min(end, at + STRETCH_BP)


def _row(feature: str, labels: str, counts: ScoreCounts, unpredicted: int) -> tuple[Any, ...]:
    best, threshold = best_mcc(counts)
    return (
        feature,
        labels,
        "verified_cds" if feature in CODING else "all",
        counts.count,
        int(counts.positives.sum()),
        counts.base_rate,
        average_precision_of(counts),
        auroc_of(counts),
        mcc_at(counts, 0.5),
        best,
        threshold,
        unpredicted,
    )
