"""Tables of probes on disk."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd

from dnalm import files
from dnalm.errors import UserError
from dnalm.probe.run import FOLD_COLUMNS
from dnalm.probe.scores import METRICS

AS_TEXT = ("features", "pooling", "head", "choice", "output", "scored")
log = logging.getLogger("dnalm")


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Writes a table as TSV, missing values as NA."""
    with files.atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n")


def read_folds(path: str | Path) -> pd.DataFrame:
    """Reads a table of FOLD_COLUMNS.

    Raises:
        UserError: missing, other columns, or no rows.
    """
    path = files.require_file(path, "probe's folds")
    dtypes = dict.fromkeys(AS_TEXT, str)
    table = pd.read_csv(path, sep="\t", dtype=dtypes, keep_default_na=False, na_values=["NA"])
    if tuple(table.columns) != FOLD_COLUMNS or table.empty:
        raise UserError(path, f"is no table of folds (columns {list(table.columns)})", "Run train_probe.py.")
    return table


def log_scores(folds: pd.DataFrame) -> None:
    """Says the mean scores of a probe, of each layer where layers are not chosen from."""
    layers = folds["layer"].where(folds["choice"] != "layer").fillna(-1)
    for layer, own in folds.groupby(layers):
        means = ", ".join(f"{name} {own[name].mean():.3f}" for name in METRICS if own[name].notna().any())
        what = own["features"].iloc[0] + (f", layer {layer:g}" if layer >= 0 else "")
        log.info("%s: %s (means of %d folds)", what, means, len(own))
