"""Attention of models whose maps can be worked out by hand; stretches, motifs, and the command line."""

import dataclasses
from itertools import pairwise

import jax
import numpy as np
import pandas as pd
import pytest
import read_attention
import toy_models
from scipy import stats
from toy_tokens import bpe_text

from dnalm.attention import LANDSCAPE_COLUMNS, MOTIF_COLUMNS, landscape, maps, motifs, windows
from dnalm.checkpoints import load_checkpoint, write_checkpoint
from dnalm.errors import UserError
from dnalm.files import read_manifest
from dnalm.genome import Genome
from dnalm.models import ModelConfig, forward, init_params
from dnalm.tokens import tokenizer

LIMIT = 14
SIZES = {"embed_dim": 8, "num_layers": 1, "attention_heads": 2, "key_size": 4, "ffn_embed_dim": 8}
BERT = {
    "use_glu_in_ffn": False, "add_bias_ffn": True, "ffn_activation": "gelu-no-approx", "architecture": "bert",
    "positional_embedding": "learned", "layer_norm_eps": 1e-12, "max_tokens": LIMIT, **SIZES,
}  # fmt: skip
DNABERT = ModelConfig(tokenizer="overlapping_3mer", vocabulary_size=69, **BERT)
NT = toy_models.config(max_tokens=LIMIT, **SIZES)
MERGED = bpe_text([("A", "C"), ("G", "T"), ("AC", "GT")])
GROVER = ModelConfig(tokenizer="bpe", tokenizer_json=MERGED, vocabulary_size=12, **BERT)
BASES = toy_models.random_bases(60, seed=3)


def uniform(config, seed=0):
    """Weights whose queries are all 0: every token attends to all tokens alike."""
    params = init_params(config, seed)
    for module, leaves in params.items():
        if module.endswith("/query"):
            params[module] = {name: np.zeros_like(leaf) for name, leaf in leaves.items()}
    return params


def planted(config, kmer, score):
    """Weights of a DNABERT of one layer whose tokens give `score` to one k-mer and 0 to all others."""
    params = {
        module: {name: np.zeros_like(leaf) for name, leaf in leaves.items()}
        for module, leaves in init_params(config, 0).items()
    }
    vector = np.array([1, -1] * 4, np.float32)  # mean 0, variance 1: a layer norm keeps it
    params["bert/~/embed"]["embeddings"][config.tokens.ids[kmer]] = vector
    for module in params:
        if module.endswith("norm"):
            params[module]["scale"][:] = 1
    attention = "bert/attention_layer_0/~/self_attention"
    params[f"{attention}/query"]["b"][::4] = 2 * score / 8  # divided by the root of the key size, 2
    params[f"{attention}/key"]["w"][:, ::4] = vector[:, None]
    return params


@pytest.fixture(scope="module")
def genome_file(tmp_path_factory):
    known = BASES.copy()
    known[20:22] = ord("N")
    path = tmp_path_factory.mktemp("genome") / "g.fa"
    return toy_models.write_fasta(path, {"c1": BASES, "n": known, "silent": "N" * 30})


@pytest.fixture
def reader(tmp_path):
    def make(config, params=None, seed=None):
        write_checkpoint(tmp_path / "model", init_params(config, 0) if params is None else params, config)
        return landscape.Reader(load_checkpoint(tmp_path / "model"), jax.local_devices(), seed)

    return make


def read(genome_file, region, config):
    with Genome(genome_file) as genome:
        return landscape.read_window(genome, region, config.tokens)


@pytest.mark.parametrize("config", [DNABERT, NT, GROVER], ids=["dnabert", "nt", "grover"])
@pytest.mark.parametrize("region", ["c1:0-12", "c1:4-60", "n:0-60"])
def test_uniform_attention_is_a_flat_landscape(config, region, genome_file, reader):
    window = read(genome_file, region, config)
    found = reader(config, uniform(config)).landscape(window)
    known = np.frombuffer(window.bases, np.uint8) != ord("N")
    np.testing.assert_array_equal(found[known], 1.0)
    assert np.isnan(found[~known]).all() and len(found) == window.end - window.start
    assert motifs.find_stretches(found) == []


