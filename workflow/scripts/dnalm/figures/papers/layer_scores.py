"""Probes' scores by the layer they read: gathered from their folders, and described."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm import leaderboard, metrics, probe
from dnalm.errors import UserError
from dnalm.figures import palette
from dnalm.figures.benchmark_rows import LEAST
from dnalm.figures.tables import baseline_of, feature_label, folds_text, task_title

# mean, sd2: over folds, with the sweep's penalty. chosen: how many folds chose this layer (and pooling) for
# the score that is reported. penalty: of the sweep; empty where an MLP's steps were chosen instead.
LAYER_COLUMNS = (
    "task", "metric", "features", "layer", "pooling", "head", "choice", "penalty", "mean", "sd2", "folds",
    "n", "scored", "chosen",
)  # fmt: skip
FIXED = "fixed"  # the choice of a sweep's linear probes
TRIED = "layer"  # the choice of a probe that took a layer in each fold


def gather_layers(summaries: Sequence[str | Path], metric: str | None = None) -> pd.DataFrame:
    """Returns LAYER_COLUMNS of several tasks, from the probes' folders beside their summaries.

    Features whose sweep is missing are one row without a score, so are those of no layers (fine-tuned).

    Args:
        metric: instead of that by which each task is judged.

    Raises:
        UserError: no summaries, a task's result or metric is missing, or a table is not in order.
    """
    if metric is not None and metric not in probe.METRICS:
        raise UserError(
            f"metric {metric!r}", f"is not known (expected one of {', '.join(probe.METRICS)})", "Name one."
        )
    rows: list[dict[str, object]] = []
    for path, entry in zip(summaries, leaderboard.read_entries(summaries), strict=True):
        name = metric or entry.metric
        for features in dict.fromkeys(entry.summary["features"].astype(str)):
            about = {"task": entry.name, "metric": name, "features": features}
            rows += [about | row for row in _layers_of(Path(path).parent / features, name)]
    return pd.DataFrame(rows).reindex(columns=list(LAYER_COLUMNS))


def _layers_of(folder: Path, metric: str) -> list[dict[str, object]]:
    if not (folder / "sweep.tsv").exists() or not (folder / "folds.tsv").exists():
        return [{}]
    sweep, folds = (probe.read_folds(folder / name) for name in ("sweep.tsv", "folds.tsv"))
    if (sweep["choice"] == FIXED).any():
        sweep = sweep[sweep["choice"] == FIXED]
    taken = folds[folds["choice"] == TRIED]
    rows = []
    for (layer, pooling), own in sweep.groupby([sweep["layer"].fillna(-1), "pooling"], sort=True):
        mean, _, sd2 = metrics.spread(own[metric].to_numpy(np.float64))
        tested = (own["scored"] == "test").all()
        rows.append(
            {
                **{
                    key: own[key].iloc[0]
                    for key in ("layer", "pooling", "head", "choice", "penalty", "scored")
                },
                **{"mean": mean, "sd2": sd2, "folds": len(own)},
                "n": int(own["n_test"].iloc[0] if tested else own["n_test"].sum()),
                "chosen": int(((taken["layer"] == layer) & (taken["pooling"] == pooling)).sum()),
            }
        )
    return rows


def lost_layers(table: pd.DataFrame) -> list[str]:
    """Returns what has no score: a layer's, or all of a set of features."""
    lost = table[table["mean"].isna()] if len(table) else table
    names = [", ".join(filter(None, task_title(str(task)))) for task in lost["task"]]
    labels = [feature_label(str(row.features), row.layer) for row in lost.itertuples()]
    return [f"{label} ({name})" for label, name in zip(labels, names, strict=True)]


def penalty_text(table: pd.DataFrame) -> str:
    """Returns the penalty of the sweep's linear probes in brackets, empty where there is none."""
    linear = table[table["choice"] == FIXED] if len(table) else table
    values = sorted(linear["penalty"].dropna().unique()) if len(linear) else []
    return f" ({'/'.join(f'{value:g}' for value in values)})" if values else ""


def describe(table: pd.DataFrame, gone: Sequence[str]) -> str:
    """Says what lines, bands and ticks are, and what is not drawn.

    Args:
        table: LAYER_COLUMNS.
        gone: see `lost_layers`.
    """
    if table.empty:
        return "No probe of these tasks has a result."
    text = (
        f"Lines: mean over {folds_text(table)} folds; bands, or whiskers: ± 2 s.d. over folds; hollow grey "
    )
    text += (
        "marks: the same network with random weights; grey lines: baselines of the sequence, same penalty."
    )
    if table["chosen"].sum():
        text += (
            " Ticks at the foot: the layer that each fold's reported probe chose inside its training rows."
        )
    layers = table.dropna(subset="layer").groupby(["task", "features"], sort=False)["layer"].nunique()
    alone = dict.fromkeys(name for (_, name), count in layers.items() if count == 1)
    text += f" One layer only: {', '.join(feature_label(name, '') for name in alone)}." if alone else ""
    several = table.groupby(["task", "features"])["pooling"].nunique().gt(1).any()
    text += " Dotted: another pooling than the mean." if several else ""
    mlp = sorted(set(table.loc[table["head"] == "mlp", "features"]))
    text += f" MLP probes, stopped inside the training rows: {', '.join(mlp)}." if mlp else ""
    own = table["layer"].isna() & table["mean"].notna() & table["features"].map(baseline_of).eq("")
    tuned = dict.fromkeys(table.loc[own, "features"])
    text += f" Without layers, not drawn: {', '.join(tuned)}." if tuned else ""
    text += f" Below {palette.MINUS}1, not drawn in full: see table." if (table["mean"] < LEAST).any() else ""
    return text + (f" No value: {', '.join(gone)}." if gone else "")
