"""Probes: folds kept apart, scores as scikit-learn's, names joined, sums by hand."""

import json

import numpy as np
import pandas as pd
import pytest
import summarise_task
import train_probe
from sklearn import metrics
from toy_tasks import toy_task, write_embeddings

from dnalm import probe
from dnalm.errors import UserError

NAMES = ("mcc", "auroc", "auprc", "accuracy")


@pytest.fixture
def task():
    return toy_task()


def test_standardise_uses_the_first_alone():
    train, other = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[5.0, 9.0]])
    inputs, tested = probe.standardise(train, other)
    assert inputs.tolist() == [[-1, 0], [1, 0]] and tested.tolist() == [[3, 0]]  # a constant column is 0


def test_no_row_is_predicted_from_its_own_fold():
    generator = np.random.default_rng(0)
    labels, fold = generator.integers(0, 2, 120), np.arange(120) % 4
    values = generator.normal(size=(120, 8)).astype(np.float32)
    before = probe.cross_validate(values, labels, fold)
    flipped = np.where(fold == 2, 1 - labels, labels)
    after = probe.cross_validate(values, flipped, fold)
    assert (before[fold == 2] == after[fold == 2]).all()
    assert (before[fold != 2] != after[fold != 2]).all()


def test_a_signal_is_found_and_noise_is_not():
    generator = np.random.default_rng(0)
    labels, fold = np.arange(400) % 2, np.arange(400) // 2 % 5
    noise = generator.normal(size=(400, 6)).astype(np.float32)
    signal = noise + 1e3 + 3 * labels[:, None].astype(np.float32)
    scores = [probe.score_folds(probe.cross_validate(x, labels, fold), labels, fold) for x in (signal, noise)]
    assert scores[0]["mcc"].mean() > 0.95
    assert abs(scores[1]["mcc"].mean()) < 0.2 and abs(scores[1]["auroc"].mean() - 0.5) < 0.1


def test_scores_are_those_of_scikit_learn():
    generator = np.random.default_rng(3)
    labels, fold = generator.integers(0, 2, 300), np.arange(300) % 3
    probability = np.round(np.clip(0.4 * labels + generator.random(300) * 0.6, 0, 1), 2)
    table = probe.score_folds(probability, labels, fold)
    assert table["n_train"].tolist() == [200] * 3 and table["n_test"].tolist() == [100] * 3
    for row in table.itertuples():
        truth, score = labels[fold == row.fold], probability[fold == row.fold]
        called = score >= 0.5
        assert row.mcc == pytest.approx(metrics.matthews_corrcoef(truth, called))
        assert row.auroc == pytest.approx(metrics.roc_auc_score(truth, score))
        assert row.auprc == pytest.approx(metrics.average_precision_score(truth, score))
        assert row.accuracy == pytest.approx(metrics.accuracy_score(truth, called))
        assert row.base_rate == pytest.approx(truth.mean())


def test_embeddings_are_joined_by_name(tmp_path, task):
    rows = np.arange(len(task), dtype=np.float32)[:, None]
    names = task["name"].tolist()
    order = np.random.default_rng(0).permutation(len(names))
    shuffled = [names[place] for place in order]
    path = write_embeddings(
        tmp_path / "e.h5ad", [*shuffled, "other"], {2: np.append(rows[order], [[-1]], axis=0)}
    )
    assert (probe.embedding_rows(path, 2, names) == rows).all()


def test_every_layer_or_the_one_named(tmp_path, task):
    rows = np.ones((len(task), 3), np.float32)
    path = write_embeddings(tmp_path / "e.h5ad", task["name"], {1: rows, 12: 2 * rows})
    assert [layer for layer, _ in probe.feature_sets(str(path), task)] == [1, 12]
    [(layer, values)] = probe.feature_sets(f"{path}:12", task)
    assert layer == 12 and (values == 2).all()


def test_baselines_have_no_layer(task):
    for name, columns in (("kmer", 1344), ("one_hot", 240)):
        [(layer, values)] = probe.feature_sets(name, task)
        assert layer is None and values.shape == (80, columns)


