"""What a training reads: arrays mapped from files, tokens per base, byte-pair encodings; and its log."""

import logging
import re
import time
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pretrain
import pytest
import toy_training as toy
import train_segmentation
from toy_tokens import bpe_text
from toy_training import command_line, write_inputs

from dnalm import checkpoints, genome
from dnalm.checkpoints.export import export_checkpoint
from dnalm.errors import UserError
from dnalm.tokens import BPE, KMERS, OVERLAPPING, tokenizer
from dnalm.training import data, mlm, recipe
from dnalm.training.facts import trained_facts
from dnalm.training.report import Block
from dnalm.training.shards import Shards
from dnalm.training.state import Progress

pytestmark = pytest.mark.usefixtures("quick_programs")
MERGES = [("T", "A"), ("C", "G"), ("TA", "A"), ("CG", "TA"), ("G", "A"), ("A", "A")]
TEXT = bpe_text(MERGES)
READERS = {**KMERS, **OVERLAPPING, BPE: tokenizer(BPE, TEXT)}
WINDOW = 36


@pytest.fixture(scope="module")
def fasta(tmp_path_factory):
    path = toy.write_genome(tmp_path_factory.mktemp("genome"))
    genome.write_index(path)
    return path


def examples_of(fasta, shards=None, table=None, features=()):
    with genome.Genome(fasta) as opened:
        return data.TrainingGenome(opened, [("chr1", 1200, 1500)], WINDOW, table, features, shards)


def pretraining(folder, **changes):
    """Writes the toy's inputs for pretraining; returns the script's arguments."""
    folder.mkdir(exist_ok=True)
    arguments = write_inputs(folder, **changes)
    recipe_file = folder / "training.yaml"
    recipe_file.write_text(re.sub(r"features:\n(- .*\n)+", "", recipe_file.read_text()))
    return {**arguments, "--annotation": None}


@pytest.mark.parametrize("name", READERS)
def test_tokens_of_windows_are_those_of_their_letters(fasta, name):
    """On both strands, at every phase; and of k-mers, as the tokenizer reads the text."""
    examples, reader = examples_of(fasta), READERS[name]
    windows = [("chr1", start, strand) for start in (0, 1, 2, 7, 300, 1500, 2400 - WINDOW) for strand in "+-"]
    found = examples.tokens(windows, WINDOW, reader)
    np.testing.assert_array_equal(found, reader.encode_windows(examples.bases(windows, WINDOW)))
    texts = [row.tobytes().decode() for row in examples.bases(windows, WINDOW)]
    if reader.exact:
        np.testing.assert_array_equal(found, reader.encode_batch(texts))


@pytest.mark.parametrize("name", [*KMERS, *OVERLAPPING])
def test_a_k_mer_with_an_unknown_base_is_unknown(name):
    reader = READERS[name]
    ids = reader.ids_at_bases(np.frombuffer(b"ACGTACGTANCGTACGTACGT", np.uint8))
    unknown = (ids == reader.unk_id).nonzero()[0].tolist()
    assert unknown == [*range(10 - reader.k, 10), *range(22 - reader.k, 21)]
    assert (reader.ids_at_bases(np.frombuffer(b"AC", np.uint8)) == reader.unk_id).all()
    table = reader.complements()
    np.testing.assert_array_equal(table[table], np.arange(len(reader.vocabulary)))
    for word in ("ACGTGA"[: reader.k], "TTTTTT"[: reader.k]):
        partner = genome.reverse_complement_text(word)
        assert reader.vocabulary[table[reader.ids[word]]] == partner


def test_windows_of_many_short_tokens_are_cut_and_others_padded():
    """A byte-pair encoding's windows all have the tokens that its estimate says."""
    reader = READERS[BPE]
    few, many = b"TAA" * 12, b"CT" * 18
    found = reader.encode_windows(np.stack([np.frombuffer(text, np.uint8) for text in (few, many)]))
    length = reader.tokens_of(36)
    assert found.shape == (2, length)
    assert found[0].tolist() == [
        reader.cls_id, *[reader.ids["TAA"]] * 12, reader.sep_id, *[reader.pad_id] * (length - 14)
    ]  # fmt: skip
    whole = reader.encode(many.decode())
    assert len(whole) == 38 > length and found[1].tolist() == [*whole[: length - 1], reader.sep_id]


