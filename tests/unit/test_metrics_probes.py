"""Metrics of several classes, values and confidence: hand-worked values, equality with scikit-learn."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as reference

from dnalm import metrics


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_calls_of_classes_equal_scikit_learn(classes):
    generator = np.random.default_rng(classes)
    labels = generator.integers(0, classes, 400)
    called = np.where(generator.random(400) < 0.6, labels, generator.integers(0, classes, 400))
    table = metrics.confusion(labels, called, classes)
    assert (table == reference.confusion_matrix(labels, called)).all()
    assert metrics.mcc_classes(table) == pytest.approx(reference.matthews_corrcoef(labels, called))
    assert metrics.f1_macro(table) == pytest.approx(reference.f1_score(labels, called, average="macro"))
    assert metrics.accuracy(table) == pytest.approx(reference.accuracy_score(labels, called))


def test_ranking_of_classes_equals_scikit_learn():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 300)
    chances = generator.dirichlet(np.ones(3), 300) + 0.5 * np.eye(3)[labels]
    chances /= chances.sum(axis=1, keepdims=True)
    expected = reference.roc_auc_score(labels, chances, multi_class="ovr")
    assert metrics.one_against_rest(metrics.auroc, labels, chances) == pytest.approx(expected)
    expected = reference.average_precision_score(np.eye(3)[labels], chances, average="macro")
    assert metrics.one_against_rest(metrics.average_precision, labels, chances) == pytest.approx(expected)


def test_classes_by_hand():
    table = metrics.confusion(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 1]), 3)
    assert table.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 0]]
    assert metrics.accuracy(table) == 0.5
    assert metrics.f1_macro(table) == pytest.approx((2 / 3 + 2 / 4 + 0) / 3)
    assert metrics.mcc_classes(table) == pytest.approx((2 * 4 - (2 + 3 + 0)) / np.sqrt((16 - 10) * (16 - 6)))
    assert metrics.mcc_classes(metrics.confusion(np.array([0, 1]), np.array([1, 1]), 2)) == 0
    absent = metrics.confusion(np.array([0, 1]), np.array([0, 1]), 3)
    assert metrics.f1_macro(absent) == 1  # a class without labels and calls says nothing
    labels = np.array([0, 1, 0])
    assert np.isnan(metrics.one_against_rest(metrics.auroc, labels, np.full((3, 3), 1 / 3)))


def test_spearman_is_scipys():
    generator = np.random.default_rng(1)
    observed = np.round(generator.normal(size=200), 1)
    predicted = np.round(np.exp(observed) + generator.normal(size=200), 1)
    expected = stats.spearmanr(observed, predicted).statistic
    assert metrics.spearman(observed, predicted) == pytest.approx(expected)
    assert metrics.spearman(np.array([1, 2, 3]), np.array([1.0, 8.0, 27.0])) == pytest.approx(1)
    assert np.isnan(metrics.spearman(observed, np.ones(200)))


def test_spread_by_hand():
    assert metrics.spread(np.array([0.2, 0.4])) == pytest.approx((0.3, np.sqrt(0.02), 2 * np.sqrt(0.02)))
    assert np.isnan(metrics.spread(np.array([0.2]))[1:]).all()
    assert np.isnan(metrics.spread(np.array([0.2, np.nan]))).all()


def test_resamples_draw_whole_groups_within_folds():
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 40, 200)
    fold = groups % 2
    found = list(metrics.resamples(groups, fold, 50, seed=1))
    assert len(found) == 50
    sizes = np.bincount(groups)
    for rows in found:
        drawn, counts = np.unique(groups[rows], return_counts=True)
        assert (counts % sizes[drawn] == 0).all()  # whole groups
        times = counts // sizes[drawn]
        for held in (0, 1):
            assert times[drawn % 2 == held].sum() == len(np.unique(groups[fold == held]))
    assert all(len(np.unique(rows)) < len(rows) for rows in found)  # with replacement
    again = list(metrics.resamples(groups, fold, 50, seed=1))
    assert all((a == b).all() for a, b in zip(found, again, strict=True))
    assert not list(metrics.resamples(np.arange(18), np.arange(18) % 2, 5))  # nine groups a fold


def test_an_interval_covers_the_mean_as_often_as_it_says():
    generator, covered = np.random.default_rng(0), 0
    for _ in range(100):
        values = generator.normal(size=60)
        rows = metrics.resamples(np.arange(60), np.zeros(60, int), 100)
        low, high = metrics.paired_interval(np.array([values[own].mean() for own in rows]))
        covered += low < 0 < high
    assert 85 <= covered <= 99


def test_paired_differences_are_narrower_than_the_scores():
    generator = np.random.default_rng(0)
    hard = generator.normal(size=80)
    a, b = hard + 0.1, hard + 0.01 * generator.normal(size=80)
    rows = list(metrics.resamples(np.arange(80), np.zeros(80, int), 100))
    first, second = (np.array([values[own].mean() for own in rows]) for values in (a, b))
    low, high = metrics.paired_interval(first, second)
    assert 0.09 < low < high < 0.11
    wide = metrics.paired_interval(first)
    assert wide[1] - wide[0] > 10 * (high - low)
    assert np.isnan(metrics.paired_interval(np.array([np.nan]))).all()
