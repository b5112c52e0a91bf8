"""The vocabulary figure: tokens counted by hand, panels read back, gaps, the scripts' command lines."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import count_tokens
import numpy as np
import pandas as pd
import paper_tables_vocabulary as toy
import plot_grover_tokens
import pytest
import toy_models
from figure_checks import assert_readable
from toy_tokens import bpe_text

from dnalm.checkpoints import load_checkpoint
from dnalm.errors import UserError
from dnalm.figures import embedding_map, style, vocabulary
from dnalm.figures.papers import inputs, token_repeats
from dnalm.figures.papers import vocabulary as paper
from dnalm.genome import Genome
from dnalm.tokens import BPE, tokenizer
from dnalm.vocabulary import occurrences

MERGES = [("A", "T"), ("AT", "AT"), ("C", "G")]
SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
NONE = {"cycles": toy.cycles().iloc[:0], "regions": toy.regions().iloc[:0]}


def counted(path, contigs, reader, spans=None):
    toy_models.write_fasta(path / "g.fa", contigs)
    with Genome(path / "g.fa") as genome:
        regions = spans or {name: [(0, length)] for name, length in genome.lengths.items()}
        table = occurrences.describe(occurrences.count_tokens(genome, reader, regions), reader)
    return table.set_index("token")


def test_byte_pairs_by_hand(tmp_path):
    # ATAT C | at CG | CG with R and N between, then AT AT of which 1 and 2 bases are in lower case, then T
    table = counted(tmp_path, {"one": "ATATCRatCGNncg", "two": "aTCatT"}, tokenizer(BPE, bpe_text(MERGES)))
    assert table["id"].to_dict() == {"A": 5, "C": 6, "G": 7, "T": 8, "AT": 9, "ATAT": 10, "CG": 11}
    assert table["count"].tolist() == [0, 2, 0, 1, 3, 1, 2]
    assert table["length_bp"].tolist() == [1, 1, 1, 1, 2, 4, 2]
    assert table["gc"].tolist() == [0, 1, 1, 0, 0, 0, 1]
    shares = table.loc[["C", "T", "AT", "ATAT", "CG"], ["soft_masked", "in_repeats"]].to_numpy()
    # at, aT, at: 5 of 6 bases, and all three by half or more; cg of CG, cg
    assert shares == pytest.approx(np.array([[0, 0], [0, 0], [5 / 6, 1], [0, 0], [0.5, 0.5]]))
    assert table.loc[["A", "G"], ["soft_masked", "in_repeats"]].isna().all(axis=None)


def test_kmers_side_by_side_by_hand(tmp_path):
    table = counted(tmp_path, {"one": "ACGacgTNacGAC"}, tokenizer("v2_3mer"))
    used = table[table["count"] > 0]
    assert used["count"].to_dict() == {"ACG": 3, "A": 1, "T": 1, "C": 1}  # N is no token of the table
    assert used.loc["ACG", "soft_masked"] == pytest.approx(5 / 9)
    assert used.loc["ACG", "in_repeats"] == pytest.approx(2 / 3), "acG is one, by two of its three bases"
    assert len(table) == 64 + 4


def test_overlapping_kmers_by_hand(tmp_path):
    table = counted(tmp_path, {"one": "AAAAccNAA"}, tokenizer("overlapping_3mer"))
    used = table[table["count"] > 0]
    assert used["count"].to_dict() == {"AAA": 2, "AAC": 1, "ACC": 1}
    assert used["in_repeats"].to_dict() == {"AAA": 0, "AAC": 0, "ACC": 1}
    assert len(table) == 64


def test_regions_that_overlap_are_counted_once(tmp_path):
    contigs, reader = {"one": "AAACCCGGGTTT", "two": "ACGT"}, tokenizer("v2_3mer")
    table = counted(tmp_path, contigs, reader, {"one": [(3, 9), (0, 6)]})
    assert table["count"][table["count"] > 0].to_dict() == {"AAA": 1, "CCC": 1, "GGG": 1}


def pieces(bases, chunk_bp, monkeypatch, tmp_path):
    monkeypatch.setattr(occurrences, "CHUNK_BP", chunk_bp)
    toy_models.write_fasta(tmp_path / "g.fa", {"one": bases})
    with Genome(tmp_path / "g.fa") as genome:
        return [
            [row.tobytes().decode() for row in rows]
            for rows in occurrences.stretches(genome, "one", 0, len(bases))
        ]


def test_chunks_end_at_unknown_letters(tmp_path, monkeypatch):
    found = pieces("ACNGTNNacgtacgtaNNNNNNNNNc", 8, monkeypatch, tmp_path)
    assert found == [["AC", "GT"], ["acgtacgt"], ["a"], ["c"]]


@pytest.mark.parametrize("name", ["v2_3mer", "overlapping_3mer", BPE])
def test_chunks_change_only_tokens_at_cuts(name, tmp_path, monkeypatch):
    bases = toy_models.random_bases(3_000, 5)
    bases[700:720] = ord("N")
    bases[1_500:2_000] |= 0x20
    reader = tokenizer(name, bpe_text(MERGES) if name == BPE else "")
    whole = counted(tmp_path, {"one": bases}, reader)
    monkeypatch.setattr(occurrences, "CHUNK_BP", 300)
    cut = counted(tmp_path, {"one": bases}, reader)
    cuts = 2 + 7  # 700 bp before the Ns and 2,280 after them
    changed = (whole["count"] - cut["count"]).abs().sum()
    assert changed == {"v2_3mer": 0, "overlapping_3mer": 2 * cuts}.get(name, changed)
    assert changed <= 3 * cuts
    if name == BPE:
        covered = [(table["count"] * table["length_bp"]).sum() for table in (whole, cut)]
        assert covered == [2_980, 2_980]


def test_the_chunk_holds_whole_kmers():
    assert not [k for k in (3, 4, 5, 6) if occurrences.CHUNK_BP % k]


def test_a_genome_without_bases(tmp_path):
    with pytest.raises(UserError, match="genome: holds no token of A, C, G and T"):
        counted(tmp_path, {"one": "NNNNNN"}, tokenizer("v2_3mer"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A genome, a tokenizer and a model of 3-mers."""
    folder = tmp_path_factory.mktemp("made")
    bases = toy_models.random_bases(6_000, 3)
    bases[2_000:3_500] |= 0x20
    toy_models.write_fasta(folder / "g.fa", {"one": bases})
    (folder / "tokenizer.json").write_text(bpe_text(MERGES))
    toy_models.language_model(folder / "model")
    return folder


