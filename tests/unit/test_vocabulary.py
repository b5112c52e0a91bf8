"""Byte-pair vocabularies: merges by hand, next-k-mer prediction with a known answer, the whole script."""

import json
import re

import numpy as np
import pandas as pd
import plot_vocabulary
import pytest
import toy_models
import train_tokenizer

from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.tokens import BPE, tokenizer
from dnalm.vocabulary import VocabularyRecipe, merges, next_kmer, run

SMALL = VocabularyRecipe(cycles=(4, 16), k=(1, 3), context_tokens=4, steps=60, batch_size=64, positions=640)


def letters(text):
    return np.frombuffer(text.encode(), np.uint8)


def random_text(length, seed=0):
    return toy_models.random_bases(length, seed)


def test_the_commonest_pair_is_joined_first():
    text = merges.learn([letters("AT" * 50 + "CG" * 20 + "ATAT" * 10)], 4)
    assert merges.merges_of(text)[:2] == [("A", "T"), ("AT", "AT")]
    reader = tokenizer(BPE, text)
    assert reader.tokenize("ATATCG")[0] == ["[CLS]", "ATAT", "CG", "[SEP]"] and reader.embedded == 9 + 4


def test_equally_common_pairs_are_joined_in_the_order_of_their_ids():
    text = merges.learn([letters("GT"), letters("AC"), letters("CA")], 3)
    assert merges.merges_of(text) == [("A", "C"), ("C", "A"), ("G", "T")]


def test_the_same_genome_gives_the_same_merges_and_fewer_are_the_first():
    stretches = [random_text(30_000, 1), random_text(3_000, 2)]
    whole = merges.learn(stretches, 60)
    assert whole == merges.learn(stretches, 60)
    for cycles in (1, 10, 59):
        fewer = merges.learn(stretches, cycles)
        assert merges.merges_of(fewer) == merges.merges_of(whole)[:cycles]
        first = tokenizer(BPE, merges.first_cycles(whole, cycles))
        assert first.vocabulary == tokenizer(BPE, fewer).vocabulary
        sample = random_text(500, 3).tobytes().decode()
        assert first.encode(sample).tolist() == tokenizer(BPE, fewer).encode(sample).tolist()


def test_what_is_asked_by_hand():
    reader = tokenizer(BPE, merges.learn([letters("AT" * 30)], 1))  # A C G T AT
    recipe = VocabularyRecipe(cycles=(1,), k=(1, 2), context_tokens=2)
    places = next_kmer.find_places([letters("ATCATGG"), letters("ATATAT")], reader, recipe)
    # tokens AT C AT G G | AT AT AT; the last G has no 2-mer, nor are two tokens before the first ones
    assert places.allowed.tolist() == [2, 3, 7] and places.starts.tolist() == [0, 2, 3, 5, 6, 7, 9, 11]
    context, asked = places.batch(places.allowed, recipe)
    words = [[reader.vocabulary[index] for index in row] for row in context]
    assert words == [["AT", "C"], ["C", "AT"], ["AT", "AT"]]
    order = "ATCG"
    assert [order[number] for number in asked[:, 0]] == ["A", "G", "A"]
    assert asked[:, 1].tolist() == [order.index(a) * 4 + order.index(b) for a, b in ("AT", "GG", "AT")]


@pytest.mark.parametrize(("planted", "least", "most"), [(True, 0.9, 1.0), (False, 0.0, 0.06)])
def test_a_planted_order_is_found_and_chance_is_chance(planted, least, most):
    """The 3-mer after a word that is repeated without end is known; after random bases it is one of 64."""
    word = random_text(16, 4)
    training = [np.tile(word, 200) if planted else random_text(8_000, 5)]
    held_out = [np.tile(word, 60) if planted else random_text(8_000, 6)]
    reader = tokenizer(BPE, merges.learn(training, 8))
    places = next_kmer.find_places(training, reader, SMALL)
    predict = next_kmer.train(places, reader.embedded, SMALL)
    scored = next_kmer.find_places(held_out, reader, SMALL)
    assert least <= next_kmer.accuracies(scored, predict, SMALL)[1] <= most
    assert least <= next_kmer.markov_accuracies(training, scored, SMALL)[1] <= most


