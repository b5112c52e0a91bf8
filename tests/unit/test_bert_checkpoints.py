"""DNABERT, GROVER and DNABERT-2 in the hub's formats: read, refused, fetched, approximate, fine-tuned."""

import json
import logging
import shutil
from pathlib import Path

import embed
import jax
import numpy as np
import pytest
from hub_server import COMMIT, HubServer, edit_row, without_pauses
from toy_tasks import toy_task
from toy_tokens import bpe_of_size

from dnalm.checkpoints import layouts, load_checkpoint, registry, store
from dnalm.checkpoints.expected import check_row
from dnalm.checkpoints.fetch import fetch_checkpoint
from dnalm.checkpoints.load import read_config
from dnalm.errors import UserError
from dnalm.models import ModelConfig, forward, init_params
from dnalm.models.adapters import AdapterConfig, adapted, init_adapter, merge
from dnalm.models.bert_encoder import alibi_slopes
from dnalm.pretrained import get_pretrained_model

pytestmark = pytest.mark.usefixtures("quick_programs")

GOLDEN = Path(__file__).parents[1] / "golden" / "bert"


def edited(tmp_path, case, change=None, **entries):
    """Returns a copy of a golden folder with other entries of config.json, and what `change` does to it."""
    folder = shutil.copytree(GOLDEN / case, tmp_path / case)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**record, **entries}))
    if change:
        change(folder)
    return folder


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("dnabert_3", ("overlapping_3mer", "learned", False, 32)),
        ("dnabert_6", ("overlapping_6mer", "learned", False, 32)),
        ("grover", ("bpe", "learned", False, 32)),
        ("dnabert_2", ("bpe", "alibi", True, 2500)),
    ],
)
def test_what_the_files_say(case, expected):
    config = read_config(GOLDEN / case)
    assert expected == (
        config.tokenizer, config.positional_embedding, config.use_glu_in_ffn, config.max_tokens
    )  # fmt: skip
    assert config.architecture == "bert" and config.layer_norm_eps == 1e-12 and config.lm_head
    assert ModelConfig.from_json(config.to_json()) == config
    text = json.dumps(config.summary())
    assert len(text) < 1000 and "merges" not in text  # of a tokenizer its sum


def test_slopes_of_linear_biases():
    assert alibi_slopes(8).tolist() == [2.0**-n for n in range(1, 9)]
    np.testing.assert_allclose(alibi_slopes(12)[8:], 2.0 ** -np.array([0.5, 1.5, 2.5, 3.5]), rtol=1e-6)


def swap_lines(folder):
    lines = (folder / "vocab.txt").read_text().splitlines()
    lines[7], lines[8] = lines[8], lines[7]
    (folder / "vocab.txt").write_text("\n".join(lines))


@pytest.mark.parametrize(
    ("case", "change", "entries", "message"),
    [
        ("dnabert_3", swap_lines, {}, r"txt:8: another vocabulary .*\(found 'AAG', expected 'AAC'\)"),
        ("dnabert_3", None, {"hidden_act": "tanh"}, r"config\.json: hidden_act 'tanh'"),
        ("dnabert_3", None, {"vocab_size": 70}, r"wrong shape|does not fit"),
        ("grover", lambda f: (f / "tokenizer.json").unlink(), {}, r"101 tokens, but no tokenizer"),
        ("grover", None, {"vocab_size": 60}, r"vocabulary_size: 60 does not fit"),
        ("grover", lambda f: (f / "tokenizer.json").write_text("{}"), {}, "json: is no tokenizer"),
    ],
)  # fmt: skip
def test_files_that_do_not_fit(tmp_path, case, change, entries, message):
    with pytest.raises(UserError, match=message):
        load_checkpoint(edited(tmp_path, case, change, **entries))


