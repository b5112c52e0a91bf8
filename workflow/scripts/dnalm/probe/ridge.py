"""Ridge regression of one or several outputs: every training set and penalty, in float64.

The objective of a training set is half the sum over its rows of squared errors, plus penalty / 2 times the
squared weights of the features standardised by these rows; the intercept is free (scikit-learn's Ridge with
alpha = penalty). The features are read once: each training set's matrix is a sum of products over the groups
of rows that come and go together. float64, since small eigenvalues would drown in the rounding of large
ones; numpy and scipy, since JAX's float64 is a switch for the whole process.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from dnalm.errors import UserError
from dnalm.probe.scaling import Fits, Scales, row_groups, scales_of

MOST_COLUMNS = 8192  # of features and of rows both: beyond, a matrix of one side would exceed 0.5 GiB


def fit_ridge(
    values: Float32[np.ndarray, "N D"],
    targets: Float64[np.ndarray, "N V"],
    train: Bool[np.ndarray, "F N"],
    penalties: Sequence[float],
) -> list[Fits]:
    """Fits every training set with every penalty; returns the models in the penalties' order.

    Memory: with K groups of rows (folds) 8 (K + 3) D^2 bytes, or 8 (2 N^2 + N D) with more columns than rows.

    Raises:
        UserError: too many rows and columns.
    """
    count, columns = values.shape
    if min(count, columns) > MOST_COLUMNS:
        raise UserError(
            "ridge regression",
            f"{columns} features of {count} rows are too many (expected at most {MOST_COLUMNS} of either)",
            "Use features of fewer columns.",
        )
    scales = scales_of(values, train)
    solve = _by_columns if columns <= count else _by_rows
    weights = np.empty((len(penalties), len(train), targets.shape[1], columns))
    intercepts = np.empty(weights.shape[:3])
    for number, (centre, slopes) in enumerate(solve(values, targets, train, scales, penalties)):
        weights[:, number] = slopes * scales.inverse[number]
        intercepts[:, number] = centre - weights[:, number] @ scales.mean[number]
    return [Fits(*pair) for pair in zip(weights, intercepts, strict=True)]


def _by_columns(
    values: np.ndarray,
    targets: np.ndarray,
    train: np.ndarray,
    scales: Scales,
    penalties: Sequence[float],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields each training set's mean targets and weights of standardised features, P x V x D."""
    from scipy.linalg import cho_factor, cho_solve

    patterns, group = row_groups(train)
    grams, crosses, sums, inputs = [], [], [], []
    for number in range(patterns.shape[1]):
        rows = values[group == number].astype(np.float64)
        own = targets[group == number]
        grams.append(rows.T @ rows)
        crosses.append(rows.T @ own)
        sums.append(own.sum(axis=0))
        inputs.append(rows.sum(axis=0))
    for number, pattern in enumerate(patterns):
        chosen = np.flatnonzero(pattern)
        count, scale = scales.count[number], scales.inverse[number]
        centre, total = sum(sums[i] for i in chosen) / count, sum(inputs[i] for i in chosen)
        gram = sum(grams[i] for i in chosen) - np.outer(total, total) / count
        gram *= np.outer(scale, scale)
        cross = (sum(crosses[i] for i in chosen) - np.outer(total, centre)) * scale[:, None]
        slopes = np.empty((len(penalties), targets.shape[1], values.shape[1]))
        diagonal = gram.diagonal().copy()
        for place, penalty in enumerate(penalties):
            np.fill_diagonal(gram, diagonal + penalty)
            slopes[place] = cho_solve(cho_factor(gram, lower=True), cross).T
        yield centre, slopes


def _by_rows(
    values: np.ndarray,
    targets: np.ndarray,
    train: np.ndarray,
    scales: Scales,
    penalties: Sequence[float],
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """As `_by_columns`, through the smaller matrix of the rows."""
    from scipy.linalg import cho_factor, cho_solve

    for number, used in enumerate(train):
        rows = (values[used] - scales.mean[number]) * scales.inverse[number]
        centre = targets[used].mean(axis=0)
        kernel, centred = rows @ rows.T, targets[used] - centre
        slopes = np.empty((len(penalties), targets.shape[1], values.shape[1]))
        diagonal = kernel.diagonal().copy()
        for place, penalty in enumerate(penalties):
            np.fill_diagonal(kernel, diagonal + penalty)
            slopes[place] = (rows.T @ cho_solve(cho_factor(kernel, lower=True), centred)).T
        yield centre, slopes
