"""Scaling of features by the rows of training sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Num

CONSTANT = 1e-6  # a column whose SD is at most this share of its largest value carries rounding alone
BLOCK = 4096  # rows in float64 at a time


@dataclass(frozen=True)
class Scales:
    """Mean and 1 / SD of each column over the rows of each training set; 1 / SD is 0 for constant columns."""

    mean: Float[np.ndarray, "F D"]
    inverse: Float[np.ndarray, "F D"]
    count: Float[np.ndarray, " F"]

    def of(self, sets: slice) -> Scales:
        """Returns the scales of some of the training sets."""
        return Scales(self.mean[sets], self.inverse[sets], self.count[sets])


def standardise(
    values: Num[np.ndarray, "N D"], train: Bool[np.ndarray, " N"] | None = None
) -> Float32[np.ndarray, "N D"]:
    """Scales columns by mean and SD over some rows (none given: all); constant columns become 0.

    Columns of large mean keep what float32 resolves of them, since the mean is taken off in float64.
    """
    known = values if train is None else values[train]
    mean, spread = known.mean(axis=0, dtype=np.float64), known.std(axis=0, dtype=np.float64)
    largest = np.abs(known).max(axis=0, initial=0).astype(np.float64)
    inverse = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > CONSTANT * largest)
    scaled = np.empty(values.shape, np.float32)
    for first in range(0, len(values), BLOCK):
        rows = slice(first, first + BLOCK)
        scaled[rows] = (values[rows] - mean) * inverse
    return scaled


def scales_of(values: Float32[np.ndarray, "N D"], train: Bool[np.ndarray, "F N"]) -> Scales:
    """Returns the scales of columns, themselves nearly standardised, over each training set."""
    patterns, group = row_groups(train)
    count = train.sum(axis=1).astype(np.float64)
    sums = np.zeros((2, patterns.shape[1], values.shape[1]))
    for number in range(patterns.shape[1]):
        own = np.flatnonzero(group == number)
        for start in range(0, len(own), BLOCK):
            rows = values[own[start : start + BLOCK]].astype(np.float64)
            sums[0, number] += rows.sum(axis=0)
            sums[1, number] += np.einsum("nd,nd->d", rows, rows)
    first, second = patterns.astype(np.float64) @ sums
    mean = first / count[:, None]
    spread = np.sqrt(np.maximum(second / count[:, None] - mean**2, 0))
    varies = spread > CONSTANT * (1 + np.abs(mean))
    return Scales(mean, np.divide(1.0, spread, out=np.zeros_like(spread), where=varies), count)


def row_groups(train: Bool[np.ndarray, "F N"]) -> tuple[Bool[np.ndarray, "F K"], Int[np.ndarray, " N"]]:
    """Returns groups of rows (folds) that training sets have or lack together: who has them; each row's."""
    packed = np.packbits(train, axis=0).T.copy()
    _, first, group = np.unique(packed, axis=0, return_index=True, return_inverse=True)
    return train[:, first], group


@dataclass(frozen=True)
class Fits:
    """Linear models of one penalty, one per training set; weights are of the features as given."""

    weights: Float[np.ndarray, "F C D"]
    intercepts: Float[np.ndarray, "F C"]

    def predict(self, values: Float32[np.ndarray, "N D"], number: int) -> Float[np.ndarray, "N C"]:
        """Returns one model's logits, or its predicted values."""
        return values @ self.weights[number].T.astype(values.dtype) + self.intercepts[number]


def join(parts: Sequence[Fits]) -> Fits:
    """Returns the models of several groups of training sets as one."""
    weights = np.concatenate([part.weights for part in parts])
    return Fits(weights, np.concatenate([part.intercepts for part in parts]))
