"""Precisions: near float32, half the memory, never NaN, and none touches another."""

import dataclasses
import json
from collections import Counter
from functools import partial
from pathlib import Path

import embed
import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import run_model
import segment
import toy_models
import yaml
import zarr

from dnalm import models, windows
from dnalm.checkpoints import load_checkpoint
from dnalm.config import ModelFacts, check_schema, locator, resolve
from dnalm.engine import memory, read_embeddings
from dnalm.engine.shards import Shards
from dnalm.errors import UserError
from dnalm.files import manifest_path
from dnalm.genome import Genome
from dnalm.models import esm_encoder
from dnalm.models.attention import attend
from dnalm.models.config import ACTIVATIONS
from dnalm.models.precision import cast_params, precision_bytes

pytestmark = pytest.mark.usefixtures("quick_programs")

GOLDEN = Path(__file__).parents[1] / "golden"
SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"
LOW = ("bfloat16", "float16")
# Cosine with float32 over all tokens; measured 0.99982 and 0.999997 at worst.
NEAR = {"bfloat16": 0.9995, "float16": 0.99999}
PAD, MASK, CLS = 1, 2, 3
LEARNED = dataclasses.replace(
    toy_models.config(),
    tokenizer="v1_6mer",
    vocabulary_size=4105,
    positional_embedding="learned",
    use_glu_in_ffn=False,
    ffn_activation="gelu-no-approx",
    add_bias_ffn=True,
    token_dropout=True,
    masking_ratio=0.15,
    masking_prob=0.8,
)
SEGMENT = toy_models.config(toy_models.FEATURES, "own_strand")
FAMILIES = {"v2": toy_models.config(), "v1": LEARNED, "segment": SEGMENT}


def tokens_of(config, length, rows=1):
    first = config.kmers.first_kmer_id
    tokens = np.random.default_rng(0).integers(first, first + 4096, (rows, length), dtype=np.int32)
    tokens[:, 0] = CLS
    return tokens


def cosine(left, right):
    left, right = (np.asarray(values, np.float64).ravel() for values in (left, right))
    return left @ right / np.sqrt((left @ left) * (right @ right))


def computed(config, params, tokens, precision, **wanted):
    apply = jax.jit(models.forward(config, precision=precision, **wanted))
    return jax.device_get(apply(params, tokens))


# --- near float32 ---------------------------------------------------------------------------------


def family(name):
    """Published-format weights of the golden sets; learned positions there end at 40, so v1's are random."""
    if name == "v1":
        config = dataclasses.replace(LEARNED, max_tokens=1000, embed_dim=32, num_layers=3, ffn_embed_dim=64)
        return config, models.init_params(config, 0)
    folder = {"v2": "v2_500M_multi_species/jax_model", "segment": "segment_nt"}[name]
    checkpoint = load_checkpoint(GOLDEN / folder)
    return checkpoint.config, checkpoint.params


@pytest.mark.parametrize("name", FAMILIES)
def test_embeddings_and_probabilities_stay_near_float32(name):
    """Rows of three lengths in one batch: padding moves nothing."""
    config, params = family(name)
    lengths = (17, 201, 1001) if config.features else (17, 200, 1000)
    tokens = tokens_of(config, lengths[-1], rows=3)
    for row, length in zip(tokens, lengths, strict=True):
        row[length:] = PAD
    last = f"embeddings_{config.num_layers}"
    wanted = {"layers": (config.num_layers,), "segmentation": bool(config.features)}
    exact, *others = (
        computed(config, params, tokens, precision, **wanted) for precision in models.PRECISIONS
    )
    for precision, found in zip(LOW, others, strict=True):
        assert found[last].dtype == precision
        for row, length in enumerate(lengths):
            assert NEAR[precision] <= cosine(exact[last][row, :length], found[last][row, :length]) < 1
            if config.features:
                bases = slice(6 * (length - 1))
                one, other = (each["segment_probabilities"][row, bases] for each in (exact, found))
                assert 0 < np.abs(one - other).max() < 0.02


