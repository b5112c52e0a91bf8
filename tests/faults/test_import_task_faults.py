"""Faults of published and own tasks: each ends import_task.py with status 2 and one clear line."""

import json

import numpy as np
import pandas as pd
import pytest
from step_faults import assert_refused
from toy_suites import planted, write_fasta, write_parquet

ROWS = planted("binary", 40)
TEXT = ROWS[0][1]


def csv(rows, head="name,sequence,label"):
    return (head + "\n" + "".join(f"{name},{text},{labels[0]}\n" for name, text, labels in rows)).encode()


def fasta(rows):
    return "".join(f">{name}|{'|'.join(labels)}\n{text}\n" for name, text, labels in rows).encode()


def changed(place, name=None, text=None, label=None):
    rows = list(ROWS)
    old = rows[place]
    labels = old[2] if label is None else (label,)
    rows[place] = (old[0] if name is None else name, old[1] if text is None else text, labels)
    return rows


def relabelled(function):
    return [(name, text, (function(number),)) for number, (name, text, _) in enumerate(ROWS)]


CASES = [
    ("empty file", "a.csv", b"", "binary", r"a\.csv: file of labelled sequences is empty \(0 bytes\)"),
    ("blank file", "a.csv", b"\n \n", "binary", r"a\.csv: is empty"),
    ("header only", "a.csv", csv([]), "binary", r"a\.csv: holds no rows"),
    ("FASTQ", "a.fq", b"@r\nACGT\n+\nIIII\n", "binary", r"a\.fq: looks like FASTQ, expected FASTA, CSV, TSV"),
    ("HTML", "a.csv", b"<html>", "binary", r"looks like HTML"),
    ("not UTF-8", "a.csv", csv(ROWS).replace(b"s0_3", b"s\xff3"), "binary", r"a\.csv: is no UTF-8 text"),
    (
        "no column of labels",
        "a.csv",
        csv(ROWS, "name,sequence,class"),
        "binary",
        r"has no column label .*class\)",
    ),
    ("no sequences", "a.csv", csv(ROWS, "name,seq,label"), "binary", r"has no column sequence"),
    ("column twice", "a.csv", csv(ROWS, "sequence,sequence,label"), "binary", r"names a column twice"),
    ("unequal columns", "a.csv", csv(ROWS) + b"x,ACGT\n", "binary", r"a\.csv:42: 2 cells, .* 3 columns"),
    ("open quote", "a.csv", csv(ROWS) + b'x,"ACGT,1\n', "binary", r"a\.csv:4\d: is no line of a table"),
    (
        "label missing",
        "a.csv",
        csv(changed(4, label="")),
        "binary",
        r"a\.csv:6: the label of s0_4 is missing",
    ),
    (
        "no label in a header",
        "a.fa",
        fasta(ROWS) + b">x\nACGT\n",
        "binary",
        r"a\.fa:81: no label .* 'x', expected >name",
    ),
    ("header without name", "a.fa", fasta(changed(2, name="")), "binary", r"a\.fa:5: no label in the header"),
    ("empty sequence", "a.fa", fasta(changed(2, text="")), "binary", r"a\.fa:5: s0_2 has no sequence"),
    (
        "foreign letter",
        "a.fa",
        fasta(changed(7, text="ACGTX" + TEXT)),
        "binary",
        r"a\.fa:15: letter 5 of s0_7 is 'X', expected A, C, G, T, N or a code of IUPAC",
    ),
    ("RNA", "a.csv", csv(changed(0, text=TEXT.replace("T", "U"))), "binary", r"is 'U'.*T in place of U"),
    ("gap", "a.csv", csv(changed(0, text="AC-GT")), "binary", r"letter 3 of s0_0 is '-'"),
    ("not ASCII", "a.csv", csv(changed(0, text="ACÄGT")), "binary", r"letter 3 of s0_0 is 'Ä'"),
    (
        "name twice",
        "a.csv",
        csv(changed(5, name="s0_3")),
        "binary",
        r"a\.csv:7: duplicate name 's0_3' \(first at .*a\.csv:5\)",
    ),
    ("one class", "a.csv", csv(relabelled(lambda n: "1")), "binary", r"a\.csv: one class only"),
    (
        "nine of a class",
        "a.csv",
        csv(relabelled(lambda n: str(int(n < 9)))),
        "binary",
        r"a\.csv: too few rows of a class \(found \{0: 31, 1: 9\}, expected at least 10\)",
    ),
    (
        "nine of a third class",
        "a.csv",
        csv(relabelled(lambda n: "abc"[n % 2 if n < 31 else 2])),
        "multiclass",
        r"a\.csv: too few rows of a class .*2: 9",
    ),
    (
        "three classes of two",
        "a.csv",
        csv(relabelled(lambda n: str(n % 3))),
        "binary",
        r"3 classes \(0, 1, 2\), type binary",
    ),
    (
        "text as value",
        "a.csv",
        csv(changed(4, label="high")),
        "regression",
        r"a\.csv:6: the label of s0_4 is 'high', expected a number",
    ),
    (
        "not finite",
        "a.csv",
        csv(changed(4, label="inf")),
        "regression",
        r"the label of s0_4 is inf, not finite",
    ),
    ("NaN", "a.csv", csv(changed(4, label="nan")), "regression", r"the label of s0_4 is nan, not finite"),
    (
        "constant value",
        "a.csv",
        csv(relabelled(lambda n: "2.5")),
        "regression",
        r"label has one value only \(2\.5\)",
    ),
    (
        "labels of a single one",
        "a.fa",
        fasta([(n, t, ("1", "0")) for n, t, _ in ROWS]),
        "multilabel",
        r"label_1 has one value only",
    ),
    (
        "unequal labels",
        "a.fa",
        fasta([(n, t, ("1", "0")) for n, t, _ in ROWS[:9]] + [(n, t, ("1",)) for n, t, _ in ROWS[9:]]),
        "multilabel",
        r"a\.fa:19: s0_9 has 1 labels, s0_0 has 2",
    ),
    (
        "two of multi-label",
        "a.fa",
        fasta([(n, t, ("1", "2")) for n, t, _ in ROWS]),
        "multilabel",
        r"label 2 of s0_0 is 2, expected 0 or 1",
    ),
    (
        "few of a multi-label class",
        "a.fa",
        fasta([(n, t, (str(i % 2), str(int(i < 3)))) for i, (n, t, _) in enumerate(ROWS)]),
        "multilabel",
        r"label_2: too few rows of a class \(found \{0: 37, 1: 3\}",
    ),
    (
        "unknown split",
        "a.csv",
        csv(ROWS, "split,sequence,label"),
        "binary",
        r"a\.csv:2: split is 's0_0', expected one of train",
    ),
    (
        "no interval",
        "a.csv",
        b"sequence,label,contig,start,end\nACGT,1,c,9,5\n",
        "binary",
        r"a\.csv:2: found c:9-5 \(\.\), expected start < end",
    ),
    (
        "related rows only",
        "a.csv",
        csv([(n, TEXT, label) for n, _, label in ROWS]),
        "binary",
        r"too few groups of related windows \(found 1",
    ),
]


