"""Agreement of predicted with observed values."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Num


def pearson_r2(observed: Num[np.ndarray, " B"], predicted: Num[np.ndarray, " B"]) -> float:
    """Squared Pearson correlation, written r2: blind to scale and offset; NaN where either is constant."""
    if len(observed) < 2 or np.ptp(observed) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(observed.astype(np.float64), predicted.astype(np.float64))[0, 1] ** 2)


def r2_score(observed: Num[np.ndarray, " B"], predicted: Num[np.ndarray, " B"]) -> float:
    """Coefficient of determination, written R2 = 1 - SSE / SST; NaN where the observed are constant."""
    observed, predicted = observed.astype(np.float64), predicted.astype(np.float64)
    total = float(((observed - observed.mean()) ** 2).sum()) if len(observed) else 0.0
    return 1.0 - float(((observed - predicted) ** 2).sum()) / total if total else float("nan")


def spearman(observed: Num[np.ndarray, " B"], predicted: Num[np.ndarray, " B"]) -> float:
    """Correlation of ranks, ties at their mean rank; NaN where either is constant.

    Source: Spearman 1904.
    """
    if len(observed) < 2 or np.ptp(observed) == 0 or np.ptp(predicted) == 0:
        return float("nan")
    return float(np.corrcoef(_ranks(observed), _ranks(predicted))[0, 1])


def _ranks(values: Num[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]
