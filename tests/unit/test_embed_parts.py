"""Parts of embed.py: shares of the tokens, gathered with the values of one run."""

import json
import re

import embed
import numpy as np
import pytest
import toy_models

from dnalm.checkpoints import write_checkpoint
from dnalm.embeddings import embedder
from dnalm.engine.h5ad import embedding_layers, read_embeddings
from dnalm.files import read_manifest
from dnalm.models import init_params

LENGTHS = [12, 60, 24, 54, 18, 6, 48, 60, 36, 30, 12, 60, 42]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed_parts")
    config = toy_models.config()
    write_checkpoint(folder / "model", init_params(config, 0), config)
    letters = np.random.default_rng(0).choice(list("ACGTN"), sum(LENGTHS), p=[0.24, 0.24, 0.24, 0.24, 0.04])
    cuts = np.split(letters, np.cumsum(LENGTHS)[:-1])
    records = [f">row{number}\n{''.join(cut)}\n" for number, cut in enumerate(cuts)]
    (folder / "rows.fa").write_text("".join(records))
    return folder


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(embedder, "SHARD_TOKENS", 12)
    monkeypatch.setattr(embedder, "BATCHES_PER_SHARD", 0)


def start(inputs, output, *words):
    fixed = ["--checkpoint", inputs / "model", "--sequences", inputs / "rows.fa", "--device", "cpu"]
    return embed.main([str(word) for word in [*fixed, "--batch-size", 2, *words, "--output", output]])


def make_parts(inputs, folder, *words, count=3):
    records = [folder / f"{number}-of-{count}.json" for number in range(1, count + 1)]
    for number, record in enumerate(records, 1):
        part = ("--part", f"{number}/{count}", "--work-dir", folder / "work")
        assert start(inputs, record, *part, *words) == 0
    return records


def test_parts_gathered_have_the_values_of_one_run(inputs, tmp_path):
    words = ("--layers", "all", "--reverse-complement")
    records = make_parts(inputs, tmp_path / "parts", *words)
    shards = [len(json.loads(record.read_text())["content"]["shards"]) for record in records]
    assert min(shards) >= 1 and sum(shards) >= 6
    assert start(inputs, tmp_path / "whole.h5ad", *words) == 0
    assert start(inputs, tmp_path / "gathered.h5ad", "--gather", *reversed(records), *words) == 0
    for layer in embedding_layers(tmp_path / "whole.h5ad"):
        names, values = read_embeddings(tmp_path / "whole.h5ad", layer)
        found, gathered = read_embeddings(tmp_path / "gathered.h5ad", layer)
        assert list(found) == list(names)
        np.testing.assert_array_equal(gathered, values)
    one, other = (read_manifest(tmp_path / f"{name}.h5ad")["content"] for name in ("whole", "gathered"))
    different = {key for key in one if one[key] != other[key]}
    assert different <= {"outputs", "files"}  # names of the files
    assert not list((tmp_path / "parts").rglob("*.npz"))


def test_parts_of_single_tokens_are_gathered(inputs, tmp_path):
    records = make_parts(inputs, tmp_path / "parts", "--pooling", "none", count=2)
    assert start(inputs, tmp_path / "whole.zarr", "--pooling", "none") == 0
    assert start(inputs, tmp_path / "gathered.zarr", "--gather", *records, "--pooling", "none") == 0
    one, other = (read_manifest(tmp_path / f"{name}.zarr")["content"] for name in ("whole", "gathered"))
    assert one["sha256"] == other["sha256"]


@pytest.mark.parametrize(
    ("words", "pattern"),
    [
        (("--layers", "1"), r"is a part of another run \(settings, inputs or version differ\)"),
        (("--random-weights", 3), r"is a part of another run"),
    ],
)
def test_parts_of_another_run_are_refused(words, pattern, inputs, tmp_path, capsys):
    records = make_parts(inputs, tmp_path / "parts")
    assert start(inputs, tmp_path / "out.h5ad", "--gather", *records, *words) == 2
    assert re.search(pattern, capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "out.h5ad").exists()


def test_a_share_beyond_the_shards_is_empty_and_still_gathered(inputs, tmp_path):
    records = make_parts(inputs, tmp_path / "parts", count=20)
    assert start(inputs, tmp_path / "out.h5ad", "--gather", *records) == 0
    assert len(read_embeddings(tmp_path / "out.h5ad", 2)[0]) == len(LENGTHS)
