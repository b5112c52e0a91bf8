"""Probes: folds kept apart, choices made inside the training rows, signals found and noise not."""

import itertools

import numpy as np
import pytest
from toy_tasks import toy_task, write_embeddings

from dnalm import probe
from dnalm.errors import UserError
from dnalm.probe import features, sets
from dnalm.probe.targets import Targets

ROWS, COLUMNS, FOLDS = 160, 6, 4  # one shape: each is compiled
NOISE = np.random.default_rng(0).normal(size=(ROWS, COLUMNS)).astype(np.float32)


def make_task(labels, tested=False):
    """Returns a task whose rows have these labels; the last quarter is an official test set where asked."""
    task = toy_task(rows=ROWS, folds=FOLDS).drop(columns="label")
    for number, column in enumerate(labels.T, 1):
        task["label" if labels.shape[1] == 1 else f"label_{number}"] = column
    task["split"] = ""
    if tested:
        last = np.arange(ROWS) >= ROWS * 3 // 4
        task["split"], task["fold"] = np.where(last, "test", "train"), np.where(last, -1, task["fold"])
    return task


def labels_of(kind, seed=1):
    generator = np.random.default_rng(seed)
    if kind == "regression":
        return generator.normal(size=(ROWS, 1))
    if kind == "multi_regression":
        return generator.normal(size=(ROWS, 2)) * [1, 100]
    if kind == "multilabel":
        return generator.integers(0, 2, (ROWS, 2))
    return generator.permuted(np.arange(ROWS) % (3 if kind == "multiclass" else 2))[:, None]


def signal_of(labels, strength=3.0):
    """Returns features that hold the labels: one column per class or output."""
    values = NOISE + 1000
    if labels.dtype.kind == "f":
        values[:, : labels.shape[1]] += strength * labels / labels.std(axis=0)
    elif labels.shape[1] == 1:
        values[np.arange(ROWS), labels[:, 0]] += 2 * strength
    else:
        values[:, :2] += 2 * strength * labels
    return values


@pytest.fixture
def run(tmp_path):
    def run_on(labels, layers, tested=False, **options):
        task = make_task(labels, tested)
        numbers = itertools.count()
        path = write_embeddings(tmp_path / f"{next(numbers)}{len(layers)}.h5ad", task["name"], layers)
        result = probe.run_probe(task, [str(path)], "m", **options)
        path.unlink()
        return result

    return run_on


