"""Scores of predicted tracks against an annotation: every base of the regions, ties counted exactly.

The tracks are scored as written. Their rounding makes ties of the smallest probabilities, which for
features of few bases (splice sites) lowers AUROC by about 0.01 at a resolution of 0.001, and auPRC hardly.
Tracks of float32 are rounded to 0.0001 for counting.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnalm import metrics
from dnalm.errors import UserError
from dnalm.files import atomic_path, read_manifest
from dnalm.labels import CODING, known_features
from dnalm.segmentation import sov
from dnalm.segmentation.counting import Tallies, count_tracks
from dnalm.stitching import Span

if TYPE_CHECKING:
    import pandas as pd

SCORE_COLUMNS = (
    "labels",  # strand convention: own_strand (both strands pooled as separate positions) or either_strand
    "truth",  # all, or verified_cds: CDS and UTRs only where the annotation's CDS is verified
    "n_bases",
    "positives",
    "base_rate",
    "auprc",
    "auroc",
    "mcc",  # like the next four, of bases called from `threshold` on
    "best_mcc",  # optimistic: its threshold is chosen on the same bases
    "best_mcc_threshold",
    "unpredicted_bases",
    "threshold",
    "precision",
    "recall",
    "f1",
    "jaccard",
    "best_mcc_precision",  # as optimistic as best_mcc
    "best_mcc_recall",
    "best_mcc_f1",
    "best_mcc_jaccard",
)
SOV_COLUMNS = (
    "segments",  # of the feature in the annotation
    "sov",  # SOV_refine of these
    "sov_both_states",  # of the background's segments too
)
WINDOW_SOV = "sov_windows"  # SOV_refine of segments cut at the sampling's windows, each a sequence
SAMPLED = ("mcc", "auprc", "f1", "jaccard", WINDOW_SOV)  # with mean and SD over the samplings
METRIC_COLUMNS = (
    "feature",
    *SCORE_COLUMNS,
    *SOV_COLUMNS,
    "samplings",  # that hold a whole window
    "window_bp",  # of the samplings
    *(f"{name}_{what}" for name in SAMPLED for what in ("mean", "sd")),
)
CONTIG_COLUMNS = ("feature", "contig", *SCORE_COLUMNS, *SOV_COLUMNS)
GENE_TYPE_COLUMNS = ("feature", "gene_type", *SCORE_COLUMNS)
SAMPLING_COLUMNS = ("feature", "sampling", *SCORE_COLUMNS, WINDOW_SOV)
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Evaluation:
    """Tables of scores, each with one row per feature and what its second column names."""

    whole: pd.DataFrame  # METRIC_COLUMNS, one row per feature
    by_contig: pd.DataFrame  # CONTIG_COLUMNS
    by_gene_type: pd.DataFrame  # GENE_TYPE_COLUMNS
    by_sampling: pd.DataFrame  # SAMPLING_COLUMNS


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


def check_threshold(threshold: float) -> float:
    """Returns a probability from which bases are called.

    Raises:
        UserError: it is no probability.
    """
    if not 0 <= threshold <= 1:
        raise UserError("--threshold", f"is {threshold} (expected 0 to 1)", "Give 0.5, say.")
    return threshold


def evaluate_tracks(
    folder: str | Path,
    about: Mapping[str, Any],
    table: pd.DataFrame,
    regions: Mapping[str, Sequence[Span]],
    threshold: float = 0.5,
    window_bp: int | None = None,
) -> Evaluation:
    """Scores the features that the annotation can tell.

    Args:
        about: of `read_tracks`.
        table: annotation table of `annotation.load_annotation`.
        regions: contig -> spans to score.
        threshold: from which a base is called.
        window_bp: of the shifted samplings (`samplings`); none without it.
    """
    known = {track["feature"] for track in about["tracks"].values()}
    features = [feature for feature in known_features(table) if feature in known]
    if others := sorted(known - set(features)):
        log.warning("no labels for %s: not scored", ", ".join(others))
    tallies = count_tracks(
        Path(folder), about, table, regions, features, check_threshold(threshold), window_bp
    )
    return _tables(tallies, features, about["labels"], threshold, window_bp)


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Writes tables by file name, tab-separated, six digits, NA where there is no value."""
    for name, table in tables.items():
        with atomic_path(folder / name) as temporary:
            table.to_csv(
                temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n"
            )