def test_most_windows_fit_whatever_the_vocabulary():
    """Few merges make short tokens: random DNA still fits, with a token per base at most."""
    for merges in (MERGES[:1], MERGES):
        reader = tokenizer(BPE, bpe_text(merges))
        rows = np.random.default_rng(3).choice(np.frombuffer(b"ACGT", np.uint8), (200, 300))
        own = [len(row) for row in reader.encode_rows(list(rows), [""] * 200)]
        assert max(own) <= reader.tokens_of(300) < 300 + 2 + 1
        assert reader.longest_bp(reader.tokens_of(300)) >= 300


def test_masking_puts_in_no_special_token():
    reader, settings = (
        READERS[BPE],
        recipe.PretrainingRecipe(mask_token_fraction=0.0, random_token_fraction=1.0),
    )
    tokens = np.tile(reader.encode("TAACGTA" * 20), (200, 1))
    tokens[:, -3:] = reader.pad_id
    read, chosen = mlm.mask_tokens(np.random.default_rng(0), tokens, reader, settings)
    assert not chosen[:, -3:].any() and not chosen[:, 0].any()
    assert set(read[chosen]) == {i for i, word in enumerate(reader.vocabulary) if set(word) <= set("ACGT")}


def test_rows_of_a_byte_pair_encoding_end_early_too():
    reader = READERS[BPE]
    texts = ["TAACGTA" * 6, "TAA" * 3, "TGCA" * 8]
    tokens = reader.encode_batch(texts)
    for seed in range(30):
        found = mlm.shorten(np.random.default_rng(seed), tokens, reader, 2)
        for row, whole in zip(found, tokens, strict=True):
            own = int((row != reader.pad_id).sum())
            assert 4 <= own <= (whole != reader.pad_id).sum()
            assert row[own - 1] == reader.sep_id and (row[: own - 1] == whole[: own - 1]).all()
            assert (row[own:] == reader.pad_id).all()


def test_arrays_are_mapped_from_files_and_made_once(fasta, tmp_path, monkeypatch):
    table = toy.exon_table()
    plain = examples_of(fasta, table=table, features=("exon", "intron"))
    about = {"genome": "sum"}
    first = examples_of(fasta, Shards(tmp_path, about), table, ("exon", "intron"))
    reader, windows = KMERS["v2_6mer"], [("chr1", 31, "+"), ("chr1", 100, "-")]
    first.tokens(windows, WINDOW, reader)
    written = sorted(path.name for path in tmp_path.rglob("*.npy"))
    tracks = ["00000.labels+.npy", "00000.labels-.npy"]
    assert written == ["00000.bases.npy", *tracks, "00000.tokens.v2_6mer.npy"]

    def never(*_):
        raise AssertionError("made again")

    monkeypatch.setattr(genome.Genome, "sequence", never)
    monkeypatch.setattr(type(reader), "ids_at_bases", never)
    monkeypatch.setattr(data.labels, "label_track", never)
    again = examples_of(fasta, Shards(tmp_path, about), table, ("exon", "intron"))
    for method in ("bases", "labels"):
        found, expected = (getattr(one, method)(windows, WINDOW) for one in (again, plain))
        np.testing.assert_array_equal(found, expected)
    monkeypatch.undo()
    expected = plain.tokens(windows, WINDOW, reader)
    monkeypatch.setattr(type(reader), "ids_at_bases", never)
    np.testing.assert_array_equal(again.tokens(windows, WINDOW, reader), expected)
    assert isinstance(again.sequences["chr1"].base, np.memmap)
    assert not again.sequences["chr1"].flags.writeable

    with pytest.raises(AssertionError, match="made again"):  # other data: other files
        Shards(tmp_path, {"genome": "another"}).array("00000.bases", never)
    file = next(tmp_path.rglob("*bases.npy"))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(UserError, match="is damaged") as fault:
        examples_of(fasta, Shards(tmp_path, about))
    assert str(file) in str(fault.value)
    Shards(tmp_path, about).discard()
    assert not list(tmp_path.rglob("*.npy"))


@pytest.mark.parametrize("main", [pretrain.main, train_segmentation.main])
def test_a_finished_run_leaves_no_arrays(main, tmp_path):
    arguments = pretraining(tmp_path) if main is pretrain.main else write_inputs(tmp_path)
    assert main(command_line(arguments)) == 0
    assert (tmp_path / "work" / "state.safetensors").exists()
    assert not (tmp_path / "work" / "shards").exists()


