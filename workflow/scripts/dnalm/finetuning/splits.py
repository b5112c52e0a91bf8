"""Which rows of a task a fold trains on, stops by and is scored on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Int

from dnalm.errors import UserError
from dnalm.tasks import in_folds


@dataclass(frozen=True)
class Split:
    """The rows of one fold, as numbers of the task's rows."""

    fold: int
    training: Int[np.ndarray, " T"]
    validation: Int[np.ndarray, " V"]
    scored: Int[np.ndarray, " M"]


def make_splits(task: pd.DataFrame) -> list[Split]:
    """Returns each fold's rows; the rows that stop the training are never those that it is scored on.

    With an official test set a fold's own rows stop its training, and the test set is scored. Without one the
    next fold stops it, and its own rows are scored; neither is trained on.

    Raises:
        UserError: too few folds.
    """
    rows = in_folds(task)
    fold, test = task["fold"].to_numpy(np.int64), np.flatnonzero(~rows)
    numbers, found = np.unique(fold[rows]), []
    if len(numbers) < (2 if len(test) else 3):
        raise UserError(
            "folds",
            f"found {len(numbers)}, expected at least 3 (2 with an official test set)",
            "Make the task with more folds.",
        )
    for place, number in enumerate(numbers):
        stopping = number if len(test) else numbers[(place + 1) % len(numbers)]
        own, stop = rows & (fold == number), rows & (fold == stopping)
        training = np.flatnonzero(rows & ~own & ~stop)
        scored = test if len(test) else np.flatnonzero(own)
        found.append(Split(int(number), training, np.flatnonzero(stop), scored))
    return found
