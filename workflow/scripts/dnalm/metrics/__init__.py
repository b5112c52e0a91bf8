"""Metrics with their definitions: two classes, several classes, values, and how sure a score is."""

from dnalm.metrics.classes import accuracy, confusion, f1_macro, mcc_classes, one_against_rest
from dnalm.metrics.confidence import INTERVAL, paired_interval, resamples, spread
from dnalm.metrics.counts import (
    LEVELS,
    Calls,
    ScoreCounts,
    auroc,
    auroc_of,
    average_precision,
    average_precision_of,
    best_mcc,
    calls_at,
    count_levels,
    count_scores,
    first_called,
    mcc,
    mcc_at,
    mcc_curve,
)
from dnalm.metrics.values import pearson_r2, r2_score, spearman

__all__ = [
    "INTERVAL",
    "LEVELS",
    "Calls",
    "ScoreCounts",
    "accuracy",
    "auroc",
    "auroc_of",
    "average_precision",
    "average_precision_of",
    "best_mcc",
    "calls_at",
    "confusion",
    "count_levels",
    "count_scores",
    "f1_macro",
    "first_called",
    "mcc",
    "mcc_at",
    "mcc_classes",
    "mcc_curve",
    "one_against_rest",
    "paired_interval",
    "pearson_r2",
    "r2_score",
    "resamples",
    "spearman",
    "spread",
]
