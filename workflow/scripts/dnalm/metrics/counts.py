"""Ranking and classification of two classes, at single bases and in probes.

Tracks are rounded (to 0.001, say), so ten million positions hold a thousand distinct scores. Counting
positives and negatives per distinct score gives every metric exactly, ties included, at a fraction of a
sort's cost; the tests hold the results equal to scikit-learn's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt16

LEVELS = np.iinfo(np.uint16).max + 1


@dataclass(frozen=True)
class ScoreCounts:
    """How many positives and negatives have each distinct score; scores ascend."""

    scores: Float[np.ndarray, " T"]
    positives: Int[np.ndarray, " T"]
    negatives: Int[np.ndarray, " T"]

    def __add__(self, other: ScoreCounts) -> ScoreCounts:
        scores, place = np.unique(np.concatenate([self.scores, other.scores]), return_inverse=True)
        positives, negatives = np.zeros((2, len(scores)), np.int64)
        np.add.at(positives, place, np.concatenate([self.positives, other.positives]))
        np.add.at(negatives, place, np.concatenate([self.negatives, other.negatives]))
        return ScoreCounts(scores, positives, negatives)

    @property
    def count(self) -> int:
        return int(self.positives.sum() + self.negatives.sum())

    @property
    def base_rate(self) -> float:
        """Positives among all: what average precision is for random scores."""
        return float(self.positives.sum()) / self.count if self.count else float("nan")


@dataclass(frozen=True)
class Calls:
    """Positions by label and call; a ratio whose denominator is 0 is NaN."""

    true_positives: int
    false_positives: int
    false_negatives: int
    true_negatives: int

    @property
    def precision(self) -> float:
        """Share of the called positions that are positive."""
        return _ratio(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of the positives that are called."""
        return _ratio(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
        wrong = self.false_positives + self.false_negatives
        return _ratio(2 * self.true_positives, 2 * self.true_positives + wrong)

    @property
    def jaccard(self) -> float:
        """Positions both positive and called among those that are either: TP / (TP + FP + FN).

        Source: Jaccard 1901.
        """
        wrong = self.false_positives + self.false_negatives
        return _ratio(self.true_positives, self.true_positives + wrong)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")


def count_scores(labels: Bool[np.ndarray, " B"], scores: Float[np.ndarray, " B"]) -> ScoreCounts:
    """Counts labels per distinct score; positions whose score is missing (NaN) are left out."""
    known = ~np.isnan(scores)
    distinct, place = np.unique(scores[known], return_inverse=True)
    positives = np.bincount(place[labels[known]], minlength=len(distinct))
    totals = np.bincount(place, minlength=len(distinct))
    return ScoreCounts(distinct.astype(np.float64), positives, totals - positives)


def count_levels(
    labels: Bool[np.ndarray, " B"], levels: UInt16[np.ndarray, " B"], resolution: float
) -> ScoreCounts:
    """Counts labels per score = level x resolution."""
    positives = np.bincount(levels[labels], minlength=LEVELS)
    totals = np.bincount(levels, minlength=LEVELS)
    seen = np.flatnonzero(totals)
    return ScoreCounts(seen * float(resolution), positives[seen], (totals - positives)[seen])


def average_precision_of(counts: ScoreCounts) -> float:
    """Average precision: the sum over thresholds of (recall gained) x precision; NaN without positives.

    Source: scikit-learn, `average_precision_score` (no interpolation).
    """
    gained = counts.positives[::-1].astype(np.float64)
    found, called = np.cumsum(gained), np.cumsum(gained + counts.negatives[::-1])
    return float((gained * found / called).sum() / found[-1]) if len(found) and found[-1] else float("nan")


def auroc_of(counts: ScoreCounts) -> float:
    """Chance that a positive scores above a negative, ties counting half; NaN without both classes.

    Source: Hanley and McNeil 1982 (equal to the trapezoid area of scikit-learn's `roc_auc_score`).
    """
    positives, negatives = counts.positives.astype(np.float64), counts.negatives.astype(np.float64)
    pairs = positives.sum() * negatives.sum()
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2)).sum() / pairs) if pairs else float("nan")


def mcc_curve(counts: ScoreCounts) -> Float[np.ndarray, " T"]:
    """Matthews correlation when everything at or above each score is called; 0 where undefined.

    Source: Matthews 1975; 0 for an empty margin as scikit-learn's `matthews_corrcoef`.
    """
    true_calls = np.cumsum(counts.positives[::-1].astype(np.float64))[::-1]
    false_calls = np.cumsum(counts.negatives[::-1].astype(np.float64))[::-1]
    missed, passed = counts.positives.sum() - true_calls, counts.negatives.sum() - false_calls
    numerator = true_calls * passed - false_calls * missed
    margins = [true_calls + false_calls, true_calls + missed, passed + false_calls, passed + missed]
    # Roots before products: four counts of 10^9 would lose precision multiplied.
    denominator = np.prod(np.sqrt(margins), axis=0)
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)


def first_called(scores: Float[np.ndarray, " T"], threshold: float) -> int:
    """Returns how many of the ascending scores lie below a threshold, rounding errors apart."""
    return int(np.searchsorted(scores, threshold - 1e-9))


def calls_at(counts: ScoreCounts, threshold: float = 0.5) -> Calls:
    """Returns labels against calls when scores of at least `threshold` are called."""
    place = first_called(counts.scores, threshold)
    missed, passed = int(counts.positives[:place].sum()), int(counts.negatives[:place].sum())
    return Calls(int(counts.positives.sum()) - missed, int(counts.negatives.sum()) - passed, missed, passed)


def mcc_at(counts: ScoreCounts, threshold: float = 0.5) -> float:
    """Matthews correlation when scores of at least `threshold` are called."""
    place = first_called(counts.scores, threshold)
    return float(mcc_curve(counts)[place]) if place < len(counts.scores) else 0.0


def best_mcc(counts: ScoreCounts) -> tuple[float, float]:
    """Highest Matthews correlation and its threshold: optimistic, since chosen on the scored data."""
    curve = mcc_curve(counts)
    place = int(np.argmax(curve)) if len(curve) else 0
    return (float(curve[place]), float(counts.scores[place])) if len(curve) else (float("nan"),) * 2


def average_precision(labels: Bool[np.ndarray, " B"], scores: Float[np.ndarray, " B"]) -> float:
    """Area under the precision-recall curve (auPRC) as average precision."""
    return average_precision_of(count_scores(labels, scores))


def auroc(labels: Bool[np.ndarray, " B"], scores: Float[np.ndarray, " B"]) -> float:
    """Area under the receiver operating characteristic."""
    return auroc_of(count_scores(labels, scores))


def mcc(labels: Bool[np.ndarray, " B"], called: Bool[np.ndarray, " B"]) -> float:
    """Matthews correlation of calls with labels."""
    return mcc_at(count_scores(labels, called.astype(np.float64)), 0.5)
