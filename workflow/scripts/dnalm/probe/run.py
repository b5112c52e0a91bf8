"""Cross-validated probes: logistic regression on frozen features, one per fold of the task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dnalm import baselines
from dnalm.engine.h5ad import embedding_layers, read_embeddings
from dnalm.errors import UserError
from dnalm.metrics import auroc, average_precision, mcc

METRICS = ("mcc", "auroc", "auprc", "accuracy")
FOLD_COLUMNS = ("features", "layer", "fold", "n_train", "n_test", "base_rate", *METRICS)
PREDICTION_COLUMNS = ("name", "features", "layer", "fold", "label", "probability")
SUMMARY_COLUMNS = ("task", "features", "layer", "metric", "mean", "sd", "sd2", "folds", "n", "base_rate")
INVERSE_PENALTY = 1.0  # scikit-learn's C, on standardised features; nothing is tuned
MOST_ITERATIONS = 1000
TOLERANCE = 1e-3  # of the gradient; scores move by less than 0.001

FeatureSets = Iterator[tuple[int | None, Float[np.ndarray, "B D"]]]  # layer (None: has none), values


def feature_sets(features: str, task: pd.DataFrame) -> FeatureSets:
    """Yields the feature sets of a task's rows, in the task's order.

    Args:
        features: kmer, one_hot, or embeddings `FILE.h5ad` (every layer) or `FILE.h5ad:LAYER`.

    Raises:
        UserError: no such file or layer; names that do not match; values that are not finite.
    """
    if features == "kmer":
        yield None, baselines.kmer_counts(task["sequence"].tolist())
    elif features == "one_hot":
        yield None, baselines.one_hot(task["sequence"].tolist())
    else:
        path, _, layer = features.rpartition(":") if not Path(features).exists() else (features, "", "")
        if not path:
            known = ", ".join(baselines.BASELINES)
            raise UserError(
                features, "file of embeddings not found", f"Give a .h5ad file, or one of {known}."
            )
        if layer and not layer.isdecimal():
            raise UserError(features, f"layer {layer!r} is no number", "Write FILE.h5ad:12.")
        for number in [int(layer)] if layer else embedding_layers(path):
            yield number, embedding_rows(path, number, task["name"].tolist())


def embedding_rows(path: str | Path, layer: int, names: Sequence[str]) -> Float[np.ndarray, "B D"]:
    """Returns one layer's rows for these names, in their order, float32.

    Raises:
        UserError: a name has no row (with examples of both sides), or a value is not finite.
    """
    found, values = read_embeddings(path, layer)
    place = pd.Index(found).get_indexer(pd.Index(names))
    if (place < 0).any():
        missing = [name for name, row in zip(names, place, strict=True) if row < 0]
        raise UserError(
            path,
            f"{len(missing)} of {len(names)} names have no row (missing: {', '.join(missing[:3])}; "
            f"the file has: {', '.join(found[:3])})",
            "Embed these sequences.",
        )
    rows = values[place].astype(np.float32)
    if not np.isfinite(rows).all():
        name = names[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
        raise UserError(path, f"layer {layer} of {name} is missing (NaN or Inf)", "Embed again in float32.")
    return rows


def standardise(
    train: Float[np.ndarray, "N D"], other: Float[np.ndarray, "M D"]
) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "M D"]]:
    """Scales both by the mean and standard deviation of the first; constant columns become 0."""
    mean, spread = train.mean(axis=0, dtype=np.float64), train.std(axis=0, dtype=np.float64)
    scale = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > 1e-6 * (1 + np.abs(mean)))
    mean, scale = mean.astype(train.dtype), scale.astype(train.dtype)
    return (train - mean) * scale, (other - mean) * scale


def cross_validate(
    values: Float[np.ndarray, "B D"], labels: Int[np.ndarray, " B"], fold: Int[np.ndarray, " B"]
) -> Float[np.ndarray, " B"]:
    """Returns each row's probability of label 1 from the regression that did not see its fold."""
    import threadpoolctl
    from sklearn.linear_model import LogisticRegression

    probability = np.full(len(labels), np.nan)
    with threadpoolctl.threadpool_limits(1):  # the order of sums, and so the bytes, depend on threads
        for held in np.unique(fold):
            train = fold != held
            inputs, tested = standardise(values[train], values[~train])
            model = LogisticRegression(C=INVERSE_PENALTY, max_iter=MOST_ITERATIONS, tol=TOLERANCE)
            model.fit(inputs, labels[train])
            probability[~train] = model.predict_proba(tested)[:, 1]
    return probability


def score_folds(
    probability: Float[np.ndarray, " B"], labels: Int[np.ndarray, " B"], fold: Int[np.ndarray, " B"]
) -> pd.DataFrame:
    """Returns one row per fold: fold, n_train, n_test, base_rate and the metrics, called at 0.5."""
    rows = []
    for held in np.unique(fold):
        own = fold == held
        truth, score = labels[own] == 1, probability[own]
        called = score >= 0.5
        scores = (mcc(truth, called), auroc(truth, score), average_precision(truth, score))
        sizes = (int((~own).sum()), int(own.sum()))
        rows.append((int(held), *sizes, truth.mean(), *scores, (called == truth).mean()))
    return pd.DataFrame(rows, columns=list(FOLD_COLUMNS[2:]))


def run_probe(task: pd.DataFrame, features: str, name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Probes every layer of a feature set.

    Returns:
        FOLD_COLUMNS, one row per layer and fold; PREDICTION_COLUMNS, one row per layer and example.
    """
    labels, fold = task["label"].to_numpy(np.int64), task["fold"].to_numpy(np.int64)
    scores, predictions = [], []
    for layer, values in feature_sets(features, task):
        probability = cross_validate(values, labels, fold)
        about = {"features": name, "layer": np.nan if layer is None else float(layer)}
        scores.append(score_folds(probability, labels, fold).assign(**about))
        predictions.append(task[["name", "fold", "label"]].assign(probability=probability, **about))
    return (
        pd.concat(scores, ignore_index=True)[list(FOLD_COLUMNS)],
        pd.concat(predictions, ignore_index=True)[list(PREDICTION_COLUMNS)],
    )


def summarise(tables: Sequence[tuple[str, pd.DataFrame]], task: str) -> pd.DataFrame:
    """Returns SUMMARY_COLUMNS: per features, layer and metric the mean over folds, SD (n - 1) and 2 SD.

    Args:
        tables: where each came from, and its FOLD_COLUMNS.

    Raises:
        UserError: the same features and layer twice.
    """
    rows: list[tuple[object, ...]] = []
    seen: dict[tuple[str, object], str] = {}
    for where, table in tables:
        for (features, layer), own in table.groupby(["features", "layer"], sort=False, dropna=False):
            key = (features, "" if pd.isna(layer) else layer)
            if key in seen:
                raise UserError(where, f"repeats {features} of {seen[key]}", "Give each probe its own name.")
            seen[key] = where
            size, rate = int(own["n_test"].sum()), np.average(own["base_rate"], weights=own["n_test"])
            for metric in METRICS:
                sd = own[metric].std(ddof=1)
                rows.append(
                    (task, features, layer, metric, own[metric].mean(), sd, 2 * sd, len(own), size, rate)
                )
    return pd.DataFrame(rows, columns=list(SUMMARY_COLUMNS))
