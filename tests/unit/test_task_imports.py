"""Published layouts and one's own files become tasks; a planted signal survives, a shuffled one is none."""

import json

import import_task
import numpy as np
import pandas as pd
import pytest
from toy_suites import planted, suite_files, write_fasta

from dnalm import baselines, folds, tasks
from dnalm.metrics import pearson_r2

OPTION = {"train": "--data", "validation": "--validation-data", "test": "--test-data"}


def run(output, *words):
    assert import_task.main([str(word) for word in [*words, "--output", output]]) == 0
    manifest = json.loads(output.with_name(output.name + ".manifest.json").read_text())["content"]
    return tasks.read_task(output), manifest


def options_of(files):
    return [word for split, path in files.items() for word in (OPTION[split], path)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return suite_files(tmp_path_factory.mktemp("suites"))


def explained(task, labels):
    """Returns the r2 of the labels, on test rows, with a ridge regression on k-mer counts."""
    values = baselines.kmer_counts(task["sequence"].tolist()).astype(np.float64)
    train, values = tasks.in_folds(task), values - values.mean(0)
    weights = values[train].T @ np.linalg.solve(
        values[train] @ values[train].T + 20 * np.eye(train.sum()), labels[train] - labels[train].mean()
    )
    return pearson_r2(labels[~train], values[~train] @ weights)


CASES = [
    ("nt_revised", "enhancers", "binary", {"train": 240, "test": 80}),
    ("nt_revised", "enhancers_types", "multiclass", {"train": 240, "test": 80}),
    ("pgb", "gene_exp.glycine_max", "multi_regression", {"train": 240, "validation": 60, "test": 80}),
    ("pgb", "chromatin_access.zea_mays", "multilabel", {"train": 240, "validation": 60, "test": 80}),
    ("pgb", "promoter_strength.leaf", "regression", {"train": 240, "validation": 60, "test": 80}),
    ("gue", "mouse_3", "binary", {"train": 240, "validation": 60, "test": 80}),
]


@pytest.mark.parametrize(("suite", "name", "kind", "sizes"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES])
def test_a_published_layout(files, tmp_path, suite, name, kind, sizes):
    words = ["--suite", suite, "--task", name, *options_of(files[suite, name]), "--folds", "5"]
    task, manifest = run(tmp_path / "data.parquet", *words)
    assert task["split"].value_counts().to_dict() == sizes == manifest["read"]
    assert tasks.task_type(task) == kind == manifest["type"] and manifest["suite"] == suite
    rows = tasks.in_folds(task)
    assert set(task["fold"][rows]) == set(range(5)) and (task["fold"][~rows] == -1).all()
    assert {entry["relation"] for entry in manifest["leakage"]} == set()
    assert any("240 rows of train, expected" in text for text in manifest["differences"]) == (
        name not in ("gene_exp.glycine_max", "chromatin_access.zea_mays")
    )
    generator = np.random.default_rng(0)
    for column in tasks.label_columns(task):
        labels = (task[column] == task[column].max() if kind == "multiclass" else task[column]).to_numpy(
            float
        )
        assert explained(task, labels) > 0.5
        assert explained(task, generator.permutation(labels)) < 0.1


def test_labels_and_letters_are_as_in_the_files(files, tmp_path):
    words = ["--suite", "pgb", "--task", "gene_exp.glycine_max"]
    task, _ = run(tmp_path / "data.parquet", *words, *options_of(files["pgb", "gene_exp.glycine_max"]))
    rows = [row for split, n, seed in (("", 240, 1), ("", 60, 2), ("", 80, 3))
            for row in planted("multi_regression", n, seed)]  # fmt: skip
    assert task["name"].tolist() == [name for name, _, _ in rows]
    assert task["sequence"].tolist() == [text for _, text, _ in rows]
    assert tasks.label_columns(task) == ["label_1", "label_2"]
    assert np.array_equal(tasks.label_values(task), np.array([labels for _, _, labels in rows], float))


OWN = [
    ("csv", "name,sequence,label\n", "{name},{text},{label}\n"),
    ("tsv", "sequence\tname\tlabel\n", "{text}\t{name}\t{label}\n"),
    ("fa", "", ">{name}|{label}\n{text}\n"),
    ("crlf.csv", "name,sequence,label\r\n", "{name},{text},{label}\r\n"),
]


@pytest.mark.parametrize(("kind", "head", "row"), OWN, ids=[case[0] for case in OWN])
def test_one_s_own_file(tmp_path, kind, head, row):
    rows = [(name, text, "yes" if labels == ("1",) else "no") for name, text, labels in planted("binary", 60)]
    body = "".join(row.format(name=name, text=text, label=label) for name, text, label in rows)
    (tmp_path / f"own.{kind}").write_bytes((head + body).encode())
    words = ["--data", tmp_path / f"own.{kind}", "--type", "binary"]
    task, manifest = run(tmp_path / "data.parquet", *words)
    assert manifest["classes"] == ["no", "yes"] and manifest["suite"] == "own"
    assert task["label"].tolist() == [int(label == "yes") for _, _, label in rows]
    assert task["name"].tolist() == [name for name, _, _ in rows] and (task["split"] == "").all()
    assert task["fold"].value_counts().to_dict() == dict.fromkeys(range(10), 6)


def test_columns_of_one_s_own_table(tmp_path):
    rows = planted("multilabel", 80)
    table = pd.DataFrame({
        "sequence": [text for _, text, _ in rows],
        "label_2": [int(labels[1]) for _, _, labels in rows],
        "label_1": [int(labels[0]) for _, _, labels in rows],
        "split": ["train", "dev", "train", "test"] * 20,
        "group": [f"gene{number // 4}" for number in range(80)],
        "contig": "c", "start": [500 * number for number in range(80)],
        "end": [500 * number + 120 for number in range(80)], "strand": "-",
    })  # fmt: skip
    table.to_parquet(tmp_path / "own.parquet", index=False)
    words = ["--data", tmp_path / "own.parquet", "--type", "multilabel", "--folds", "4"]
    task, _ = run(tmp_path / "data.parquet", *words)
    assert task["split"].tolist() == ["train", "validation", "train", "test"] * 20
    assert task["label_1"].tolist() == table["label_1"].tolist() and task["strand"].eq("-").all()
    assert task["name"].tolist()[:2] == ["train_1", "validation_2"] and task["name"].is_unique
    assert task["group"].nunique() == 20 and task.groupby("group").size().eq(4).all()
    own = task[tasks.in_folds(task)]
    assert own.groupby("group")["fold"].nunique().eq(1).all()


def test_positions_told_by_names(tmp_path):
    """0-based, half-open and 1-based, closed names mean the same window; overlapping ones share a group."""
    rows = planted("binary", 40)
    names = [f"chr1:{1000 * n}-{1000 * n + 120}" for n in range(40)]
    names[7] = "chr1:3051-3170(-)"  # 1-based: overlaps the fourth
    write_fasta(tmp_path / "own.fa", [(name, *row[1:]) for name, row in zip(names, rows, strict=True)])
    task, manifest = run(tmp_path / "data.parquet", "--data", tmp_path / "own.fa", "--type", "binary")
    assert task.loc[7, ["start", "end", "strand"]].tolist() == [3050, 3170, "-"]
    assert task.loc[3, ["contig", "start", "end"]].tolist() == ["chr1", 3000, 3120]
    assert task.loc[3, "group"] == task.loc[7, "group"] and task["group"].nunique() == 39
    found = {"relation": "overlapping", "rows_of": "all", "related_to": "all", "rows": 2, "of": 40}
    assert manifest["leakage"] == [found]


def test_letters_that_are_no_bases_of_four(tmp_path, capsys):
    rows = planted("binary", 40)
    rows[3] = (rows[3][0], "rYn" + rows[3][1][3:].lower(), rows[3][2])
    write_fasta(tmp_path / "own.fa", rows)
    task, manifest = run(tmp_path / "data.parquet", "--data", tmp_path / "own.fa", "--type", "binary")
    assert task.loc[3, "sequence"] == "NNN" + rows[3][1][3:].upper()
    assert manifest["iupac_letters"] == 2 and "2 ambiguity codes" in capsys.readouterr().err


def test_at_most_so_many_rows(files, tmp_path):
    words = ["--suite", "gue", "--task", "mouse_3", *options_of(files["gue", "mouse_3"])]
    words += ["--max-examples", "70", "--folds", "3"]
    drawn = [
        run(tmp_path / str(n) / "data.parquet", *words, "--seed", seed) for n, seed in enumerate((1, 1, 2))
    ]
    names = [task["name"].tolist() for task, _ in drawn]
    assert names[0] == names[1] != names[2]
    lines = [int(name.rpartition("_")[2]) for name in names[0] if name.startswith("train")]
    assert lines == sorted(lines), "the order of the file was not kept"
    assert drawn[0][0]["split"].value_counts().to_dict() == {"train": 70, "test": 70, "validation": 60}
    assert drawn[0][1]["read"] == {"train": 240, "validation": 60, "test": 80}
    assert drawn[0][1] == drawn[1][1], "the same settings gave another manifest"


def test_repeated_names_of_published_files_get_numbers(tmp_path, capsys):
    train = planted("binary", 60)
    train = [(row[0] if number else "s0_1", *row[1:]) for number, row in enumerate(train)]
    paths = [
        write_fasta(tmp_path / "train.fna", train),
        write_fasta(tmp_path / "test.fna", planted("binary", 20, 9)),
    ]
    words = ["--suite", "nt_original", "--task", "enhancers", "--data", paths[0], "--test-data", paths[1]]
    task, _ = run(tmp_path / "data.parquet", *words)
    said = capsys.readouterr().err
    assert task["name"].tolist()[:2] == ["s0_1", "s0_1#2"] and "1 repeated names got a number" in said
    assert "100 of 400 test sequences" in said, "the caution of the suite was not said"
    assert "60 rows of train, expected 14968 (from memory, unsure)" in said


def test_regression_folds_are_even():
    rows = planted("regression", 200, 5)
    from dnalm.tasks.records import Record, collect

    records = collect(Record(name, text, labels, "x") for name, text, labels in rows)
    task = tasks.assemble(records, "regression").table
    assert task.groupby("fold")["label"].mean().std() < 0.15 < task["label"].std()
    folds.check_leaks(task, task["fold"].to_numpy(), task["sequence"].tolist())
