"""The published documentation's examples with only the import changed, on small checkpoints of a hub here."""

import csv
import dataclasses
import json
import logging
from pathlib import Path

import haiku as hk
import jax
import jax.numpy as jnp
import joblib
import numpy as np
import pytest
from checkpoint_makers import old_jax_names, torch_names, write_torch_weights
from hub_server import COMMIT, HubServer, without_pauses, write_pins

from dnalm import models
from dnalm.checkpoints import load_checkpoint, pins, registry
from dnalm.checkpoints.expected import expected_config
from dnalm.errors import UserError
from dnalm.pretrained import get_pretrained_model, get_pretrained_segment_nt_model

# model -> the sizes of its stand-in (as many layers as the published one has), and the layout it is served in
SMALL = {
    "500M_human_ref": ({"embed_dim": "16", "attention_heads": "4", "ffn_embed_dim": "24"}, "jax_2023"),
    "250M_multi_species_v2": ({"embed_dim": "16", "attention_heads": "4", "ffn_embed_dim": "24"}, "bin"),
    "1B_agro_nt": ({"embed_dim": "15", "attention_heads": "5", "ffn_embed_dim": "24"}, "bin_shards"),
    "codon_nt": ({"embed_dim": "16", "attention_heads": "4", "ffn_embed_dim": "24"}, "jax"),
    "segment_nt": ({"embed_dim": "16", "attention_heads": "2", "ffn_embed_dim": "24"}, "safetensors"),
}
SEQUENCES = ["ATTCCGATTCCGATTCCG", "ATTTCTCTCTCTCTCTGAGATCGATCGATCGAT"]
SEED = 7


def hyperparams(config):
    published = {
        "k_for_kmers": config.kmers.k,
        "max_positions": 2048 if config.features else config.max_tokens,
        "ffn_activation_name": config.ffn_activation,
        "use_rotary_embedding": config.positional_embedding == "rotary",
    }
    same = ("embed_scale", "emb_layer_norm_before", "attention_heads", "embed_dim", "ffn_embed_dim")
    same += ("num_layers", "token_dropout", "masking_ratio", "masking_prob", "add_bias_ffn", "use_glu_in_ffn")
    return published | {name: getattr(config, name) for name in same}


def torch_settings(config):
    settings = {
        "hidden_size": config.embed_dim,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.attention_heads,
        "intermediate_size": config.ffn_embed_dim,
        "max_position_embeddings": (2048 if config.features else config.max_tokens) + 2,
        "position_embedding_type": "absolute" if config.positional_embedding == "learned" else "rotary",
        "token_dropout": config.token_dropout,
        "vocab_size": config.vocabulary_size,
        "add_bias_fnn": config.add_bias_ffn,
        "layer_norm_eps": 1e-12,
    }
    if config.features:
        settings |= {"features": list(config.features), "rescaling_factor": config.rescaling_factor}
    return settings


