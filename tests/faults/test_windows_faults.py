"""Faults of windows: each ends make_windows.py with status 2 and one clear line."""

import json

import make_windows
import pytest
from step_faults import assert_refused

CASES = [
    (
        "2 window over the limit",
        "--kind tiles --length-bp 6001 --max-tokens 1001",
        r"a window of 6001 bp needs 1002 tokens, the model takes at most 1001\. Use at most 6000 bp",
    ),
    (
        "2 TSS window over the limit",
        "--kind tss --annotation a.parquet --max-tokens 900",
        r"needs 1001 tokens, .* 900",
    ),
    ("2 overlap", "--kind tiles --length-bp 60 --overlap-bp 60", r"--overlap-bp: found 60, expected 0 to 59"),
    ("2 negative overlap", "--kind tiles --length-bp 60 --overlap-bp -1", r"--overlap-bp: found -1"),
    ("2 length 0", "--kind tiles --length-bp 0", r"--length-bp: found 0, expected at least 1"),
    (
        "2 no length",
        "--kind tiles --length-bp six",
        r"--length-bp: found 'six', expected auto or a whole number",
    ),
    ("no annotation", "--kind tss", r"--annotation: is needed by --kind tss"),
    ("no bed", "--kind regions", r"--bed: is needed by --kind regions"),
    ("not an annotation", "--kind tss --annotation g.fa", r"g\.fa: is no readable Parquet table"),
    ("another table", "--kind tss --annotation other.parquet", r"other\.parquet: has columns \['x'\]"),
    ("outside", "--kind regions --bed out.bed", r"out\.bed:1: end 500 is past the end of c"),
    ("repeated names", "--kind regions --bed twice.bed", r"1 window names occur more than once \(n\)"),
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    import pandas as pd

    from dnalm import annotation

    monkeypatch.chdir(tmp_path)
    (tmp_path / "g.fa").write_text(">c\n" + "ACGT" * 50 + "\n>n\n" + "N" * 100 + "\n")
    (tmp_path / "a.gtf").write_text('c\ts\texon\t50\t90\t.\t+\t.\tgene_id "g"; transcript_id "t";\n')
    annotation.write_annotation(annotation.read_annotation(tmp_path / "a.gtf"), tmp_path / "a.parquet")
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "other.parquet")
    (tmp_path / "out.bed").write_text("c\t0\t500\n")
    (tmp_path / "twice.bed").write_text("c\t0\t5\tn\nc\t5\t9\tn\n")
    return tmp_path


@pytest.mark.parametrize(("name", "options", "pattern"), CASES, ids=[case[0] for case in CASES])
def test_what_does_not_fit_is_refused(folder, capsys, name, options, pattern):
    arguments = ["--genome", "g.fa", *options.split()]
    assert_refused("make_windows", arguments, folder / "out" / "w.bed", pattern, capsys)


def test_39_50_51_what_is_dropped_is_counted_in_the_manifest(folder, capsys):
    options = "--genome g.fa --kind tiles --length-bp 60 --max-n-fraction 0.5"
    arguments = [*options.split(), "--output", "w.bed"]
    assert make_windows.main(arguments) == 0
    content = json.loads((folder / "w.bed.manifest.json").read_text())["content"]
    assert content["windows"] == 3
    assert content["dropped"] == {"over_contig_end": 2, "n_fraction": 1, "token_limit": 0}


def test_50_no_window_at_all_is_no_crash(folder, capsys):
    (folder / "g.fa").write_text(">n\n" + "N" * 100 + "\n")
    arguments = ["--genome", "g.fa", "--kind", "tiles", "--length-bp", "60", "--output", "w.bed"]
    assert make_windows.main(arguments) == 0
    assert (folder / "w.bed").read_text() == ""
    assert "no window is left" in capsys.readouterr().err
