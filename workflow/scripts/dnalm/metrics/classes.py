"""Calls of one class among several; two classes are a case of it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool, Float, Int


def confusion(
    labels: Int[np.ndarray, " B"], called: Int[np.ndarray, " B"], classes: int
) -> Int[np.ndarray, "C C"]:
    """Counts rows by label (first axis) and call (second)."""
    return np.bincount(labels * classes + called, minlength=classes**2).reshape(classes, classes)


def mcc_classes(table: Int[np.ndarray, "C C"]) -> float:
    """Matthews correlation of calls with labels; 0 where all labels or all calls are one class.

    With n rows, c right, t_k labels and p_k calls of class k: (c n - sum t_k p_k) / sqrt((n^2 - sum p_k^2)
    (n^2 - sum t_k^2)); with two classes the usual coefficient.

    Source: Gorodkin 2004, Computational Biology and Chemistry 28 (the R_K statistic).
    """
    true, called, total = table.sum(axis=1).astype(float), table.sum(axis=0).astype(float), float(table.sum())
    spread = (total**2 - (true**2).sum()) * (total**2 - (called**2).sum())
    return float((np.trace(table) * total - true @ called) / np.sqrt(spread)) if spread > 0 else 0.0


def f1_macro(table: Int[np.ndarray, "C C"]) -> float:
    """Mean over classes of F1 = 2 TP / (2 TP + FP + FN), of the classes that have labels or calls."""
    both = table.sum(axis=0) + table.sum(axis=1)
    return float((2 * table.diagonal()[both > 0] / both[both > 0]).mean()) if both.any() else float("nan")


def accuracy(table: Int[np.ndarray, "C C"]) -> float:
    """Share of rows whose call is their label."""
    return float(np.trace(table) / table.sum()) if table.sum() else float("nan")


def one_against_rest(
    score: Callable[[Bool[np.ndarray, " B"], Float[np.ndarray, " B"]], float],
    labels: Int[np.ndarray, " B"],
    chances: Float[np.ndarray, "B C"],
) -> float:
    """Mean over classes of a score of two classes, each class against all others; NaN where one has none."""
    return float(np.mean([score(labels == c, chances[:, c]) for c in range(chances.shape[1])]))
