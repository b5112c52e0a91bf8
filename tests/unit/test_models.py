"""Models: what must hold for any weights, and pieces small enough to work out by hand."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dnalm import models
from dnalm.errors import UserError
from dnalm.models.attention import attend, rotary_tables, rotate
from dnalm.models.config import ModelConfig
from dnalm.models.unet_head import halve
from dnalm.tokens import tokenizer

pytestmark = pytest.mark.usefixtures("quick_programs")

SMALL = ModelConfig(
    "v2_3mer", 75, 64, embed_dim=8, num_layers=2, attention_heads=2, key_size=4, ffn_embed_dim=12
)
LEARNED = dataclasses.replace(
    SMALL,
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
SEGMENT = dataclasses.replace(SMALL, lm_head=False, features=("exon", "intron", "CDS"), labels="own_strand")
ONE_LAYER = dataclasses.replace(SEGMENT, num_layers=1)
PAD, MASK, CLS = 1, 2, 3


def tokens_of(config, length, rows=1, seed=0):
    first, last = config.kmers.first_kmer_id, config.kmers.first_kmer_id + 60
    tokens = np.random.default_rng(seed).integers(first, last, (rows, length), dtype=np.int32)
    tokens[:, 0] = CLS
    return tokens


def padded(tokens, length):
    return np.pad(tokens, ((0, 0), (0, length - tokens.shape[1])), constant_values=PAD)


# --- padding --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("config", "mapped"), [(SMALL, True), (LEARNED, False)], ids=["rotary", "learned"])
def test_padding_changes_no_valid_position(config, mapped):
    params = models.init_params(config, 1)
    apply = jax.jit(models.forward(config, (1, 2), attention_layers=(1,), logits=True, mapped=mapped))
    tokens = tokens_of(config, 7)
    tokens[0, 3] = MASK
    alone, beside = apply(params, tokens), apply(params, padded(tokens, 12))
    for name in ("embeddings_1", "embeddings_2", "logits"):
        np.testing.assert_allclose(beside[name][:, :7], alone[name], atol=3e-6)
    np.testing.assert_allclose(beside["attention_1"][:, :, :7, :7], alone["attention_1"], atol=1e-6)
    assert (np.asarray(beside["attention_1"])[:, :, :7, 7:] == 0).all()
    assert (np.asarray(beside["logits"])[:, 7:] == 0).all()


def rows_of(counts, length):
    """One row per count of tokens (CLS apart), padded to a length."""
    return np.concatenate([padded(tokens_of(ONE_LAYER, 1 + n, seed=n), 1 + length) for n in counts])


@pytest.fixture(scope="module")
def predict():
    params = models.init_params(ONE_LAYER, 2)
    apply = jax.jit(models.forward(ONE_LAYER, segmentation=True, mapped=False))
    return lambda *inputs: np.asarray(apply(params, *inputs)["segment_logits"])


def test_padding_changes_no_prediction_per_base(predict):
    """A row of 4 n tokens (CLS apart) beside longer ones gives what it gives alone."""
    together = predict(rows_of([4, 8, 32], 32))
    for row, count in enumerate([4, 8]):
        alone = predict(rows_of([count], count))
        assert alone.shape == (1, 3 * count, 3, 2)
        np.testing.assert_allclose(together[row, : 3 * count], alone[0], atol=3e-6)


def test_other_counts_do_not_depend_on_the_length_of_padding_either(predict):
    """They give what they give padded to the next multiple of 4, whatever the batch's length."""
    counts = [1, 2, 5, 6, 7]
    long, short = predict(rows_of(counts, 32)), predict(rows_of(counts, 8))
    for row, count in enumerate(counts):
        np.testing.assert_allclose(long[row, : 3 * count], short[row, : 3 * count], atol=3e-6)
    unpadded = predict(rows_of([7], 7))  # 7 tokens: the head pads to 8 and cuts
    assert unpadded.shape == (1, 21, 3, 2)
    np.testing.assert_allclose(unpadded[0], short[4, :21], atol=3e-6)


