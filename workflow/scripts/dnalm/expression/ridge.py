"""Ridge regression over cross-validation folds, its penalty chosen inside the training folds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

PENALTIES = np.logspace(0, 6, 13)  # on the sum of squared errors; features have unit variance


def cross_validate(
    features: Float[np.ndarray, "B D"],
    values: Float[np.ndarray, "B V"],
    groups: Int[np.ndarray, " B"],
    fold: Int[np.ndarray, " B"],
    penalties: Float[np.ndarray, " P"] = PENALTIES,
) -> tuple[Float[np.ndarray, "B V"], Float[np.ndarray, "K V"]]:
    """Predicts every row from the rows of the other folds.

    Features are standardised with the training rows' mean and deviation; a constant one has no weight.
    For each fold and value column, the penalty is the one whose squared error is least when every group
    of training rows is predicted from the other training rows.

    Args:
        groups: rows of one number stay together; each lies in one fold.

    Returns:
        predictions, and the chosen penalties by fold (in ascending order of the folds' numbers).
    """
    import threadpoolctl

    predicted, chosen = np.full(values.shape, np.nan), []
    with threadpoolctl.threadpool_limits(1):  # the order of sums, and so the bytes, depend on threads
        for number in np.unique(fold):
            test, train = fold == number, fold != number
            known, new = _standardise(features[train], features[test])
            offset = values[train].mean(axis=0)
            spectrum, basis = _decompose(known)
            rotated = known @ basis
            target = rotated.T @ (values[train] - offset)
            errors = group_errors(rotated, spectrum, values[train] - offset, groups[train], penalties)
            best = penalties[errors.argmin(axis=0)]
            predicted[test] = new @ basis @ (target / (spectrum[:, None] + best)) + offset
            chosen.append(best)
    return predicted, np.array(chosen)


def group_errors(
    rotated: Float[np.ndarray, "N R"],
    spectrum: Float[np.ndarray, " R"],
    centred: Float[np.ndarray, "N V"],
    groups: Int[np.ndarray, " N"],
    penalties: Float[np.ndarray, " P"],
) -> Float[np.ndarray, "P V"]:
    """Returns the squared error, summed over rows, of leaving out one group after the other.

    Exact without fitting anew: the residuals of a group left out are (I - H_gg)^-1 r_g, with r the
    residuals of the fit on all rows and H_gg the group's block of its hat matrix, mean included.

    Args:
        rotated: centred features in the eigenbasis of their Gram matrix.
        spectrum: its eigenvalues.
        centred: values less their mean.

    Source: for one row Allen 1974 (PRESS); for blocks Craven and Wahba 1979, lemma 3.2.
    """
    errors = np.zeros((len(penalties), centred.shape[1]))
    blocks = list(_blocks(groups))
    if len(blocks) == 1 and len(blocks[0]) == 1:
        return errors  # a single group: nothing to choose by
    for place, penalty in enumerate(penalties):
        scaled = rotated / np.sqrt(spectrum + penalty)
        residuals = centred - scaled @ (scaled.T @ centred)
        for rows in blocks:
            hat = scaled[rows] @ scaled[rows].transpose(0, 2, 1) + 1 / len(rotated)
            left_out = np.linalg.solve(np.eye(rows.shape[1]) - hat, residuals[rows])
            errors[place] += (left_out**2).sum(axis=(0, 1))
    return errors


def _blocks(groups: Int[np.ndarray, " N"]) -> Iterator[Int[np.ndarray, "G M"]]:
    """Yields the rows of the groups of each size M, one group per line."""
    order = np.argsort(groups, kind="stable")
    _, first, sizes = np.unique(groups[order], return_index=True, return_counts=True)
    for size in np.unique(sizes):
        yield order[first[sizes == size][:, None] + np.arange(size)]


def _standardise(
    train: Float[np.ndarray, "N D"], other: Float[np.ndarray, "M D"]
) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, "M D"]]:
    mean, scale = train.mean(axis=0), train.std(axis=0)
    scale[scale < 1e-9 * np.maximum(np.abs(mean), 1)] = np.inf
    return (train - mean) / scale, (other - mean) / scale


def _decompose(known: Float[np.ndarray, "N D"]) -> tuple[Float[np.ndarray, " R"], Float[np.ndarray, "D R"]]:
    """Returns eigenvalues and eigenvectors of the features' Gram matrix, by way of the smaller one."""
    if known.shape[1] <= len(known):
        spectrum, basis = np.linalg.eigh(known.T @ known)
        return np.maximum(spectrum, 0), basis  # tiny negative ones are rounding
    spectrum, vectors = np.linalg.eigh(known @ known.T)
    kept = spectrum > 1e-10 * spectrum.max(initial=0)
    return spectrum[kept], known.T @ vectors[:, kept] / np.sqrt(spectrum[kept])