@pytest.fixture
def genome(tmp_path):
    bases = random_text(40_000, 7)
    bases[5_000:5_010] = ord("N")
    toy_models.write_fasta(tmp_path / "g.fa", {"one": bases, "two": random_text(6_000, 8)})
    return tmp_path / "g.fa"


def test_held_out_bases_are_nowhere_else(genome):
    with Genome(genome) as opened:
        parts = run.read_stretches(opened, [("one", 10_000, 16_000)], 0.1)
        whole = opened.sequence("one").copy()
    assert [len(stretch) for stretch in parts.held_out] == [6_000]
    assert np.array_equal(parts.held_out[0], whole[10_000:16_000])
    assert [len(stretch) for stretch in parts.training] == [5_000, 4_990, 24_000, 2_001]
    assert [len(stretch) for stretch in parts.validation] == [3_999]
    assert all((stretch != ord("N")).all() for stretch in [*parts.training, *parts.validation])


def words(genome, output, *more):
    numbers = ["--cycles", "4", "16", "--k", "1", "3", "--context-tokens", "4", "--steps", "20"]
    return ["--genome", str(genome), *numbers, "--positions", "512", "--output-dir", str(output), *more]


def test_the_script_and_its_figure(genome, tmp_path):
    assert train_tokenizer.main(words(genome, tmp_path / "out", "--held-out", "one:10000-16000")) == 0
    table = pd.read_csv(tmp_path / "out" / "cycles.tsv", sep="\t")
    assert list(table.columns) == list(run.COLUMNS) and len(table) == 3 * 2 * 2  # cycles and counts, k, parts
    assert set(table["split"]) == {"validation", "held_out"} and set(table["cycles"]) == {0, 4, 16}
    assert table["accuracy"].between(0, 1).all() and (table["positions"] == 512).all()
    content = json.loads((tmp_path / "out" / "manifest.json").read_text())["content"]
    reader = tokenizer(BPE, (tmp_path / "out" / "tokenizer.json").read_text())
    assert reader.embedded == 9 + content["cycles"] and content["cycles"] in (4, 16)
    again = tmp_path / "again"
    assert train_tokenizer.main(words(genome, again, "--held-out", "one:10000-16000")) == 0
    for name in ("tokenizer.json", "cycles.tsv"):
        assert (again / name).read_bytes() == (tmp_path / "out" / name).read_bytes()

    stem = tmp_path / "figure"
    argv = ["--table", str(tmp_path / "out" / "cycles.tsv"), "--species", "a_fly", "--output-stem", str(stem)]
    assert plot_vocabulary.main(argv) == 0
    assert "held-out region" in (tmp_path / "figure.svg").read_text()
    assert len(pd.read_csv(tmp_path / "figure.tsv", sep="\t")) == len(table)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--cycles", "9", "3"), r"cycles: found \(9, 3\), expected ascending numbers"),
        (("--k", "9"), "k: found 9, expected at most 8"),
        (("--steps", "0"), "steps: found 0, expected 1 or more"),
        (("--held-out", "three:0-100"), "names no contig of the genome"),
    ],
)
def test_refused(genome, tmp_path, capsys, more, message):
    assert train_tokenizer.main(words(genome, tmp_path / "out", *more)) == 2
    assert re.search(message, capsys.readouterr().err)


def test_a_genome_without_room():
    with pytest.raises(UserError, match="validation: no stretch of 2000 bp"):
        run.train_vocabulary(run.Stretches([random_text(3_000)], [], []), SMALL, lambda items, *_: items)
    few = run.Stretches([letters("ACGT" * 600)], [letters("ACGT" * 600)], [])
    with pytest.raises(UserError, match=r"cycles: found 16, but only \d+ pairs are left"):
        run.train_vocabulary(few, SMALL, lambda items, *_: items)