def run(script, *words):
    command = [sys.executable, str(SCRIPTS / f"{script}.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_scripts(made, tmp_path):
    done = run(
        "count_tokens", "--genome", made / "g.fa", "--tokenizer", made / "tokenizer.json",
        "--output", tmp_path / "t.tsv",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert tuple(table.columns) == occurrences.COLUMNS == paper.TOKEN_COLUMNS and len(table) == 7
    assert (table["count"] * table["length_bp"]).sum() == 6_000
    content = json.loads((tmp_path / "t.tsv.manifest.json").read_text())["content"]
    assert content["step"] == "tokens" and content["occurrences"] == table["count"].sum()
    assert set(content["inputs"]) == {"genome", "tokenizer"}
    toy.cycles().to_csv(tmp_path / "cycles.tsv", sep="\t", index=False)
    toy.regions().to_csv(tmp_path / "map.tsv", sep="\t", index=False)
    done = run(
        "plot_grover_tokens", "--tokens", tmp_path / "t.tsv", "--cycles", tmp_path / "cycles.tsv",
        "--map", tmp_path / "map.tsv", "--map-model", "other_nt", "--name", "toy", "--species", "a_fly",
        "--output-stem", tmp_path / "figure",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n") == 1 and "empty panels: d (no table given)" in done.stderr
    suffixes = (".svg", ".png", ".85mm.svg", ".85mm.png", ".tsv")
    assert all((tmp_path / f"figure{suffix}").stat().st_size for suffix in suffixes)
    about = (tmp_path / "figure.svg").read_text()
    assert "Tokenizer: toy; A fly. n = 7 tokens" in about
    assert "windows of the genome, embedded by other_nt." in about


def test_a_model_gives_its_map(made, tmp_path):
    words = [
        "--genome",
        str(made / "g.fa"),
        "--checkpoint",
        str(made / "model"),
        "--regions",
        "one:2000-3500",
    ]
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:  # t-SNE of 4,100 tokens takes half a minute
        patch.setattr("dnalm.figures.projection.MIN_TSNE", 5_000)
        assert count_tokens.main([*words, "--output", str(tmp_path / "t.tsv")]) == 0
    table = pd.read_csv(tmp_path / "t.tsv", sep="\t")
    assert len(table) == 4_096 + 4 and set(table["projection"]) == {"PCA"}
    assert table["count"].sum() == 250 and set(table["soft_masked"].dropna()) == {1}
    checkpoint = load_checkpoint(made / "model")
    rows = occurrences.input_embeddings(checkpoint, [6, 4_105])
    whole = checkpoint.params["esm_transformer/~/embed"]["embeddings"]
    assert np.array_equal(rows, whole[[6, 4_105]])
    assert json.loads((tmp_path / "t.tsv.manifest.json").read_text())["content"]["projection"] == "PCA"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--tokenizer": "missing.json"}, "missing.json: tokenizer not found"),
        ({"--tokenizer": "g.fa"}, "tokenizer.json: is no tokenizer"),
        ({"--genome": "empty.fa"}, "empty.fa: genome FASTA is empty"),
        ({"--regions": "two:0-9"}, "names no contig of the genome"),
    ],
)
def test_faults_of_counting(made, tmp_path, capsys, changes, message):
    (made / "empty.fa").touch()
    words = {"--genome": "g.fa", "--tokenizer": "tokenizer.json", **changes}
    regions = ["--regions", words.pop("--regions")] if "--regions" in words else []
    files = [word for key, name in words.items() for word in (key, str(made / name))]
    assert count_tokens.main([*files, *regions, "--output", str(tmp_path / "t.tsv")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "t.tsv").exists()


def draw(width_mm, tokens=None, cycles=None, regions=None):
    given = (tokens if tokens is not None else toy.tokens(), cycles, regions)
    tables = [
        given[0],
        *(NONE[name] if table is None else table for name, table in zip(NONE, given[1:], strict=True)),
    ]
    note = paper.note(*tables, "toy", "A fly")
    return paper.plot_tokens(*tables, note, width_mm)


@pytest.fixture(scope="module", params=[style.COLUMN_MM, style.PAGE_MM])
def drawn(request):
    return draw(request.param, toy.tokens(), toy.cycles(), toy.regions())


def axes_of(figure, label):
    return next(axes for axes in figure.axes if axes.get_xlabel() == label)


def test_every_panel_can_be_read(drawn):
    texts = assert_readable(drawn)
    assert {"a", "b", "c", "d", "e", "f", "g", "h", "GC", "k = 6", "tokens", "bases"} <= set(texts)
    assert "exonic\nn = 175" in texts and "no table given" not in texts


def test_marks_are_the_table(drawn):
    table = toy.tokens()
    used = table[table["count"] > 0]
    ranks = axes_of(drawn, "Rank").collections[0].get_offsets()
    assert np.array_equal(ranks[:, 0], np.arange(1, 603))
    assert np.array_equal(ranks[:, 1], used["count"].sort_values(ascending=False))
    bars = [[bar.get_height() for bar in group] for group in axes_of(drawn, "Length (bp)").containers]
    assert [sum(group) for group in bars] == pytest.approx([1, 1])
    bases = (table["count"] * table["length_bp"])[table["length_bp"] == 5].sum()
    places = sorted(set(table["length_bp"]))
    assert bars[0][places.index(5)] == pytest.approx((table["length_bp"] == 5).mean())
    assert bars[1][places.index(5)] == pytest.approx(bases / (used["count"] * used["length_bp"]).sum())
    embedded = axes_of(drawn, "t-SNE 1").collections[0]
    assert len(embedded.get_offsets()) == 604 and np.ptp(embedded.get_sizes()) > 0
    steps = axes_of(drawn, "Merge cycles")
    assert [label.get_text() for label in steps.get_xticklabels()][0::6] == ["50", "2,000"]


def test_repeats_are_beside_the_genome(drawn):
    table = toy.tokens()
    used = table[table["count"] > 0]
    bases = used["count"] * used["length_bp"]
    whole = (used["soft_masked"] * bases).sum() / bases.sum()
    histogram = axes_of(drawn, "Occurrences in repeats")
    often = used[used["count"] >= 100].sort_values("in_repeats", ascending=False)
    assert sum(bar.get_height() for bar in histogram.patches) == len(often)
    assert histogram.lines[0].get_xdata()[0] == pytest.approx(whole)
    assert f"genome {whole:.1%}" in [text.get_text() for text in histogram.texts]
    named = axes_of(drawn, "In repeats")
    names = [label.get_text() for label in named.get_yticklabels()]
    assert names == [token_repeats.short_name(token) for token in [*often["token"][:6], *often["token"][-6:]]]
    assert named.lines[0].get_xdata().tolist() == often["in_repeats"].tolist()[:6]


def test_classes_have_the_colours_of_the_embedding_map(drawn):
    dots = drawn.axes[-1].collections[0]
    colours = {tuple(np.round(colour[:3] * 255).astype(int)) for colour in dots.get_facecolors()}
    known = {tuple(int(code[at : at + 2], 16) for at in (1, 3, 5)) for code in embedding_map.COLOURS.values()}
    assert colours == known and len(dots.get_offsets()) == 900


def test_the_note_says_what_was_counted(drawn):
    said = drawn.get_label()
    used = toy.tokens()["count"].sum()
    assert f"Tokenizer: toy; A fly. n = 604 tokens, {used:,} occurrences" in said
    for part in (
        "2 tokens never occur",
        "Repeats are the soft-masked",
        "n = 20,000 places",
        "n = 900 windows",
    ):
        assert part in said


GAPS = {
    "nothing but tokens": (toy.tokens(with_map=False), None, None, {"d", "e", "h"}),
    "no soft-masked bases": (toy.tokens(soft_masked=False), toy.cycles(), toy.regions(), {"f", "g"}),
    "no token often": (toy.tokens().assign(count=9), None, None, {"e", "f", "g", "h"}),
    "no tokens": (toy.tokens().iloc[:0], None, None, set("abcdefgh")),
    "no values": (
        toy.tokens().assign(x=np.nan), toy.cycles().assign(accuracy=np.nan), toy.regions().assign(x=np.nan),
        {"d", "e", "h"},
    ),
    "no classes": (toy.tokens(), toy.cycles(), toy.regions().drop(columns="overlaps"), {"h"}),
}  # fmt: skip


@pytest.mark.parametrize("name", GAPS)
@pytest.mark.parametrize("width_mm", [style.COLUMN_MM, style.PAGE_MM])
def test_gaps(name, width_mm, caplog):
    tokens, cycles, regions, letters = GAPS[name]
    texts = assert_readable(draw(width_mm, tokens, cycles, regions))
    tables = (
        tokens,
        NONE["cycles"] if cycles is None else cycles,
        NONE["regions"] if regions is None else regions,
    )
    reasons = paper.missing(*tables)
    assert set(reasons) == letters
    assert sorted(text for text in texts if text in set(reasons.values())) == sorted(reasons.values())
    paper.warn_of_gaps(*tables)
    assert len(caplog.records) == 1 and caplog.text.count("\n") == 1


def test_missing_accuracies_are_said(caplog):
    cycles = toy.cycles()
    cycles.loc[[4, 41], "accuracy"] = np.nan, 0.0  # held out: k = 4 of 50 cycles, k = 6 of 2,000
    figure = draw(style.PAGE_MM, cycles=cycles)
    assert "no value: 2" in assert_readable(figure)
    paper.warn_of_gaps(toy.tokens(), cycles, toy.regions())
    assert caplog.messages == ["vocabulary: empty panels: e (partly, no value: 2)"]


@pytest.mark.parametrize("width_mm", [style.COLUMN_MM, style.PAGE_MM])
def test_of_many_numbers_of_cycles_some_are_labelled(width_mm):
    one = toy.cycles().query("cycles == 600")
    table = pd.concat([one.assign(cycles=number) for number in range(100, 2_100, 100)], ignore_index=True)
    figure = draw(width_mm, cycles=table)
    assert_readable(figure)
    labels = [label.get_text() for label in axes_of(figure, "Merge cycles").get_xticklabels()]
    assert len(labels) == 20 and labels[-1] == "2,000" and labels[0] == "100" and "" in labels


@pytest.mark.parametrize("splits", [("validation",), ("held_out",)])
def test_either_part_alone(splits):
    figure = draw(style.COLUMN_MM, cycles=toy.cycles(splits))
    assert ("validation part" in figure.get_label()) == (splits == ("validation",))


@pytest.mark.parametrize("name", ["v2_6mer", "overlapping_6mer"])
def test_kmers_can_be_drawn(name):
    words = [word for word in tokenizer(name).vocabulary if set(word) <= set("ACGT")]
    table = pd.DataFrame({"token": words, "id": range(len(words)), "count": range(200, 200 + len(words))})
    table = table.assign(length_bp=table["token"].str.len(), gc=0.5, soft_masked=0.2, in_repeats=0.2)
    assert_readable(draw(style.COLUMN_MM, table))


@pytest.mark.parametrize("size", [1, 5])
def test_few_tokens_are_named_once(size):
    table = toy.tokens(60).drop(index=[3, 40]).head(size)
    named = axes_of(draw(style.PAGE_MM, table), "In repeats")
    assert sorted(label.get_text() for label in named.get_yticklabels()) == sorted(table["token"])


def test_long_tokens_are_shortened():
    assert token_repeats.short_name("ACGTACGTACGT") == "ACGTACGTACGT"
    assert token_repeats.short_name("A" * 16) == "AAAAAAAAA\u2026 16 bp"


def test_the_same_tables_give_the_same_bytes():
    def sums():
        files = style.render(draw(style.COLUMN_MM, toy.tokens(), toy.cycles(), toy.regions()), "Vocabulary")
        return {suffix: hashlib.sha256(data).hexdigest() for suffix, data in files.items()}

    assert sums() == sums()


def test_tables_without_rows_are_gaps_and_others_are_refused(tmp_path, capsys):
    toy.cycles().iloc[:0].to_csv(tmp_path / "cycles.tsv", sep="\t", index=False)
    assert inputs.read_rows(tmp_path / "cycles.tsv", vocabulary.COLUMNS, "table").empty
    toy.tokens().drop(columns="gc").to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    words = ["--name", "toy", "--species", "fly", "--output-stem", str(tmp_path / "figure")]
    assert plot_grover_tokens.main(["--tokens", str(tmp_path / "t.tsv"), *words]) == 2
    assert "table of tokens lacks the columns gc" in capsys.readouterr().err
    assert plot_grover_tokens.main(["--tokens", str(tmp_path / "none.tsv"), *words]) == 2
    assert "table of tokens not found" in capsys.readouterr().err
