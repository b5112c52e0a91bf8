"""Reading the tables that figures and report draw; an empty or incomplete one is the user's fault to mend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.figures.palette import BASELINES, MODEL_COLOURS
from dnalm.files import require_file

EXPRESSION_COLUMNS = (
    "features", "layer", "value_column", "subset", "folds", "n", "groups",
    "r2_pearson", "R2_pooled", "R2_mean", "R2_2sd",
)  # fmt: skip
METRIC_NAMES = {
    "mcc": "MCC", "f1_macro": "F1 (macro)", "auroc": "AUROC", "auprc": "auPRC", "accuracy": "Accuracy",
    "r2_pearson": "r²", "R2": "R²", "spearman": "Spearman",
}  # fmt: skip
SCORED = {"test": "the test set", "held_out": "held-out folds"}
SUMMARY_COLUMNS = ("task", "features", "layer", "metric", "mean", "sd2", "folds", "n", "base_rate")
METRIC_COLUMNS = (
    "feature", "labels", "n_bases", "positives", "base_rate", "auprc", "auroc", "mcc", "best_mcc",
    "threshold", "f1", "jaccard", "sov", "samplings", "mcc_sd",
)  # fmt: skip
PUBLISHED_COLUMNS = (
    "feature", "mcc", "mcc_sd", "published_model", "published_mcc", "comparable", "reason",
)  # fmt: skip
PREDICTION_COLUMNS = ("gene_id", "value_column", "features", "layer", "observed", "predicted")


def read_table(path: str | Path, columns: Sequence[str], what: str = "table") -> pd.DataFrame:
    """Reads a TSV or Parquet table and checks that it has rows and the columns asked for.

    Raises:
        UserError: missing, empty, without rows, or lacking a column.
    """
    path = require_file(path, what)
    try:
        text = {"sep": "\t", "keep_default_na": False, "na_values": ["", "NA", "nan", "NaN"]}
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path, **text)
    except (ValueError, OSError) as fault:
        raise UserError(path, f"is no readable {what} ({fault})", "Run its step again.") from fault
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise UserError(
            path,
            f"{what} lacks the columns {', '.join(missing)} (found {', '.join(map(str, table.columns))})",
            "Run its step again.",
        )
    if table.empty:
        raise UserError(path, f"{what} has no rows", "Run its step again.")
    return table


def layer_text(layer: object) -> str:
    """Returns a layer as text, empty for features without layers (NaN, None, "")."""
    if layer is None or layer == "" or (isinstance(layer, float) and np.isnan(layer)):
        return ""
    return (
        str(int(layer)) if isinstance(layer, (int, float, np.number)) else str(layer).removeprefix("layer_")
    )


def folds_text(table: pd.DataFrame) -> str:
    """Returns over how many folds scores are means: `5/10`."""
    return "/".join(f"{number:.0f}" for number in sorted(table["folds"].dropna().unique()))


def scored_text(table: pd.DataFrame) -> str:
    """Returns on which rows probes were scored."""
    return " or ".join(SCORED.get(str(name), str(name)) for name in dict.fromkeys(table["scored"].dropna()))


def task_title(task: str) -> tuple[str, str]:
    """Returns a task's name for people and its species: `donors.zea_mays` -> Donors, Zea mays."""
    name, _, species = task.replace("_", " ").partition(".")
    return name[:1].upper() + name[1:], species[:1].upper() + species[1:]


def baseline_of(features: str) -> str:
    """Returns the kind of a baseline (kmer, one_hot, random_weights), empty for a model's own features.

    A network with random weights is named after its model: `demo_nt.random_weights`.
    """
    kind = features.rpartition(".")[2]
    return kind if kind in BASELINES else ""


def feature_label(features: str, layer: object) -> str:
    """Returns what a figure calls a set of features: `demo_nt, layer 6`, `k-mer counts`."""
    model, _, kind = features.rpartition(".")
    name = features
    if baseline_of(features):
        name = BASELINES[kind][0] + (f" ({model})" if model else "")
    return f"{name}, layer {layer_text(layer)}" if layer_text(layer) else name


def feature_order(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Returns a table's (features, layer) pairs: models as they come, then baselines; layers ascending."""
    names = list(dict.fromkeys(table["features"].astype(str)))
    pairs = {(str(row.features), layer_text(row.layer)) for row in table[["features", "layer"]].itertuples()}
    kinds = ["", *BASELINES]
    return sorted(
        pairs, key=lambda pair: (kinds.index(baseline_of(pair[0])), names.index(pair[0]), pair[1].zfill(4))
    )


def feature_colours(pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """Gives each model one colour and each kind of baseline its grey."""
    models = list(dict.fromkeys(name for name, _ in pairs if not baseline_of(name)))
    own = {name: MODEL_COLOURS[place % len(MODEL_COLOURS)] for place, name in enumerate(models)}
    return {pair: own.get(pair[0]) or BASELINES[baseline_of(pair[0])][1] for pair in pairs}
