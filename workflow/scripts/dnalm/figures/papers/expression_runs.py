"""Observed and predicted values of runs on one's own expression table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.figures.papers.predictions import HELD_OUT, Predicted
from dnalm.figures.tables import (
    EXPRESSION_COLUMNS,
    PREDICTION_COLUMNS,
    baseline_of,
    feature_order,
    layer_text,
    read_table,
)
from dnalm.files import read_json
from dnalm.metrics import r2_score

MEAN = "mean"  # the column that expression runs add: an average of the others, no tissue
DIFFERENCE = 1e-3  # between a run's table (6 digits) and its predictions


def read_expression_run(metrics: str | Path, predictions: str | Path, species: str) -> list[Predicted]:
    """Reads what predict_expression.py wrote: every set of features, of several layers the deepest.

    Raises:
        UserError: a table is missing, or the two are not of the same run.
    """
    scores = read_table(metrics, EXPRESSION_COLUMNS, "expression table")
    table = read_table(predictions, (*PREDICTION_COLUMNS, "fold"), "table of predictions")
    columns = list(dict.fromkeys(table["value_column"].astype(str)))
    columns = [column for column in columns if column != MEAN] or columns
    manifest = Path(f"{metrics}.manifest.json")
    unit = str(read_json(manifest)["content"].get("unit", "")) if manifest.exists() else ""
    deepest = {features: layer for features, layer in feature_order(table)}
    found = []
    for features, layer in deepest.items():
        own = table[(table["features"] == features) & (table["layer"].map(layer_text) == layer)]
        one = _of_cells(own, (species, features, layer), columns, unit)
        _check_run(one, scores, str(predictions))
        found.append(one)
    return sorted(found, key=lambda one: bool(baseline_of(one.features)))


def _of_cells(own: pd.DataFrame, about: tuple[str, str, str], columns: list[str], unit: str) -> Predicted:
    cells = own.set_index(["gene_id", "value_column"])
    observed, predicted = (
        cells[name].unstack().reindex(columns=columns) for name in ("observed", "predicted")
    )
    fold = own.groupby("gene_id")["fold"].first().reindex(observed.index).to_numpy(np.int64)
    values = observed.to_numpy(np.float64), predicted.to_numpy(np.float64)[None]
    why = "other genes than the published test set"
    return Predicted(*about, tuple(observed.index), tuple(columns), *values, fold, HELD_OUT, why, "", unit)


def _check_run(one: Predicted, scores: pd.DataFrame, where: str) -> None:
    """Refuses predictions that do not give the scores of the table beside them."""
    own = scores[(scores["features"] == one.features) & (scores["layer"].map(layer_text) == one.layer)]
    own = own[(own["subset"] == "all") & (own["folds"] == "grouped")].set_index("value_column")["R2_pooled"]
    for place, column in enumerate(one.outputs):
        pair = one.observed[:, place], one.predicted[0][:, place]
        kept = np.isfinite(pair[0]) & np.isfinite(pair[1])
        if not kept.any():
            continue
        found, expected = r2_score(pair[0][kept], pair[1][kept]), float(own.get(column, np.nan))
        if not np.isclose(found, expected, rtol=DIFFERENCE, atol=DIFFERENCE, equal_nan=True):
            what = (
                f"R2 of {one.features} on {column} is {found:.4g}, the expression table says {expected:.4g}"
            )
            raise UserError(where, what, "Give table and predictions of the same run.")
