"""Scores of expression predicted out of fold, per feature set, value column, subset and kind of folds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dnalm.expression.features import FeatureSet
from dnalm.expression.ridge import cross_validate
from dnalm.metrics import pearson_r2, r2_score

METRIC_COLUMNS = (
    "features", "layer", "value_column", "subset", "folds", "n", "groups",
    "r2_pearson", "R2_pooled", "R2_mean", "R2_2sd",
)  # fmt: skip
PREDICTION_COLUMNS = (
    "gene_id", "value_column", "features", "layer", "observed", "predicted", "fold", "held_out",
    "expressed", "predicted_expressed",
)  # fmt: skip
LEAST_GENES = 20  # of a subset; fewer say nothing


@dataclass(frozen=True)
class Genes:
    """What is the same for every feature set; rows are genes, V value columns.

    Attributes:
        values: log2 expression, missing where not measured.
        expressed: None where the table does not say.
        folds: kind of folds (grouped, random) -> group of each gene, fold of each gene.
    """

    names: Sequence[str]
    columns: Sequence[str]
    values: Float[np.ndarray, "B V"]
    expressed: Bool[np.ndarray, "B V"] | None
    held_out: Bool[np.ndarray, " B"]
    folds: dict[str, tuple[Int[np.ndarray, " B"], Int[np.ndarray, " B"]]]


def evaluate(genes: Genes, sets: Sequence[FeatureSet]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cross-validates every feature set; returns METRIC_COLUMNS and PREDICTION_COLUMNS.

    Subsets: `all`; `expressed`, fitted and scored on expressed genes alone; `held_out`, the genes of the
    held-out regions as the fit on all genes predicts them when their own fold is left out. The predictions
    are those of grouped folds.
    """
    metrics, predictions = [], []
    for features in sets:
        predicted: dict[tuple[str, str], np.ndarray] = {}
        for kind in genes.folds:
            for subset, members in _fitted(genes):
                found = predicted[kind, subset] = _predict(genes, features, members, kind)
                metrics += _rows(genes, features, subset, kind, found)
            held_out = np.where(genes.held_out[:, None], predicted[kind, "all"], np.nan)
            metrics += _rows(genes, features, "held_out", kind, held_out)
        predictions += _predictions(genes, features, predicted)
    return pd.DataFrame(metrics, columns=list(METRIC_COLUMNS)), pd.concat(predictions, ignore_index=True)


def _fitted(genes: Genes) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each subset that has its own fit, and which genes of which value columns belong to it."""
    measured = ~np.isnan(genes.values)
    yield "all", measured
    if genes.expressed is not None:
        yield "expressed", measured & genes.expressed


def _predict(
    genes: Genes, features: FeatureSet, members: Bool[np.ndarray, "B V"], kind: str
) -> Float[np.ndarray, "B V"]:
    """Predicts each value column from its own members; columns with the same members share the work."""
    predicted, (groups, fold) = np.full(genes.values.shape, np.nan), genes.folds[kind]
    for pattern in np.unique(members, axis=1).T:
        columns = np.flatnonzero((members == pattern[:, None]).all(axis=0))
        if pattern.sum() < LEAST_GENES or len(np.unique(fold[pattern])) < 2:
            continue
        cells = np.ix_(pattern, columns)
        predicted[cells], _ = cross_validate(
            features.values[pattern], genes.values[cells], groups[pattern], fold[pattern]
        )
    return predicted


def _rows(
    genes: Genes, features: FeatureSet, subset: str, kind: str, predicted: Float[np.ndarray, "B V"]
) -> Iterator[tuple[object, ...]]:
    for place, column in enumerate(genes.columns):
        used = ~np.isnan(predicted[:, place])
        if used.sum() < LEAST_GENES:
            continue
        observed, guess = genes.values[used, place], predicted[used, place]
        groups, fold = (numbers[used] for numbers in genes.folds[kind])
        each = [r2_score(observed[fold == number], guess[fold == number]) for number in np.unique(fold)]
        each = [value for value in each if np.isfinite(value)]  # a fold of one gene has none
        mean, spread = (np.mean(each), 2 * np.std(each, ddof=1)) if len(each) > 1 else (np.nan, np.nan)
        scores = (pearson_r2(observed, guess), r2_score(observed, guess), float(mean), float(spread))
        sizes = (int(used.sum()), len(np.unique(groups)))
        yield (features.name, features.layer, column, subset, kind, *sizes, *scores)


def _predictions(
    genes: Genes, features: FeatureSet, predicted: dict[tuple[str, str], np.ndarray]
) -> Iterator[pd.DataFrame]:
    missing = np.full(genes.values.shape, np.nan)
    for place, column in enumerate(genes.columns):
        table = pd.DataFrame({"gene_id": list(genes.names)})
        table = table.assign(value_column=column, features=features.name, layer=features.layer)
        table["observed"] = genes.values[:, place]
        table["predicted"] = predicted["grouped", "all"][:, place]
        table["fold"], table["held_out"] = genes.folds["grouped"][1], genes.held_out
        expressed = None if genes.expressed is None else genes.expressed[:, place]
        table["expressed"] = pd.array([pd.NA] * len(table) if expressed is None else expressed, "boolean")
        table["predicted_expressed"] = predicted.get(("grouped", "expressed"), missing)[:, place]
        yield table.loc[table["predicted"].notna(), list(PREDICTION_COLUMNS)]
