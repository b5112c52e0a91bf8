"""Tables of probes on disk."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dnalm import files
from dnalm.errors import UserError
from dnalm.probe.run import FOLD_COLUMNS

AS_TEXT = ("features", "pooling", "head", "choice", "output", "scored")


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
