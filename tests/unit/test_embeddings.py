"""Embeddings: what is read, which way round, what is averaged, and that shards change nothing."""

from functools import cache
from itertools import pairwise

import jax
import numpy as np
import pandas as pd
import pytest
import toy_models

from dnalm import windows
from dnalm.embeddings import embedder as embedder_module
from dnalm.embeddings.embedder import Embedder, shard_rows
from dnalm.embeddings.settings import Settings, check_token_limit, parse_layers
from dnalm.embeddings.sources import SequenceSource, WindowSource, read_source
from dnalm.engine.shards import Shards, run_key
from dnalm.errors import UserError
from dnalm.genome import Genome, reverse_complement_text
from dnalm.models import forward, init_params
from dnalm.tokens import tokenizer

TOKENIZER = tokenizer("v2_6mer")
TEXTS = {
    "plain": "ACGTACGTACGT" * 4,
    "rest": "ACGTACGTACGTA",
    "n": "ACGTACNACGTNN",
    "short": "A",
    "unknown": "NNNNNN",
}
CONFIG = toy_models.config()


def source(texts=TEXTS):
    return SequenceSource(list(texts), [text.encode() for text in texts.values()], "here")


@pytest.mark.parametrize(
    "text, layers",
    [
        ("last", (29,)),
        ("middle", (15,)),
        ("1,29", (1, 29)),
        ("last, 3,3", (3, 29)),
        ("all", tuple(range(1, 30))),
    ],
)
def test_layers_are_numbered_from_one(text, layers):
    assert parse_layers(text, 29) == layers


@pytest.mark.parametrize("text", ["0", "30", "-1", "", "first", "1.5"])
def test_layers_that_are_not_there_are_refused(text):
    with pytest.raises(UserError, match=r"--layers: found .* \(expected 1 to 29, middle, last or all\)"):
        parse_layers(text, 29)


def test_rows_are_encoded_like_single_sequences():
    letters = [np.frombuffer(text.encode(), np.uint8) for text in TEXTS.values()]
    for ids, text in zip(TOKENIZER.encode_rows(letters, list(TEXTS)), TEXTS.values(), strict=True):
        np.testing.assert_array_equal(ids, TOKENIZER.encode(text))
    counts = source().token_counts(TOKENIZER)
    assert counts.tolist() == [TOKENIZER.count(text) for text in TEXTS.values()]


def test_windows_are_read_in_their_direction(tmp_path):
    bases = toy_models.random_bases(300)
    bases[250] = ord("N")
    text = bases.tobytes().decode()
    genome = Genome(toy_models.write_fasta(tmp_path / "g.fa", {"one": text.lower()}))
    table = pd.DataFrame(
        [
            ("one", 10, 70, "a", 0, "+", 0.0),
            ("one", 10, 70, "b", 0, "-", 0.0),
            ("one", 220, 280, "c", 0, "-", 0.01),
        ],
        columns=list(windows.WINDOW_COLUMNS),
    )
    rows = WindowSource(genome, table)
    minus = reverse_complement_text(text[10:70])
    for first, expected in enumerate([text[10:70], minus, reverse_complement_text(text[220:280])]):
        (ids,) = rows.encode(first, first + 1, TOKENIZER)
        np.testing.assert_array_equal(ids, TOKENIZER.encode(expected))
    (ids,) = rows.encode(1, 2, TOKENIZER, minus=True)
    np.testing.assert_array_equal(ids, TOKENIZER.encode(text[10:70]))
    assert list(rows.obs.index) == ["a", "b", "c"]
    assert list(rows.obs.columns) == ["contig", "start", "end", "strand", "n_fraction"]


def test_sequences_come_from_fasta_and_parquet(tmp_path):
    toy_models.write_fasta(tmp_path / "x.fa", {"one": "acgtRY", "two": "ACGT"})
    pd.DataFrame({"name": ["one", "two"], "sequence": ["acgtRY", "ACGT"], "label": [0, 1]}).to_parquet(
        tmp_path / "x.parquet"
    )
    for name in ("x.fa", "x.parquet"):
        rows = read_source(tmp_path / name)
        assert [rows.bases(row) for row in range(2)] == [b"ACGTNN", b"ACGT"]
        assert list(rows.obs.index) == ["one", "two"]


