"""Genomes: strict copies, random access, strands; Biopython is the slow reference."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO
from Bio.Seq import reverse_complement
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm import genome
from dnalm.errors import UserError
from dnalm.genome import fasta as fasta_module
from dnalm.genome.copy import FastaWriter

ARABIDOPSIS = Path(__file__).parents[1] / "data" / "arabidopsis_bac_T25K16" / "arab1.gb"
LETTERS = "ACGTRYSWKMBDHVNacgtryswkmbdhvn"


def parsed(path: Path) -> dict[str, str]:
    """Returns name -> sequence as Biopython reads it."""
    return {record.id: str(record.seq) for record in SeqIO.parse(io.StringIO(path.read_text()), "fasta")}


def copied(folder: Path, data: bytes, **options) -> dict[str, str]:
    """Copies bytes as a genome and returns name -> sequence."""
    (folder / "in.fa").write_bytes(data)
    contigs = genome.copy_fasta(folder / "in.fa", folder / "out.fa", **options)
    records = parsed(folder / "out.fa")
    assert contigs == [(name, len(sequence)) for name, sequence in records.items()]
    return records


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b">a\nACGT\n", {"a": "ACGT"}),
        (b">a description\nACGT", {"a": "ACGT"}),
        (b">a\nAC\nGTA\nC\n>b\nnN\n", {"a": "ACGTAC", "b": "nN"}),
        (b">a\nAC\n\nGT\n\n>b\nA\n\n", {"a": "ACGT", "b": "A"}),
        (b">a\r\nAC\r\nGT\r\n", {"a": "ACGT"}),
        (b">a\rAC\rGT\r>b\rA\r", {"a": "ACGT", "b": "A"}),
        (b">a\nAC\r\nGT\rA\n", {"a": "ACGTA"}),
        (b"\xef\xbb\xbf>a\nACGT\n", {"a": "ACGT"}),
        (b"\n\r\n>a\nACGT\n", {"a": "ACGT"}),
        (b">a d\xe9\nacgtRYK\n", {"a": "acgtRYK"}),
    ],
    ids=[
        "plain",
        "no line end",
        "two",
        "blank lines",
        "CRLF",
        "CR",
        "mixed",
        "mark",
        "blank start",
        "latin-1",
    ],
)
def test_copy_reads_what_is_fasta(tmp_path, data, expected):
    assert copied(tmp_path, data) == expected
    (tmp_path / "in.fa").write_bytes(gzip.compress(data[:3]) + gzip.compress(data[3:]))
    genome.copy_fasta(tmp_path / "in.fa", tmp_path / "again.fa")
    assert (tmp_path / "again.fa").read_bytes() == (tmp_path / "out.fa").read_bytes()


def test_copy_wraps_at_80(tmp_path):
    copied(tmp_path, b">a\n" + b"A" * 160 + b"C" * 5 + b"\n>b\n" + b"G" * 80)
    lines = (tmp_path / "out.fa").read_text().splitlines()
    assert [len(line) for line in lines] == [2, 80, 80, 5, 2, 80]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.text(alphabet=LETTERS, min_size=1, max_size=200), min_size=1, max_size=4),
    st.integers(1, 90),
    st.sampled_from(["\r\n", "\r"]),
    st.integers(1, 40),
)
def test_line_ends_and_chunks_do_not_matter(tmp_path_factory, sequences, width, end, chunk_bytes):
    folder = tmp_path_factory.mktemp("ends")
    names = [f"contig{number}" for number in range(len(sequences))]
    lines = []
    for name, sequence in zip(names, sequences, strict=True):
        lines += [f">{name} text", *(sequence[at : at + width] for at in range(0, len(sequence), width))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fasta_module, "CHUNK_BYTES", chunk_bytes)
        expected = dict(zip(names, sequences, strict=True))
        assert copied(folder, ("\n".join(lines) + "\n").encode()) == expected
        assert copied(folder, end.join(lines).encode()) == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"include": ["chr1", "c3"]}, ["chr1", "c3"]),
        ({"include": ["c1"]}, ["chr1"]),
        ({"exclude": ["MT", "absent"]}, ["chr1", "c3"]),
        ({"min_length_bp": 6}, ["chr1"]),
        ({"min_length_bp": 5, "exclude": ["chr1"]}, ["c3"]),
    ],
)
def test_contigs_are_chosen_by_either_name(tmp_path, options, expected):
    data = b">c1\nACGT\nACGTA\n>MT\nAC\n>c3\nACGTA\n"
    assert list(copied(tmp_path, data, names={"c1": "chr1"}, **options)) == expected


def test_genbank_gives_its_sequence(tmp_path):
    contigs = genome.copy_fasta(ARABIDOPSIS, tmp_path / "out.fa")
    assert contigs == [("AC007323.5", 86_436)]
    record = SeqIO.read(ARABIDOPSIS, "genbank")
    with genome.Genome(tmp_path / "out.fa") as opened:
        assert opened.fetch("AC007323.5", 0, 86_436) == str(record.seq)


def test_genome_reads_as_biopython_does(tmp_path):
    generator = np.random.default_rng(1)
    sequences = {
        f"c{i}": "".join(generator.choice(list("ACGTN"), size)) for i, size in enumerate((1, 79, 80, 81, 500))
    }
    text = "".join(f">{name}\n{sequence}\n" for name, sequence in sequences.items())
    (tmp_path / "in.fa").write_text(text)
    genome.copy_fasta(tmp_path / "in.fa", tmp_path / "g.fa")
    reference = parsed(tmp_path / "g.fa")
    with genome.Genome(tmp_path / "g.fa") as opened:
        assert opened.lengths == {name: len(sequence) for name, sequence in sequences.items()}
        for name, sequence in reference.items():
            assert opened.sequence(name).tobytes().decode() == sequence == sequences[name]
            for start, end in generator.integers(0, len(sequence) + 1, (50, 2)):
                start, end = sorted((int(start), int(end)))
                assert opened.fetch(name, start, end) == sequence[start:end]


def test_genome_makes_its_index_anew_when_the_fasta_is_newer(tmp_path):
    path = tmp_path / "g.fa"
    path.write_text(">a\nACGT\n")
    with genome.Genome(path) as opened:
        assert opened.lengths == {"a": 4}
    path.write_text(">b\r\nACG\r\nTA\r\n")
    with genome.Genome(path) as opened:
        assert opened.lengths == {"b": 5} and opened.fetch("b", 2, 5) == "GTA"


@pytest.mark.parametrize(
    ("contig", "start", "end", "message"),
    [("x", 0, 1, "has no contig 'x'"), ("a", -1, 2, "leaves its 4 bases"), ("a", 2, 5, "leaves its 4 bases")],
)
def test_genome_refuses_what_it_does_not_hold(tmp_path, contig, start, end, message):
    (tmp_path / "g.fa").write_text(">a\nACGT\n")
    with genome.Genome(tmp_path / "g.fa") as opened, pytest.raises(UserError, match=message):
        opened.fetch(contig, start, end)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b">a\nAC\nACGT\nAC\n", "cannot be indexed"),
        (gzip.compress(b">a\nACGT\n", mtime=0), "gzip-compressed"),
        (b"", "empty"),
    ],
)
def test_genome_refuses_other_files(tmp_path, content, message):
    (tmp_path / "g.fa").write_bytes(content)
    with pytest.raises(UserError, match=message):
        genome.Genome(tmp_path / "g.fa")
    assert not (tmp_path / "g.fa.fai").exists()


def test_an_index_of_another_file_is_refused(tmp_path):
    (tmp_path / "g.fa").write_text(">a\nACGT\n")
    (tmp_path / "g.fa.fai").write_text("a\t4000\t3\t80\t81\n")
    with pytest.raises(UserError, match="does not fit its FASTA"):
        genome.Genome(tmp_path / "g.fa")


@given(st.text(alphabet=LETTERS, max_size=50))
def test_reverse_complement_is_biopythons(sequence):
    assert genome.reverse_complement_text(sequence) == reverse_complement(sequence)
    array = np.frombuffer(sequence.encode(), np.uint8)
    assert genome.reverse_complement(array).tobytes().decode() == reverse_complement(sequence)


@pytest.mark.parametrize("size", [0, 1, 7, 1 << 18, (1 << 18) + 1, (1 << 19) + 3])
def test_letters_are_counted(size):
    sequence = np.random.default_rng(size).choice(np.frombuffer(LETTERS.encode(), np.uint8), size)
    assert np.array_equal(genome.count_letters(sequence), np.bincount(sequence, minlength=256))


def test_many_small_contigs_in_little_memory(tmp_path):
    import tracemalloc

    count = 5_000
    (tmp_path / "in.fa").write_bytes(b"".join(b">c%d\nACGT\n" % number for number in range(count)))
    tracemalloc.start()
    contigs = genome.copy_fasta(tmp_path / "in.fa", tmp_path / "out.fa", min_length_bp=4)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(contigs) == count and peak < 12e6


def test_bed_rows(tmp_path):
    text = "# note\ntrack name=x\nchr1\t1\t5\nchr1\t0\t9\tNA\t3\t-\textra\n\nchr2 2 3\n"
    (tmp_path / "x.bed").write_text(text)
    table = genome.read_bed(tmp_path / "x.bed", {"chr1": 9, "chr2": 3})
    assert table.to_numpy().tolist() == [
        ["chr1", 1, 5, "chr1:1-5", "."],
        ["chr1", 0, 9, "NA", "-"],
        ["chr2", 2, 3, "chr2:2-3", "."],
    ]
    (tmp_path / "empty.bed").write_bytes(b"")
    empty = genome.read_bed(tmp_path / "empty.bed")
    assert list(empty.columns) == list(genome.BED_COLUMNS) and len(empty) == 0


def test_contig_names(tmp_path):
    (tmp_path / "map.tsv").write_text("# source\twanted\n1\tchr1\n\nMT\tchrM\n")
    assert genome.read_contig_names(tmp_path / "map.tsv") == {"1": "chr1", "MT": "chrM"}


def test_the_writer_takes_pieces_of_any_length():
    writer = FastaWriter(data := io.BytesIO())
    writer.start("a")
    for piece in (b"A" * 79, b"C", b"G" * 200, b"", b"T"):
        writer.write(piece)
    writer.finish()
    record = SeqIO.read(io.StringIO(data.getvalue().decode()), "fasta")
    assert str(record.seq) == "A" * 79 + "C" + "G" * 200 + "T"