def test_the_head_would_leak_without_its_mask(predict):
    """The tests above can fail: with other tokens in the padding's place the predictions move."""
    tokens = rows_of([8], 8)
    filled = np.pad(tokens, ((0, 0), (0, 24)), constant_values=MASK)
    mask = np.zeros((1, 1, 33, 33), bool)
    mask[..., :9] = True  # the encoder does not see the fill, the head does
    assert np.abs(predict(filled, mask)[:, :24] - predict(tokens)).max() > 1e-3


def test_a_row_of_pads_only_is_finite():
    for config in (SMALL, LEARNED):
        apply = jax.jit(models.forward(config, layers=(2,), logits=True, mapped=False))
        outputs = apply(models.init_params(config, 0), np.full((1, 5), PAD, np.int32))
        assert all(np.isfinite(value).all() for value in outputs.values())


# --- what is computed -----------------------------------------------------------------------------


def test_stops_at_the_deepest_layer_and_never_touches_the_head():
    config = dataclasses.replace(SMALL, num_layers=4)
    params = models.init_params(config, 0)
    used = {
        name: leaves
        for name, leaves in params.items()
        if not ("_2/" in name or "_3/" in name or "lm_" in name)
    }
    outputs = jax.eval_shape(models.forward(config, layers=(1, 2)), used, tokens_of(config, 6))
    assert sorted(outputs) == ["embeddings_1", "embeddings_2"]
    with pytest.raises(ValueError, match="attention_layer_2"):
        jax.eval_shape(models.forward(config, layers=(3,)), used, tokens_of(config, 6))


def test_the_last_layer_is_normalised():
    apply = jax.jit(models.forward(SMALL, layers=(2,), mapped=False))
    last = np.asarray(apply(models.init_params(SMALL, 0), tokens_of(SMALL, 6))["embeddings_2"])
    np.testing.assert_allclose(last.mean(axis=-1), 0, atol=1e-5)
    np.testing.assert_allclose(last.var(axis=-1), 1, atol=1e-3)


def test_mapped_and_batched_heads_agree_in_value_and_gradient():
    generator = np.random.default_rng(0)
    query, key, value = (generator.normal(size=(2, 3, 5, 4)).astype(np.float32) for _ in range(3))
    mask = jnp.asarray(generator.random((2, 5, 5)) < 0.7)

    def loss(inputs, mapped):
        output, weights = attend(*inputs, mask, mapped, True)
        return jnp.square(output).sum() + jnp.square(weights).sum()

    gradient = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    (one, by_map), (two, by_batch) = (gradient((query, key, value), mapped) for mapped in (True, False))
    np.testing.assert_allclose(one, two, rtol=1e-5)
    for a, b in zip(by_map, by_batch, strict=True):
        assert np.abs(a).max() > 0.01
        np.testing.assert_allclose(a, b, atol=2e-5)


def test_long_windows_take_one_head_after_the_other_on_a_cpu():
    def loops(length):
        apply = models.forward(dataclasses.replace(SMALL, max_tokens=2048), layers=(1,))
        return str(jax.make_jaxpr(apply)(models.init_params(SMALL, 0), tokens_of(SMALL, length))).count(
            "scan"
        )

    assert loops(64) == 0 and loops(1100) > 0


def test_positions_stay_apart_in_bfloat16():
    """Angles rounded before cos and sin are useless after some hundred tokens; ours are float32."""
    x = np.random.default_rng(0).normal(size=(1000, 16)).astype(np.float32)
    tables = rotary_tables(1000, 16, None)
    exact = np.asarray(rotate(jnp.asarray(x), tables))
    rounded = rotate(jnp.asarray(x, jnp.bfloat16), tables)
    assert rounded.dtype == jnp.bfloat16
    assert np.abs(np.asarray(rounded, np.float32) - exact)[900:].max() < 0.05