@pytest.mark.parametrize("architecture", ["nt_v2", "bert"])
def test_pretraining_with_a_byte_pair_encoding(architecture, tmp_path):
    """From scratch with a tokenizer.json, then on from the result; the model carries its tokenizer."""
    (tmp_path / "tokenizer.json").write_text(TEXT)
    changes = {"tokenizer": "v2_6mer", "architecture": architecture, "window_bp": 30, "steps": 30}
    changes |= {"learning_rate": 0.02, "validate_every": 10, "random_lengths": architecture == "bert"}
    arguments = {**pretraining(tmp_path / "a", **changes), "--tokenizer": tmp_path / "tokenizer.json"}
    assert pretrain.main(command_line(arguments)) == 0
    model = checkpoints.load_checkpoint(tmp_path / "a" / "model")
    assert model.config.tokens.vocabulary == READERS[BPE].vocabulary
    assert model.config.max_tokens == READERS[BPE].tokens_of(30) and model.config.architecture == {
        "nt_v2": "esm"
    }.get(architecture, architecture)
    log = pd.read_csv(tmp_path / "a" / "model" / "training.tsv", sep="\t")
    assert log["loss"].iloc[-5:].mean() < log["loss"].iloc[0]
    scores = pd.read_csv(tmp_path / "a" / "model" / "metrics.tsv", sep="\t").set_index("metric")
    names = ("tokens", "cross_entropy_nats", "token_accuracy")
    assert set(scores.index) == {
        "masked_tokens",
        *names[1:],
        "hidden_tokens",
        *(f"hidden_{n}" for n in names),
    }

    if architecture == "nt_v2":  # no published reader would take its tokens
        with pytest.raises(UserError, match=r"no published layout has .* the tokenizer bpe"):
            export_checkpoint(tmp_path / "a" / "model", "transformers", tmp_path / "hub")
    else:
        export_checkpoint(tmp_path / "a" / "model", "transformers", tmp_path / "hub")
        assert checkpoints.load_checkpoint(tmp_path / "hub").config.tokens == model.config.tokens

    arguments = {**pretraining(tmp_path / "b", window_bp=30), "--initial": tmp_path / "a" / "model"}
    assert pretrain.main(command_line(arguments)) == 0
    after = checkpoints.load_checkpoint(tmp_path / "b" / "model")
    assert after.config == model.config
    arguments["--tokenizer"] = tmp_path / "tokenizer.json"
    assert pretrain.main(command_line(arguments)) == 2


def test_spans_need_k_mers(tmp_path):
    (tmp_path / "tokenizer.json").write_text(TEXT)
    with pytest.raises(UserError, match="masking: spans: needs k-mers, found bpe"):
        mlm.model_of(recipe.PretrainingRecipe(masking="spans"), None, tmp_path / "tokenizer.json")


def test_the_log_says_how_fast_and_how_well_fed(caplog):
    """Tokens and bases per second, the share of time not spent waiting for a batch, the time left."""
    settings = recipe.PretrainingRecipe(steps=4, window_bp=60, batch_size=3, log_every=2)
    one = jnp.float32(1)
    block = Block(Progress(), settings, Path("state"))
    tokens = np.zeros((1, 3, 11), np.int32)

    def batches():
        for wait in (0.4, 0.4):
            time.sleep(wait)
            yield tokens, tokens

    with caplog.at_level(logging.INFO, "dnalm"):
        for _ in block.timed(batches()):
            time.sleep(0.05)
            block.add([one, one])
        block.settle()
    pattern = r"step 2 of 4  loss 1\.0000  (\d+) tokens/s  ([\d.]+) kb/s  device fed (\d+) %  [\d.]+ min left"
    speed, bases, fed = (float(text) for text in re.fullmatch(pattern, caplog.messages[-1]).groups())
    assert (
        0 <= fed < 60 and 0 < speed <= 66 / 0.9 and bases == pytest.approx(speed * 60 / 11 / 1000, abs=0.06)
    )


def test_the_log_says_what_the_device_holds(monkeypatch):
    class Device:
        def memory_stats(self):
            return {"peak_bytes_in_use": 3_250_000_000, "bytes_limit": 80e9}

    from dnalm.training import report

    monkeypatch.setattr(report.jax, "local_devices", lambda: [Device()])
    assert report.memory_text() == "  memory 3.2 of 80.0 GB"


def test_facts_of_a_model_whose_tokenizer_is_not_there_yet(tmp_path):
    """The configuration plans a training with a byte-pair encoding before it is learned."""
    (tmp_path / "r.yaml").write_text("window_bp: 1002\nnum_layers: 2\nembed_dim: 16\n")
    facts = trained_facts("pairs", "pretrain", tmp_path / "r.yaml", learned=True)
    assert (facts.tokenizer, facts.max_tokens, facts.num_layers) == (BPE, 336, 2)
    assert facts.longest_window_bp == 1002
