"""Inputs beyond a model's tokens: cut, embedded piece by piece, put together by the recorded rule."""

import dataclasses
import json
import re

import anndata
import embed
import numpy as np
import pytest
import toy_models
import zarr
from toy_tokens import bpe_text

from dnalm.checkpoints import load_checkpoint, write_checkpoint
from dnalm.embeddings import pieces
from dnalm.errors import UserError
from dnalm.files import manifest_path
from dnalm.models import ModelConfig, forward, init_params
from dnalm.tokens import tokenizer

pytestmark = pytest.mark.usefixtures("quick_programs")

LIMIT = 12
THREE = tokenizer("overlapping_3mer")
CONFIG = ModelConfig(
    tokenizer="overlapping_3mer",
    vocabulary_size=69,
    max_tokens=LIMIT,
    embed_dim=16,
    num_layers=2,
    attention_heads=2,
    key_size=8,
    ffn_embed_dim=24,
    positional_embedding="learned",
    use_glu_in_ffn=False,
    add_bias_ffn=True,
    ffn_activation="gelu-no-approx",
    layer_norm_eps=1e-12,
    architecture="bert",
)
SEQUENCES = {
    "short": "ACGTAC",
    "fits": "ACGTACGGTACC",
    "long": "ACGTTGCANACGGATCCATGCTTACGATTA",
    "n": "NNNNN",
}


@pytest.mark.parametrize("overlap", [0, 1, 3, 5])
@pytest.mark.parametrize("name", ["overlapping_3mer", "v2_3mer", "bpe"])
def test_pieces_hold_every_token_once_but_the_shared_ones(name, overlap):
    reader = tokenizer(name, bpe_text([("A", "C"), ("G", "T")]) if name == "bpe" else "")
    rows = [reader.encode(text * repeats) for text in SEQUENCES.values() for repeats in (1, 3)]
    ends = reader.end_tokens
    for number, row in enumerate(rows):
        cut = pieces.cut([row], reader, LIMIT, overlap)
        assert all(len(piece.ids) <= LIMIT and piece.row == 0 for piece in cut)
        assert (len(cut) == 1) == (len(row) <= LIMIT), number
        own = row[1 : len(row) - ends]
        for piece, following in zip(cut, [*cut[1:], None], strict=True):
            part = piece.ids[1 : len(piece.ids) - ends]
            np.testing.assert_array_equal(part, own[piece.first : piece.first + len(part)])
            assert piece.ids[0] == reader.cls_id
            if following:
                assert piece.first + len(part) - following.first == overlap
        places = [piece.ids[None, :, None].astype(np.float32) for piece in cut]
        joined = pieces.join_tokens(places, cut, ends)
        np.testing.assert_array_equal(joined[0, :, 0], row)


def test_a_token_comes_from_the_piece_where_it_lies_deeper():
    row = THREE.encode("ACGT" * 8)  # 30 k-mers: pieces of 10 from 0, 6, 12, 18, 24
    cut = pieces.cut([row], THREE, LIMIT, 4)
    assert [piece.first for piece in cut] == [0, 6, 12, 18, 24]
    values = [np.full((1, len(piece.ids), 1), float(number)) for number, piece in enumerate(cut)]
    found = pieces.join_tokens(values, cut, 1)[0, :, 0].tolist()
    assert found == [0] * 9 + [1] * 6 + [2] * 6 + [3] * 6 + [4] * 5


def test_pooled_by_hand():
    values = np.array([1, 3, 10, 5, np.nan], np.float32)[:, None, None]
    rows, weights = np.array([0, 0, 1, 1, 2]), np.array([1, 3, 2, 0, 0])

    def joined(pooling):
        return pieces.join_pooled(values, rows, weights, pooling)[:, 0, 0].tolist()

    assert joined("mean")[:2] == [2.5, 10] and joined("max")[:2] == [3, 10] and joined("cls")[:2] == [2, 10]
    assert all(np.isnan(joined(pooling)[2]) for pooling in ("mean", "max", "cls"))


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pieces")
    write_checkpoint(folder / "model", init_params(CONFIG, 0), CONFIG)
    toy_models.write_fasta(folder / "x.fa", SEQUENCES)
    return folder