@pytest.mark.parametrize(
    ("name", "file", "content", "kind", "pattern"), CASES, ids=[case[0] for case in CASES]
)
def test_a_file_that_makes_no_task_is_refused(tmp_path, capsys, name, file, content, kind, pattern):
    (tmp_path / file).write_bytes(content)
    assert_refused(
        "import_task",
        ["--data", tmp_path / file, "--type", kind],
        tmp_path / "o" / "d.parquet",
        pattern,
        capsys,
    )


def test_a_table_that_is_no_parquet(tmp_path, capsys):
    path = write_parquet(tmp_path / "a.parquet", {"t": ROWS})
    path.write_bytes(path.read_bytes()[:-20])
    arguments = ["--data", path, "--type", "binary"]
    assert_refused("import_task", arguments, tmp_path / "d.parquet", r"is no readable Parquet table", capsys)


def test_a_task_that_a_table_lacks(tmp_path, capsys):
    path = write_parquet(tmp_path / "a.parquet", {"enhancers": ROWS, "promoter_all": ROWS})
    arguments = ["--data", path, "--suite", "nt_revised", "--task", "H3K9ac"]
    pattern = r"a\.parquet: holds no rows of task H3K9ac; its tasks: enhancers, promoter_all"
    assert_refused("import_task", arguments, tmp_path / "d.parquet", pattern, capsys)