def served(folder, config, params, layout):
    """Writes a checkpoint in one of the hub's layouts and returns its files."""
    if layout.startswith("jax"):
        (folder / "jax_model").mkdir(parents=True)
        (folder / "jax_model" / "hyperparams.json").write_text(json.dumps(hyperparams(config)))
        tree = old_jax_names(params) if layout == "jax_2023" else params
        joblib.dump(tree, folder / "jax_model" / "pytree_ckpt.joblib")
    else:
        folder.mkdir(parents=True)
        (folder / "config.json").write_text(json.dumps(torch_settings(config)))
        write_torch_weights(folder, torch_names(params, with_unused=False), layout)
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A hub with a small random checkpoint in the place of each published one, all pinned."""
    folder = tmp_path_factory.mktemp("published")
    rows, table, found = registry.read_rows(), ["hub_repository\trevision\tfile\tbytes\tsha256"], {}
    with HubServer() as hub, pytest.MonkeyPatch.context() as patch:
        for row in rows:
            if row["model"] not in SMALL:
                continue
            sizes, layout = SMALL[row["model"]]
            row.update(sizes, revision=COMMIT)
            config = expected_config(row)
            if config.features and layout == "safetensors":  # as the torch-side files are
                config = dataclasses.replace(config, lm_head=False)
            params = models.init_params(config, SEED)
            files = served(folder / row["model"], config, params, layout)
            hub.add_repository(row["hub_repository"], COMMIT, files)
            one = write_pins(folder / "one.tsv", row["hub_repository"], COMMIT, files)
            table += one.read_text().splitlines()[1:]
            found[row["model"]] = (config, params)
        (folder / "pins.tsv").write_text("\n".join(table) + "\n")
        with open(folder / "models.tsv", "w", newline="") as handle:
            writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t")
            writer.writeheader()
            writer.writerows(rows)
        patch.setattr(registry, "MODELS", folder / "models.tsv")
        patch.setattr(pins, "PINS", folder / "pins.tsv")
        without_pauses(patch)
        yield (
            {"cache_dir": folder / "cache", "endpoint": hub.url, "lock_file": folder / "lock.json"},
            found,
            hub,
        )


@pytest.mark.parametrize(
    ("model_name", "layer", "vocabulary"),
    [
        ("500M_human_ref", 20, 4105),
        ("250M_multi_species_v2", 20, 4107),
        ("1B_agro_nt", 12, 4105),
        ("codon_nt", 12, 75),
    ],
)
def test_the_example_of_a_language_model(published, model_name, layer, vocabulary):
    place, found, _ = published
    parameters, forward_fn, tokenizer, config = get_pretrained_model(
        model_name=model_name,
        embeddings_layers_to_save=(layer,),
        max_positions=32,
        **place,
    )
    forward_fn = hk.transform(forward_fn)
    tokens_ids = [b[1] for b in tokenizer.batch_tokenize(SEQUENCES)]
    tokens = jnp.asarray(tokens_ids, dtype=jnp.int32)
    random_key = jax.random.PRNGKey(0)
    outs = jax.jit(forward_fn.apply)(parameters, random_key, tokens)
    dim = int(SMALL[model_name][0]["embed_dim"])
    assert outs[f"embeddings_{layer}"].shape == (2, 32, dim) and config.embed_dim == dim
    assert outs["logits"].shape == (2, 32, vocabulary) and config.alphabet_size == vocabulary
    ours, params = found[model_name]
    expected = models.forward(ours, layers=(layer,))(params, tokens)[f"embeddings_{layer}"]
    valid = np.asarray(tokens != tokenizer.pad_token_id)
    np.testing.assert_allclose(
        np.asarray(outs[f"embeddings_{layer}"])[valid], np.asarray(expected)[valid], rtol=0, atol=2e-5
    )


def test_the_example_of_a_segmentation_model(published):
    place, _, _ = published
    max_num_nucleotides = 8  # tokens without <cls>, a multiple of 4
    parameters, forward_fn, tokenizer, config = get_pretrained_segment_nt_model(
        model_name="segment_nt",
        embeddings_layers_to_save=(29,),
        attention_maps_to_save=((1, 1), (7, 0)),
        max_positions=max_num_nucleotides + 1,
        **place,
    )
    forward_fn = hk.transform(forward_fn)
    # one copy of everything on each device was made by calls that JAX no longer has: jit and a sharding
    sharding = jax.sharding.NamedSharding(
        jax.sharding.Mesh(np.array(jax.devices("cpu")), "b"), jax.sharding.PartitionSpec()
    )
    apply_fn = jax.jit(forward_fn.apply)
    sequences = [
        "ATTCCGATTCCGATTCCAACGGATTATTCCGATTAACCGATTCCAATT",
        "ATTTCTCTCTCTCTCTGAGATCGATGATTTCTCTCTCATCGAACTATG",
    ]
    tokens_ids = [b[1] for b in tokenizer.batch_tokenize(sequences)]
    tokens = jax.device_put(jnp.asarray(tokens_ids, dtype=jnp.int32), sharding)
    random_key = jax.random.PRNGKey(seed=0)
    outs = apply_fn(jax.device_put(parameters, sharding), random_key, tokens)
    logits = outs["logits"]
    probabilities = jnp.asarray(jax.nn.softmax(logits, axis=-1))[..., -1]
    assert probabilities.shape == (2, 48, 14)
    idx_intron = config.features.index("intron")
    assert probabilities[..., idx_intron].shape == (2, 48)
    assert outs["embeddings_29"].shape == (2, 9, 16)
    assert outs["attention_map_layer_1_number_1"].shape == (2, 9, 9)
    factor = config.rescaling_factor
    rescaled = get_pretrained_segment_nt_model("segment_nt", 8333 / 2048, max_positions=9, **place)
    other = hk.transform(rescaled[1]).apply(rescaled[0], random_key, tokens)["logits"]
    assert factor == 5001 / 2048 and float(jnp.abs(other - logits).max()) > 1e-6


def test_what_was_fetched_once_is_not_asked_for_again(published):
    place, _, hub = published
    get_pretrained_model("codon_nt", max_positions=8, **place)
    hub.forget()
    get_pretrained_model(
        "InstaDeepAI/nucleotide-transformer-v2-50m-3mer-multi-species", max_positions=8, **place
    )
    assert hub.requests == []


@pytest.mark.parametrize("verbose", [True, False])
def test_the_licence_is_shown_when_something_is_fetched(published, tmp_path, verbose, capsys, monkeypatch):
    place, _, _ = published
    log = logging.getLogger("dnalm")
    monkeypatch.setattr(log, "propagate", False)  # as in a program that set up no logging
    monkeypatch.setattr(log, "handlers", [])
    before = log.level
    get_pretrained_model("codon_nt", max_positions=8, verbose=verbose, **{**place, "cache_dir": tmp_path})
    shown = capsys.readouterr().err
    assert ("licence CC BY-NC-SA 4.0" in shown) is verbose
    assert log.level == before and log.handlers == []


@pytest.fixture(scope="module")
def golden():
    folder = Path(__file__).parents[1] / "golden" / "codon_nt"
    return folder, np.load(folder / "io.npz")


def apply(pretrained, tokens, **named):
    parameters, forward_fn, _, _ = pretrained
    return jax.jit(hk.transform(forward_fn).apply)(parameters, jax.random.PRNGKey(0), tokens, **named)


def test_a_folder_gives_the_published_numbers_and_head_n_is_head_n(golden):
    folder, io = golden
    tokens, valid = io["a_tokens"], io["a_tokens"] != 1
    maps = ((1, 0), (2, 3))
    pretrained = get_pretrained_model(
        folder, embeddings_layers_to_save=(1, 4), attention_maps_to_save=maps, max_positions=17
    )
    outs = apply(pretrained, tokens)
    for layer in (1, 4):
        np.testing.assert_allclose(
            outs[f"embeddings_{layer}"][valid], io[f"a_embeddings_{layer}"][valid], rtol=0, atol=2e-5
        )
    np.testing.assert_allclose(outs["logits"][valid], io["a_logits"][valid], rtol=0, atol=2e-5)
    for layer, head in maps:
        found = outs[f"attention_map_layer_{layer}_number_{head}"]
        np.testing.assert_allclose(
            found[valid], io[f"a_attention_layer_{layer}"][:, head][valid], rtol=0, atol=1e-5
        )
    masked = apply(pretrained, io["c_tokens"], attention_mask=io["c_attention_mask"])
    np.testing.assert_allclose(masked["logits"][valid], io["c_logits"][valid], rtol=0, atol=2e-5)
    assert (
        pretrained[3].features == ()
        and pretrained[3].max_positions == load_checkpoint(folder).config.max_tokens
    )


def test_types_are_of_one_model_alone(golden):
    folder, io = golden
    tokens, valid = io["a_tokens"], io["a_tokens"] != 1
    before = apply(get_pretrained_model(folder, max_positions=17), tokens)["logits"]
    half = get_pretrained_model(
        folder, jnp.bfloat16, jnp.bfloat16, jnp.float16, embeddings_layers_to_save=(4,), max_positions=17
    )
    outs = apply(half, tokens)
    assert {leaf.dtype for leaf in jax.tree.leaves(half[0])} == {jnp.dtype("bfloat16")}
    assert outs["logits"].dtype == outs["embeddings_4"].dtype == jnp.float16
    difference = np.abs(np.asarray(outs["logits"], np.float32) - io["a_logits"])[valid].max()
    assert 1e-3 < difference < 1.0
    again = apply(get_pretrained_model(folder, max_positions=17), tokens)["logits"]
    np.testing.assert_array_equal(before, again)


def test_the_tokenizer(golden):
    _, _, tokenizer, _ = get_pretrained_model(golden[0], max_positions=6)
    assert tokenizer.tokenize("ATTN") == (["<cls>", "ATT", "N"], [3, tokenizer.token_to_id("ATT"), 74])
    tokens, ids = tokenizer.batch_tokenize(["ATTN", "A"])[1]
    assert tokens == ["<cls>", "A", "<pad>", "<pad>", "<pad>", "<pad>"] and ids == [3, 70, 1, 1, 1, 1]
    assert tokenizer.vocabulary_size == len(tokenizer.vocabulary) == 75
    assert [tokenizer.id_to_token(i) for i in (0, 1, 2, 3)] == ["<unk>", "<pad>", "<mask>", "<cls>"]
    assert (tokenizer.pad_token_id, tokenizer.mask_token_id, tokenizer.class_token_id) == (1, 2, 3)
    assert len(tokenizer.standard_tokens) == 69 and tokenizer.unk_token_id == 0
    with pytest.raises(
        UserError, match=r"sequence 2: too long \(found 7 tokens with <cls>, expected at most 6\)"
    ):
        tokenizer.batch_tokenize(["A", "NNNNNN"])
    with pytest.raises(UserError, match=r"sequence 2, position 3: token 'att' not found in the vocabulary"):
        tokenizer.batch_tokenize(["A", "ATTatt"])
    with pytest.raises(UserError, match=r"token: 'XYZ' not in the vocabulary of v2_3mer"):
        tokenizer.token_to_id("XYZ")
    lower = get_pretrained_model(golden[0], max_positions=6, lower_case=True)[2]
    assert lower.tokenize("attn") == tokenizer.tokenize("ATTN")


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        ({"model_name": "900M_human"}, r"900M_human: neither a folder nor a registered model"),
        ({"compute_dtype": jnp.float64}, r"dtype: float64 \(expected one of float32, bfloat16, float16\)"),
        ({"embeddings_layers_to_save": (0,)}, r"no layer 0 \(expected 1 to 4\)"),
        ({"embeddings_layers_to_save": (5,)}, r"no layer 5 \(expected 1 to 4\)"),
        ({"attention_maps_to_save": ((1, 4),)}, r"no attention head 4 \(expected 0 to 3\)"),
        ({"max_positions": 5000}, r"max_positions: found 5000, expected 1 to \d+, the most tokens"),
    ],
)
def test_arguments_that_do_not_fit(golden, arguments, pattern):
    with pytest.raises(UserError, match=pattern):
        get_pretrained_model(**{"model_name": golden[0], "max_positions": 17, **arguments})


def test_the_default_length_is_what_the_model_takes(published):
    place, _, _ = published
    assert get_pretrained_model("codon_nt", **place)[2].fixed_length == 1024
    assert get_pretrained_model("500M_human_ref", **place)[2].fixed_length == 1000


def test_the_wrong_function_for_a_model(golden):
    with pytest.raises(UserError, match=r"has no segmentation head\. Use get_pretrained_model"):
        get_pretrained_segment_nt_model(golden[0], max_positions=17)
    with pytest.raises(UserError, match=r"has no language-model head\. Use get_pretrained_segment_nt_model"):
        get_pretrained_model("demo_segment_nt", max_positions=17)


def test_more_tokens_than_the_model_takes(golden):
    pretrained = get_pretrained_model(golden[0], max_positions=17)
    with pytest.raises(UserError, match=r"tokens: shape \(1, 5000\), expected \(rows, at most \d+\)"):
        apply(pretrained, np.full((1, 5000), 70, np.int32))
