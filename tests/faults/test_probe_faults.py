"""Faults of probes: each ends train_probe.py or summarise_task.py with status 2 and one clear line."""

import re

import numpy as np
import pytest
import train_probe
from step_faults import assert_refused, snapshot
from toy_tasks import toy_task, write_embeddings

from dnalm import probe
from dnalm.errors import UserError


def leaky(task):
    task.loc[1, ["start", "end"]] = [10, 70]  # overlaps row 0, which lies in the same fold
    task.loc[6, ["start", "end"]] = [20, 80]
    return task


def repeated(task):
    task.loc[7, "sequence"] = task.loc[0, "sequence"]
    return task


TASKS = [
    ("overlap over folds", leaky, r"3 windows share sequence with a window of another fold .*w0 in fold 0"),
    ("repeat over folds", repeated, r"2 windows share sequence .*w0 in fold 0 and w7 in fold 3"),
    ("one class", lambda task: task.assign(label=1), r"one class only \(found \{1: 80\}, expected two\)"),
    ("labels of text", lambda task: task.assign(label="x"), r"labels are x, expected 0 and 1"),
    (
        "labels 1 and 2",
        lambda task: task.assign(label=task["label"] + 1),
        r"labels are 1, 2, expected 0 and 1",
    ),
    ("one fold", lambda task: task.assign(fold=0), r"one fold only \(of 80 rows\)"),
    ("class in one fold", lambda task: task.assign(fold=task["label"]), r"fold \d has no row of class \d"),
    ("name twice", lambda task: task.assign(name=task["name"].replace("w9", "w8")), r"holds 'w8' twice"),
    ("no sequences", lambda task: task.drop(columns="sequence"), r"lacks the columns sequence"),
]


@pytest.mark.parametrize(("name", "change", "pattern"), TASKS, ids=[case[0] for case in TASKS])
def test_a_task_that_cannot_be_probed_is_refused(tmp_path, capsys, name, change, pattern):
    change(toy_task()).to_parquet(tmp_path / "data.parquet", index=False)
    refuse(tmp_path, "kmer", r"data\.parquet: .*" + pattern, capsys)


def missing_value(rows):
    rows[5, 1] = np.nan
    return rows


FEATURES = [
    ("no file", "none.h5ad", r"none\.h5ad: file of embeddings not found\. .*kmer, one_hot"),
    ("unknown baseline", "kmers", r"kmers: file of embeddings not found"),
    ("no such layer", "good.h5ad:7", r"good\.h5ad: layer 7 \(the file holds \[1\]\)"),
    ("layer of text", "good.h5ad:last", r"layer 'last' is no number"),
    ("not HDF5", "data.parquet", r"data\.parquet: is no HDF5 file"),
    ("other names", "other.h5ad", r"80 of 80 names have no row \(missing: w0, w1, w2; .* x0, x1, x2\)"),
    ("one name absent", "short.h5ad", r"1 of 80 names have no row \(missing: w79; "),
    ("not finite", "nan.h5ad", r"nan\.h5ad: layer 1 of w5 is missing \(NaN or Inf\)"),
    ("lengths differ", "one_hot", r"one_hot: sequences differ in length \(found 54 to 60 bp\)"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder, task = tmp_path_factory.mktemp("features"), toy_task()
    rows = np.random.default_rng(0).normal(size=(80, 4)).astype(np.float32)
    write_embeddings(folder / "good.h5ad", task["name"], {1: rows})
    write_embeddings(folder / "other.h5ad", [f"x{row}" for row in range(80)], {1: rows})
    write_embeddings(folder / "short.h5ad", task["name"][:79], {1: rows[:79]})
    write_embeddings(folder / "nan.h5ad", task["name"], {1: missing_value(rows.copy())})
    task.loc[3, "sequence"] = task.loc[3, "sequence"][:54]
    task.to_parquet(folder / "data.parquet", index=False)
    return folder


@pytest.mark.parametrize(("name", "features", "pattern"), FEATURES, ids=[case[0] for case in FEATURES])
def test_features_that_do_not_fit_are_refused(folder, monkeypatch, capsys, name, features, pattern):
    monkeypatch.chdir(folder)
    refuse(folder, features, pattern, capsys)


def test_no_task_file(tmp_path, capsys):
    refuse(tmp_path, "kmer", r"data\.parquet: task not found", capsys)
    (tmp_path / "data.parquet").write_text("name\tlabel\n")
    refuse(tmp_path, "kmer", r"data\.parquet: is no readable Parquet table", capsys)


def refuse(folder, features, pattern, capsys):
    before = snapshot(folder)
    arguments = ["--task", folder / "data.parquet", "--features", features, "--output-dir", folder / "out"]
    capsys.readouterr()
    assert train_probe.main([str(word) for word in arguments]) == 2
    errors = capsys.readouterr().err
    assert re.search(pattern, errors.rstrip("\n").splitlines()[-1]), errors
    assert "Traceback" not in errors and snapshot(folder) == before


def probe_of(task, folder, name="kmer"):
    folder.mkdir(parents=True, exist_ok=True)
    task.to_parquet(folder / "data.parquet", index=False)
    arguments = ["--task", folder / "data.parquet", "--features", "kmer", "--name", name]
    assert train_probe.main([str(word) for word in [*arguments, "--output-dir", folder / name]]) == 0
    return folder / name


def test_summaries_of_what_does_not_belong_together(tmp_path, capsys):
    first, second = (probe_of(toy_task(seed=seed), tmp_path / str(seed), f"m{seed}") for seed in (0, 1))
    output = tmp_path / "s" / "summary.tsv"
    assert_refused(
        "summarise_task",
        ["--probes", first, second],
        output,
        r"m1.folds\.tsv: comes from another task",
        capsys,
    )
    assert_refused("summarise_task", ["--probes", first, first], output, r"repeats m0 of", capsys)
    assert_refused(
        "summarise_task", ["--probes", tmp_path / "no.tsv"], output, r"no\.tsv: .*not found", capsys
    )
    (first / "folds.tsv").write_text("fold\tmcc\n0\t1\n")
    assert_refused(
        "summarise_task", ["--probes", first], output, r"folds\.tsv: incomplete \(found 13,", capsys
    )
    with pytest.raises(UserError, match=r"is no table of folds \(columns \['fold', 'mcc'\]\)"):
        probe.read_folds(first / "folds.tsv")  # of an older version