def test_a_planted_peak_gives_its_stretch_and_the_exact_values(genome_file, reader):
    bases, score = BASES.tobytes().decode(), 3.0
    kmer = next(bases[i : i + 3] for i in range(4, 8) if bases[:12].count(bases[i : i + 3]) == 1)
    window = read(genome_file, "c1:0-12", DNABERT)
    model = reader(DNABERT, planted(DNABERT, kmer, score))
    tokens, place = len(window.ids), 1 + bases.find(kmer)
    weights = np.ones(tokens)
    weights[place] = np.exp(score)
    shown = model.maps(window, [(1, 1), (1, 0)])
    np.testing.assert_allclose(shown.values[1], np.tile(weights / weights.sum(), (tokens, 1)), atol=1e-6)
    expected = np.array(
        [np.mean([weights[1 + t] for t in range(b - 2, b + 1) if 0 <= t < 10]) for b in range(12)]
    )
    found = model.landscape(window)
    np.testing.assert_allclose(found, expected / expected.mean(), atol=2e-5)
    peak = place - 1
    assert motifs.find_stretches(found, 3) == [(peak, peak + 3)]


def test_a_long_region_is_read_in_windows_whose_middles_are_kept(genome_file, reader):
    window, model = read(genome_file, "c1:0-60", DNABERT), reader(DNABERT)
    pieces = windows.overlapping_pieces(window, DNABERT)
    own = LIMIT - 2
    assert [piece.first for piece in pieces] == [*range(0, len(window.ids) - 2 - own + 5, 5)]
    apply, levelled = jax.jit(forward(DNABERT, attention_layers=(1,))), []
    for piece in pieces:
        row = np.asarray(apply(model._params, piece.ids[None])["attention_1"])[0, :, 0, 1:-1].sum(axis=0)
        levelled.append(row / row.mean())
    # a token is taken from the next piece from the middle of what both share
    borders = [0, *((one.first + other.first + own) // 2 for one, other in pairwise(pieces)), 58]
    parts = zip(pieces, levelled, pairwise(borders), strict=True)
    tokens = np.concatenate(
        [row[low - piece.first : high - piece.first] for piece, row, (low, high) in parts]
    )
    bases = np.array([tokens[max(0, base - 2) : base + 1].mean() for base in range(60)])
    found = model.landscape(window)
    np.testing.assert_allclose(found, bases / bases.mean(), atol=2e-5)
    table = landscape.landscape_table(window, DNABERT, found, np.ones(60))
    assert tuple(table.columns) == LANDSCAPE_COLUMNS
    assert table["n_windows"].iloc[0] == 1 and table["n_windows"].max() == 3


def test_maps_are_those_of_the_forward_pass_by_stored_head(genome_file, reader):
    config = toy_models.config(max_tokens=LIMIT)
    window, model = read(genome_file, "c1:6-36", config), reader(config)
    shown = model.maps(window, [(2, 1), (1, 0)])
    outputs = jax.jit(forward(config, attention_layers=(1, 2)))(model._params, window.ids[None])
    for place, (layer, head) in enumerate(shown.heads):
        expected = np.asarray(outputs[f"attention_{layer}"])[0, head]
        np.testing.assert_allclose(shown.values[place], expected, atol=1e-6)
    np.testing.assert_allclose(shown.values.sum(axis=2), 1, atol=1e-5)
    assert shown.tokens[0] == "<cls>" and shown.spans[1].tolist() == [6, 12] and shown.weights == "checkpoint"


def test_heads():
    assert maps.parse_heads([], 3, 2) == ((3, 0), (3, 1))
    assert maps.parse_heads(["2:1", "1:0", "2:1"], 3, 2) == ((2, 1), (1, 0))
    for text in ("0:0", "4:0", "1:2", "1", "1:-1", "a:b"):
        with pytest.raises(UserError, match=r"layers 1 to 3 and heads 0 to 1"):
            maps.parse_heads([text], 3, 2)


@pytest.mark.parametrize(
    ("values", "stretches"),
    [
        ([2] * 6 + [0], [(0, 6)]),
        ([2] * 5 + [0] + [1.5] * 7, [(6, 13)]),
        ([1] * 20, []),
        ([2] * 3 + [np.nan] + [2] * 3, []),
        ([], []),
    ],
)
def test_stretches(values, stretches):
    assert motifs.find_stretches(np.array(values, float)) == stretches


def test_motifs_are_those_of_scipy_by_hand():
    bases = b"TTTTTTCACGTGACCCCCNCACGTGATTTTTT"
    attention = np.zeros(len(bases))
    attention[6:14] = attention[19:27] = 2.0
    random = np.zeros(len(bases))
    random[0:7] = 2.0
    table = motifs.find_motifs(bases, attention, random)
    assert tuple(table.columns) == MOTIF_COLUMNS
    # the stretches are CACGTGAC and CACGTGAT; of 27 places 6 hold the N; TCACGT, too, is ACGTGA, outside
    places, drawn, counts = 21, 6, {"CACGTG": (2, 2), "ACGTGA": (2, 3), "CGTGAC": (1, 1), "ATCACG": (1, 1)}
    found = table.set_index("kmer")
    assert {kmer: (row["count_in"], row["count_all"]) for kmer, row in found.iterrows()} == counts
    p = {kmer: stats.hypergeom.sf(own - 1, places, total, drawn) for kmer, (own, total) in counts.items()}
    q = dict(zip(p, stats.false_discovery_control(list(p.values())), strict=True))
    for kmer in counts:
        assert found.loc[kmer, ["p", "q"]].tolist() == pytest.approx([p[kmer], q[kmer]])
    assert p["CACGTG"] == pytest.approx(6 / 21 * 5 / 20)  # both of its two places among the six
    row = found.loc["CACGTG"]
    assert row["log2_enrichment"] == pytest.approx(np.log2(2 / (2 * drawn / places)))
    assert table["count_in_random"].tolist() == [0] * 4 and table["q_random"].tolist() == [1] * 4
    control = motifs.find_motifs(bases, random, attention).set_index("kmer").loc["AAAAAA"]
    assert (control["count_in"], control["count_all"], control["count_in_random"]) == (1, 2, 0)
    again = motifs.find_motifs(bases, attention, attention)
    np.testing.assert_array_equal(again["q"], again["q_random"])
    np.testing.assert_array_equal(again["log2_enrichment"], again["log2_enrichment_random"])


def test_no_stretch_gives_an_empty_table():
    flat = np.ones(40)
    table = motifs.find_motifs(b"ACGT" * 10, flat, flat)
    assert table.empty and tuple(table.columns) == MOTIF_COLUMNS


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dnabert")
    write_checkpoint(folder, init_params(DNABERT, 0), DNABERT)
    return folder


def run(model_folder, genome_file, output, *arguments):
    base = ["--checkpoint", model_folder, "--genome", genome_file, "--device", "cpu", "--output", output]
    return read_attention.main([str(word) for word in (*base, *arguments)])


def test_the_command_line(model_folder, genome_file, tmp_path):
    arguments = ["--region", "n:0-60"]
    for name in ("landscape", "motifs"):
        arguments += [f"--{name}", tmp_path / f"{name}.tsv"]
    assert run(model_folder, genome_file, tmp_path / "a.npz", *arguments) == 0
    shown = maps.read_maps(tmp_path / "a.npz")
    assert shown.heads == ((1, 0), (1, 1)) and shown.contig == "n"
    assert len(shown.tokens) == LIMIT and shown.spans.max() == tokenizer("overlapping_3mer").longest_bp(LIMIT)
    table = pd.read_csv(tmp_path / "landscape.tsv", sep="\t")
    assert tuple(table.columns) == LANDSCAPE_COLUMNS and len(table) == 60
    assert table[["attention", "attention_random"]].mean().tolist() == pytest.approx([1, 1], abs=1e-4)
    assert table["attention"].isna().sum() == 2, "the Ns"
    assert not np.allclose(table["attention"].dropna(), table["attention_random"].dropna())
    assert tuple(pd.read_csv(tmp_path / "motifs.tsv", sep="\t").columns) == MOTIF_COLUMNS
    content = read_manifest(tmp_path / "a.npz")["content"]
    assert content["step"] == "attention" and set(content["files"]) == {
        "a.npz",
        "landscape.tsv",
        "motifs.tsv",
    }
    assert content["map_region"] == "n:0-14" and content["tokens"] == 60 and content["region"] == "n:0-60"
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if "manifest" not in path.name}
    assert run(model_folder, genome_file, tmp_path / "a.npz", *arguments) == 0
    assert before == {name: (tmp_path / name).read_bytes() for name in before}


def test_maps_of_random_weights(model_folder, genome_file, tmp_path):
    options = ("--region", "c1:0-14", "--heads", "1:1")
    assert run(model_folder, genome_file, tmp_path / "a.npz", *options, "--random-weights") == 0
    shown = maps.read_maps(tmp_path / "a.npz")
    params = init_params(DNABERT, 1)
    ids = DNABERT.tokens.encode(BASES[:14].tobytes().decode())[None]
    expected = np.asarray(forward(DNABERT, attention_layers=(1,))(params, ids)["attention_1"])[:, 1]
    np.testing.assert_allclose(shown.values, expected, atol=1e-6)
    assert shown.weights == "random, seed 1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "c1:0-15"], "has 15 tokens (15 bp), the model takes at most 14 (14 bp)"),
        (["--region", "c1:0-90"], "ends after the contig"),
        (["--region", "c1:5-4"], "is not contig:start-end"),
        (["--region", "silent"], "holds no token of known bases"),
        (["--region", "c1:0-10", "--map-region", "c1:5-12"], "leaves c1:0-10"),
        (["--region", "c1", "--map-region", "c1:0-20"], "the model takes at most 14"),
        (["--region", "c1:0-10", "--heads", "2:0"], "expected LAYER:HEAD with layers 1 to 1"),
        (["--region", "c1:0-10", "--motifs", "m.tsv"], "Give --landscape"),
        (["--region", "c1:0-10", "--landscape", "elsewhere/l.tsv"], "another folder"),
    ],
)
def test_faults_are_one_line(model_folder, genome_file, tmp_path, capsys, arguments, message):
    assert run(model_folder, genome_file, tmp_path / "a.npz", *arguments) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "jax" not in line]
    assert message in line and not (tmp_path / "a.npz").exists()


def test_a_file_that_holds_no_maps(tmp_path):
    path = tmp_path / "a.npz"
    for write in (lambda: np.savez(path, maps=np.zeros((1, 2, 2))), lambda: path.write_bytes(b"none")):
        write()
        with pytest.raises(UserError, match="holds no attention maps"):
            maps.read_maps(path)


def test_maps_survive_their_file(tmp_path):
    shown = maps.AttentionMaps(
        np.full((1, 2, 2), 0.5, np.float32),
        ((3, 0),),
        ("[CLS]", "ACG"),
        np.array([[5, 5], [5, 8]], np.int32),
        "c1",
        "checkpoint",
    )
    maps.write_maps(tmp_path / "a.npz", shown)
    found = maps.read_maps(tmp_path / "a.npz")
    for field in dataclasses.fields(shown):
        assert np.array_equal(getattr(shown, field.name), getattr(found, field.name)), field.name
