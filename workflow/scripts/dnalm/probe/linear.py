"""The linear probe: logistic or ridge regression with each penalty of a grid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from dnalm.probe.logistic import fit_logistic
from dnalm.probe.ridge import fit_ridge
from dnalm.probe.sets import Sets
from dnalm.probe.targets import Design, Targets

# On the sum over rows of the loss, with features of unit variance: scikit-learn's alpha, or 1 / C.
PENALTIES = (0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6)
FIXED_PENALTY = 1.0  # of the sweep over layers


@dataclass(frozen=True)
class Candidate:
    """One way to make every fold's probe.

    Attributes:
        penalty: NaN where there is none.
        losses: of each fold's inner predictions; NaN where nothing is to be chosen.
        outputs: each fold's probe on the rows it is scored on, logits or values.
        stopping: loss on the fold that stops an MLP (see `stopping_folds`), by which heads are compared.
    """

    penalty: float
    losses: Float[np.ndarray, " K"]
    outputs: list[Float[np.ndarray, "M C"]]
    stopping: Float[np.ndarray, " K"]


def linear_candidates(
    design: Design, targets: Targets, sets: Sets, penalties: Sequence[float] = PENALTIES
) -> Iterator[Candidate]:
    """Yields the linear probes of every penalty."""
    if targets.is_regression:
        models = fit_ridge(design.values, targets.matrix, sets.train, penalties)
    else:
        models = fit_logistic(design.values, targets.matrix, sets.train, penalties, targets.is_softmax)
    for penalty, fits in zip(penalties, models, strict=True):
        losses, outputs, stopping = [], [], []
        for place, stop in enumerate(sets.stopping_folds):
            inner = {
                int(sets.fold[rows[0]]): (
                    len(rows), targets.loss(targets.labels[rows], fits.predict(design.values[rows], number))
                )
                for number, rows in sets.inner(place)
            }  # fmt: skip
            total = sum(count for count, _ in inner.values())
            losses.append(sum(count * loss for count, loss in inner.values()) / total if total else np.nan)
            stopping.append(inner.get(int(sets.numbers[stop]), (0, np.nan))[1])
            scored = design.test if sets.tested else design.values[sets.rows(place)]
            outputs.append(fits.predict(scored, place))
        yield Candidate(float(penalty), np.array(losses), outputs, np.array(stopping))