def test_values_that_are_missing_in_a_table(tmp_path, capsys):
    table = pd.DataFrame({"sequence": [text for _, text, _ in ROWS], "label": np.arange(40.0)})
    table.loc[7, "label"] = None
    table.to_parquet(tmp_path / "a.parquet", index=False)
    arguments = ["--data", tmp_path / "a.parquet", "--type", "regression"]
    assert_refused(
        "import_task",
        arguments,
        tmp_path / "d.parquet",
        r"a\.parquet:8: the label of row_8 is missing",
        capsys,
    )


SUITES = [
    (
        "more classes than published",
        "nt_revised",
        "enhancers_types",
        ["0", "1", "2", "3"],
        r"nt_revised, enhancers_types: 4 classes \(0, 1, 2, 3\), expected 3",
    ),
    ("values for classes", "pgb", "promoter_strength.leaf", ["a", "b"], r"is 'a', expected a number"),
    (
        "one label of 56",
        "pgb",
        "gene_exp.arabidopsis_thaliana",
        ["1.5", "2.5"],
        r"1 labels of a sequence, expected 56",
    ),
    ("unknown task", "gue", "mouse_9", ["0", "1"], r"task 'mouse_9': is not in suite gue \(nearest: mouse_"),
]


@pytest.mark.parametrize(("name", "suite", "task", "labels", "pattern"), SUITES, ids=[c[0] for c in SUITES])
def test_data_that_cannot_be_the_published_ones(tmp_path, capsys, name, suite, task, labels, pattern):
    rows = [
        (name, text, (labels[n % len(labels)],)) for n, (name, text, _) in enumerate(planted("binary", 80))
    ]
    path = write_fasta(tmp_path / "a.fa", rows)
    arguments = ["--data", path, "--suite", suite, "--task", task]
    assert_refused("import_task", arguments, tmp_path / "d.parquet", pattern, capsys)


def test_classes_that_only_test_rows_have(tmp_path, capsys):
    train, test = ROWS, [(f"t{n}", text, ("2",)) for n, (_, text, _) in enumerate(planted("binary", 12, 3))]
    paths = [write_fasta(tmp_path / f"{n}.fa", rows) for n, rows in enumerate((train, test))]
    arguments = ["--data", paths[0], "--test-data", paths[1], "--type", "multiclass"]
    assert_refused("import_task", arguments, tmp_path / "d.parquet", r"class '2' has test rows only", capsys)
    path = write_fasta(tmp_path / "2.fa", [(name, text, ("1",)) for name, text, _ in test])
    arguments = ["--data", paths[0], "--test-data", path, "--type", "binary"]
    assert_refused("import_task", arguments, tmp_path / "d.parquet", r"one class only among the test", capsys)


def test_sources_that_are_none(tmp_path, capsys):
    output, record = tmp_path / "o" / "d.parquet", tmp_path / "r.json"
    assert_refused("import_task", [], output, r"--record, --data: expected one of the two", capsys)
    assert_refused(
        "import_task", ["--data", "x.csv"], output, r"--type: found None, expected one of binary", capsys
    )
    assert_refused("import_task", ["--test-data", "x.csv"], output, r"--data: is missing", capsys)
    record.write_text("{}")
    assert_refused("import_task", ["--record", record], output, r"r\.json: is no record of a fetched", capsys)
    files = {"train": {"file": "train.csv", "bytes": 5}}
    record.write_text(
        json.dumps({"suite": "gue", "task": "mouse_3", "folder": str(tmp_path), "files": files})
    )
    assert_refused(
        "import_task", ["--record", record], output, r"train\.csv: found nothing, expected 5", capsys
    )
    (tmp_path / "train.csv").write_text("abc")
    assert_refused("import_task", ["--record", record], output, r"found 3 bytes, expected 5 bytes", capsys)


def test_a_single_fold(tmp_path, capsys):
    path = write_fasta(tmp_path / "a.fa", ROWS)
    arguments = ["--data", path, "--type", "binary", "--folds", "1"]
    assert_refused("import_task", arguments, tmp_path / "d.parquet", r"--folds: found 1, expected", capsys)
