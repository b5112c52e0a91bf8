"""Whole groups dealt to folds, and the check of the classes in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Int

from dnalm.errors import UserError


def grouped_folds(
    groups: Int[np.ndarray, " B"],
    labels: Int[np.ndarray, " B"] | None = None,
    folds: int = 10,
    seed: int = 0,
) -> Int[np.ndarray, " B"]:
    """Deals whole groups to folds of nearly equal size and, where labels are given, class shares.

    The largest groups go first, each to the fold that its classes leave least uneven; the order of
    groups of one size comes from the seed.

    Raises:
        UserError: fewer groups than folds.
    """
    number = int(groups.max()) + 1 if len(groups) else 0
    if number < folds or folds < 2:
        raise UserError(
            "folds", f"too few groups of related windows (found {number}, expected at least {max(folds, 2)})"
        )
    classes = np.zeros(len(groups), int) if labels is None else np.unique(labels, return_inverse=True)[1]
    sizes = np.zeros((number, classes.max() + 1))
    np.add.at(sizes, (groups, classes), 1)
    shares = sizes / sizes.sum(axis=0)
    order = np.random.default_rng(seed).permutation(number)
    order = order[np.argsort(-sizes.sum(axis=1)[order], kind="stable")]
    filled, fold_of = np.zeros((folds, shares.shape[1])), np.empty(number, np.int64)
    for group in order:
        # Growth of the sum of squared class shares; a tie goes to the emptier, then the earlier fold.
        growth = np.round(filled @ shares[group], 12)
        fold = np.lexsort((filled.sum(axis=1), growth))[0]
        fold_of[group], filled[fold] = fold, filled[fold] + shares[group]
    return fold_of[groups]


def check_classes(
    labels: np.ndarray, fold: Int[np.ndarray, " B"], where: str | Path, minimum: int = 10
) -> None:
    """Refuses labels that cannot be cross-validated.

    Raises:
        UserError: fewer than two classes, a class with fewer than `minimum` rows, a fold without a class.
    """
    table = pd.crosstab(pd.Series(labels, name="label"), pd.Series(fold, name="fold"))
    totals = {label: int(n) for label, n in table.sum(axis=1).items()}
    if len(totals) < 2:
        raise UserError(where, f"one class only (found {totals}, expected two)", "Check the labels.")
    if min(totals.values()) < minimum:
        raise UserError(
            where, f"too few rows of a class (found {totals}, expected at least {minimum})", "Add rows."
        )
    empty = np.argwhere(table.to_numpy() == 0)
    if len(empty):
        label, number = table.index[empty[0][0]], table.columns[empty[0][1]]
        raise UserError(where, f"fold {number} has no row of class {label} (of {totals})", "Use fewer folds.")
