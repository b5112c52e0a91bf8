"""Solvers of probes: scikit-learn's optimum in float64, on features of every conditioning and shape."""

import numpy as np
import pytest
from scipy.special import expit, logsumexp
from sklearn.linear_model import LogisticRegression, Ridge

from dnalm.errors import UserError
from dnalm.probe.logistic import fit_logistic
from dnalm.probe.ridge import fit_ridge
from dnalm.probe.scaling import Scales, scales_of, standardise

FOLDS = 4
PENALTIES = (1000.0, 1.0, 0.1)


def make_features(kind, count, columns, seed=0):
    """Well conditioned; spectra that fall to 1e-9 of their top; columns that nearly repeat; far from 0."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(count, columns))
    if kind in ("spectrum", "twins"):
        spectrum = 10.0 ** -np.linspace(0, 5, columns)
        values = (values * spectrum) @ np.linalg.qr(generator.normal(size=(columns, columns)))[0]
    if kind == "twins":
        half = columns // 2
        values[:, half : 2 * half] = values[:, :half] + 1e-6 * generator.normal(size=(count, half))
    if kind == "far":
        values = 1000 + 0.1 * values
    return values.astype(np.float32)


def make_case(kind, count, columns, classes):
    generator = np.random.default_rng(1)
    values = standardise(make_features(kind, count, columns))
    slopes = generator.normal(size=(columns, classes)) / np.sqrt(columns)
    labels = (2 * values @ slopes + generator.gumbel(size=(count, classes))).argmax(axis=1)
    fold = generator.integers(0, FOLDS, count)
    train = np.stack([fold != number for number in range(FOLDS)] + [fold > 1])
    return values, labels, train


def scaled_weights(fits, scales, number):
    """Returns float64 weights of the features as the training set standardises them, and intercepts."""
    varies = scales.inverse[number] > 0
    inverse = np.where(varies, scales.inverse[number], 1)
    weights = fits.weights[number].astype(np.float64)
    return np.where(varies, weights / inverse, 0), fits.intercepts[number] + weights @ scales.mean[number]


def logistic_objective(inputs, labels, weights, intercepts, penalty):
    logits = inputs @ weights.T + intercepts
    if len(weights) == 1:
        loss = np.logaddexp(0, logits[:, 0]) - labels * logits[:, 0]
    else:
        loss = logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels]
    return loss.sum() + penalty / 2 * (weights**2).sum()


SHAPE = 600, 60  # few shapes: each is compiled
SHAPES = [(kind, *SHAPE) for kind in ("plain", "far", "spectrum", "twins")] + [("twins", 150, 300)]
LOGISTIC = [(*shape, classes) for shape in SHAPES for classes in (2, 3) if shape[1:] == SHAPE or classes == 2]


@pytest.mark.parametrize(("kind", "count", "columns", "classes"), LOGISTIC, ids=str)
def test_logistic_regression_is_at_scikit_learns_optimum(kind, count, columns, classes):
    values, labels, train = make_case(kind, count, columns, classes)
    targets = (labels[:, None] == np.arange(classes)).astype(np.float32)
    softmax = classes > 2
    fits = fit_logistic(values, targets if softmax else targets[:, 1:], train, PENALTIES, softmax)
    scales = scales_of(values, train)
    for penalty, models in zip(PENALTIES, fits, strict=True):
        number = 1 if penalty == 1 else len(train) - 1
        inputs = (values.astype(np.float64) - scales.mean[number]) * scales.inverse[number]
        used, solver = train[number], "newton-cholesky" if columns < count else "lbfgs"
        model = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=20_000, solver=solver)
        model.fit(inputs[used], labels[used])
        own = logistic_objective(inputs[used], labels[used], *scaled_weights(models, scales, number), penalty)
        best = logistic_objective(inputs[used], labels[used], model.coef_, model.intercept_, penalty)
        assert abs(own - best) <= 1e-5 * best
        logits = models.predict(values[~used], number)
        called = logits.argmax(axis=1) if softmax else (logits[:, 0] > 0).astype(int)
        assert (called != model.predict(inputs[~used])).sum() <= max(2, 0.001 * (~used).sum())


@pytest.mark.parametrize(("kind", "count", "columns"), SHAPES, ids=str)
def test_ridge_is_scikit_learns(kind, count, columns):
    values, labels, train = make_case(kind, count, columns, 2)
    generator = np.random.default_rng(2)
    targets = np.stack([labels + generator.normal(size=count), values[:, 0] * 3.0 + 7], axis=1)
    scales = scales_of(values, train)
    for penalty, models in zip(PENALTIES, fit_ridge(values, targets, train, PENALTIES), strict=True):
        for number in (0, len(train) - 1):
            inputs = (values.astype(np.float64) - scales.mean[number]) * scales.inverse[number]
            used = train[number]
            model = Ridge(alpha=penalty, solver="svd").fit(inputs[used], targets[used])
            weights, intercepts = scaled_weights(models, scales, number)
            own, best = (
                ((targets[used] - inputs[used] @ slopes.T - offset) ** 2).sum() + penalty * (slopes**2).sum()
                for slopes, offset in ((weights, intercepts), (model.coef_, model.intercept_))
            )
            assert abs(own - best) <= 1e-8 * best
            assert np.allclose(models.predict(values[~used], number), model.predict(inputs[~used]), atol=1e-4)


def test_features_are_as_ill_conditioned_as_meant():
    for kind, floor in (("spectrum", 1e8), ("twins", 1e8)):
        spectrum = np.linalg.eigvalsh(np.cov(make_features(kind, 800, 60).T.astype(np.float64)))
        assert spectrum[-1] / max(spectrum[0], 1e-30) > floor


def test_labels_apart_are_fits_apart():
    values, labels, train = make_case("plain", *SHAPE, 3)
    targets = (labels[:, None] == np.arange(3)).astype(np.float32)
    together = fit_logistic(values, targets, train, [1.0])[0]
    for column in (0, 2):
        alone = fit_logistic(values, targets[:, [column]], train, [1.0])[0]
        assert np.allclose(together.weights[:, column], alone.weights[:, 0], atol=2e-3)


def test_training_sets_do_not_see_each_other():
    values, labels, train = make_case("plain", *SHAPE, 2)
    targets = labels[:, None].astype(np.float32)
    before = fit_logistic(values, targets, train, [1.0, 10.0])[1]
    flipped = np.where(train[0][:, None], targets, 1 - targets).astype(np.float32)
    after = fit_logistic(values, flipped, train, [1.0, 10.0])[1]
    assert (before.weights[0] == after.weights[0]).all() and (before.weights[1] != after.weights[1]).any()


def test_groups_of_training_sets_give_the_same_fits(monkeypatch):
    values, labels, train = make_case("plain", *SHAPE, 2)
    whole = fit_logistic(values, labels[:, None].astype(np.float32), train, [1.0])[0]
    monkeypatch.setattr("dnalm.probe.logistic.HELD", 3 * 2 * 8 * SHAPE[1])
    parts = fit_logistic(values, labels[:, None].astype(np.float32), train, [1.0])[0]
    assert np.allclose(whole.weights, parts.weights, atol=2e-3)


def test_the_same_bytes_again():
    values, labels, train = make_case("twins", *SHAPE, 3)
    targets = (labels[:, None] == np.arange(3)).astype(np.float32)
    a, b = (fit_logistic(values, targets, train, PENALTIES, softmax=True) for _ in range(2))
    assert all(x.weights.tobytes() == y.weights.tobytes() for x, y in zip(a, b, strict=True))


def test_separable_classes_keep_finite_weights():
    values, _, train = make_case("plain", *SHAPE, 2)
    [fits] = fit_logistic(values, (values[:, :1] > 0).astype(np.float32), train, [0.1])
    called = expit(fits.predict(values, 0)[:, 0]) > 0.5
    assert np.isfinite(fits.weights).all() and (called == (values[:, 0] > 0))[train[0]].all()


def test_a_column_constant_in_a_training_set_has_no_weight():
    values, _, train = make_case("plain", *SHAPE, 2)
    values[train[0], 1] = 0.5
    targets = (values[:, :1] > 0).astype(np.float32)
    logistic = fit_logistic(values, targets, train, [1.0])[0]
    ridge = fit_ridge(values, targets.astype(np.float64), train, [1.0])[0]
    for fits in (logistic, ridge):
        assert fits.weights[0, 0, 1] == 0 and fits.weights[1, 0, 1] != 0


def test_standardise_by_hand():
    values = np.array([[1.0, 5.0], [3.0, 5.0], [5.0, 9.0]], np.float32)
    scaled = standardise(values, np.array([True, True, False]))
    assert scaled.tolist() == [[-1, 0], [1, 0], [3, 0]]  # a column constant in the rows that count is 0
    scales = scales_of(values, np.array([[True, True, False]]))
    assert (scales.mean.tolist(), scales.inverse.tolist()) == ([[2, 5]], [[1, 0]])
    assert isinstance(scales.of(slice(0, 1)), Scales)


def test_tiny_and_distant_features_are_kept():
    values = make_features("plain", 50, 2) * np.float32(1e-9)
    assert np.allclose(standardise(values).std(axis=0), 1, atol=1e-4)
    assert np.allclose(standardise(make_features("far", 50, 2)).std(axis=0), 1, atol=1e-4)


def test_too_wide_for_ridge(monkeypatch):
    monkeypatch.setattr("dnalm.probe.ridge.MOST_COLUMNS", 3)
    with pytest.raises(
        UserError, match=r"4 features of 5 rows are too many \(expected at most 3 of either\)"
    ):
        fit_ridge(np.zeros((5, 4), np.float32), np.zeros((5, 1)), np.ones((1, 5), bool), [1.0])
