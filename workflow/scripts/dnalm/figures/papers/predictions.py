"""Observed and predicted values of regressions, from result folders of probes and fine-tunings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dnalm import leaderboard
from dnalm.errors import UserError
from dnalm.figures import style
from dnalm.figures.tables import (
    layer_text,
)
from dnalm.files import read_manifest, require_file

SUITE, EXPRESSION_KIND = "pgb", "gene_exp"
PROBE_COLUMNS = ("name", "features", "layer", "fold", "scored")
TEST, HELD_OUT = "test", "held_out"


@dataclass(frozen=True)
class Predicted:
    """What one set of features predicts on one task; rows G are genes or sequences, columns T outputs.

    Attributes:
        place: species or task, as figures call it.
        layer: empty where there is none, or where each fold chose its own.
        observed: NaN where not measured.
        predicted: of P probes on the same rows (an official test set), or of one, out of fold.
        fold: of each row, where rows are predicted out of fold; else 0.
        scored: test or held_out.
        unlike: why published scores may not stand beside; empty where they may.
        caution: what a reader must know of the training rows.
        unit: of expression values (see `expression.SCALES`); empty where the source says none.
    """

    place: str
    features: str
    layer: str
    names: tuple[str, ...]
    outputs: tuple[str, ...]
    observed: Float[np.ndarray, "G T"]
    predicted: Float[np.ndarray, "P G T"]
    fold: Int[np.ndarray, " G"]
    scored: str
    unlike: str = ""
    caution: str = ""
    unit: str = ""

    @property
    def pair(self) -> tuple[str, str]:
        return self.features, self.layer


def read_probes(folders: Sequence[str | Path], kinds: Sequence[str]) -> list[Predicted]:
    """Reads result folders of probes or fine-tunings; one without predictions is left out with a warning.

    Args:
        folders: each results/tasks/TASK/FEATURES, with the task's manifest beside it.
        kinds: the benchmark's kinds of tasks that are expected, as `gene_exp`.

    Raises:
        UserError: a folder or manifest is missing, of another task, or the same features come twice.
    """
    found = []
    for folder in folders:
        one = _read_probe(Path(folder), kinds)
        if one is None:
            style.log.warning("%s: no predictions, drawn as a gap", folder)
        else:
            found.append(one)
    check_once(found)
    return found


def check_once(found: Sequence[Predicted]) -> None:
    """Raises UserError where the same features come twice for a species or task."""
    seen: set[tuple[str, str]] = set()
    for one in found:
        if (one.place, one.features) in seen:
            raise UserError(one.place, f"{one.features} is given twice", "Give each once.")
        seen.add((one.place, one.features))


def _read_probe(folder: Path, kinds: Sequence[str]) -> Predicted | None:
    content = read_manifest(folder.resolve().parent / "data.parquet")["content"]
    suite, task = str(content.get("suite")), str(content.get("task"))
    kind, _, species = task.partition(".")
    if suite != SUITE or kind not in kinds:
        expected = ", ".join(f"{SUITE} {kind}" for kind in kinds)
        raise UserError(folder, f"is of task {suite} {task} (expected {expected})", "Leave it out.")
    path = require_file(folder / "predictions.parquet", "table of predictions")
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as fault:
        raise UserError(path, f"is no readable table ({fault})", "Run train_probe.py again.") from fault
    if table.empty:
        return None
    outputs = _outputs(table, path)
    table, layer = _of_one_layer(table)
    unlike = leaderboard.other_data(content)
    if not unlike and not (table["scored"] == TEST).all():
        unlike = "no official test rows were scored"
    place = species if kind == EXPRESSION_KIND else task
    about = (place, str(table["features"].iloc[0]), layer)
    return _of_rows(table, about, outputs, unlike, leaderboard.fewer_rows(content), path)


def _outputs(table: pd.DataFrame, path: Path) -> list[str]:
    """Returns what follows `label` and `prediction` in the columns' names: nothing, or _1, _2, ..."""
    ends = [match[1] for column in table.columns if (match := re.fullmatch(r"prediction((?:_\d+)?)", column))]
    wanted = [*PROBE_COLUMNS, *(f"label{end}" for end in ends or [""]), *([] if ends else ["prediction"])]
    if missing := [column for column in wanted if column not in table.columns]:
        raise UserError(path, f"lacks the columns {', '.join(missing)}", "Is it the probe of a regression?")
    return sorted(ends, key=lambda end: int(end[1:] or 0))


def _of_one_layer(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Returns the rows of one probe per fold: of layers probed one by one the deepest, whatever it scores."""
    if table.duplicated(["fold", "name"]).any():
        table = table[table["layer"] == table["layer"].max()]
    layers = table["layer"].map(layer_text).unique()
    return table, str(layers[0]) if len(layers) == 1 else ""


def _of_rows(
    table: pd.DataFrame, about: tuple[str, str, str], ends: list[str], unlike: str, caution: str, path: Path
) -> Predicted:
    labels, columns = ([f"{what}{end}" for end in ends] for what in ("label", "prediction"))
    tested = bool((table["scored"] == TEST).all())
    parts = [own for _, own in table.groupby("fold", sort=True)] if tested else [table]
    names = parts[0]["name"].astype(str).tolist()
    if any(part["name"].astype(str).tolist() != names for part in parts) or len(set(names)) < len(names):
        raise UserError(path, "its folds do not predict the same rows once each", "Run train_probe.py again.")
    fold = np.zeros(len(names), np.int64) if tested else table["fold"].to_numpy(np.int64)
    predicted = np.stack([part[columns].to_numpy(np.float64) for part in parts])
    observed = parts[0][labels].to_numpy(np.float64)
    outputs = tuple(end[1:] for end in ends)
    scored = TEST if tested else HELD_OUT
    return Predicted(*about, tuple(names), outputs, observed, predicted, fold, scored, unlike, caution)