# --- by hand --------------------------------------------------------------------------------------


def test_rotary_tables():
    cosines, sines = rotary_tables(3, 4, None)
    np.testing.assert_allclose(cosines[2], np.cos([2, 0.02, 2, 0.02]), rtol=1e-6)
    np.testing.assert_allclose(sines[2], np.sin([2, 0.02, 2, 0.02]), rtol=1e-6)
    # base 10000 * 4 ** (4 / 2): the second pair turns 4 times slower
    np.testing.assert_allclose(rotary_tables(3, 4, 4.0)[0][2], np.cos([2, 0.005, 2, 0.005]), rtol=1e-6)
    np.testing.assert_array_equal(rotary_tables(3, 4, 1.0)[0], cosines)


def test_rotation_depends_on_distances_only():
    x = np.random.default_rng(0).normal(size=(2, 8)).astype(np.float32)
    tables = rotary_tables(12, 8, None)
    query, key = (rotate(jnp.tile(row, (12, 1)), tables) for row in x)
    scores = np.asarray(query @ key.T)
    np.testing.assert_allclose(scores[3, 1], scores[11, 9], rtol=1e-4)
    np.testing.assert_allclose(scores[0, 0], x[0] @ x[1], rtol=1e-5)


@pytest.mark.parametrize("mapped", [True, False])
def test_attention_of_one_head(mapped):
    """Scores 0 and ln 3 give weights 1/4 and 3/4; the third key is masked."""
    query, key = jnp.ones((1, 1, 1, 1)), jnp.array([0, np.log(3), 9.0]).reshape(1, 1, 3, 1)
    value, mask = jnp.array([4.0, 8.0, 100.0]).reshape(1, 1, 3, 1), jnp.array([[[True, True, False]]])
    output, weights = attend(query, key, value, mask, mapped, True)
    np.testing.assert_allclose(weights[0, 0, 0], [0.25, 0.75, 0], rtol=1e-6)
    np.testing.assert_allclose(output[0, 0, 0], [7.0], rtol=1e-6)
    assert attend(query, key, value, mask, mapped, False)[1] is None


def test_token_dropout_rescales_embeddings():
    """v1: token embeddings times (1 - 0.12) / (1 - share of <mask>); <mask> itself counts as zero."""
    config = dataclasses.replace(LEARNED, num_layers=1)
    params = models.init_params(config, 0)
    for name, leaves in params.items():
        if "attention_layer" in name or "positional" in name:
            params[name] = {key: np.zeros_like(leaf) for key, leaf in leaves.items()}
    params["esm_transformer/~/roberta_lm_head/~/emb_layer_norm_after"] = {
        "scale": np.ones(8, np.float32),
        "offset": np.zeros(8, np.float32),
    }
    # embeddings of tiny variance: the last layer norm is then far from removing the scale
    table = params["esm_transformer/~/embed"]["embeddings"] = np.zeros((4105, 8), np.float32)
    table[10, 0] = 1e-3
    config = dataclasses.replace(config, layer_norm_eps=1.0)
    tokens = np.array([[CLS, 10, MASK, 10]], np.int32)
    apply = jax.jit(models.forward(config, layers=(1,), mapped=False))
    found = np.asarray(apply(params, tokens)["embeddings_1"])
    scale = 0.88 / (1 - 1 / 4)
    expected = np.full(8, -1e-3 / 8 * scale)
    expected[0] = 7e-3 / 8 * scale
    np.testing.assert_allclose(found[0, 1], expected, rtol=1e-4)
    np.testing.assert_allclose(found[0, 2], 0, atol=1e-9)


def test_halve():
    x = jnp.array([[1.0, 3.0, 5.0, 7.0]]).reshape(1, 4, 1)
    pairs, valid = halve(x, jnp.array([[True, True, True, False]]))
    assert pairs[0, :, 0].tolist() == [2.0, 2.5] and valid.tolist() == [[True, True]]


