"""Metrics: hand-worked values and equality with scikit-learn on rounded, tied and missing scores."""

import numpy as np
import pytest
from sklearn import metrics as reference

from dnalm import metrics

LABELS = np.array([False, True, False, True])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])


def random_case(seed, resolution, count=5000, base_rate=0.05):
    generator = np.random.default_rng(seed)
    labels = generator.random(count) < base_rate
    levels = np.rint(np.clip(generator.normal(0.3 + 0.2 * labels, 0.2), 0, 1) / resolution).astype(np.uint16)
    return labels, levels


@pytest.mark.parametrize("resolution", [0.001, 0.01, 0.25])
@pytest.mark.parametrize("base_rate", [0.002, 0.3])
def test_counted_metrics_equal_scikit_learn(resolution, base_rate):
    labels, levels = random_case(1, resolution, base_rate=base_rate)
    scores = levels * resolution
    for counts in (
        metrics.count_levels(labels, levels, resolution),
        metrics.count_scores(labels, scores),
        metrics.count_levels(labels[:99], levels[:99], resolution)
        + metrics.count_levels(labels[99:], levels[99:], resolution),
    ):
        assert counts.count == len(labels)
        assert counts.base_rate == pytest.approx(labels.mean())
        assert metrics.average_precision_of(counts) == pytest.approx(
            reference.average_precision_score(labels, scores), abs=1e-12
        )
        assert metrics.auroc_of(counts) == pytest.approx(reference.roc_auc_score(labels, scores), abs=1e-12)
        for threshold in (0.25, 0.5):
            expected = reference.matthews_corrcoef(labels, scores >= threshold)
            assert metrics.mcc_at(counts, threshold) == pytest.approx(expected, abs=1e-12)
            called, found = scores >= threshold, metrics.calls_at(counts, threshold)
            assert found.f1 == pytest.approx(reference.f1_score(labels, called), abs=1e-12)
            assert found.jaccard == pytest.approx(reference.jaccard_score(labels, called), abs=1e-12)
            assert found.precision == pytest.approx(reference.precision_score(labels, called), abs=1e-12)
            assert found.recall == pytest.approx(reference.recall_score(labels, called), abs=1e-12)
        best, threshold = metrics.best_mcc(counts)
        assert best == pytest.approx(reference.matthews_corrcoef(labels, scores >= threshold), abs=1e-12)
        assert all(
            best >= reference.matthews_corrcoef(labels, scores >= other) - 1e-12
            for other in np.linspace(0.1, 0.9, 9)
        )


def test_values_worked_out_by_hand():
    assert metrics.average_precision(LABELS, SCORES) == pytest.approx(0.5 * 1 + 0.5 * 1)
    swapped = ~LABELS  # ranks of the positives from the top: 3 and 4
    assert metrics.average_precision(swapped, SCORES) == pytest.approx((1 / 3 + 2 / 4) / 2)
    assert metrics.auroc(LABELS, SCORES) == 1.0
    assert metrics.auroc(LABELS, np.full(4, 0.5)) == 0.5
    assert metrics.mcc(LABELS, np.array([False, True, True, True])) == pytest.approx(2 / np.sqrt(12))


def test_calls_worked_out_by_hand():
    calls = metrics.calls_at(metrics.count_scores(LABELS, SCORES), 0.35)  # the threshold itself is called
    assert calls == metrics.Calls(2, 1, 0, 1)
    assert (calls.precision, calls.recall) == (2 / 3, 1.0)
    assert (calls.f1, calls.jaccard) == (4 / 5, 2 / 3)
    above = metrics.calls_at(metrics.count_scores(LABELS, SCORES), 0.9)
    assert above == metrics.Calls(0, 0, 2, 2) and np.isnan(above.precision)
    assert (above.recall, above.f1, above.jaccard) == (0, 0, 0)


def test_a_ratio_without_denominator_is_undefined():
    calls = metrics.Calls(0, 0, 0, 7)
    assert all(np.isnan(getattr(calls, name)) for name in ("precision", "recall", "f1", "jaccard"))


@pytest.mark.parametrize("resolution", [0.001, 0.01, 0.1])
def test_a_threshold_at_a_level_is_called_whatever_the_rounding(resolution):
    scores = np.arange(round(1 / resolution) + 1) * resolution
    for level in range(len(scores)):
        assert metrics.first_called(scores, level * resolution) == level
        assert metrics.first_called(scores, round(level * resolution, 6)) == level


def test_missing_scores_are_left_out():
    scores = np.append(SCORES, np.nan)
    assert metrics.average_precision(np.append(LABELS, True), scores) == metrics.average_precision(
        LABELS, SCORES
    )
    assert metrics.count_scores(np.append(LABELS, True), scores).count == 4


@pytest.mark.parametrize("labels", [np.zeros(4, bool), np.ones(4, bool), np.zeros(0, bool)])
def test_one_class_has_no_curve(labels):
    scores = SCORES[: len(labels)]
    assert np.isnan(metrics.auroc(labels, scores))
    assert np.isnan(metrics.average_precision(labels, scores)) == (not labels.any())


def test_large_counts_do_not_overflow():
    counts = metrics.ScoreCounts(np.array([0.2, 0.7]), np.array([10**6, 10**8]), np.array([10**9, 10**6]))
    tp, fp, fn, tn = 1e8, 1e6, 1e6, 1e9
    expected = (tp * tn - fp * fn) / np.sqrt((tp + fp) * (tp + fn)) / np.sqrt((tn + fp) * (tn + fn))
    assert metrics.mcc_at(counts) == pytest.approx(expected)


def test_both_r2_equal_scikit_learn_and_differ():
    generator = np.random.default_rng(2)
    observed = generator.normal(size=200)
    predicted = 0.5 * observed + generator.normal(size=200) + 1
    assert metrics.r2_score(observed, predicted) == pytest.approx(reference.r2_score(observed, predicted))
    assert metrics.pearson_r2(observed, 3 * predicted - 7) == pytest.approx(
        metrics.pearson_r2(observed, predicted)
    )
    assert metrics.r2_score(observed, predicted) < 0 < metrics.pearson_r2(observed, predicted) < 1
    assert np.isnan(metrics.r2_score(np.ones(3), np.arange(3.0)))
    assert np.isnan(metrics.pearson_r2(np.ones(3), np.arange(3.0)))