def _tables(
    tallies: Tallies, features: Sequence[str], labels: str, threshold: float, window_bp: int | None
) -> Evaluation:
    import pandas as pd

    def rows(groups: Mapping[Any, Any], key: str) -> list[dict[str, Any]]:
        ordered = sorted(groups, key=lambda group: features.index(group[0]))
        return [
            {
                "feature": feature,
                key: name,
                **_scores(tallies, groups[feature, name], feature, labels, threshold),
            }
            for feature, name in ordered
        ]

    samplings = [
        {**row, WINDOW_SOV: tallies.window_overlaps[row["feature"], row["sampling"]].score()}
        for row in rows(tallies.samplings, "sampling")
    ]
    by_sampling = pd.DataFrame(samplings, columns=list(SAMPLING_COLUMNS))
    whole = []
    for feature in features:
        codes = sum(counts for (name, _), counts in tallies.contigs.items() if name == feature)
        parts = [found for (name, _), found in tallies.overlaps.items() if name == feature]
        sampled = by_sampling[(by_sampling["feature"] == feature) & (by_sampling["n_bases"] > 0)]
        whole.append(
            {
                "feature": feature,
                **_scores(tallies, codes, feature, labels, threshold),
                **_sov(reduce(sov.SegmentOverlap.__add__, parts)),
                "samplings": len(sampled),
                "window_bp": window_bp,
                **{f"{name}_mean": sampled[name].mean(skipna=False) for name in SAMPLED},
                **{f"{name}_sd": sampled[name].std(skipna=False) for name in SAMPLED},
            }
        )
    contigs = [
        row | _sov(tallies.overlaps[row["feature"], row["contig"]]) for row in rows(tallies.contigs, "contig")
    ]
    return Evaluation(
        pd.DataFrame(whole, columns=list(METRIC_COLUMNS)),
        pd.DataFrame(contigs, columns=list(CONTIG_COLUMNS)),
        pd.DataFrame(
            rows(dict(sorted(tallies.gene_types.items())), "gene_type"), columns=list(GENE_TYPE_COLUMNS)
        ),
        by_sampling,
    )


def _scores(tallies: Tallies, codes: Any, feature: str, labels: str, threshold: float) -> dict[str, Any]:
    counts = tallies.scores(codes)
    best, best_threshold = metrics.best_mcc(counts)
    ratios = ("precision", "recall", "f1", "jaccard")
    calls, best_calls = metrics.calls_at(counts, threshold), metrics.calls_at(counts, best_threshold)
    return {
        "labels": labels,
        "truth": "verified_cds" if feature in CODING else "all",
        "n_bases": counts.count,
        "positives": int(counts.positives.sum()),
        "base_rate": counts.base_rate,
        "auprc": metrics.average_precision_of(counts),
        "auroc": metrics.auroc_of(counts),
        "mcc": metrics.mcc_at(counts, threshold),
        "best_mcc": best,
        "best_mcc_threshold": best_threshold,
        "unpredicted_bases": tallies.unpredicted(codes),
        "threshold": threshold,
        **{name: getattr(calls, name) for name in ratios},
        **{f"best_mcc_{name}": getattr(best_calls, name) for name in ratios},
    }


def _sov(overlap: sov.SegmentOverlap) -> dict[str, Any]:
    return {
        "segments": overlap.segments,
        "sov": overlap.score(),
        "sov_both_states": overlap.score(sov.STATES),
    }