def run(inputs, output, *words):
    words = ["--checkpoint", str(inputs / "model"), "--sequences", str(inputs / "x.fa"), *words]
    return embed.main([*words, "--output", str(output), "--device", "cpu"])


def by_hand(inputs, pooling):
    """Each piece run alone, its tokens averaged or maximised with those of the others."""
    checkpoint = load_checkpoint(inputs / "model")
    apply = forward(CONFIG, layers=(2,))
    expected = {}
    for name, text in SEQUENCES.items():
        values, known = [], []
        for piece in pieces.cut([THREE.encode(text)], THREE, LIMIT, 3):
            found = np.asarray(apply(checkpoint.params, piece.ids[None])["embeddings_2"][0])
            counted = ~np.isin(piece.ids, THREE.ignored(pooling))
            values.append(found[:1] if pooling == "cls" else found[counted])
        known = np.concatenate(values)
        empty = np.full(16, np.nan)
        expected[name] = empty if not len(known) else (known.max(0) if pooling == "max" else known.mean(0))
    return expected


@pytest.mark.parametrize("pooling", ["mean", "max", "cls"])
def test_embeddings_of_long_inputs(inputs, tmp_path, pooling):
    words = ("--pooling", pooling, "--long-inputs", "split", "--split-overlap", "3")
    assert run(inputs, tmp_path / "x.h5ad", *words) == 0
    found = anndata.read_h5ad(tmp_path / "x.h5ad")
    expected = by_hand(inputs, pooling)
    for name, values in zip(found.obs_names, found.obsm["layer_2"], strict=True):
        np.testing.assert_allclose(values, expected[name], atol=2e-6, err_msg=name)
    content = json.loads(manifest_path(tmp_path / "x.h5ad").read_text())["content"]
    assert "pieces" in json.dumps(content) and '"split_overlap": 3' in json.dumps(content)


def test_every_token_of_long_inputs(inputs, tmp_path):
    words = ("--pooling", "none", "--long-inputs", "split", "--split-overlap", "4")
    assert run(inputs, tmp_path / "x.zarr", *words) == 0
    rows = [THREE.encode(text) for text in SEQUENCES.values()]
    values = zarr.open_array(tmp_path / "x.zarr" / "layer_2" / "values", mode="r")
    spans = zarr.open_array(tmp_path / "x.zarr" / "spans_bp", mode="r")
    assert values.shape == (sum(map(len, rows)), 16) and np.isfinite(values[:]).all()
    np.testing.assert_array_equal(spans[:], np.concatenate([THREE.spans(row) for row in rows]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), r"long: has 30 tokens, the model takes at most 12 .*--long-inputs"),
        (
            ("--long-inputs", "split", "--split-overlap", "7"),
            r"--split-overlap: found 7 tokens, expected 0 to 6",
        ),
    ],
)
def test_refused(inputs, tmp_path, capsys, words, message):
    assert run(inputs, tmp_path / "x.h5ad", *words) == 2
    assert re.search(message, capsys.readouterr().err)


def test_the_other_strand_is_refused_too_where_it_has_more_tokens(tmp_path, capsys):
    """AAAA is one token, TTTT are four: what fits on one strand is too long on the other."""
    text = bpe_text([("A", "A"), ("AA", "AA")])
    size = tokenizer("bpe", text).embedded
    config = dataclasses.replace(CONFIG, tokenizer="bpe", tokenizer_json=text, vocabulary_size=size)
    write_checkpoint(tmp_path / "model", init_params(config, 0), config)
    toy_models.write_fasta(tmp_path / "x.fa", {"a": "A" * 20})
    assert run(tmp_path, tmp_path / "x.h5ad") == 0
    assert run(tmp_path, tmp_path / "y.h5ad", "--reverse-complement") == 2
    message = r"a, other strand: has 22 tokens, the model takes at most 12"
    assert re.search(message, capsys.readouterr().err)
    words = ("--reverse-complement", "--long-inputs", "split")
    assert run(tmp_path, tmp_path / "y.h5ad", *words) == 0


def test_the_overlap_has_bounds():
    with pytest.raises(UserError, match="expected 0 to 6"):
        pieces.check_overlap(-1, LIMIT)
