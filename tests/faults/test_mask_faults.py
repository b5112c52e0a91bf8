"""Faults of masking: each ends mask_genome.py with status 2 and one clear line."""

import gzip

import mask_genome
import pytest
from step_faults import assert_refused

CASES = [
    (
        "34 IUPAC refused",
        "ACGTRY",
        None,
        ["--iupac", "error"],
        r"g\.fa: c: ambiguity code 'R' at position 5",
    ),
    ("49 outside", "ACGT", "c\t0\t5\n", [], r"x\.bed:1: end 5 is past the end of c \(4 bp\)"),
    ("49 other contig", "ACGT", "# x\nd\t0\t1\n", [], r"x\.bed:2: contig 'd' is not in the genome"),
    ("49 backwards", "ACGT", "c\t3\t3\n", [], r"x\.bed:1: start 3 is not below end 3"),
    ("49 no number", "ACGT", "c\t-1\t3\n", [], r"x\.bed:1: start '-1' or end '3' is no whole number"),
    ("49 columns", "ACGT", "c\t1\n", [], r"x\.bed:1: found 2 columns, expected at least 3"),
    ("49 strand", "ACGT", "c\t1\t2\tn\t0\tx\n", [], r"x\.bed:1: strand 'x', expected \+, - or \."),
]


@pytest.mark.parametrize(
    ("name", "sequence", "bed", "options", "pattern"), CASES, ids=[case[0] for case in CASES]
)
def test_a_bad_input_is_refused(tmp_path, capsys, name, sequence, bed, options, pattern):
    (tmp_path / "g.fa").write_text(f">c\n{sequence}\n")
    if bed is not None:
        (tmp_path / "x.bed").write_text(bed)
        options = [*options, "--bed", tmp_path / "x.bed"]
    output = tmp_path / "out" / "m.fa"
    report = tmp_path / "out" / "m.tsv"
    assert_refused(
        "mask_genome", ["--genome", tmp_path / "g.fa", "--report", report, *options], output, pattern, capsys
    )
    assert not report.exists()


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (b"", "genome FASTA is empty"),
        (gzip.compress(b">c\nACGT\n", mtime=0), "is gzip-compressed"),
        (b"no fasta", "cannot be indexed"),
    ],
)
def test_a_bad_genome_is_refused(tmp_path, capsys, content, pattern):
    (tmp_path / "g.fa").write_bytes(content)
    arguments = ["--genome", tmp_path / "g.fa", "--report", tmp_path / "m.tsv"]
    assert_refused("mask_genome", arguments, tmp_path / "m.fa", pattern, capsys)


def test_49_an_empty_bed_is_said_and_changes_nothing(tmp_path, capsys):
    (tmp_path / "g.fa").write_text(">c\nACGTr\n")
    (tmp_path / "x.bed").write_text("")
    for name, options in (("with", ["--bed", str(tmp_path / "x.bed")]), ("without", [])):
        arguments = [
            "--genome",
            tmp_path / "g.fa",
            "--report",
            tmp_path / f"{name}.tsv",
            "--output",
            tmp_path / name,
        ]
        assert mask_genome.main([*map(str, arguments), *options]) == 0
        assert ("x.bed: holds no intervals" in capsys.readouterr().err) == (name == "with")
    assert (tmp_path / "with").read_bytes() == (tmp_path / "without").read_bytes() == b">c\nACGTN\n"
