"""What a probe is to predict: labels of every type of task, the loss, and how a model's output is read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Num

KINDS = ("binary", "multiclass", "multilabel", "regression", "multi_regression")


@dataclass(frozen=True)
class Targets:
    """Labels of cross-validated rows, and of the rows of an official test set where there is one.

    A model's output has C columns: the probability of label 1 (binary; multilabel, one per label), of each
    class (multiclass), or the values (regression).

    Attributes:
        kind: one of KINDS.
        classes: of a multiclass task; else 0.
    """

    kind: str
    labels: Num[np.ndarray, "N O"]
    test: Num[np.ndarray, "T O"]
    classes: int = 0

    @property
    def is_regression(self) -> bool:
        return self.kind.endswith("regression")

    @property
    def is_softmax(self) -> bool:
        return self.kind == "multiclass"

    @property
    def matrix(self) -> Float[np.ndarray, "N C"]:
        """Columns to fit: 0 or 1 (float32), or values (float64)."""
        if self.is_regression:
            return self.labels.astype(np.float64)
        if self.is_softmax:
            return (self.labels == np.arange(self.classes)).astype(np.float32)
        return self.labels.astype(np.float32)

    def read(self, output: Float[np.ndarray, "M C"]) -> Float[np.ndarray, "M C"]:
        """Turns logits into probabilities; values stay."""
        from scipy.special import expit, softmax

        if self.is_regression:
            return output
        output = output.astype(np.float64)  # float32 would tie the surest rows at 1
        return softmax(output, axis=1) if self.is_softmax else expit(output)

    def loss(self, labels: Num[np.ndarray, "M O"], output: Float[np.ndarray, "M C"]) -> float:
        """Mean negative log likelihood of logits, or squared error in units of the labels' variance.

        Several labels count alike.
        """
        from scipy.special import logsumexp

        if self.is_softmax:
            right = np.take_along_axis(output, labels.astype(np.int64), axis=1)
            return float((logsumexp(output, axis=1, keepdims=True) - right).mean())
        if not self.is_regression:
            return float((np.logaddexp(0, output) - labels * output).mean())
        variance = np.maximum(self.labels.var(axis=0), np.finfo(np.float64).tiny)
        return float((((labels - output) ** 2).mean(axis=0) / variance).mean())


@dataclass(frozen=True)
class Design:
    """Features of the cross-validated rows, nearly standardised, and of the test rows in the same units."""

    values: Float32[np.ndarray, "N D"]
    test: Float32[np.ndarray, "T D"]
