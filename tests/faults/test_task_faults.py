"""Faults of tasks: each ends make_task.py with status 2 and one clear line."""

import pandas as pd
import pytest
from step_faults import assert_refused
from toy_tasks import toy_genome

HEADER = "task\ttype\tmetric\tlength_bp\tdescription\n"
CASES = [
    ("unknown task", "--task enhancer", r"task 'enhancer': has 0 rows in .*\(it has good, "),
    ("unknown type", "--task odd", r"type of odd is 'enhancer', expected one of splice_donor"),
    ("length of no whole token", "--task long", r"length_bp of long is '100', expected a multiple of 6"),
    ("text as length", "--task word", r"length_bp of word is 'ten', expected a multiple of 6"),
    ("no table", "--task good --tasks-table none.tsv", r"none\.tsv: table of tasks not found"),
    ("another table", "--task good --tasks-table other.tsv", r"other\.tsv: found columns \['x'\], expected"),
    (
        "fewer examples than folds",
        "--task good --regions c1:1000-4000",
        r"too few examples for 10 folds \(found 2 true sites and \d+ decoys, expected at least 10 of each\)",
    ),
    ("no site at all", "--task good --regions c2", r"found 0 true sites and \d+ decoys"),
    (
        "fewer examples asked for",
        "--task good --max-examples 19",
        r"--max-examples: found 19, expected at least 20 \(two classes in 10 folds\)",
    ),
    ("one fold", "--task good --folds 1", r"--folds: found 1, expected at least 2"),
    ("region elsewhere", "--task good --regions chr9:0-100", r"region 'chr9:0-100': names no contig"),
    ("region past the end", "--task good --regions c1:0-90000", r"ends after the contig \(found 90000"),
    ("no region", "--task good --regions c1:5", r"region 'c1:5': is not contig:start-end"),
    ("no annotation", "--task good --annotation none.parquet", r"none\.parquet: annotation table not found"),
    ("no genome", "--task good --genome none.fa", r"none\.fa: genome FASTA not found"),
]


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    toy_genome(folder)
    rows = "good\tsplice_donor\tmcc\t120\t\nodd\tenhancer\tmcc\t120\t\n"
    rows += "long\tpromoter\tmcc\t100\t\nword\tpromoter\tmcc\tten\t\n"
    (folder / "tasks.tsv").write_text(HEADER + rows)
    (folder / "other.tsv").write_text("x\n1\n")
    return folder


@pytest.mark.parametrize(("name", "options", "pattern"), CASES, ids=[case[0] for case in CASES])
def test_what_makes_no_task_is_refused(toy, tmp_path, monkeypatch, capsys, name, options, pattern):
    monkeypatch.chdir(toy)
    common = ["--genome", "genome.fa", "--annotation", "annotation.parquet", "--tasks-table", "tasks.tsv"]
    assert_refused("make_task", [*common, *options.split()], tmp_path / "data.parquet", pattern, capsys)


def test_a_genome_and_annotation_that_do_not_fit(toy, tmp_path, capsys):
    (tmp_path / "genome.fa").write_text(">other\n" + "ACGT" * 500 + "\n")
    assert pd.read_parquet(toy / "annotation.parquet")["contig"].unique().tolist() == ["c1"]
    arguments = ["--genome", tmp_path / "genome.fa", "--annotation", toy / "annotation.parquet"]
    arguments += ["--tasks-table", toy / "tasks.tsv", "--task", "good"]
    assert_refused("make_task", arguments, tmp_path / "o" / "data.parquet", r"found 0 true sites", capsys)