def test_summary_by_hand():
    folds = pd.DataFrame({"features": "m", "layer": [1.0, 1.0, 2.0, 2.0], "fold": [0, 1, 0, 1]})
    folds["n_train"], folds["n_test"], folds["base_rate"] = 30, [10, 30, 10, 30], [0.5, 0.1, 0.5, 0.1]
    for metric in NAMES:
        folds[metric] = [0.2, 0.4, 0.5, 0.5]
    table = probe.summarise([("a", folds)], "task.species")
    assert table["metric"].tolist() == list(NAMES) * 2
    row = table.iloc[0]
    assert (row["task"], row["features"], row["layer"], row["folds"], row["n"]) == (
        "task.species",
        "m",
        1,
        2,
        40,
    )
    assert row["mean"] == pytest.approx(0.3) and row["sd"] == pytest.approx(np.sqrt(0.02))
    assert row["sd2"] == pytest.approx(2 * row["sd"]) and row["base_rate"] == pytest.approx(0.2)
    assert table["sd2"].iloc[4] == 0
    with pytest.raises(UserError, match="b: repeats m of a"):
        probe.summarise([("a", folds), ("b", folds)], "t")


def test_the_scripts_from_task_to_summary(tmp_path, task, capsys):
    home = tmp_path / "donors.fly"
    home.mkdir()
    task.to_parquet(home / "data.parquet", index=False)
    generator = np.random.default_rng(0)
    layers = {
        layer: generator.normal(task["label"].to_numpy()[:, None] * layer, size=(80, 5)).astype(np.float32)
        for layer in (1, 3)
    }
    write_embeddings(home / "model.h5ad", task["name"], layers)
    for features, name in ((home / "model.h5ad", "model"), ("kmer", "kmer"), ("one_hot", "one_hot")):
        arguments = ["--task", home / "data.parquet", "--features", features, "--output-dir", home / name]
        assert train_probe.main([str(word) for word in arguments]) == 0
    assert "model, layer 3: mcc" in capsys.readouterr().err
    folds = pd.read_csv(home / "model" / "folds.tsv", sep="\t")
    assert tuple(folds.columns) == probe.FOLD_COLUMNS and len(folds) == 8
    predictions = pd.read_parquet(home / "model" / "predictions.parquet")
    assert tuple(predictions.columns) == probe.PREDICTION_COLUMNS and len(predictions) == 160
    probes = [home / "model", home / "kmer" / "folds.tsv", home / "one_hot"]
    arguments = ["--probes", *probes, "--output", home / "summary.tsv"]
    assert summarise_task.main([str(word) for word in arguments]) == 0
    summary = pd.read_csv(home / "summary.tsv", sep="\t")
    assert tuple(summary.columns) == probe.SUMMARY_COLUMNS and set(summary["task"]) == {"donors.fly"}
    means = summary[summary["metric"] == "mcc"].set_index(["features", "layer"])["mean"]
    assert means[("model", 3.0)] > 0.9
    content = json.loads((home / "model" / "manifest.json").read_text())["content"]
    assert set(content["files"]) == {"folds.tsv", "predictions.parquet"}
    assert set(content["inputs"]) == {"task", "embeddings"}


def test_the_figure_reads_the_summary(tmp_path, task):
    from dnalm.figures import tables

    folds, _ = probe.run_probe(task, "kmer", "kmer")
    probe.summarise([("a", folds)], "t").to_csv(tmp_path / "s.tsv", sep="\t", index=False, na_rep="NA")
    read = tables.read_table(tmp_path / "s.tsv", tables.SUMMARY_COLUMNS)
    assert tables.feature_order(read) == [("kmer", "")]


def test_the_same_bytes_again(tmp_path, task):
    task.to_parquet(tmp_path / "data.parquet", index=False)
    for name in ("a", "b"):
        arguments = [
            "--task",
            tmp_path / "data.parquet",
            "--features",
            "kmer",
            "--output-dir",
            tmp_path / name,
        ]
        assert train_probe.main([str(word) for word in arguments]) == 0
    for name in ("folds.tsv", "predictions.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