def test_a_vocabulary_alone_is_approximate_and_said(tmp_path, caplog):
    def only_words(folder):
        words = load_checkpoint(folder).config.tokens.vocabulary
        (folder / "tokenizer.json").unlink()
        (folder / "vocab.txt").write_text("\n".join(filter(None, words)) + "\n")

    with caplog.at_level(logging.WARNING, "dnalm"):
        folder = edited(tmp_path, "grover", only_words)
        config = read_config(folder)
    assert config.tokenizer == "bpe_approximate" and "APPROXIMATE tokens" in caplog.text
    output = tmp_path / "x.h5ad"
    (tmp_path / "x.fa").write_text(">a\nACGTTGCAAC\n")
    words = ["--checkpoint", str(folder), "--sequences", str(tmp_path / "x.fa"), "--output", str(output)]
    assert embed.main([*words, "--device", "cpu"]) == 0
    assert '"bpe_approximate"' in output.with_name("x.h5ad.manifest.json").read_text()


def test_converted_it_is_the_same(tmp_path):
    checkpoint = load_checkpoint(GOLDEN / "dnabert_2")
    store.write_checkpoint(tmp_path / "own", checkpoint.tensors, checkpoint.config)
    again = load_checkpoint(tmp_path / "own")
    assert again.config == checkpoint.config and again.size == checkpoint.size
    for module, leaves in checkpoint.params.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(again.params[module][name], leaf)
    fused = checkpoint.params["bert/attention_layer_1/~/self_attention/value"]["w"]
    assert fused.shape == (48, 48) and "Wqkv" not in json.dumps(sorted(again.params))


def test_a_row_and_other_files():
    row = registry.model_row("GROVER")
    with pytest.raises(UserError, match=r"embed_dim: another model than grover \(found 24, expected 768\)"):
        check_row(read_config(GOLDEN / "grover"), row, "x")
    for alias in ("zhihan1996/DNA_bert_6", "DNABERT-2", "PoetschLab/GROVER"):
        assert registry.model_row(alias)["family"] in ("dnabert", "dnabert_2", "grover")


@pytest.mark.parametrize(
    ("model", "case", "files"),
    [
        ("dnabert_2", "dnabert_2", {"config.json", "tokenizer.json", "pytorch_model.bin"}),
        ("dnabert_3", "dnabert_3", {"config.json", "vocab.txt", "pytorch_model.bin"}),
        ("grover", "grover", {"config.json", "tokenizer.json", "model.safetensors"}),
    ],
)
def test_fetched_with_its_vocabulary(tmp_path, monkeypatch, model, case, files):
    config = read_config(GOLDEN / case)
    changes = {
        "hub_repository": "a/model", "revision": "", "embed_dim": str(config.embed_dim),
        "num_layers": str(config.num_layers), "attention_heads": str(config.attention_heads),
        "ffn_embed_dim": str(config.ffn_embed_dim), "max_tokens": str(config.max_tokens),
    }  # fmt: skip
    monkeypatch.setattr(registry, "MODELS", edit_row(registry.MODELS, tmp_path / "t.tsv", model, **changes))
    without_pauses(monkeypatch)
    place = {"cache_dir": tmp_path / "cache", "lock_file": tmp_path / "lock.json"}
    with HubServer() as hub:
        hub.add_folder("a/model", COMMIT, GOLDEN / case)
        if "pytorch_model.bin" in files:
            with pytest.raises(UserError, match="can carry code, and its sha256 is not known"):
                fetch_checkpoint(model, endpoint=hub.url, **place)
        record = fetch_checkpoint(model, endpoint=hub.url, accept_unpinned=True, **place)
    assert set(record["files"]) == files
    assert load_checkpoint(record).size == load_checkpoint(GOLDEN / case).size


def test_layouts_ask_for_the_vocabulary_first():
    known = {"config.json", "model.safetensors", "tokenizer.json"}
    assert layouts.of_known_files("auto", known, "bpe") == (
        "tokenizer.json",
        "config.json",
        "model.safetensors",
    )
    assert layouts.of_known_files("auto", known, "v2_6mer") == ("config.json", "model.safetensors")