def test_angles_rounded_before_the_cosine_would_be_seen(monkeypatch):
    """As the published code does in bfloat16: the test above can fail."""

    def rounded(length, key_size, factor):
        positions = jnp.arange(length, dtype=jnp.float32)
        frequencies = 10_000 ** (-jnp.arange(0, key_size, 2, dtype=jnp.float32) / key_size)
        # reduce_precision: the compiler may not skip it
        angles = jax.lax.reduce_precision(jnp.outer(positions, frequencies), 8, 7)
        angles = jnp.concatenate([angles, angles], axis=-1)
        return jnp.cos(angles), jnp.sin(angles)

    config, params = family("v2")
    tokens, last = tokens_of(config, 1000), config.num_layers
    exact = computed(config, params, tokens, "float32", layers=(last,))
    monkeypatch.setattr(esm_encoder, "rotary_tables", rounded)
    found = computed(config, params, tokens, "bfloat16", layers=(last,))
    assert cosine(exact[f"embeddings_{last}"], found[f"embeddings_{last}"]) < 0.97


def test_types_of_the_outputs():
    for config in FAMILIES.values():
        wanted = {"segmentation": True} if config.features else {"logits": True, "attention_layers": (1,)}
        params = models.init_params(config, 0)
        for precision in models.PRECISIONS:
            for pooling in (None, "mean"):
                apply = models.forward(config, (1, 2), **wanted, pooling=pooling, precision=precision)
                for name, value in jax.eval_shape(apply, params, tokens_of(config, 9)).items():
                    always = name in ("attention_1", "segment_probabilities") or (pooling and "emb" in name)
                    assert value.dtype == ("float32" if always else precision), name


def test_pooling_sums_in_float32():
    """4,000 values of 1 sum to 256 in bfloat16, and their mean is then 0.06."""
    tokens = np.full((1, 4001), 10, np.int32)
    values = jnp.ones((1, 4001, 2), jnp.bfloat16)
    pooled = models.pool(values, tokens, toy_models.config().kmers, "mean")
    assert pooled.dtype == jnp.float32 and pooled.tolist() == [[1, 1]]


def test_precisions_do_not_influence_each_other():
    config = FAMILIES["v2"]
    params, tokens = models.init_params(config, 0), tokens_of(config, 9)

    def build(precision):
        return jax.jit(models.forward(config, (1, 2), logits=True, precision=precision))

    first, early = build("float32"), build("float32")  # the second is traced only after bfloat16
    before = jax.device_get(first(params, tokens))
    low = jax.device_get(build("bfloat16")(params, tokens))
    jax.clear_caches()
    for apply in (first, early, build("float32")):
        again = jax.device_get(apply(params, tokens))
        assert all((again[name] == before[name]).all() for name in before)
    assert any((low[name].astype(np.float32) != before[name]).any() for name in before)


# --- never NaN ------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", models.PRECISIONS)
@pytest.mark.parametrize("name", FAMILIES)
def test_masked_rows_are_finite(name, precision):
    config, length = FAMILIES[name], 13
    tokens = np.repeat(tokens_of(config, length), 5, axis=0)
    tokens[1, 9:] = PAD
    tokens[2] = PAD
    tokens[3], tokens[4, 1:], tokens[4, 5:] = MASK, MASK, PAD
    mask = np.ones((5, 1, length, length), bool)
    mask[0, :, 4], mask[1, :, :, 9:] = False, False  # a query that may see nothing; the padding
    wanted = {"segmentation": True} if config.features else {"logits": True, "attention_layers": (1,)}
    apply = jax.jit(models.forward(config, (1, 2), **wanted, precision=precision, mapped=False))
    params = models.init_params(config, 0)
    for inputs in [(tokens,)] if config.features else [(tokens,), (tokens, mask)]:
        outputs = jax.device_get(apply(params, *inputs))
        assert all(np.isfinite(values.astype(np.float32)).all() for values in outputs.values())
    if config.features:
        return
    # Padding moves no valid position, in no precision: the same row, cut.
    alone = jax.device_get(apply(params, tokens[1:2, :9]))["embeddings_2"]
    tolerance = {"float32": 3e-6, "bfloat16": 0.07, "float16": 0.01}[precision]
    difference = np.float32(outputs["embeddings_2"][1, :9]) - np.float32(alone[0])
    assert np.abs(difference).max() < tolerance


