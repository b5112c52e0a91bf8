"""Tables of probes: scores as scikit-learn's, sums and differences by hand, the scripts end to end."""

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
from dnalm.probe.scores import base_rate, score
from dnalm.probe.summary import resampled_scores


def test_scores_of_two_classes_are_scikit_learns():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 2, (300, 1))
    chance = np.round(np.clip(0.4 * labels + generator.random((300, 1)) * 0.6, 0, 1), 2)
    found, called = score("binary", labels, chance)[""], chance[:, 0] >= 0.5
    assert found["mcc"] == pytest.approx(metrics.matthews_corrcoef(labels[:, 0], called))
    assert found["f1_macro"] == pytest.approx(metrics.f1_score(labels[:, 0], called, average="macro"))
    assert found["auroc"] == pytest.approx(metrics.roc_auc_score(labels[:, 0], chance[:, 0]))
    assert found["auprc"] == pytest.approx(metrics.average_precision_score(labels[:, 0], chance[:, 0]))
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels[:, 0], called))
    assert base_rate("binary", labels) == pytest.approx(labels.mean())


def test_scores_of_several_outputs():
    observed = np.array([[0.0, 10.0], [1.0, 20.0], [2.0, 60.0]])
    predicted = np.array([[0.0, 10.0], [1.0, 20.0], [1.0, 60.0]])
    found = score("multi_regression", observed, predicted)
    assert list(found) == ["mean", "pooled", "1", "2"]
    assert found["1"]["R2"] == pytest.approx(0.5) and found["2"]["R2"] == 1
    assert found["mean"]["R2"] == pytest.approx(0.75)
    assert found["pooled"]["R2"] == pytest.approx(metrics.r2_score(observed.ravel(), predicted.ravel()))
    labels = np.array([[0, 1], [1, 1], [1, 0], [0, 0]])
    found = score("multilabel", labels, np.where(labels == 1, 0.9, 0.1) * [1.0, -1.0])
    assert found["1"]["mcc"] == 1 and found["2"]["mcc"] == 0 and found["2"]["auroc"] == 0
    assert np.isnan(base_rate("regression", observed)) and base_rate("multilabel", labels) == 0.5
    assert base_rate("multiclass", np.array([[0], [2], [2], [1]])) == 0.5


def make_folds(name, scores, layer=np.nan, choice="penalty"):
    table = pd.DataFrame({"fold": range(len(scores)), "features": name, "layer": layer, "choice": choice})
    table = table.assign(head="linear", scored="held_out", output="", pooling="", penalty=1.0, n_train=30)
    table["n_test"], table["base_rate"], table["mcc"] = [10, 30], [0.5, 0.1], scores
    return table.reindex(columns=list(probe.FOLD_COLUMNS))


def test_summary_by_hand():
    tables = [
        ("a", make_folds("m", [0.2, 0.4], [1.0, 3.0], "layer"), None),
        ("b", make_folds("kmer", [0.1, 0.1]), None),
        ("c", make_folds("m.random_weights", [0.0, 0.1], 3.0), None),
    ]
    table = probe.summarise(tables, "task.species").set_index("features")
    row = table.loc["m"]
    assert (row["task"], row["metric"], row["folds"], row["n"]) == ("task.species", "mcc", 2, 40)
    assert np.isnan(row["layer"]) and table.loc["m.random_weights", "layer"] == 3
    assert row["mean"] == pytest.approx(0.3) and row["sd"] == pytest.approx(np.sqrt(0.02))
    assert row["sd2"] == pytest.approx(2 * row["sd"]) and row["base_rate"] == pytest.approx(0.2)
    assert row["best_baseline"] == "kmer" and row["difference"] == pytest.approx(0.2)
    assert row["difference_sd2"] == pytest.approx(2 * np.sqrt(0.02)) and np.isnan(row["low"])
    assert table.loc["kmer", ["best_baseline", "difference"]].isna().all()
    with pytest.raises(UserError, match="b: repeats m of a"):
        probe.summarise([("a", tables[0][1], None), ("b", tables[0][1], None)], "t")


def make_predictions(labels, chance, fold, scored="held_out"):
    table = pd.DataFrame({"name": np.arange(len(labels)).astype(str), "label": labels, "layer": np.nan})
    return table.assign(fold=fold, scored=scored, group=np.arange(len(labels)), probability=chance)


def test_intervals_hold_the_score_and_narrow_with_rows():
    generator = np.random.default_rng(0)
    widths = []
    for count in (100, 1600):
        labels, fold = generator.integers(0, 2, count), np.arange(count) % 2
        right = generator.random(count) < 0.8
        found = resampled_scores(make_predictions(labels, np.where(right == labels, 0.9, 0.1), fold))
        low, high = np.quantile(found["accuracy"], [0.025, 0.975])
        assert low < right.mean() < high and len(found["accuracy"]) == 200
        widths.append(high - low)
    assert 3 < widths[0] / widths[1] < 5.5  # the root of 16


