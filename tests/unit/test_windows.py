"""Windows: by hand on small contigs, by a slow definition on random ones."""

import numpy as np
import pandas as pd
import pytest

from dnalm import annotation, genome, windows
from dnalm.errors import UserError
from dnalm.tokens import KMERS, OVERLAPPING, spacing, tokenizer

BY_K = {3: KMERS["v2_3mer"], 6: KMERS["v2_6mer"]}


@pytest.fixture
def open_genome(tmp_path):
    opened = []

    def make(**contigs: str) -> genome.Genome:
        (tmp_path / "g.fa").write_text(
            "".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items())
        )
        opened.append(genome.Genome(tmp_path / "g.fa"))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def spans(table: pd.DataFrame) -> list[tuple]:
    return list(table[["contig", "start", "end", "strand"]].itertuples(index=False, name=None))


def published_tokens(sequence: str, k: int) -> int:
    """Splits at N, cuts each piece into k-mers from its left, its rest into letters."""
    pieces = sequence.split("N")
    return 1 + len(pieces) - 1 + sum(len(piece) // k + len(piece) % k for piece in pieces)


@pytest.mark.parametrize(
    ("sequence", "k", "tokens"),
    [
        ("", 6, 1),
        ("ACGTAC", 6, 2),
        ("ACGTACG", 6, 3),
        ("ACGTACGTACGT", 6, 3),
        ("ACGTANGTACGT", 6, 8),  # 5 letters, N, 1 k-mer: the frame starts again after N
        ("ACGNACGTACGT", 6, 8),  # 3 letters, N, 1 k-mer, 2 letters
        ("NNNN", 6, 5),
        ("ACGTAC", 3, 3),
        ("ACGNACG", 3, 4),
    ],
)
def test_tokens_by_hand(sequence, k, tokens):
    assert BY_K[k].count_bytes(sequence.encode()) == tokens


@pytest.mark.parametrize("k", [3, 6])
def test_tokens_of_random_windows(k):
    generator = np.random.default_rng(k)
    for _ in range(200):
        share = generator.choice([0.0, 0.02, 0.3])
        letters = generator.choice(
            list("ACGTN"), generator.integers(0, 80), p=[(1 - share) / 4] * 4 + [share]
        )
        sequence = "".join(letters)
        assert BY_K[k].count_bytes(sequence.encode()) == published_tokens(sequence, k)


@pytest.mark.parametrize("name", [*KMERS, *OVERLAPPING])
def test_tokens_are_those_of_the_tokenizer(name):
    generator, reader = np.random.default_rng(7), tokenizer(name)
    for _ in range(30):
        sequence = "".join(generator.choice(list("ACGTN"), 50, p=[0.24] * 4 + [0.04]))
        assert reader.counts([sequence.encode()]) == reader.count(sequence) == len(reader.encode(sequence))


@pytest.mark.parametrize(
    ("max_tokens", "name", "expected"),
    [
        (1000, "v1_6mer", 5_994),
        (1001, "v2_6mer", 6_000),
        (2048, "v2_6mer", 6_000),
        (None, "v2_6mer", 6_000),
        (512, "v2_3mer", 1_533),
        (512, "overlapping_6mer", 515),  # 510 k-mers between [CLS] and [SEP]
        (512, "overlapping_3mer", 512),
        (None, "overlapping_3mer", 6_000),
        (512, "bpe", 1_530),  # three bases a token
    ],
)
def test_the_longest_window(max_tokens, name, expected):
    tokens = spacing(name)
    assert windows.longest_window(max_tokens, tokens) == expected
    assert windows.parse_length("auto", max_tokens, tokens) == expected
    windows.check_length(expected, max_tokens, tokens)


@pytest.mark.parametrize(
    ("length", "message"),
    [
        ("6001", "a window of 6001 bp needs 1002 tokens, the model takes at most 1001. Use at most 6000 bp"),
        ("12000", "needs 2001 tokens, the model takes at most 1001"),
        ("0", "expected at least 1"),
        ("-5", "expected auto or a whole number"),
        ("long", "expected auto or a whole number"),
    ],
)
def test_lengths_that_do_not_fit(length, message):
    with pytest.raises(UserError, match=message):
        windows.parse_length(length, 1001, spacing("v2_6mer"))


def test_tiles_by_hand(open_genome):
    opened = open_genome(a="A" * 25, b="C" * 10, c="G" * 9)
    table, dropped = windows.make_tiles(opened.lengths, opened, 10, 3)
    assert spans(table) == [("a", 0, 10, "+"), ("a", 7, 17, "+"), ("a", 14, 24, "+"), ("b", 0, 10, "+")]
    assert table["name"].tolist() == ["a:0-10", "a:7-17", "a:14-24", "b:0-10"]
    assert dropped == {"over_contig_end": 2, "n_fraction": 0, "token_limit": 0}  # a's last base, and c


@pytest.mark.parametrize("seed", range(8))
def test_tiles_cover_what_they_can(open_genome, seed):
    generator = np.random.default_rng(seed)
    length, overlap = int(generator.integers(2, 12)), 0
    overlap = int(generator.integers(0, length))
    sizes = {f"c{number}": int(generator.integers(1, 60)) for number in range(5)}
    opened = open_genome(**{name: "A" * size for name, size in sizes.items()})
    table, dropped = windows.make_tiles(opened.lengths, opened, length, overlap)
    needed = 0
    for name, size in sizes.items():
        rows = table[table["contig"] == name]
        starts = rows["start"].tolist()
        assert starts == [start for start in range(0, size, length - overlap) if start + length <= size]
        assert (rows["end"] - rows["start"] == length).all()
        needed += 1 + max(0, -(-(size - length) // (length - overlap)))  # to reach every base
    assert len(table) + dropped["over_contig_end"] == needed


@pytest.mark.parametrize(
    ("strand", "expected"), [("+", ("c", 7, 12, "+")), ("-", ("c", 8, 13, "-"))], ids=["forward", "reverse"]
)
def test_tss_windows_have_the_tss_at_the_same_place(open_genome, strand, expected):
    sequence = "A" * 10 + "G" + "A" * 19
    opened = open_genome(c=sequence)
    sites = pd.DataFrame({"gene_id": ["g"], "contig": ["c"], "strand": [strand], "tss": [10]})
    table, _ = windows.make_tss(
        sites, opened, upstream_bp=3 if strand == "+" else 2, downstream_bp=2 if strand == "+" else 3
    )
    assert spans(table) == [expected] and table["name"].tolist() == ["g"]
    text = opened.fetch("c", *expected[1:3])
    text = genome.reverse_complement_text(text) if strand == "-" else text
    assert text.index("G" if strand == "+" else "C") == (3 if strand == "+" else 2)


def test_windows_over_either_end_are_dropped(open_genome):
    opened = open_genome(c="A" * 20)
    sites = pd.DataFrame(
        {"gene_id": list("abcd"), "contig": "c", "strand": ["+", "+", "-", "-"], "tss": [4, 5, 15, 14]}
    )
    table, dropped = windows.make_tss(sites, opened, 5, 5)
    assert spans(table) == [("c", 0, 10, "+"), ("c", 10, 20, "-")] and table["name"].tolist() == ["b", "d"]
    assert dropped == {"over_contig_end": 2, "n_fraction": 0, "token_limit": 0}


def test_n_is_counted_and_limits_hold(open_genome):
    opened = open_genome(a="ACGTACGTACGT" + "ACGTANGTACGT" + "NNNNNNNNACGT" + "nnnnnnnnnnnn" + "acgtRacgtRac")
    table, dropped = windows.make_tiles(
        opened.lengths, opened, 12, max_n_fraction=0.2, max_tokens=8, tokenizer="v2_6mer"
    )
    assert table["n_fraction"].tolist() == [0.0, 0.0833]  # 8 tokens with its N; the last window needs 13
    assert dropped == {"over_contig_end": 0, "n_fraction": 2, "token_limit": 1}


def test_a_contig_of_n_gives_no_windows(open_genome, tmp_path):
    opened = open_genome(a="N" * 50)
    table, dropped = windows.make_tiles(opened.lengths, opened, 10, max_n_fraction=0.5)
    assert len(table) == 0 and dropped["n_fraction"] == 5
    windows.write_windows(table, tmp_path / "x.bed")
    assert len(windows.read_windows(tmp_path / "x.bed")) == 0


def test_regions(open_genome, tmp_path):
    opened = open_genome(c="A" * 20)
    (tmp_path / "r.bed").write_text("c\t2\t9\nc\t0\t20\tall\t0\t-\n")
    table, dropped = windows.make_regions(
        genome.read_bed(tmp_path / "r.bed", opened.lengths), opened, max_tokens=4, tokenizer="v2_6mer"
    )
    assert spans(table) == [("c", 2, 9, "+")] and table["name"].tolist() == ["c:2-9"]
    assert dropped["token_limit"] == 1


def test_windows_come_back_from_their_file(open_genome, tmp_path):
    opened = open_genome(c="ACGTN" * 20)
    table, _ = windows.make_tiles(opened.lengths, opened, 9)
    windows.write_windows(table, tmp_path / "x.bed")
    assert (tmp_path / "x.bed").read_text().splitlines()[0] == "c\t0\t9\tc:0-9\t0\t+\t0.1111"
    pd.testing.assert_frame_equal(windows.read_windows(tmp_path / "x.bed"), table)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("c\t0\t9\tn\t0\t+", "x.bed:2: found 6 columns, expected 7"),
        ("c\t0\t9\tfirst\t0\t+\t0.0", "1 window names occur more than once \\(first\\)"),
        ("c\t9\t9\tn\t0\t+\t0.0", "x.bed:2: start is not below end"),
        ("c\t1e3\t9\tn\t0\t+\t0.0", "is no windows file"),
    ],
)
def test_other_files_are_no_windows(tmp_path, line, message):
    (tmp_path / "x.bed").write_text(f"c\t0\t9\tfirst\t0\t+\t0.0000\n{line}\n")
    with pytest.raises(UserError, match=message):
        windows.read_windows(tmp_path / "x.bed")


def test_tss_windows_of_an_annotation(open_genome, tmp_path):
    opened = open_genome(c="A" * 100)
    attributes = 'gene_id "{0}"; transcript_id "{0}.1";'
    (tmp_path / "a.gtf").write_text(
        f"c\ts\texon\t21\t40\t.\t+\t.\t{attributes.format('g')}\nc\ts\texon\t51\t70\t.\t-\t.\t{attributes.format('h')}\n"
    )
    sites = annotation.transcription_start_sites(annotation.read_annotation(tmp_path / "a.gtf"))
    table, _ = windows.make_tss(sites, opened, 10, 5)
    assert spans(table) == [("c", 10, 25, "+"), ("c", 65, 80, "-")]