def test_scores_beyond_float16_do_not_overflow():
    """Scores of 320,000 (2,560,000 before scaling); the largest float16 is 65,504."""
    query = jnp.full((1, 1, 1, 64), 200, jnp.float16)
    key = jnp.stack([query[0, 0, 0], -query[0, 0, 0], query[0, 0, 0]])[None, None]
    value = jnp.broadcast_to(jnp.arange(3, dtype=jnp.float16)[:, None], key.shape)
    output, weights = attend(query, key, value, jnp.ones((1, 1, 3), bool), False, True)
    assert weights.dtype == jnp.float32 and weights.ravel().tolist() == [0.5, 0, 0.5]
    assert output.dtype == jnp.float16 and output.ravel().tolist() == [1] * 64
    attended = attend(query, key, value, jnp.zeros((1, 1, 3), bool), False, True)
    np.testing.assert_allclose(attended[1].ravel(), 1 / 3, rtol=1e-6)


def test_products_are_summed_in_float32():
    """Half of the terms cancel the others; their partial sums leave float16."""
    signs = jnp.where(jnp.arange(8192) < 4096, 1, -1).astype(jnp.float16)
    x = jnp.full((2, 8192), 40, jnp.float16)
    assert jnp.dot(x, signs[:, None]).ravel().tolist() == [0, 0]
    kernel = jnp.stack([signs * 0, signs, signs * 0])[..., None]
    layout = ("NWC", "WIO", "NWC")
    convolved = jax.lax.conv_general_dilated(x[None], kernel, (1,), "SAME", dimension_numbers=layout)
    assert convolved.ravel().tolist() == [0, 0]


def norm_of(kind, x):
    transformed = hk.without_apply_rng(hk.transform(lambda x: kind()(x)))
    params = transformed.init(jax.random.PRNGKey(0), x)
    params = cast_params(params, str(x.dtype))
    return np.asarray(transformed.apply(params, x), np.float32)


def test_layer_norms_are_computed_in_float32():
    """Large values, whose variance leaves float16, and values far from 0, whose mean bfloat16 rounds."""
    ours, theirs = partial(esm_encoder.LayerNorm, 1e-5, "norm"), partial(hk.LayerNorm, -1, True, True)
    base = np.array([1, -2, 3, -4, 5, -6, 7, -4], np.float32)
    for values, dtype in (
        (base * 1000, jnp.float16),
        (np.arange(201, 209), jnp.bfloat16),
    ):
        x = jnp.asarray(values, dtype)[None]
        exact = norm_of(ours, x.astype(jnp.float32))
        np.testing.assert_allclose(norm_of(ours, x), exact, atol=0.01)
        other = norm_of(theirs, x)
        assert not np.allclose(other, exact, atol=0.01), "a norm in the input's own type would do"


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_of_any_size_are_finite(name):
    x = jnp.array([-6e4, -300, -1, 0, 1, 300, 6e4], jnp.float16)
    values = np.float32(esm_encoder.activation(name)(x))
    assert np.isfinite(values).all() and values[-1] == np.float32(x[-1]) and abs(values[0]) < 1e-6


# --- memory ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A language model, a segmentation model, a genome and its windows."""
    folder = tmp_path_factory.mktemp("inputs")
    genome = toy_models.write_fasta(folder / "masked.fa", {"one": toy_models.random_bases(192 * 4)})
    table, _ = windows.make_tiles({"one": 192 * 4}, Genome(genome), 192)
    windows.write_windows(table, folder / "x.bed")
    toy_models.language_model(folder / "lm")
    toy_models.segmentation_model(folder / "seg")
    return folder


def size_of(params):
    leaves = jax.tree.leaves(params)
    return sum(leaf.nbytes for leaf in leaves), {str(leaf.dtype) for leaf in leaves}


