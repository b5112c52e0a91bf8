"""How much faster the linear probes are than scikit-learn's logistic regression, fold by fold.

Ten folds, two classes, the same standardised float32 features for both, one penalty; the two are run in turn,
so that a machine's load moves both alike. Two kinds of features: independent columns, and a spectrum that
falls as the root of 1 / k, nearer to embeddings. Printed for each: every round's ratio (the first with
compilation), in how many held-out rows the calls differ, and both objectives; for the fold that differs most
the same against scikit-learn's Newton solver in float64, which goes to the optimum. Last, the whole nested
choice (55 training sets, all penalties), which scikit-learn is not asked to do: its time is extrapolated from
that of one set.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from sklearn.linear_model import LogisticRegression  # noqa: E402

from dnalm.probe import PENALTIES  # noqa: E402
from dnalm.probe.logistic import fit_logistic  # noqa: E402
from dnalm.probe.scaling import scales_of, standardise  # noqa: E402
from dnalm.probe.sets import make_sets  # noqa: E402

FOLDS, PENALTY = 10, 1.0


def make_data(kind: str, rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    values = generator.normal(size=(rows, columns)).astype(np.float32)
    slopes = generator.normal(size=columns)
    logits = values @ slopes / np.sqrt(columns)
    if kind == "spectrum":
        values *= np.arange(1, columns + 1, dtype=np.float32) ** np.float32(-0.5)
        values = values @ np.linalg.qr(generator.normal(size=(columns, columns)))[0].astype(np.float32)
    labels = generator.random(rows) < 1 / (1 + np.exp(-2 * logits))
    return standardise(values), labels.astype(np.int64)


def by_scikit_learn(values: np.ndarray, labels: np.ndarray, train: np.ndarray) -> list[LogisticRegression]:
    """As one would write it: each training set copied, standardised, and fitted at the default tolerance."""
    scales, models = scales_of(values, train), []
    for number, used in enumerate(train):
        inputs = (values[used] - scales.mean[number].astype(np.float32)) * scales.inverse[number].astype(
            np.float32
        )
        models.append(LogisticRegression(C=1 / PENALTY, max_iter=5000).fit(inputs, labels[used]))
    return models


def objective(values, labels, weights, intercept) -> float:
    logits = values @ weights + intercept
    return float((np.logaddexp(0, logits) - labels * logits).sum() + PENALTY / 2 * (weights**2).sum())


def against(model, fits, place, values, labels, sets, scales) -> tuple[int, float]:
    """Returns in how many held-out rows the calls differ, and how far our objective is above the model's."""
    mean, scale, used = scales.mean[place], scales.inverse[place], sets.train[place]
    held, inputs = sets.rows(place), (values - scales.mean[place]) * scales.inverse[place]
    called = fits.predict(values[held], place)[:, 0] > 0
    weights = fits.weights[place, 0].astype(np.float64) / scale
    intercept = fits.intercepts[place, 0] + fits.weights[place, 0] @ mean
    ours = objective(inputs[used], labels[used], weights, intercept)
    theirs = objective(inputs[used], labels[used], model.coef_[0].astype(np.float64), model.intercept_[0])
    return int((called != model.predict(inputs[held])).sum()), (ours - theirs) / theirs


def compare(kind: str, rows: int, columns: int, rounds: int) -> None:
    values, labels = make_data(kind, rows, columns)
    sets = make_sets(np.arange(rows) % FOLDS, tested=False)
    train, targets, scales = (
        sets.train[:FOLDS],
        labels[:, None].astype(np.float32),
        scales_of(values, sets.train),
    )
    ratios = []
    for number in range(rounds + 1):
        started = time.perf_counter()
        [fits] = fit_logistic(values, targets, train, [PENALTY])
        own = time.perf_counter() - started
        started = time.perf_counter()
        models = by_scikit_learn(values, labels, train)
        other = time.perf_counter() - started
        ratios.append(other / own)
        what = "with compilation" if number == 0 else f"round {number}"
        print(
            f"{kind}, {what}: scikit-learn {other:.2f} s, ours {own:.2f} s, ratio {ratios[-1]:.1f}",
            flush=True,
        )
    print(f"{kind}: median ratio {statistics.median(ratios[1:]):.1f}, least {min(ratios[1:]):.1f}")
    found = [against(model, fits, place, values, labels, sets, scales) for place, model in enumerate(models)]
    differ, gaps = zip(*found, strict=True)
    print(f"{kind}: calls that differ per fold {list(differ)} of {rows // FOLDS}")
    print(f"{kind}: our objective less scikit-learn's, relative: {min(gaps):.1e} to {max(gaps):.1e}")
    place = int(np.argmax(differ))
    inputs = (values[train[place]] - scales.mean[place]) * scales.inverse[place]
    exact = LogisticRegression(C=1 / PENALTY, solver="newton-cholesky", tol=1e-10)
    exact.fit(inputs, labels[train[place]])
    count, gap = against(exact, fits, place, values, labels, sets, scales)
    print(f"{kind}: against its optimum in float64: fold {place}, {count} calls differ, objective {gap:+.1e}")
    started = time.perf_counter()
    fit_logistic(values, targets, sets.train, PENALTIES)
    nested, one = time.perf_counter() - started, other / FOLDS
    fits_made = len(sets.train) * len(PENALTIES)
    print(
        f"{kind}: nested choice, {fits_made} fits: {nested:.1f} s, scikit-learn {one * fits_made:.0f} s or so"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--columns", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3, help="after the first, which compiles")
    parser.add_argument("--kinds", nargs="+", default=["independent", "spectrum"])
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        compare(kind, arguments.rows, arguments.columns, arguments.rounds)


if __name__ == "__main__":
    main()
