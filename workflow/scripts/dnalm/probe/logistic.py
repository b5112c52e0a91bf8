"""Logistic regression with an L2 penalty: every training set of a task at once, at the exact optimum.

The objective of a training set is the sum over its rows of the negative log likelihood, plus penalty / 2
times the squared weights of the features standardised by these rows; the intercept is free (scikit-learn's
LogisticRegression with C = 1 / penalty). The strongest penalty is fitted first, and each weaker one starts
from the result of the same training set: nothing passes from one training set to another.

float32 is enough: the penalty bounds the curvature from below, so what rounding does to the gradient moves
the objective by some 1e-9 of itself. The end is told by the gradient, never by differences of the objective,
which float32 does not resolve.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from dnalm.probe.scaling import Fits, Scales, join, scales_of

log = logging.getLogger("dnalm")
DIRECT_COLUMNS = 3000  # up to here the preconditioner is a D x D matrix, above it one of sampled rows
WEIGHT = 0.125  # p (1 - p) of the preconditioner's rows; a constant, so that no label passes between sets
SAMPLED = 8  # rows per column that the preconditioner is made from
HELD = 1 << 23  # logits per array, of which some ten live at once: 32 MiB each


def fit_logistic(
    values: Float32[np.ndarray, "N D"],
    targets: Float32[np.ndarray, "N C"],
    train: Bool[np.ndarray, "F N"],
    penalties: Sequence[float],
    softmax: bool = False,
) -> list[Fits]:
    """Fits every training set with every penalty; returns the models in the penalties' order.

    Memory: the features twice, some 0.4 GiB, and 16 bytes per training set, class and feature.

    Args:
        values: features, nearly standardised (see `scaling.standardise`).
        targets: 0 or 1. With `softmax` the columns are classes, of which each row has one; else labels, each
            a regression of its own.
        penalties: positive.
    """
    from dnalm.probe.lbfgs import MEMORY

    scales, columns = scales_of(values, train), targets.shape[1]
    size = max(1, HELD // (columns * max(values.shape[0], 2 * MEMORY * values.shape[1])))
    parts: list[list[Fits]] = []
    for sets in np.array_split(np.arange(len(train)), -(-len(train) // size)):
        own = slice(int(sets[0]), int(sets[-1]) + 1)
        parts.append(_fit_path(values, targets, train[own], scales.of(own), penalties, softmax))
    return [join(models) for models in zip(*parts, strict=True)]


def _fit_path(
    values: np.ndarray,
    targets: np.ndarray,
    train: np.ndarray,
    scales: Scales,
    penalties: Sequence[float],
    softmax: bool,
) -> list[Fits]:
    import jax
    import jax.numpy as jnp

    from dnalm.probe import lbfgs

    share = (train @ targets + 0.5) / (train.sum(axis=1, keepdims=True) + 1.0)
    params = np.zeros((*share.shape, values.shape[1] + 1), np.float32)
    params[..., -1] = np.log(share) if softmax else np.log(share / (1 - share))
    used = train[:, None, :].astype(np.float32)
    arrays = [values, targets.T, used, scales.mean[:, None], scales.inverse[:, None]]
    arrays = [jnp.asarray(array, jnp.float32) for array in [*arrays, scales.count[:, None, None]]]
    matrix, rows = _sampled(values, WEIGHT * scales.count.mean())
    found: dict[float, Fits] = {}
    for penalty in sorted(set(penalties), reverse=True):
        numbers = (penalty, WEIGHT, _inverse(matrix, penalty))
        numbers = [jnp.asarray(number, jnp.float32) for number in numbers]
        problem = lbfgs.Problem(*arrays, *numbers, None if rows is None else jnp.asarray(rows))
        with jax.default_matmul_precision("highest"):  # GPUs would round products to ten bits
            state = lbfgs.minimise(problem, jnp.asarray(params), softmax)
        params, unfinished = np.asarray(state.params), int((np.asarray(state.gap) > 1).sum())
        if unfinished:
            log.warning(
                "%d fits with penalty %g ended early, at %.1g times the distance to the optimum allowed",
                unfinished, penalty, float(state.gap.max()),
            )  # fmt: skip
        found[penalty] = _models(params, scales)
    return [found[penalty] for penalty in penalties]


def _sampled(
    values: Float32[np.ndarray, "N D"], weight: float
) -> tuple[Float64[np.ndarray, "R R"], Float32[np.ndarray, "R D"] | None]:
    """Returns weight x covariance of the features, from rows at equal distances.

    With more columns than rows, or very many, it is the matrix of these rows, and the scaled rows themselves:
    Woodbury's identity then takes the smaller matrix.
    """
    count, columns = values.shape
    direct = columns <= min(count, DIRECT_COLUMNS)
    wanted = SAMPLED * columns if direct else DIRECT_COLUMNS
    rows = values[:: -(-count // wanted)]
    rows = rows * np.float32(np.sqrt(weight / len(rows)))
    matrix = rows.T @ rows if direct else rows @ rows.T
    return matrix.astype(np.float64), None if direct else rows


def _inverse(matrix: Float64[np.ndarray, "R R"], penalty: float) -> Float32[np.ndarray, "R R"]:
    """Returns the inverse of matrix + penalty."""
    import threadpoolctl
    from scipy.linalg import lapack

    shifted = matrix.copy(order="F")
    shifted[np.diag_indices_from(shifted)] += penalty
    with threadpoolctl.threadpool_limits(1):  # waiting threads of BLAS and XLA would fight for the cores
        factor, _ = lapack.dpotrf(shifted, lower=1, overwrite_a=1)
        lower, _ = lapack.dpotri(factor, lower=1, overwrite_c=1)
    lower = np.tril(lower)
    return (lower + np.tril(lower, -1).T).astype(np.float32)


def _models(params: Float32[np.ndarray, "F C W"], scales: Scales) -> Fits:
    """Turns weights of standardised features into weights of the features as given."""
    weights = params[..., :-1] * scales.inverse[:, None]
    intercepts = params[..., -1] - (weights * scales.mean[:, None]).sum(axis=-1)
    return Fits(weights.astype(np.float32), intercepts)