def test_shards_cover_all_rows_once(monkeypatch):
    monkeypatch.setattr(embedder_module, "SHARD_TOKENS", 100)
    counts = np.array([30, 30, 30, 30, 250, 1, 1], np.int32)
    parts = shard_rows(counts)
    assert parts[0][0] == 0
    assert parts[-1][1] == len(counts)
    assert all(left[1] == right[0] for left, right in pairwise(parts))
    assert shard_rows(np.array([5], np.int32)) == [(0, 1)]
    assert shard_rows(counts, at_least=10**6) == [(0, 7)]  # large batches need large shards


def test_windows_over_the_token_limit_are_named():
    counts = np.array([10, 34, 40], np.int32)
    with pytest.raises(UserError, match=r"^c: has 40 tokens, .* at most 33 \(2 windows .* at most 192 bp"):
        check_token_limit(counts, ["a", "b", "c"], CONFIG)
    check_token_limit(counts[:1], ["a"], CONFIG)


def embed(rows, settings, tmp_path, monkeypatch=None, config=CONFIG, seed=0, shard_tokens=1 << 18):
    if monkeypatch:
        monkeypatch.setattr(embedder_module, "SHARD_TOKENS", shard_tokens)
        monkeypatch.setattr(embedder_module, "BATCHES_PER_SHARD", 0)
    counts = rows.token_counts(config.kmers)
    run = Embedder(rows, counts, init_params(config, seed), config, settings, jax.local_devices(), 2)
    shards = Shards(tmp_path, run_key(run.key))
    blocks = [arrays["values"] for arrays in run.arrays(shards, lambda items, *_: items)]
    values = np.concatenate(blocks)
    return {layer: values[:, place] for place, layer in enumerate(settings.layers)}, run


@cache
def token_embeddings(text):
    """Ids and second-layer embeddings of one sequence run alone."""
    ids = TOKENIZER.encode(text)
    outputs = jax.jit(forward(CONFIG, layers=(2,)))(init_params(CONFIG, 0), ids[None])
    return ids, np.asarray(outputs["embeddings_2"])[0]


def direct(text, pooling):
    """The embeddings pooled by hand."""
    ids, values = token_embeddings(text)
    unknown = ids == TOKENIZER.letters["N"]
    keep = {"mean": ~unknown, "mean_published": np.ones(len(ids), bool), "cls": None}[pooling]
    if keep is None:
        return values[0]
    keep[0] = False  # CLS
    return values[keep].mean(axis=0) if keep.any() else np.full(16, np.nan)


def test_pooled_rows_are_what_the_model_gives_each_alone(tmp_path, monkeypatch):
    texts = {name: TEXTS[name] for name in ("rest", "n", "unknown")}
    for pooling in ("mean", "mean_published", "cls"):
        values, run = embed(source(), Settings((1, 2), pooling), tmp_path, monkeypatch, shard_tokens=12)
        assert len(run.shards) > 1
        for name, text in texts.items():
            found = values[2][list(TEXTS).index(name)]
            np.testing.assert_allclose(found, direct(text, pooling), atol=2e-6)
        missing = np.isnan(values[2]).all(axis=1)
        assert missing.tolist() == [name == "unknown" and pooling == "mean" for name in TEXTS]


def test_both_strands_are_averaged(tmp_path):
    texts = {"a": TEXTS["plain"][:37], "b": TEXTS["n"]}
    other = {name: reverse_complement_text(text) for name, text in texts.items()}
    parts = [
        embed(source(each), Settings((2,)), tmp_path / str(n))[0][2] for n, each in enumerate((texts, other))
    ]
    both, _ = embed(source(texts), Settings((2,), reverse_complement=True), tmp_path / "both")
    np.testing.assert_allclose(both[2], (parts[0] + parts[1]) / 2, atol=1e-6)


def test_values_that_the_type_cannot_hold_are_refused(tmp_path):
    config = toy_models.config(embed_scale=1e6)
    settings = Settings((1,), "cls", dtype="float16")
    with pytest.raises(UserError, match="plain: the model gives NaN or infinity"):
        embed(source({"plain": TEXTS["plain"]}), settings, tmp_path, config=config)
