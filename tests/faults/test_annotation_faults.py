"""Faults of an annotation: each ends read_annotation.py with status 2 and one clear line."""

import gzip

import pytest
import read_annotation
from step_faults import assert_refused

GTF = 'c1\ts\texon\t11\t20\t.\t+\t.\tgene_id "g"; transcript_id "t";\n'
GFF3 = "c1\ts\tgene\t1\t20\t.\t+\t.\tID=g\nc1\ts\tmRNA\t1\t20\t.\t+\t.\tID=t;Parent=g\n"


def changed(**columns: str) -> str:
    """Returns a good line followed by one with some of its columns changed."""
    names = ["contig", "source", "type", "start", "end", "score", "strand", "phase", "attributes"]
    fields = dict(zip(names, GTF.rstrip("\n").split("\t"), strict=True)) | columns
    return GTF + "\t".join(fields.values()) + "\n"


# id (the fault table's row and what is wrong), the file's text, the line on stderr
CASES = [
    ("40 start above end", changed(start="21"), r"in\.gtf:2: start '21', expected a start not above the end"),
    ("40 start 0", changed(start="0"), r"in\.gtf:2: start '0', expected 1 or more"),
    ("40 negative", changed(start="-3"), r"in\.gtf:2: start '-3', expected a whole number"),
    ("40 exponent", changed(end="1e3"), r"in\.gtf:2: end '1e3', expected a whole number"),
    ("40 fraction", changed(end="20.0"), r"in\.gtf:2: end '20\.0', expected a whole number"),
    ("40 empty", changed(start=""), r"in\.gtf:2: start '', expected a whole number"),
    ("40 dot", changed(end="."), r"in\.gtf:2: end '\.', expected a whole number"),
    ("40 no contig", changed(contig=""), r"in\.gtf:2: contig '', expected a name"),
    (
        "41 eight columns",
        "#!note\n" + GTF + "c1\ts\texon\t1\t2\t.\t+\t.\n",
        r"in\.gtf:3: found 8 columns, expected 9",
    ),
    (
        "41 spaces",
        GTF.replace("\t", "   "),
        r"in\.gtf:1: found 1 columns, expected 9\. .* separate them by tabs",
    ),
    (
        "41 cut last line",
        GTF + GTF[:18],
        r"in\.gtf:2: found 7 columns, .*The last line is cut: the file looks trunc",
    ),
    ("41 HTML", "<!DOCTYPE html>\n", r"in\.gtf:1: found 1 columns.*HTML"),
    (
        "42 no known attributes",
        changed(attributes="-").splitlines()[1] + "\n",
        r"attributes '-' are neither GTF",
    ),
    ("42 no attributes", changed(attributes=".").splitlines()[1] + "\n", r"no line has attributes"),
    (
        "43 other names",
        GTF.replace("c1", "chr1"),
        r"do not match the genome's: 0% .*here: chr1; genome: c1, c2",
    ),
    (
        "45 past the end",
        changed(end="1000"),
        r"gene of g ends at 1000, past the end of c1 \(100 bp\)\. .*another assembly",
    ),
    ("46 nothing", "# only\n#comments\n\n", r"in\.gtf: holds no features"),
    ("46 only FASTA", "##FASTA\n>c1\nACGT\n", r"in\.gtf: holds no features"),
    ("46 no genes", changed(type="repeat").splitlines()[1] + "\n", r"holds no exon and no CDS"),
    ("48 strand", changed(strand="x"), r"in\.gtf:2: strand 'x', expected \+, -, \. or \?"),
    ("48 no transcript", changed(attributes='gene_id "g";'), r"in\.gtf:2: exon without transcript_id"),
    (
        "48 lost Parent",
        GFF3 + "c1\ts\texon\t1\t9\t.\t+\t.\tParent=x\n",
        r"in\.gtf:3: exon has Parent 'x', which is no ID",
    ),
    (
        "48 lost gene",
        GFF3.splitlines()[1] + "\nc1\ts\texon\t1\t9\t.\t+\t.\tParent=t\n",
        r"in\.gtf:1: Parent 'g' is no ID",
    ),
    ("empty", "", r"annotation file is empty \(0 bytes\)"),
]


@pytest.fixture
def genome(tmp_path):
    path = tmp_path / "genome.fa"
    path.write_text(">c1\n" + "ACGT" * 25 + "\n>c2\nACGT\n")
    return path


@pytest.mark.parametrize(("name", "text", "pattern"), CASES, ids=[case[0] for case in CASES])
def test_a_bad_file_is_refused(tmp_path, capsys, genome, name, text, pattern):
    source = tmp_path / "in.gtf"
    source.write_text(text)
    arguments = ["--annotation", source, "--genome", genome]
    assert_refused("read_annotation", arguments, tmp_path / "out" / "a.parquet", pattern, capsys)


def test_a_truncated_gz_is_refused(tmp_path, capsys, genome):
    source = tmp_path / "in.gtf.gz"
    source.write_bytes(gzip.compress(GTF.encode() * 500)[:-20])
    arguments = ["--annotation", source, "--genome", genome]
    assert_refused("read_annotation", arguments, tmp_path / "out" / "a.parquet", "ends early", capsys)


@pytest.mark.parametrize("value", ["cds_source", "=x", "key="])
def test_a_bad_attribute_option_is_refused(tmp_path, capsys, genome, value):
    (tmp_path / "in.gtf").write_text(GTF)
    arguments = ["--annotation", tmp_path / "in.gtf", "--genome", genome, "--cds-verified", value]
    assert_refused("read_annotation", arguments, tmp_path / "out" / "a.parquet", "expected KEY=VALUE", capsys)


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (
            GTF + GTF.replace("c1", "scaffold9"),
            "3 rows on 1 contigs that the genome lacks are left out",
        ),  # row 44
        (GTF + changed(strand="?").replace('"t"', '"u"'), "1 rows without a strand are left out"),  # row 48
        (GFF3.replace("\t20\t", "\t20\t") + "c1\ts\texon\t1\t9\t.\t+\t.\tParent=t\n##FASTA\n>c1\nAC\n", ""),
        (GTF.replace("\n", "\r\n"), ""),
    ],
    ids=["44 partial names", "48 strand unknown", "42 and 46 GFF3 by content, FASTA section", "46 CRLF"],
)
def test_what_is_accepted_with_a_note(tmp_path, capsys, genome, text, note):
    (tmp_path / "in.gtf").write_bytes(text.encode())
    arguments = ["--annotation", tmp_path / "in.gtf", "--genome", genome, "--output", tmp_path / "a.parquet"]
    assert read_annotation.main([str(argument) for argument in arguments]) == 0
    assert note in capsys.readouterr().err