KINDS = {"mean": [4.0, 4.0], "mean_published": [5.0, 5.0], "cls": [100.0, 100.0]}


@pytest.mark.parametrize("kind", KINDS)
def test_pooling(kind):
    kmers = tokenizer("v2_6mer")
    tokens = np.array([[CLS, 10, kmers.letters["A"], kmers.letters["N"], MASK, PAD]], np.int32)
    values = jnp.array([100.0, 2, 6, 7, 1000, 1000])
    embeddings = jnp.stack([values, values], axis=-1)[None]
    np.testing.assert_allclose(models.pool(embeddings, tokens, kmers, kind)[0], KINDS[kind])


def test_a_window_without_a_known_base_is_missing():
    kmers = tokenizer("v2_6mer")
    tokens = np.array([[CLS, kmers.letters["N"], PAD]], np.int32)
    assert np.isnan(models.pool(jnp.ones((1, 3, 2)), tokens, kmers, "mean")).all()
    apply = jax.jit(models.forward(SMALL, layers=(1, 2), pooling="mean", mapped=False))
    outputs = apply(models.init_params(SMALL, 0), tokens_of(SMALL, 5, rows=3))
    assert {name: value.shape for name, value in outputs.items()} == {
        "embeddings_1": (3, 8),
        "embeddings_2": (3, 8),
    }


def test_random_weights():
    params = models.init_params(SEGMENT, 7)
    assert {m: {n: x.shape for n, x in p.items()} for m, p in params.items()} == models.parameter_shapes(
        SEGMENT
    )
    again, other = models.init_params(SEGMENT, 7), models.init_params(SEGMENT, 8)
    name = "esm_transformer/attention_layer_0/~/self_attention/query"
    assert (params[name]["w"] == again[name]["w"]).all() and (params[name]["w"] != other[name]["w"]).any()
    big = models.init_params(dataclasses.replace(SEGMENT, embed_dim=64, key_size=32), 0)
    assert np.abs(big[name]["w"]).max() == pytest.approx((6 / 64) ** 0.5, rel=0.01)
    fc1 = big["esm_transformer/attention_layer_0/~/fc1"]["w"]
    assert fc1.std() == pytest.approx(0.88 / 8, rel=0.05) and np.abs(fc1).max() <= 2 / 8
    up = big["u_net_head/~/unet1_d_segmentation_head/~/upsample_block_1/~/conv_transpose0"]["w"]
    assert up.shape == (3, 64, 128) and up.std() == pytest.approx(0.88 / (3 * 128) ** 0.5, rel=0.05)


# --- the config -----------------------------------------------------------------------------------


def test_config_round_trip():
    assert ModelConfig.from_json(SEGMENT.to_json()) == SEGMENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positional_embedding": "none"}, "positional_embedding"),
        ({"key_size": 5}, "key_size"),
        ({"vocabulary_size": 4107}, "vocabulary_size"),
        ({"tokenizer": "bpe"}, "'bpe' not known"),
        ({"add_bias_kv": True}, "add_bias_kv"),
    ],
)
def test_config_refuses_what_does_not_fit(change, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(SMALL, **change)


def test_config_names_unknown_and_missing_keys():
    with pytest.raises(UserError, match=r"unknown keys \['depth'\], missing keys \['attention_heads'"):
        ModelConfig.from_dict({"tokenizer": "v2_6mer", "depth": 3})


def test_token_limit_stretches_with_the_rescaling_factor():
    config = dataclasses.replace(SEGMENT, max_tokens=5001, rescaling_factor=5001 / 2048)
    assert config.token_limit() == 5001
    assert config.token_limit(8333 / 2048) == 8333
    assert config.token_limit(1.0) == 5001
    assert LEARNED.token_limit(8.0) == 64
