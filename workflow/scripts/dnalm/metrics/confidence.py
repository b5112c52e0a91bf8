"""How sure a score is: spread over folds, and intervals over resampled groups of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

INTERVAL = 0.95  # of bootstrap intervals, by quantiles
RESAMPLES = 200
LEAST_GROUPS = 10  # of rows; of fewer, resampling says nothing


def spread(scores: Float[np.ndarray, " K"]) -> tuple[float, float, float]:
    """Returns mean, standard deviation (n - 1) and twice it, over folds; NaN where a fold has no score."""
    deviation = float(np.std(scores, ddof=1)) if len(scores) > 1 else float("nan")
    return float(np.mean(scores)), deviation, 2 * deviation


def resamples(
    groups: Int[np.ndarray, " B"], fold: Int[np.ndarray, " B"], number: int = RESAMPLES, seed: int = 0
) -> Iterator[Int[np.ndarray, " M"]]:
    """Yields the rows of resamples: each fold's groups drawn with replacement, as many as it has.

    The same groups, folds and seed give the same rows, so that scores of several probes are paired. Nothing
    is yielded where a fold has fewer than LEAST_GROUPS groups.

    Source: Efron 1979; whole groups, since their rows are no independent draws.
    """
    generator, plans = np.random.default_rng(seed), []
    for held in np.unique(fold):
        own = np.flatnonzero(fold == held)
        own = own[np.argsort(groups[own], kind="stable")]
        _, first, sizes = np.unique(groups[own], return_index=True, return_counts=True)
        plans.append((own, first, sizes))
    if min((len(first) for _, first, _ in plans), default=0) < LEAST_GROUPS:
        return
    for _ in range(number):
        rows = []
        for own, first, sizes in plans:
            drawn = generator.integers(0, len(first), len(first))
            starts = np.repeat(first[drawn] - np.cumsum(sizes[drawn]) + sizes[drawn], sizes[drawn])
            rows.append(own[starts + np.arange(len(starts))])
        yield np.concatenate(rows)


def paired_interval(
    scores: Float[np.ndarray, " R"], others: Float[np.ndarray, " R"] | None = None
) -> tuple[float, float]:
    """Returns the INTERVAL of resampled scores, or of their differences from others; NaN without any."""
    values = scores if others is None else scores - others
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - INTERVAL) / 2, (1 + INTERVAL) / 2])
    return float(low), float(high)
