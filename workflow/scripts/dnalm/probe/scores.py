"""Scores of a probe's predictions, for every type of task; definitions are those of `dnalm.metrics`."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num

from dnalm import metrics
from dnalm.suites import CLASS_METRICS, VALUE_METRICS

METRICS = (*CLASS_METRICS, *VALUE_METRICS)
SINGLE = ""  # the output of a task of one label
MEAN, POOLED = "mean", "pooled"


def metrics_of(kind: str) -> tuple[str, ...]:
    """Returns the names of the metrics of a type of task."""
    return VALUE_METRICS if kind.endswith("regression") else CLASS_METRICS


def score(
    kind: str, labels: Num[np.ndarray, "M O"], predicted: Float[np.ndarray, "M C"]
) -> dict[str, dict[str, float]]:
    """Scores predictions: output -> metric -> value.

    A task of one label has one output, SINGLE. One of several has MEAN (of the outputs' scores), POOLED (all
    outputs' rows as one sample) and each output by its number from 1.

    Args:
        predicted: probabilities or values (see `Targets`); two classes are called at 0.5.
    """
    if kind == "multiclass":
        return {SINGLE: _score_classes(labels[:, 0], predicted)}
    one = _score_values if kind.endswith("regression") else _score_binary
    if kind in ("binary", "regression"):
        return {SINGLE: one(labels[:, 0], predicted[:, 0])}
    each = {str(i + 1): one(labels[:, i], predicted[:, i]) for i in range(labels.shape[1])}
    mean = {name: float(np.mean([scores[name] for scores in each.values()])) for name in metrics_of(kind)}
    return {MEAN: mean, POOLED: one(labels.ravel(), predicted.ravel()), **each}


def base_rate(kind: str, labels: Num[np.ndarray, "M O"]) -> float:
    """Returns the share of label 1 (over all labels), or of the most frequent class; NaN for values."""
    if kind.endswith("regression") or not len(labels):
        return float("nan")
    if kind == "multiclass":
        return float(np.bincount(labels[:, 0]).max() / len(labels))
    return float(labels.mean())


def _score_binary(labels: Num[np.ndarray, " M"], chance: Float[np.ndarray, " M"]) -> dict[str, float]:
    truth = labels == 1
    table = metrics.confusion(truth.astype(np.int64), (chance >= 0.5).astype(np.int64), 2)
    counts = metrics.count_scores(truth, chance)
    ranking = metrics.auroc_of(counts), metrics.average_precision_of(counts)
    return dict(zip(CLASS_METRICS, (*_calls(table), *ranking), strict=True))


def _score_classes(labels: Num[np.ndarray, " M"], chances: Float[np.ndarray, "M C"]) -> dict[str, float]:
    table = metrics.confusion(labels.astype(np.int64), chances.argmax(axis=1), chances.shape[1])
    ranking = [
        metrics.one_against_rest(own, labels, chances) for own in (metrics.auroc, metrics.average_precision)
    ]
    return dict(zip(CLASS_METRICS, (*_calls(table), *ranking), strict=True))


def _calls(table: Num[np.ndarray, "C C"]) -> tuple[float, float, float]:
    return metrics.mcc_classes(table), metrics.f1_macro(table), metrics.accuracy(table)


def _score_values(observed: Num[np.ndarray, " M"], predicted: Float[np.ndarray, " M"]) -> dict[str, float]:
    own = (metrics.pearson_r2, metrics.r2_score, metrics.spearman)
    return {name: each(observed, predicted) for name, each in zip(VALUE_METRICS, own, strict=True)}
