"""The tables of a fine-tuning, in the form of a probe's."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from dnalm.probe.run import FOLD_COLUMNS, prediction_columns
from dnalm.probe.scores import MEAN, SINGLE, base_rate, score
from dnalm.probe.targets import Targets
from dnalm.tasks import in_folds, label_columns, label_values

STEP = "step"  # what is chosen inside the training rows: when a fold stops


class Tables:
    """Gathers the folds of a task: FOLD_COLUMNS, and predictions as `probe.Result` has them."""

    def __init__(self, task: pd.DataFrame, name: str, method: str, pooling: str, targets: Targets) -> None:
        self._task, self._targets = task, targets
        scored = "held_out" if in_folds(task).all() else "test"
        self._about = {"features": name, "layer": np.nan, "scored": scored}
        self._form = {"pooling": pooling, "head": method, "choice": STEP, "penalty": np.nan}
        self._rows: list[dict[str, object]] = []
        self._predictions: list[pd.DataFrame] = []

    def add(
        self, fold: int, scored: Int[np.ndarray, " M"], n_train: int, predicted: Float[np.ndarray, "M C"]
    ) -> None:
        """Scores a fold's predictions of its scored rows."""
        own, kind = self._task.iloc[scored], self._targets.kind
        labels = label_values(own)
        about = {**self._about, "fold": fold}
        sizes = {"n_train": n_train, "n_test": len(own), "base_rate": base_rate(kind, labels)}
        self._rows += [
            {**about, **self._form, **sizes, "output": output, **scores}
            for output, scores in score(kind, labels, predicted).items()
        ]
        table = own[["name", *label_columns(own)]].assign(**about)
        table["group"] = own["group"] if "group" in own.columns else np.arange(len(own))
        columns = prediction_columns(kind, predicted.shape[1])
        self._predictions.append(table.assign(**dict(zip(columns, predicted.T, strict=True))))

    @property
    def folds(self) -> pd.DataFrame:
        """One row per fold."""
        return self._select(main=True)

    @property
    def outputs(self) -> pd.DataFrame:
        """Each output of several, and all of them pooled."""
        return self._select(main=False)

    @property
    def predictions(self) -> pd.DataFrame:
        """Every scored row, once per fold that scored it."""
        return pd.concat(self._predictions, ignore_index=True)

    def _select(self, main: bool) -> pd.DataFrame:
        table = pd.DataFrame(self._rows).reindex(columns=list(FOLD_COLUMNS))
        return table[table["output"].isin((SINGLE, MEAN)) == main].reset_index(drop=True)
