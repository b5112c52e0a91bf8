"""Adapters change nothing when fresh, are the same merged or applied, and train what they say."""

import jax
import numpy as np
import pytest
import toy_models

from dnalm.errors import UserError
from dnalm.models import cast_params, forward, init_params
from dnalm.models.adapters import AdapterConfig, adapted, adapter_shapes, init_adapter, merge

pytestmark = pytest.mark.usefixtures("quick_programs")

V1 = {
    "positional_embedding": "learned",
    "use_glu_in_ffn": False,
    "add_bias_ffn": True,
    "ffn_activation": "gelu-no-approx",
    "add_bias_kv": True,
    "emb_layer_norm_before": True,
    "token_dropout": True,
    "masking_ratio": 0.15,
    "masking_prob": 0.8,
}
MODELS = {
    "v1": toy_models.config(num_layers=1, **V1),
    "v2": toy_models.config(),
    "segmentation": toy_models.config(toy_models.FEATURES, "own_strand", num_layers=1),
}
ALL = ("query", "key", "value", "mha_output", "fc1", "fc2")
IA3 = AdapterConfig("ia3")
LORA = AdapterConfig("lora", rank=2, alpha=1.0, projections=ALL)
TOKENS = np.random.default_rng(0).integers(6, 4102, (2, 9)).astype(np.int32)
TOKENS[1, 6:] = 1  # pads


def model(name):
    config = MODELS[name]
    generator = np.random.default_rng(1)  # biases other than 0, else a bias left out would not show
    params = {
        module: {
            leaf: value + generator.normal(0, 0.1, value.shape).astype(np.float32)
            for leaf, value in leaves.items()
        }
        for module, leaves in init_params(config, 0).items()
    }
    return config, params, forward(config, layers=(config.num_layers,), segmentation=bool(config.features))


def moved(adapter, seed=2):
    generator = np.random.default_rng(seed)
    return jax.tree.map(lambda x: x + generator.normal(0, 0.3, x.shape).astype(np.float32), adapter)


@pytest.mark.parametrize(
    ("name", "settings"), [("v1", IA3), ("v1", LORA), ("v2", IA3), ("v2", LORA), ("segmentation", IA3)]
)
def test_fresh_changes_nothing_and_merged_is_applied(name, settings):
    config, params, apply = model(name)
    plain, call = jax.jit(apply), jax.jit(adapted(apply, settings))
    expected, fresh = plain(params, TOKENS), init_adapter(config, settings, 0)
    for key, value in call(params, fresh, TOKENS).items():
        np.testing.assert_allclose(value, expected[key], atol=1e-6, err_msg=key)
    for module, leaves in merge(params, fresh, settings).items():
        for leaf, value in leaves.items():
            np.testing.assert_array_equal(value, params[module][leaf])  # so the merged model is the same
    adapter = moved(fresh)
    merged = plain(merge(params, adapter, settings), TOKENS)
    for key, value in call(params, adapter, TOKENS).items():
        np.testing.assert_allclose(value, merged[key], atol=1e-5, rtol=1e-5, err_msg=key)
        assert np.abs(np.asarray(value) - expected[key]).max() > 1e-3, key


@pytest.mark.parametrize("settings", [IA3, LORA], ids=lambda settings: settings.method)
def test_every_number_of_an_adapter_moves_the_output(settings):
    config, params, apply = model("v1")
    call = adapted(apply, settings)

    def total(adapter):
        return (call(params, adapter, TOKENS)["embeddings_1"] ** 3).sum()

    gradient = jax.jit(jax.grad(total))(moved(init_adapter(config, settings, 0)))
    for module, leaves in gradient.items():
        for leaf, value in leaves.items():
            assert np.isfinite(value).all() and (np.asarray(value) != 0).all(), (module, leaf)


@pytest.mark.parametrize("settings", [IA3, LORA], ids=lambda settings: settings.method)
def test_a_smaller_precision_is_kept(settings):
    config, params, _ = model("v2")
    apply = adapted(forward(config, layers=(2,), precision="bfloat16"), settings)
    adapter = init_adapter(config, settings, 0)
    found = jax.eval_shape(apply, cast_params(params, "bfloat16"), adapter, TOKENS)
    assert found["embeddings_2"].dtype == "bfloat16"


@pytest.mark.parametrize(
    ("settings", "per_layer"),
    [
        (AdapterConfig("ia3"), 16 + 16 + 32),
        (AdapterConfig("lora", rank=3), 2 * (16 * 3 + 3 * 16)),
        (AdapterConfig("lora", rank=2, projections=("fc1", "fc2")), 2 * (16 + 64) + 2 * (32 + 16)),
        (AdapterConfig("head"), 0),
    ],
)
def test_trained_numbers_are_counted(settings, per_layer):
    config = MODELS["v2"]
    leaves = jax.tree.leaves(init_adapter(config, settings, 0))
    assert sum(leaf.size for leaf in leaves) == config.num_layers * per_layer
    assert set(adapter_shapes(config, settings)) <= set(init_params(config, 0))


def test_ia3_of_the_published_model_has_the_published_share():
    config = toy_models.config(
        embed_dim=1024, num_layers=29, attention_heads=16, key_size=64, ffn_embed_dim=4096
    )
    shapes = adapter_shapes(config, AdapterConfig("ia3"))
    count = sum(np.prod(shape) for leaves in shapes.values() for shape in leaves.values())
    assert count == 29 * (1024 + 1024 + 4096) and count / 498e6 < 0.001


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"method": "prefix"}, "found 'prefix', expected one of ia3, lora, head"),
        ({"projections": ("q",)}, r"found \['q'\], expected some of query"),
        ({"rank": 0}, "found 0, expected 1 or more"),
    ],
)
def test_settings_that_cannot_be(values, message):
    with pytest.raises(UserError, match=message):
        AdapterConfig(**values)
