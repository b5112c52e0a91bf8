"""The summary of a task's probes: means, spreads, intervals, and the distance to the best baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float

from dnalm import metrics
from dnalm.baselines import is_baseline
from dnalm.errors import UserError
from dnalm.probe.run import prediction_columns
from dnalm.probe.scores import MEAN, METRICS, SINGLE, metrics_of, score
from dnalm.tasks import label_columns, label_values, task_type

# low, high: the interval over resampled groups of rows. difference: to the best baseline (by its mean), fold
# by fold, with its 2 SD and interval over the same resamples; empty for baselines.
SUMMARY_COLUMNS = (
    "task", "features", "layer", "metric", "mean", "sd", "sd2", "folds", "n", "base_rate", "head", "choice",
    "scored", "low", "high", "best_baseline", "difference", "difference_sd2", "difference_low",
    "difference_high",
)  # fmt: skip


@dataclass(frozen=True)
class Probe:
    """The folds of one probe of a task, and its resampled scores."""

    features: str
    layer: float  # NaN where there is none, or several were chosen from
    folds: pd.DataFrame
    resampled: dict[str, Float[np.ndarray, " R"]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        return self.features if np.isnan(self.layer) else f"{self.features}:{self.layer:g}"


def split_probes(
    tables: Sequence[tuple[str, pd.DataFrame, pd.DataFrame | None]],
) -> list[Probe]:
    """Returns the probes of several tables of folds.

    Args:
        tables: where each came from, its FOLD_COLUMNS, and its predictions (None: no intervals).

    Raises:
        UserError: the same features and layer twice, or other rows than in the first table.
    """
    found: list[Probe] = []
    seen: dict[str, str] = {}
    first: tuple[str, pd.Series] | None = None
    for where, table, predictions in tables:
        layers = table["layer"].where(table["choice"] != "layer")
        for layer, own in table.groupby(layers.fillna(-1), sort=False):
            probe = Probe(str(own["features"].iloc[0]), np.nan if layer < 0 else float(layer), own)
            if probe.label in seen:
                raise UserError(
                    where, f"repeats {probe.label} of {seen[probe.label]}", "Give each probe its own name."
                )
            seen[probe.label] = where
            if predictions is not None:
                rows = predictions
                if not np.isnan(probe.layer):
                    rows = predictions[predictions["layer"] == probe.layer]
                names = rows["name"].reset_index(drop=True)
                if first is not None and not names.equals(first[1]):
                    raise UserError(
                        where, f"predicts other rows than {first[0]}", "Run train_probe.py again."
                    )
                first = first or (where, names)
                probe = Probe(probe.features, probe.layer, own, resampled_scores(rows))
            found.append(probe)
    return found


def resampled_scores(predictions: pd.DataFrame) -> dict[str, Float[np.ndarray, " R"]]:
    """Returns each metric's mean over folds, for resamples of the groups of rows.

    Rows of an official test set are drawn once for all folds' probes, held-out rows within their fold.
    """
    kind, labels = task_type(predictions), label_values(predictions)
    count = len([column for column in predictions if column.startswith("probability_class_")])
    columns = prediction_columns(kind, count or len(label_columns(predictions)))
    predicted, fold = predictions[columns].to_numpy(np.float64), predictions["fold"].to_numpy(np.int64)
    group = predictions["group"].to_numpy(np.int64)
    numbers, tested = np.unique(fold), (predictions["scored"] == "test").all()
    parts = [np.flatnonzero(fold == number) for number in numbers]
    drawn = parts[0] if tested else np.arange(len(fold))
    scores = []
    for rows in metrics.resamples(group[drawn], np.zeros(len(drawn), np.int64) if tested else fold):
        each = (
            [part[rows] for part in parts] if tested else [rows[fold[rows] == number] for number in numbers]
        )
        found = [score(kind, labels[own], predicted[own]) for own in each]
        scores.append(
            [
                np.mean([one.get(SINGLE, one.get(MEAN, {}))[name] for one in found])
                for name in metrics_of(kind)
            ]
        )
    values = np.array(scores).reshape(-1, len(metrics_of(kind)))
    return dict(zip(metrics_of(kind), values.T, strict=True))


def summarise(tables: Sequence[tuple[str, pd.DataFrame, pd.DataFrame | None]], task: str) -> pd.DataFrame:
    """Returns SUMMARY_COLUMNS: per features, layer and metric the mean over folds, SD (n - 1) and 2 SD.

    Args:
        tables: see `split_probes`.
    """
    probes, rows = split_probes(tables), []
    baselines = [probe for probe in probes if is_baseline(probe.features)]
    used = [name for name in METRICS if any(probe.folds[name].notna().any() for probe in probes)]
    best = {
        name: max(
            (probe for probe in baselines if np.isfinite(probe.folds[name].mean())),
            key=lambda probe: probe.folds[name].mean(),
            default=None,
        )
        for name in used
    }
    for probe in probes:
        for name in used:
            rows.append({"task": task, **_summary(probe, name, best[name])})
    return pd.DataFrame(rows).reindex(columns=list(SUMMARY_COLUMNS))


def _summary(probe: Probe, name: str, best: Probe | None) -> dict[str, object]:
    folds, own = probe.folds, probe.folds[name].to_numpy(np.float64)
    mean, sd, sd2 = metrics.spread(own)
    tested = (folds["scored"] == "test").all()
    resampled = probe.resampled.get(name, np.empty(0))
    low, high = metrics.paired_interval(resampled)
    row: dict[str, object] = {
        "features": probe.features, "layer": probe.layer, "metric": name, "mean": mean, "sd": sd, "sd2": sd2,
        "folds": len(folds), "n": int(folds["n_test"].iloc[0] if tested else folds["n_test"].sum()),
        "base_rate": float(np.average(folds["base_rate"], weights=folds["n_test"])),
        "head": "+".join(sorted(folds["head"].unique())), "choice": folds["choice"].iloc[0],
        "scored": folds["scored"].iloc[0],
        "low": low, "high": high,
    }  # fmt: skip
    if best is None or is_baseline(probe.features):
        return row
    other = best.folds.set_index("fold")[name].reindex(folds["fold"]).to_numpy(np.float64)
    difference, _, spread = metrics.spread(own - other)
    row |= {"best_baseline": best.label, "difference": difference, "difference_sd2": spread}
    others = best.resampled.get(name, np.empty(0))
    if len(others) == len(resampled):
        low, high = metrics.paired_interval(resampled, others)
        row |= {"difference_low": low, "difference_high": high}
    return row