KINDS = ["binary", "multiclass", "multilabel", "regression", "multi_regression"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_signal_is_found_and_noise_is_not(run, kind):
    labels = labels_of(kind)
    main = "R2" if kind.endswith("regression") else "mcc"
    found = run(labels, {1: signal_of(labels)})
    shuffled = run(labels, {1: signal_of(np.random.default_rng(2).permutation(labels))})
    assert found.folds[main].mean() > 0.8 and abs(shuffled.folds[main].mean()) < 0.25
    assert len(found.folds) == FOLDS and tuple(found.folds.columns) == probe.FOLD_COLUMNS
    assert found.folds["n_test"].sum() == ROWS
    outputs = {"multilabel": {"pooled", "1", "2"}, "multi_regression": {"pooled", "1", "2"}}.get(kind, set())
    assert set(found.outputs["output"]) == outputs
    if outputs:
        each = found.outputs[found.outputs["output"].isin(["1", "2"])].groupby("fold")[main].mean()
        assert np.allclose(each, found.folds[main])


def test_no_row_is_predicted_or_chosen_by_its_own_fold(run):
    labels = labels_of("binary")
    own = make_task(labels)["fold"].to_numpy() == 2
    layers = {1: NOISE, 2: signal_of(labels, 0.3)}
    before, after = (
        run(each, layers).predictions.set_index("name")
        for each in (labels, np.where(own[:, None], 1 - labels, labels))
    )
    same = before["probability"] == after["probability"].loc[before.index]
    assert same[before["fold"] == 2].all() and not same[before["fold"] != 2].any()


def test_the_layer_with_the_signal_is_chosen(run):
    labels = labels_of("binary")
    result = run(labels, {1: NOISE, 3: signal_of(labels), 5: NOISE[::-1].copy()})
    assert (result.folds["layer"] == 3).all() and (result.folds["choice"] == "layer").all()
    assert result.folds["mcc"].mean() > 0.9
    assert sorted(result.sweep["layer"].unique()) == [1, 3, 5] and set(result.sweep["choice"]) == {"fixed"}
    assert (result.sweep["penalty"] == probe.FIXED_PENALTY).all() and len(result.sweep) == 3 * FOLDS
    assert set(result.predictions["layer"]) == {3}


def test_choosing_among_noise_gains_nothing(run):
    generator, best, nested = np.random.default_rng(5), [], []
    for seed in range(6):
        layers = {n: generator.normal(size=(ROWS, COLUMNS)).astype(np.float32) for n in range(1, 7)}
        result = run(labels_of("binary", seed), layers)
        best.append(result.sweep.groupby("layer")["mcc"].mean().max())
        nested.append(result.folds["mcc"].mean())
    assert np.mean(best) > 0.08 and np.mean(nested) < 0.05  # the best layer in hindsight is optimistic


def test_a_probe_for_every_layer(run):
    labels = labels_of("binary")
    result = run(labels, {1: NOISE, 3: signal_of(labels)}, choose="penalty")
    assert result.folds.groupby("layer").size().to_dict() == {1: FOLDS, 3: FOLDS}
    assert set(result.folds["choice"]) == {"penalty"} and len(result.predictions) == 2 * ROWS


def test_the_penalty_fits_the_features(run):
    labels = labels_of("binary")
    noise, signal = (run(labels, {1: x}).folds["penalty"] for x in (NOISE, signal_of(labels, 1.5)))
    assert noise.median() > 100 * signal.median()
    alone = run(labels, {1: NOISE}, penalties=[10.0])
    assert (alone.folds["penalty"] == 10).all() and (alone.sweep["penalty"] == probe.FIXED_PENALTY).all()


@pytest.mark.parametrize("head", probe.HEADS)
def test_an_official_test_set_is_scored_by_every_folds_probe(run, head):
    labels = labels_of("binary")
    result = run(labels, {1: signal_of(labels)}, tested=True, head=head)
    assert len(result.folds) == FOLDS and (result.folds["n_test"] == ROWS // 4).all()
    assert (result.folds["n_train"] == ROWS * 9 // 16).all() and set(result.folds["scored"]) == {"test"}
    assert result.folds["mcc"].mean() > 0.8
    assert result.predictions.groupby("fold")["name"].nunique().tolist() == [ROWS // 4] * FOLDS
    flipped = labels.copy()
    flipped[ROWS * 3 // 4 :] = 1 - flipped[ROWS * 3 // 4 :]
    again = run(flipped, {1: signal_of(labels)}, tested=True, head=head)
    assert again.predictions["probability"].equals(result.predictions["probability"])
    assert again.folds["mcc"].mean() == pytest.approx(-result.folds["mcc"].mean())


def test_an_mlp_finds_what_no_line_does(run):
    labels = labels_of("binary")
    side = np.where(NOISE[:, 1] > 0, 1, -1)
    values = 1000 + 0.3 * NOISE
    values[:, 0] += side * (2 * labels[:, 0] - 1)
    values[:, 1] += side
    mlp, linear = (run(labels, {1: values}, head=head) for head in ("mlp", "linear"))
    assert mlp.folds["mcc"].mean() > 0.7 > 0.3 > linear.folds["mcc"].mean()
    assert run(labels, {1: values}, head="mlp").predictions.equals(mlp.predictions)
    own = mlp.predictions["fold"] == 2
    flipped = np.where((make_task(labels)["fold"] == 2).to_numpy()[:, None], 1 - labels, labels)
    again = run(flipped, {1: values}, head="mlp")
    assert again.predictions["probability"][own].equals(mlp.predictions["probability"][own])


@pytest.mark.parametrize("tested", [False, True])
def test_the_head_is_chosen_inside_the_training_rows(run, tested):
    labels = labels_of("binary")
    side = np.where(NOISE[:, 1] > 0, 1, -1)
    bent = 1000 + 0.3 * NOISE
    bent[:, 0] += side * (2 * labels[:, 0] - 1)
    bent[:, 1] += side
    of_bent = run(labels, {1: bent}, head="best", tested=tested).folds
    assert set(of_bent["head"]) == {"mlp"} and of_bent["penalty"].isna().all() and of_bent["mcc"].mean() > 0.7
    result = run(labels, {1: NOISE, 3: signal_of(labels, 0.7)}, head="best", tested=tested)
    linear = run(labels, {1: NOISE, 3: signal_of(labels, 0.7)}, tested=tested)
    assert (result.folds["head"] == "linear").sum() >= FOLDS // 2 and len(result.folds) == FOLDS
    assert set(result.sweep["head"]) == {"linear", "mlp"} and set(result.folds["choice"]) == {"layer"}
    kept = result.folds["head"] == "linear"
    assert (result.folds["mcc"] == linear.folds["mcc"])[kept].all()
    flipped = np.where((make_task(labels)["fold"] == 2).to_numpy()[:, None], 1 - labels, labels)
    if not tested:  # the scored fold's labels choose nothing
        again = run(flipped, {1: bent}, head="best").folds
        assert again.loc[again["fold"] == 2, "head"].tolist() == ["mlp"]


@pytest.mark.parametrize("kind", ["multiclass", "multi_regression"])
def test_an_mlp_of_other_types(run, kind):
    labels = labels_of(kind)
    result = run(labels, {1: signal_of(labels, 4.0)}, head="mlp")
    assert result.folds["R2" if kind == "multi_regression" else "mcc"].mean() > 0.7


def test_layers_are_chosen_for_an_mlp(run):
    labels = labels_of("binary")
    result = run(labels, {1: NOISE, 3: signal_of(labels)}, head="mlp")
    assert (result.folds["layer"] == 3).all() and sorted(result.sweep["layer"].unique()) == [1, 3]


def test_training_sets_leave_out_what_they_predict():
    fold = np.array([7, 7, 2, 4, 4, 9, 2, 9])
    made = sets.make_sets(fold, tested=False)
    assert len(made.train) == 4 + 6
    for place in range(4):
        inner = list(made.inner(place))
        assert len(inner) == 3
        for number, rows in inner:
            left_out = set(fold[~made.train[number]])
            assert left_out == {made.numbers[place], fold[rows[0]]} and len(left_out) == 2
    tested = sets.make_sets(fold, tested=True)
    assert len(tested.train) == 4
    assert [(number, rows.tolist()) for number, rows in tested.inner(1)] == [(1, [3, 4])]


def test_two_folds_cannot_choose():
    with pytest.raises(UserError, match="folds: found 2, expected at least 3 to choose"):
        sets.make_sets(np.array([0, 0, 1, 1]), tested=False)
    assert len(sets.make_sets(np.array([0, 0, 1, 1]), tested=False, choosing=False).train) == 2


def test_losses_by_hand():
    empty = np.zeros((0, 1))
    binary = Targets("binary", np.array([[0], [1]]), empty)
    assert binary.loss(binary.labels, np.array([[0.0], [np.log(3)]])) == pytest.approx(
        (np.log(2) - np.log(0.75)) / 2
    )
    assert binary.read(np.array([[np.log(3)]]))[0, 0] == pytest.approx(0.75)
    classes = Targets("multiclass", np.array([[0], [2]]), empty, 3)
    assert classes.loss(classes.labels, np.zeros((2, 3))) == pytest.approx(np.log(3))
    assert classes.read(np.zeros((1, 3)))[0].tolist() == pytest.approx([1 / 3] * 3)
    values = Targets("multi_regression", np.array([[0.0, 0.0], [2.0, 20.0]]), np.zeros((0, 2)))
    assert values.loss(values.labels, np.array([[1.0, 10.0], [1.0, 10.0]])) == pytest.approx(1)


def test_embeddings_are_joined_by_name(tmp_path):
    task = toy_task()
    rows = np.arange(len(task), dtype=np.float32)[:, None]
    names = task["name"].tolist()
    order = np.random.default_rng(0).permutation(len(names))
    shuffled = [names[place] for place in order]
    values = np.append(rows[order], [[-1]], axis=0)
    path = write_embeddings(tmp_path / "e.h5ad", [*shuffled, "other"], {2: values})
    assert (features.embedding_rows(path, 2, names) == rows).all()


def test_every_layer_of_every_file_or_the_one_named(tmp_path):
    task = toy_task()
    rows = np.ones((len(task), 3), np.float32)
    about = [{"pooling": "mean"}, {"pooling": "cls"}, {}]
    paths = [
        str(write_embeddings(tmp_path / f"{n}.h5ad", task["name"], {1: rows, 12: 2 * rows}, facts))
        for n, facts in enumerate(about)
    ]
    found = features.find_sources(paths)
    assert [(source.layer, source.pooling) for source in found] == [
        (1, "mean"), (12, "mean"), (1, "cls"), (12, "cls"), (1, ""), (12, ""),
    ]  # fmt: skip
    [source] = features.find_sources([f"{paths[0]}:12"])
    assert source.layer == 12 and (features.read_features(source, task) == 2).all()


def test_pooling_is_chosen_with_the_layer(tmp_path):
    labels = labels_of("binary")
    task, layers = make_task(labels), {"cls": NOISE, "mean": signal_of(labels)}
    paths = [
        str(write_embeddings(tmp_path / f"{name}.h5ad", task["name"], {2: values}, {"pooling": name}))
        for name, values in layers.items()
    ]
    result = probe.run_probe(task, paths, "m")
    assert (result.folds["pooling"] == "mean").all() and (result.folds["choice"] == "layer").all()


def test_baselines_have_no_layer():
    task = toy_task()
    for name, columns in (("kmer", 1344), ("one_hot", 240), ("gc_length", 2), ("constant", 1)):
        [source] = features.find_sources([name])
        assert source.layer is None and features.read_features(source, task).shape == (80, columns)


def test_a_constant_predicts_the_majority_or_the_mean():
    labels = (np.arange(ROWS) % 5 == 0).astype(int)[:, None]
    folds = probe.run_probe(make_task(labels), ["constant"], "constant").folds
    assert (folds["mcc"] == 0).all() and np.average(folds["accuracy"]) == pytest.approx(0.8)
    values = labels_of("regression")
    result = probe.run_probe(make_task(values), ["constant"], "constant")
    assert (result.folds["R2"] <= 0).all() and result.folds["r2_pearson"].isna().all()
    assert np.allclose(result.predictions["prediction"], values.mean(), atol=0.2)
