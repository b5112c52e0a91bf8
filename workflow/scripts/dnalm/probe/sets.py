"""Training sets of a nested choice: each leaves out one fold, or two.

Without an official test set every fold is tested once by a probe trained on the other folds. What that probe
is, is chosen by those folds alone: each in turn is predicted without it and without the tested fold. A set
that leaves out two folds serves both of them. With an official test set each fold's probe is chosen by its
own held-out fold and scored on the test set.

Source: nested cross-validation, Stone 1974; ten probes on one test set, Dalla-Torre et al. 2025 (Fig. 2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from dnalm.errors import UserError


@dataclass(frozen=True)
class Sets:
    """Training sets over N cross-validated rows: those that leave out one fold first, in the folds' order."""

    fold: Int[np.ndarray, " N"]
    numbers: Int[np.ndarray, " K"]
    train: Bool[np.ndarray, "F N"]
    tested: bool  # an official test set exists

    def rows(self, place: int) -> Int[np.ndarray, " M"]:
        """Returns the rows of a fold, given by its place in `numbers`."""
        return np.flatnonzero(self.fold == self.numbers[place])

    @property
    def stopping_folds(self) -> list[int]:
        """Place of the fold that stops each fold's MLP: itself with an official test set, else the next."""
        count = len(self.numbers)
        return [place if self.tested else (place + 1) % count for place in range(count)]

    def inner(self, place: int) -> Iterator[tuple[int, Int[np.ndarray, " M"]]]:
        """Yields training sets and the rows they predict, by which a fold's probe is chosen."""
        if self.tested:
            yield place, self.rows(place)
            return
        for other in range(len(self.numbers)):
            if other != place and len(self.train) > len(self.numbers):
                yield self.pair(place, other), self.rows(other)

    def pair(self, first: int, second: int) -> int:
        """Returns the number of the training set that leaves out two folds."""
        low, high, count = min(first, second), max(first, second), len(self.numbers)
        return count + low * count - low * (low + 1) // 2 + high - low - 1


def make_sets(fold: Int[np.ndarray, " N"], tested: bool, choosing: bool = True) -> Sets:
    """Lays out the training sets.

    Args:
        choosing: something is to be chosen (sets that leave out two folds are needed without a test set).

    Raises:
        UserError: fewer than three folds to choose by.
    """
    numbers = np.unique(fold)
    single = fold != numbers[:, None]
    if tested or not choosing:
        return Sets(fold, numbers, single, tested)
    if len(numbers) < 3:
        raise UserError(
            "folds",
            f"found {len(numbers)}, expected at least 3 to choose penalty and layer by",
            "Make the task with more folds, or name one penalty and one layer.",
        )
    first, second = np.triu_indices(len(numbers), 1)
    return Sets(fold, numbers, np.concatenate([single, single[first] & single[second]]), tested)
