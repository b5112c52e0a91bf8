"""Faults of a genome's source: each ends fetch_genome.py with status 2 and one clear line."""

import gzip
import random
import subprocess
import sys

import fetch_genome
import pytest
from step_faults import assert_refused

from dnalm import genome
from dnalm.errors import UserError
from dnalm.genome import copy

GOOD = b">c1 first\nACGTACGT\nACGT\n>c2\nacgtnRYK\n"


def gzipped_twice(data: bytes) -> bytes:
    return gzip.compress(gzip.compress(data))


def random_fasta(size: int) -> bytes:
    generator = random.Random(1)
    return b">c1\n" + bytes(generator.choice(b"ACGT") for _ in range(size)) + b"\n"


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]


PACKED = gzip.compress(random_fasta(20_000), mtime=0)
NO_SEQUENCE = b"""\
LOCUS       X                 10 bp    DNA     linear   UNK
ACCESSION   X
VERSION     X.1
FEATURES             Location/Qualifiers
CONTIG      join(Y.1:1..10)
//
"""

# id (the fault table's row and what is wrong), the file's bytes, the line on stderr
CASES = [
    ("24 empty file", b"", r"in\.fa: genome file is empty \(0 bytes\)"),
    ("24 empty gz", gzip.compress(b"", mtime=0), r"in\.fa: holds no sequences"),
    ("24 blank", b"\n\n \n", r"in\.fa: holds no sequences"),
    ("25 twice compressed", gzipped_twice(GOOD), r"compressed twice with gzip"),
    (
        "26 truncated gz",
        PACKED[: len(PACKED) // 2],
        r"gzip stream ends early \(file of \d+ bytes is truncated\)",
    ),
    ("26 header of gz only", PACKED[:5], r"gzip stream ends early"),
    ("26 bit flip", flipped(PACKED, len(PACKED) // 2), r"damaged gzip stream|gzip stream ends early"),
    ("26 wrong CRC", flipped(PACKED, len(PACKED) - 6), r"damaged gzip stream \(CRC check failed"),
    ("27 trailing garbage", PACKED + b"garbage", r"damaged gzip stream \(Not a gzipped file"),
    ("29 FASTQ", b"@r\nACGT\n+\nIIII\n", r"in\.fa:1: no FASTA: .* it looks like FASTQ"),
    ("29 HTML", b"\n<!DOCTYPE html><html>", r"in\.fa:2: .*it looks like HTML"),
    ("29 GFF", b"##gff-version 3\nc\ts\n", r"it looks like GFF"),
    ("29 comment", b"; note\n>c\nACGT\n", r"it looks like old FASTA"),
    ("29 bare sequence", b"ACGT\n", r"it looks like sequence without a header"),
    ("29 git-lfs pointer", b"version https://git-lfs.github.com/spec/v1\n", r"git-lfs pointer"),
    ("29 zip", b"PK\x03\x04rest", r"zip archive"),
    ("29 JSON", b'{"error": "no"}', r"JSON"),
    (
        "30 duplicate name",
        b">c1 x\nA\n>c2\nC\n>c1 y\nG\n",
        r"in\.fa:5: duplicate contig name 'c1' \(first on line 1\)",
    ),
    ("31 no name", b">\nACGT\n", r'in\.fa:1: no name directly after ">"'),
    ("31 space before name", b">c\nA\n> d\nA\n", r'in\.fa:3: no name directly after ">"'),
    ("31 header only, inside", b">a\n>b\nACGT\n", r"in\.fa:1: contig 'a' has no bases\. Remove"),
    (
        "31 ends in header line",
        b">a\nACGT\n>b\n",
        r"in\.fa:3: contig 'b' has no bases, the file looks truncated",
    ),
    ("31 ends in header", b">a\nACGT\n>b", r"in\.fa:3: the file ends within a header. It looks truncated"),
    ("33 space", b">a\nACGT\nAC GT\n", r"in\.fa:3: column 3: ' ' is no nucleotide letter"),
    ("33 tab", b">a\nAC\tGT\n", r"in\.fa:2: column 3: '\\t' is no nucleotide letter"),
    ("33 digit", b">a\n1 ACGT\n", r"in\.fa:2: column 1: '1' is no nucleotide letter"),
    ("33 NUL", b">a\nACGT\nACG\0\n", r"in\.fa:3: column 4: '\\x00' is no nucleotide letter"),
    ("33 star", b">a\nACGT*\n", r"column 5: '\*' is no nucleotide letter"),
    ("33 dash", b">a\r\nAC\r\nA-GT\r\n", r"in\.fa:3: column 2: '-' is no nucleotide letter"),
    (
        "33 header inside a line",
        b">a\nACGT>b\nACGT\n",
        r"in\.fa:2: column 5: '>' .*line end before it is missing",
    ),
    ("33 latin-1 base", b">a\nAC\xe9T\n", r"column 3: '.' is no nucleotide letter"),
    ("36 RNA", b">a\nACGU\n", r"column 4: 'U' .* Write T instead of U"),
    ("36 protein", b">a\nMKVLEFPQ\n", r"Protein\? \d+% of the letters"),
    ("37 name not ASCII", ">gé\nACGT\n".encode(), r"in\.fa:1: contig name .* is not plain ASCII"),
    ("GenBank cut", b"LOCUS       X 10 bp DNA\nORIGIN\n        1 acgt", r'does not end with "//"'),
    (
        "GenBank without sequence",
        NO_SEQUENCE,
        r"record X\.1 holds no sequence",
    ),
]


@pytest.mark.parametrize(("name", "data", "pattern"), CASES, ids=[case[0] for case in CASES])
def test_a_bad_file_is_refused(tmp_path, capsys, name, data, pattern):
    (tmp_path / "in.fa").write_bytes(data)
    assert_refused("fetch_genome", ["--source", tmp_path / "in.fa"], tmp_path / "genome.fa", pattern, capsys)
    assert (tmp_path / "in.fa").read_bytes() == data


@pytest.mark.parametrize(
    ("options", "pattern"),
    [
        (["--include", "c9"], r"has no contig c9 \(it has c1, c2 \.\.\.\)"),
        (["--exclude", "c1", "c2"], r"no contig is left of 2"),
        (["--min-length-bp", "100"], r"no contig is left of 2 \(2 shorter than 100 bp\)"),
        (["--contig-names", "bad.tsv"], r"bad\.tsv:1: found 1 columns, expected 2"),
        (["--contig-names", "other.tsv"], r"no contig is in the name map"),
        (["--contig-names", "same.tsv"], r"'c2' and 'c1' would both be named 'c2'"),
        (["--contig-names", "twice.tsv"], r"twice\.tsv:2: 'c2' -> 'x' repeats a name"),
        (["--contig-names", "absent.tsv"], r"map of contig names not found"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_selection_that_does_not_fit_is_refused(tmp_path, capsys, monkeypatch, options, pattern):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.fa").write_bytes(GOOD)
    (tmp_path / "bad.tsv").write_text("c1 chr1\n")
    (tmp_path / "other.tsv").write_text("1\tchr1\n")
    (tmp_path / "same.tsv").write_text("c1\tc2\n")
    (tmp_path / "twice.tsv").write_text("c1\tx\nc2\tx\n")
    assert_refused("fetch_genome", ["--source", "in.fa", *options], tmp_path / "genome.fa", pattern, capsys)


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ([], r"source: found 0 sources, expected 1"),
        (["--source", "in.fa", "--ncbi", "GCF_000001735.4"], r"found 2 sources"),
        (["--source", "absent.fa"], r"absent\.fa: genome file not found"),
        (["--source", "."], r"expected a genome file, found a folder"),
        (["--ensembl", "homo_sapiens"], r"needs a release"),
        (["--ncbi", "TAIR10"], r"NCBI: TAIR10: is no assembly accession with version"),
        (["--source", "gopher://x/y.fa"], r"gopher://x/y\.fa: unknown kind of URL"),
    ],
)
def test_a_source_that_is_none_is_refused(tmp_path, capsys, monkeypatch, arguments, pattern):
    monkeypatch.chdir(tmp_path)
    assert_refused("fetch_genome", arguments, tmp_path / "genome.fa", pattern, capsys)


def test_23_a_source_that_changes_while_read_is_refused(tmp_path, monkeypatch):
    source = tmp_path / "in.fa"
    source.write_bytes(GOOD)
    original = copy.FastaWriter.start

    def start_and_change(self, name):
        with open(source, "ab") as handle:
            handle.write(b"A")
        original(self, name)

    monkeypatch.setattr(copy.FastaWriter, "start", start_and_change)
    with pytest.raises(UserError, match="changed while it was read"):
        genome.copy_fasta(source, tmp_path / "genome.fa")
    assert not (tmp_path / "genome.fa").exists()


def test_20_the_output_folder_is_a_file(tmp_path, capsys):
    (tmp_path / "in.fa").write_bytes(GOOD)
    (tmp_path / "folder").write_text("")
    assert (
        fetch_genome.main(
            ["--source", str(tmp_path / "in.fa"), "--output", str(tmp_path / "folder" / "g.fa")]
        )
        == 2
    )
    assert "is a file, expected a folder" in capsys.readouterr().err


def test_19_a_full_disk_leaves_nothing_and_the_old_result(tmp_path):
    (tmp_path / "in.fa").write_bytes(b">c\n" + b"ACGT" * 100_000)
    (tmp_path / "genome.fa").write_text("old")
    done = subprocess.run(
        [
            "bash",
            "-c",
            'ulimit -f 98; exec "$@"',  # units of 1024 bytes
            "bash",
            sys.executable,
            "-B",  # bytecode that the limit cuts off would be kept by Python
            fetch_genome.__file__,
            "--source",
            tmp_path / "in.fa",
            "--output",
            tmp_path / "genome.fa",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2 and "File too large" in done.stderr and "Traceback" not in done.stderr
    assert (tmp_path / "genome.fa").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["genome.fa", "in.fa"]


def test_the_same_source_gives_the_same_bytes(tmp_path, capsys):
    (tmp_path / "in.fa").write_bytes(GOOD)
    for name in ("a", "b"):
        output = tmp_path / name / "genome.fa"
        arguments = ["--source", str(tmp_path / "in.fa"), "--lock-file", str(tmp_path / "lock.json")]
        assert fetch_genome.main([*arguments, "--output", str(output)]) == 0
    for name in ("genome.fa", "genome.fa.fai"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_12_a_changed_local_source_is_refused_by_the_lock(tmp_path, capsys):
    source, lock = tmp_path / "in.fa", tmp_path / "lock.json"
    source.write_bytes(GOOD)
    arguments = ["--source", str(source), "--lock-file", str(lock)]
    assert fetch_genome.main([*arguments, "--output", str(tmp_path / "first.fa")]) == 0
    source.write_bytes(GOOD + b"A\n")
    assert_refused(
        "fetch_genome",
        arguments,
        tmp_path / "second.fa",
        r"in\.fa: differs from .*lock\.json \(found 39 bytes",
        capsys,
    )
    assert source.exists()