def test_a_test_set_is_drawn_once_for_all_folds():
    labels, tables = np.arange(40) % 2, []
    for fold, chance in ((0, labels), (1, 1 - labels)):
        tables.append(make_predictions(labels, chance.astype(float), fold, "test"))
    found = resampled_scores(pd.concat(tables, ignore_index=True))
    assert np.allclose(found["accuracy"], 0.5)  # right in one and wrong in the other, whatever is drawn


def test_differences_are_paired(tmp_path):
    generator = np.random.default_rng(0)
    labels, fold = generator.integers(0, 2, 200), np.arange(200) % 2
    right = generator.random(200) < 0.7
    better = right | (np.arange(200) % 10 == 0)
    tables = []
    for name, own in (("m", better), ("kmer", right)):
        accuracy = [own[fold == held].mean() for held in (0, 1)]
        folds = make_folds(name, [0.1, 0.1]).assign(accuracy=accuracy, n_test=100)
        tables.append((name, folds, make_predictions(labels, np.where(own == labels, 0.9, 0.1), fold)))
    row = probe.summarise(tables, "t").set_index(["features", "metric"]).loc[("m", "accuracy")]
    assert row["difference"] == pytest.approx(better.mean() - right.mean())
    assert 0 < row["difference_low"] < row["difference"] < row["difference_high"]
    assert row["difference_high"] - row["difference_low"] < 0.7 * (row["high"] - row["low"])
    other = tables[1][2].assign(name="x")
    with pytest.raises(UserError, match="kmer: predicts other rows than m"):
        probe.summarise([tables[0], ("kmer", tables[1][1], other)], "t")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("tasks") / "donors.fly"
    home.mkdir()
    task = toy_task()
    task.to_parquet(home / "data.parquet", index=False)
    generator = np.random.default_rng(0)
    centres = task["label"].to_numpy()[:, None]
    layers = {layer: generator.normal(centres * layer, size=(80, 2)).astype(np.float32) for layer in (1, 3)}
    write_embeddings(home / "model.h5ad", task["name"], layers)
    for features, name in (
        (home / "model.h5ad", "model"),
        ("gc_length", "gc_length"),
        ("gc_length", "again"),
    ):
        arguments = ["--task", home / "data.parquet", "--features", features, "--name", name]
        assert train_probe.main([str(word) for word in [*arguments, "--output-dir", home / name]]) == 0
    return home


def test_the_scripts_from_task_to_summary(home):
    folds = probe.read_folds(home / "model" / "folds.tsv")
    assert len(folds) == 4 and (folds["layer"] == 3).all() and (folds["choice"] == "layer").all()
    assert len(probe.read_folds(home / "model" / "sweep.tsv")) == 8
    predictions = pd.read_parquet(home / "model" / "predictions.parquet")
    assert len(predictions) == 80 and predictions["probability"].between(0, 1).all()
    probes = [home / "model", home / "gc_length" / "folds.tsv"]
    arguments = ["--probes", *probes, "--output", home / "summary.tsv"]
    assert summarise_task.main([str(word) for word in arguments]) == 0
    summary = pd.read_csv(home / "summary.tsv", sep="\t")
    assert tuple(summary.columns) == probe.SUMMARY_COLUMNS and set(summary["task"]) == {"donors.fly"}
    row = summary[summary["metric"] == "mcc"].set_index("features").loc["model"]
    assert row["mean"] > 0.8 and row["low"] <= row["mean"] <= row["high"]
    assert row["best_baseline"] == "gc_length" and row["difference_low"] > 0
    sweep = pd.read_csv(home / "sweep.tsv", sep="\t")
    assert sweep.groupby("features")["layer"].nunique()["model"] == 2 and set(sweep["choice"]) == {"fixed"}
    content = json.loads((home / "model" / "manifest.json").read_text())["content"]
    assert set(content["files"]) == {"folds.tsv", "sweep.tsv", "predictions.parquet"}
    assert set(content["inputs"]) == {"task", "embeddings"}


def test_the_same_bytes_again(home):
    names = {path: "gc_length" for path in ("folds.tsv", "sweep.tsv")}
    for name in names:
        first, second = ((home / folder / name).read_text() for folder in ("gc_length", "again"))
        assert first == second.replace("again", "gc_length")
    first, second = (
        pd.read_parquet(home / folder / "predictions.parquet") for folder in ("gc_length", "again")
    )
    assert first["probability"].equals(second["probability"])


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (["--features", "kmer", "one_hot"], "--features: a baseline beside other features"),
        (["--features", "kmer", "--penalties", "1,-2"], "invalid parse_penalties value: '1,-2'"),
    ],
)
def test_options_that_do_not_fit(home, words, pattern, capsys):
    arguments = ["--task", str(home / "data.parquet"), *words, "--output-dir", str(home / "none")]
    try:
        status = train_probe.main(arguments)
    except SystemExit as end:
        status = end.code
    assert status == 2 and pattern in capsys.readouterr().err and not (home / "none").exists()