@pytest.mark.parametrize("precision", LOW)
def test_weights_take_half_the_memory(inputs, precision):
    checkpoint = load_checkpoint(inputs / "lm")
    whole, _ = size_of(checkpoint.load())
    for params in (
        checkpoint.load(precision),
        cast_params(models.init_params(checkpoint.config, 0), precision),
    ):
        assert size_of(params) == (whole / 2, {precision})
        assert all(
            a is b
            for a, b in zip(*map(jax.tree.leaves, (params, cast_params(params, precision))), strict=True)
        )
    jaxpr = jax.make_jaxpr(models.forward(checkpoint.config, (1,), precision=precision))
    table = "4107,16]"
    assert f"f32[{table}" not in str(jaxpr(checkpoint.load(precision), tokens_of(checkpoint.config, 5)))


def test_estimates_follow_the_type():
    config = FAMILIES["v2"]
    whole, half = (memory.row_bytes(config, 33, precision) for precision in ("float32", "bfloat16"))
    assert whole == 4 * 33 * (8 * 16 + 4 * 32 + 3 * 2 * 33) == memory.row_bytes(config, 33)
    assert whole - half == 2 * 33 * (8 * 16 + 4 * 32)  # attention's scores stay float32
    assert [precision_bytes(name) for name in models.PRECISIONS] == [4, 2, 2]


# --- whole runs -----------------------------------------------------------------------------------


def embedded(inputs, output, *changes):
    argv = ["--checkpoint", inputs / "lm", "--genome", inputs / "masked.fa", "--windows", inputs / "x.bed"]
    argv += ["--device", "cpu", "--work-dir", output.parent / "work", "--output", output, *changes]
    assert embed.main([str(word) for word in argv]) == 0
    return json.loads(manifest_path(output).read_text())["content"]


@pytest.fixture
def kept_shards(monkeypatch):
    """Leaves every run's shards behind, as a killed run does, and tells their folders."""
    folders = []
    monkeypatch.setattr(Shards, "remove", lambda shards: folders.append(shards.folder))
    return folders


def tables_on_the_device():
    """Types of the embedding tables that live on the device."""
    return sorted(str(array.dtype) for array in jax.live_arrays() if array.shape == (4107, 16))


@pytest.mark.parametrize("weights", [(), ("--random-weights", "0")], ids=["checkpoint", "random"])
def test_the_device_holds_weights_of_that_type_only(inputs, tmp_path, monkeypatch, weights):
    before, during = tables_on_the_device(), []
    monkeypatch.setattr(Shards, "remove", lambda shards: during.extend(tables_on_the_device()))
    content = embedded(inputs, tmp_path / "x.h5ad", "--precision", "float16", *weights)
    assert content["precision"] == "float16" and content["weights"].startswith(
        "random" if weights else "check"
    )
    assert set(Counter(during) - Counter(before)) == {"float16"}


def test_a_run_in_another_precision_reuses_nothing(inputs, tmp_path, kept_shards):
    contents, values = {}, {}
    for precision in models.PRECISIONS:
        output = tmp_path / f"{precision}.h5ad"
        contents[precision] = embedded(inputs, output, "--precision", precision)
        values[precision] = read_embeddings(output)[1]
    assert len(set(kept_shards)) == 3
    assert {name: content["precision"] for name, content in contents.items()} == {
        name: name for name in models.PRECISIONS
    }
    assert len({content["weights_sha256"] for content in contents.values()}) == 1
    for precision in LOW:
        assert values[precision].dtype == np.float32
        assert NEAR[precision] <= cosine(values["float32"], values[precision]) < 1
    embedded(inputs, tmp_path / "again.h5ad")
    assert kept_shards[-1] == kept_shards[0]  # float32 is the default, and goes on where it stopped


def test_single_tokens(inputs, tmp_path):
    argv = ("--pooling", "none", "--dtype", "float16", "--precision", "bfloat16")
    assert embedded(inputs, tmp_path / "x.zarr", *argv)["precision"] == "bfloat16"
    values = zarr.open_group(tmp_path / "x.zarr", mode="r")["layer_2/values"][:]
    assert values.dtype == np.float16 and np.isfinite(values).all()


