"""The leaderboard: headline scores of every layout end to end, published ones only of the same data."""

import json
from functools import partial

import import_task
import make_leaderboard
import numpy as np
import pandas as pd
import pytest
import summarise_task
import train_probe
from toy_suites import suite_files

from dnalm import leaderboard, suites
from dnalm.errors import UserError

OPTION = {"train": "--data", "validation": "--validation-data", "test": "--test-data"}
LAYOUTS = {
    ("nt_revised", "enhancers"): "mcc",
    ("nt_revised", "enhancers_types"): "mcc",
    ("pgb", "promoter_strength.leaf"): "r2_pearson",
    ("gue", "mouse_3"): "mcc",
}


def call(script, *words):
    assert script.main([str(word) for word in words]) == 0


def probe(folder, *names):
    for name in names:
        words = ("--task", folder / "data.parquet", "--features", name, "--output-dir", folder / name)
        call(train_probe, *words, "--penalties", "100")
    call(summarise_task, "--probes", *(folder / name for name in names), "--output", folder / "summary.tsv")


def shuffle_labels(folder):
    """Breaks the bond of sequences and labels; what was measured of the rows stays."""
    path = folder / "data.parquet"
    table, manifest = pd.read_parquet(path), path.with_name("data.parquet.manifest.json")
    labels = [column for column in table if column.startswith("label")]
    for _, rows in table.groupby(["split", "fold"]).groups.items():
        drawn = np.random.default_rng(len(rows)).permutation(rows)
        table.loc[rows, labels] = table.loc[drawn, labels].to_numpy()
    table.to_parquet(path, index=False)
    content = json.loads(manifest.read_text())
    content["content"]["files"]["data.parquet"]["bytes"] = path.stat().st_size
    manifest.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Every layout, probed with its labels and with shuffled ones."""
    home = tmp_path_factory.mktemp("layouts")
    for (suite, task), files in suite_files(home / "files").items():
        for kind in ("planted", "shuffled") if (suite, task) in LAYOUTS else ():
            folder = home / kind / task
            words = [word for split, path in files.items() for word in (OPTION[split], path)]
            call(import_task, "--suite", suite, "--task", task, *words, "--folds", 4,
                 "--output", folder / "data.parquet")  # fmt: skip
            if kind == "shuffled":
                shuffle_labels(folder)
            probe(folder, "kmer")
    for kind in ("planted", "shuffled"):
        summaries = [home / kind / task / "summary.tsv" for _, task in LAYOUTS]
        call(make_leaderboard, "--summaries", *summaries, "--output", home / kind / "leaderboard.tsv")
    return home


@pytest.mark.parametrize(("suite", "task"), LAYOUTS, ids=[task for _, task in LAYOUTS])
def test_a_planted_signal_leads_and_a_shuffled_one_does_not(made, suite, task):
    found, shuffled = (
        pd.read_csv(made / kind / "leaderboard.tsv", sep="\t").groupby("task").get_group(task)
        for kind in ("planted", "shuffled")
    )
    metric = LAYOUTS[suite, task]
    assert set(found["metric"]) == {metric} and set(found["suite"]) == {suite}
    kmer = found[found["origin"] == "here"].set_index("features").loc["kmer"]
    lost = shuffled[shuffled["origin"] == "here"].set_index("features").loc["kmer", "mean"]
    assert kmer["mean"] > 0.45 and abs(lost) < 0.2
    assert kmer["rank"] == 1 and kmer["low"] <= kmer["mean"] <= kmer["high"] and kmer["n"] == 80


def summary(metric="mcc", **means):
    rows = [
        {
            "features": name,
            "metric": metric,
            "mean": mean,
            "sd2": 0.02,
            "folds": 10,
            "head": "linear",
            "n": 50,
        }
        for name, mean in means.items()
    ]
    return pd.DataFrame(rows).reindex(columns=["head", "metric", *leaderboard.OURS])


def entry(suite, task, read, **settings):
    row = suites.suite_task(suite, task)
    content = {"suite": suite, "task": task, "type": row.type, "metric": row.metric, "read": read}
    content |= {"settings": {"max_examples": None, **settings}}
    content["caution"] = row.caution
    means = summary(suites.metric_of(row.type, row.metric), model=0.5, kmer=0.6, one_hot=0.4)
    return leaderboard.Entry("mine", content, means)


TABLE = partial(leaderboard.make_leaderboard, published=leaderboard.read_published())


def test_a_published_score_stands_beside_ours():
    table = TABLE([entry("gue", "emp_H3", {"train": 11971, "validation": 1497, "test": 1497})])
    theirs = table[table["origin"] == "published"].set_index(["features", "method"])
    row = theirs.loc[("NT-v2", "random forest on frozen embeddings")]
    assert row["mean"] == 0.602 and row["read_from"] == "table" and "Feng" in row["source"]
    assert row["best_baseline"] == "kmer" and row["difference"] == pytest.approx(0.002)
    assert np.isnan(row["difference_low"]) and row["n"] == 1497
    tuned = theirs.loc[("NT-v2-500M", "fine-tuned, all weights")]
    assert tuned["mean"] == 0.774 and tuned["rank"] == 2, "AgroNT-1B has 0.792"
    ours = table[table["origin"] == "here"].set_index("features")
    assert ours.loc["model", "method"] == "linear probe" and table["rank"].is_monotonic_increasing


def test_revised_and_original_tasks_are_never_mixed():
    revised = TABLE([entry("nt_revised", "enhancers", {"train": 30000, "test": 3000})])
    original = TABLE([entry("nt_original", "enhancers", {"train": 14968, "test": 400})])
    theirs = [table[table["origin"] == "published"] for table in (revised, original)]
    assert set(theirs[0]["source"]) == {"DNALLM-Mark (github.com/zhangtaolab/dnallmmark)"}
    assert set(theirs[1]["read_from"]) == {"figure"} and len(theirs[1]) == 9
    assert "leak" in original.loc[original["origin"] == "here", "note"].iloc[0]


@pytest.mark.parametrize(
    ("read", "settings", "said"),
    [
        ({"train": 11971, "test": 1497}, {"max_examples": 500}, "500 of 1,497 test rows, by max_examples"),
        ({"train": 11971, "test": 80}, {}, "80 test rows, the published data have 1,497"),
    ],
)
def test_other_test_rows_have_no_published_scores(read, settings, said):
    table = TABLE([entry("gue", "emp_H3", read, **settings)])
    assert set(table["origin"]) == {"here"} and set(table["note"]) == {f"published scores left out: {said}"}


def test_fewer_training_rows_are_said():
    table = TABLE([entry("gue", "emp_H3", {"train": 11971, "test": 1497}, max_examples=1497)])
    notes = table.loc[table["origin"] == "published", "note"]
    assert len(notes) and notes.str.contains("learnt from 1,497 of 11,971 training rows").all()


def test_every_published_score_is_of_a_task_and_between_0_and_1():
    rows = leaderboard.read_published()
    assert len(rows) > 200 and all(0 <= float(row["score"]) <= 1 and row["source"] for row in rows)
    keys = [tuple(row[key] for key in ("suite", "task", "model", "method", "source")) for row in rows]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("read_from", "ear", r"read_from is 'ear', expected one of table, file, figure"),
        ("mark", "", r"mark is '', expected one of verified"),
        ("metric", "auroc", r"metric is 'auroc', expected one of mcc"),
        ("score", "x", r"score is 'x', expected a number"),
        ("task", "mouse_9", r"task 'mouse_9': is not in suite gue"),
    ],
)
def test_rows_that_mean_nothing(tmp_path, column, value, said):
    row = next(row for row in leaderboard.read_published() if row["task"] == "mouse_1")
    path = tmp_path / "scores.tsv"
    pd.DataFrame([{**row, column: value}]).to_csv(path, sep="\t", index=False)
    with pytest.raises(UserError, match=said):
        leaderboard.read_published(path)


def test_a_summary_without_the_tasks_metric(made, tmp_path):
    folder = made / "planted" / "mouse_3"
    for name in ("data.parquet", "data.parquet.manifest.json", "leakage.tsv"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    table = pd.read_csv(folder / "summary.tsv", sep="\t").query("metric != 'mcc'")
    table.to_csv(tmp_path / "summary.tsv", sep="\t", index=False)
    with pytest.raises(UserError, match=r"holds no metric mcc \(found f1_macro"):
        leaderboard.read_entry(tmp_path / "summary.tsv")