@pytest.mark.parametrize("case", ["dnabert_3", "dnabert_2"])
@pytest.mark.parametrize(
    "settings", [AdapterConfig("ia3"), AdapterConfig("lora", rank=2, alpha=1.0)], ids=["ia3", "lora"]
)
def test_adapters(case, settings):
    checkpoint = load_checkpoint(GOLDEN / case)
    config, params = checkpoint.config, checkpoint.params
    tokens = config.tokens.encode_batch(["ACGTTGCAACGG", "TTTNACG"])
    apply = forward(config, layers=(2,), logits=True)
    plain, call = jax.jit(apply), jax.jit(adapted(apply, settings))
    expected, fresh = plain(params, tokens), init_adapter(config, settings, 0)
    np.testing.assert_allclose(call(params, fresh, tokens)["logits"], expected["logits"], atol=1e-5)
    random = np.random.default_rng(0)
    moved = jax.tree.map(lambda x: x + random.normal(0, 0.3, x.shape).astype(np.float32), fresh)
    merged = plain(merge(params, moved, settings), tokens)
    for key, value in call(params, moved, tokens).items():
        np.testing.assert_allclose(value, merged[key], atol=5e-5, err_msg=key)
        assert np.abs(np.asarray(value) - expected[key]).max() > 1e-3


def test_fine_tuned_and_embedded_with_the_adapter(tmp_path):
    import finetune

    task = toy_task(rows=24, folds=3)
    task["sequence"] = task["sequence"].str[:30]
    task.to_parquet(tmp_path / "task.parquet")
    words = ["--task", str(tmp_path / "task.parquet"), "--checkpoint", str(GOLDEN / "grover")]
    words += ["--steps", "4", "--validate-every", "2", "--checkpoint-every", "2", "--batch-size", "4"]
    assert finetune.main([*words, "--output-dir", str(tmp_path / "out"), "--device", "cpu"]) == 0
    for number, adapter in enumerate(([], ["--adapter", str(tmp_path / "out" / "adapter.safetensors")])):
        argv = [
            "--checkpoint",
            str(GOLDEN / "grover"),
            "--sequences",
            str(tmp_path / "task.parquet"),
            *adapter,
        ]
        assert embed.main([*argv, "--output", str(tmp_path / f"{number}.h5ad"), "--device", "cpu"]) == 0
    assert (tmp_path / "0.h5ad").read_bytes() != (tmp_path / "1.h5ad").read_bytes()


def test_from_python():
    parameters, forward_fn, tokenizer, config = get_pretrained_model(
        GOLDEN / "dnabert_3", embeddings_layers_to_save=(2,), max_positions=20
    )
    import haiku as hk

    rows = tokenizer.batch_tokenize(["ACGTACGTAC", "acgt"])
    assert rows[1][0][:4] == ["[CLS]", "ACG", "CGT", "[SEP]"] and rows[1][0][4] == "[PAD]"
    ids = np.array([own for _, own in rows], np.int32)
    outputs = hk.transform(forward_fn).apply(parameters, jax.random.PRNGKey(0), ids)
    assert outputs["logits"].shape == (2, 20, 69) and outputs["embeddings_2"].shape == (2, 20, 24)
    assert config.alphabet_size == 69 and tokenizer.class_token == rows[0][0][0]


def test_random_weights_of_the_published_form():
    config = ModelConfig(
        tokenizer="bpe", tokenizer_json=bpe_of_size(40), vocabulary_size=64, max_tokens=64, embed_dim=24,
        num_layers=1, attention_heads=3, key_size=8, ffn_embed_dim=32, positional_embedding="alibi",
        use_glu_in_ffn=True, add_bias_ffn=False, ffn_activation="gelu-no-approx", architecture="bert",
    )  # fmt: skip
    params = init_params(config, 0)
    assert params["bert/~/embed"]["embeddings"].shape == (64, 24)
    assert np.std(params["bert/attention_layer_0/~/fc1"]["w"]) == pytest.approx(0.0176, abs=0.002)
    assert "b" not in params["bert/attention_layer_0/~/fc1"] and "b" in params["bert/attention_layer_0/~/fc2"]


def test_a_rescaling_factor_means_nothing(tmp_path):
    import run_model

    (tmp_path / "x.txt").write_text("ACGT\n")
    argv = ["--checkpoint", str(GOLDEN / "dnabert_2"), "--sequences", str(tmp_path / "x.txt")]
    assert run_model.main([*argv, "--rescaling-factor", "2", "--output", str(tmp_path / "o.npz")]) == 2