def test_tracks_in_another_precision(inputs, tmp_path, kept_shards):
    for precision in ("float32", "bfloat16"):
        argv = ["--checkpoint", inputs / "seg", "--genome", inputs / "masked.fa", "--device", "cpu"]
        argv += [
            "--precision",
            precision,
            "--work-dir",
            tmp_path / "work",
            "--output-dir",
            tmp_path / precision,
        ]
        assert segment.main([str(word) for word in argv]) == 0
        content = json.loads((tmp_path / precision / "manifest.json").read_text())["content"]
        assert content["precision"] == precision
    assert len(set(kept_shards)) == 2
    levels = [np.load(folder / "shard_000000.npz")["levels"].astype(int) for folder in kept_shards]
    assert 0 < np.abs(levels[0] - levels[1]).max() < 20  # of steps of 0.001


def model_outputs(tmp_path, checkpoint, precision, outputs="embeddings,attention,logits"):
    np.save(
        tmp_path / "tokens.npy", np.pad(tokens_of(FAMILIES["v2"], 9), ((0, 0), (0, 4)), constant_values=PAD)
    )
    output = tmp_path / f"{precision}.npz"
    argv = ["--checkpoint", checkpoint, "--tokens", tmp_path / "tokens.npy", "--outputs", outputs]
    argv += ["--precision", precision, "--device", "cpu", "--output", output]
    assert run_model.main([str(word) for word in argv]) == 0
    return dict(np.load(output))


def test_single_outputs_are_float32_files(inputs, tmp_path):
    found = {precision: model_outputs(tmp_path, inputs / "lm", precision) for precision in models.PRECISIONS}
    for precision in LOW:
        for name, values in found[precision].items():
            assert values.dtype == (np.int32 if name == "tokens" else np.float32)
            np.testing.assert_allclose(values, found["float32"][name], atol=0.2, err_msg=name)


def test_values_beyond_float16_are_told(tmp_path, capsys):
    folder = toy_models.language_model(tmp_path / "big", embed_scale=6e4)
    model_outputs(tmp_path, folder, "bfloat16")
    with pytest.raises(AssertionError):
        model_outputs(tmp_path, folder, "float16")
    assert "infinite values computed in float16. Check the checkpoint; with" in capsys.readouterr().err


# --- names ----------------------------------------------------------------------------------------


def test_an_unknown_precision_is_refused():
    with pytest.raises(
        UserError, match=r"precision: 'half' not known \(expected one of float32, bfloat16, float16"
    ):
        models.forward(FAMILIES["v2"], (1,), precision="half")
    for function in (precision_bytes, lambda name: cast_params({}, name)):
        with pytest.raises(UserError, match="'float64' not known"):
            function("float64")


@pytest.mark.parametrize("script", [embed, segment, run_model], ids=lambda script: script.__name__)
def test_every_script_refuses_an_unknown_precision(script, capsys):
    line = ["--checkpoint", "x", "--genome", "x", "--windows", "x", "--output", "x", "--output-dir", "x"]
    with pytest.raises(SystemExit) as stop:
        script.main([*line, "--precision", "half"])
    assert stop.value.code == 2
    assert "argument --precision: invalid choice: 'half'" in capsys.readouterr().err


RUNS = """
species: {fly: {genome: a.fa, annotation: a.gtf, expression: {table: t.tsv, unit: cpm}}}
defaults: {windows: {tss: {kind: tss, upstream_bp: 100, downstream_bp: 200}}}
embeddings: {run: {model: m, windows: tss}}
segmentation: {run: {model: m}}
tasks: {run: {suite: annotation, task: t, models: [m]}}
expression: {run: {models: [m], windows: tss}}
"""


@pytest.mark.parametrize("section", ["embeddings", "segmentation", "tasks", "expression"])
def test_every_kind_of_run_has_the_setting(section):
    def settings(**changes):
        config = yaml.safe_load(RUNS)
        config[section]["run"].update(changes)
        check_schema(config, SCHEMA, locator([]))
        facts = ModelFacts("m", "v2_6mer", 513, 3, ("exon",), "own_strand")
        return resolve(config, lambda name: facts)[section]["run"]["precision"]

    assert settings() == "float32"
    assert [settings(precision=name) for name in models.PRECISIONS] == list(models.PRECISIONS)
    with pytest.raises(UserError, match=rf"{section}.run.precision: found 'half'"):
        settings(precision="half")
