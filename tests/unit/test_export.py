"""Models in published layouts: read back the same, under the published names, whole or not at all."""

import dataclasses
import functools
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import checkpoint_makers
import export_checkpoint as script
import jax
import numpy as np
import pytest

from dnalm import files
from dnalm.checkpoints import load_checkpoint, registry, store
from dnalm.checkpoints.bert_names import rename_bert
from dnalm.checkpoints.expected import expected_config
from dnalm.checkpoints.export import export_checkpoint
from dnalm.checkpoints.hub_config import with_own_settings
from dnalm.checkpoints.names import rename_jax, rename_torch
from dnalm.checkpoints.published import (
    jax_tensors,
    published_names,
    tokenizer_files,
    torch_record,
    torch_tensors,
    unused_tensors,
    zeros,
)
from dnalm.checkpoints.safetensors_file import read_safetensors
from dnalm.checkpoints.tensors import in_memory, iterate
from dnalm.errors import UserError
from dnalm.models import ModelConfig, forward, parameter_shapes

pytestmark = pytest.mark.usefixtures("quick_programs")

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "resources/demo/models/demo_nt"
GOLDEN = ROOT / "tests/golden/bert"
SIZES = {"embed_dim": 8, "num_layers": 2, "attention_heads": 2, "key_size": 4, "ffn_embed_dim": 12}
V2 = ModelConfig("v2_6mer", 4107, 33, **SIZES)
SEGMENT = dataclasses.replace(
    V2, lm_head=False, features=("exon", "intron", "splice_donor"), labels="own_strand"
)
WITHOUT_GATE = {"use_glu_in_ffn": False, "add_bias_ffn": True, "ffn_activation": "gelu-no-approx"}
LEARNED = {"positional_embedding": "learned", **WITHOUT_GATE}
CONFIGS = {
    "v2": V2,
    "codon": ModelConfig("v2_3mer", 75, 33, **SIZES),
    "segment": SEGMENT,
    "segment_rescaled": dataclasses.replace(
        SEGMENT, labels="either_strand", max_tokens=81, rescaling_factor=81 / 33
    ),
    "v1": ModelConfig(
        "v1_6mer", 4105, 33, **SIZES, **LEARNED, token_dropout=True, masking_ratio=0.15, masking_prob=0.8
    ),
    "bert": ModelConfig(
        "overlapping_3mer", 69, 34, **SIZES, **LEARNED, layer_norm_eps=1e-12, architecture="bert"
    ),
}
CASES = [
    (name, layout)
    for name in CONFIGS
    for layout in ("transformers", "jax")
    if (name, layout) != ("bert", "jax")
]


def random_params(config, seed=0):
    """Random numbers for every parameter, biases and norms too."""
    generator = np.random.default_rng(seed)
    return {
        module: {name: generator.standard_normal(shape, np.float32) for name, shape in sorted(leaves.items())}
        for module, leaves in sorted(parameter_shapes(config).items())
    }


def trained(folder, config):
    store.write_checkpoint(folder, random_params(config), config)
    return folder


@functools.cache
def compiled(config):
    is_segment = bool(config.features)
    return jax.jit(
        forward(config, (config.num_layers,), logits=not is_segment, segmentation=is_segment, mapped=False)
    )


def outputs(config, params):
    """Embeddings, and the head's logits, of two rows."""
    first = config.tokens.first_kmer_id
    tokens = np.random.default_rng(1).integers(first, config.tokens.embedded, (2, 9)).astype(np.int32)
    tokens[:, 0] = config.tokens.cls_id
    return compiled(config)(jax.tree.map(jax.numpy.asarray, params), tokens)


@pytest.mark.parametrize(("name", "layout"), CASES)
def test_exported_it_is_the_same(tmp_path, name, layout):
    config = CONFIGS[name]
    export_checkpoint(trained(tmp_path / "own", config), layout, tmp_path / "out")
    again = load_checkpoint(tmp_path / "out")
    settings = "jax_model/hyperparams.json" if layout == "jax" else "config.json"
    record = json.loads((tmp_path / "out" / settings).read_text())
    has_head = config.lm_head or layout == "jax"
    assert with_own_settings(again.config, record) == dataclasses.replace(config, lm_head=has_head)
    assert record.get("dnalm", {}) == ({"labels": "own_strand"} if name == "segment" else {})
    own = random_params(config)
    for module, leaves in own.items():
        for leaf, array in leaves.items():
            np.testing.assert_array_equal(again.params[module][leaf], array, strict=True)
    added = set(again.params) - set(own)
    assert bool(added) == (has_head != config.lm_head)
    assert all("roberta_lm_head" in module for module in added)
    known = {module: leaves for module, leaves in again.params.items() if module in own}
    expected, found = outputs(config, own), outputs(config, known)
    assert len(expected) > 1
    for key, values in expected.items():
        np.testing.assert_array_equal(found[key], values)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_names_are_one_to_one(name):
    config = CONFIGS[name]
    named = published_names(config)
    parts = [part for found in named.values() for part in found]
    own = {
        module: {leaf: in_memory(a) for leaf, a in leaves.items()}
        for module, leaves in random_params(config).items()
    }
    assert sorted(parts) == sorted((module, leaf) for module, leaf, _ in iterate(own))
    assert len(set(parts)) == len(parts) == len(named)
    tensors = torch_tensors(own, config)
    if config.architecture == "bert":
        back = rename_bert(tensors, "x")
    else:
        back = rename_torch(tensors, config.positional_embedding == "rotary", "x")
        jax_back = rename_jax(jax_tensors(own, config))
        assert {(m, n) for m, n, _ in iterate(jax_back)} == set(parts)
        expected = checkpoint_makers.torch_names(random_params(config), with_unused=False)
        assert set(tensors) == set(expected)
        for key, array in expected.items():
            np.testing.assert_array_equal(tensors[key].read(), array)
    for module, leaf, tensor in iterate(own):
        np.testing.assert_array_equal(back[module][leaf].read(), tensor.read())


@pytest.mark.parametrize("case", ["grover", "dnabert_2", "dnabert_6"])
def test_other_models_with_their_vocabulary(tmp_path, case):
    source = load_checkpoint(GOLDEN / case)
    export_checkpoint(GOLDEN / case, "transformers", tmp_path / "out")
    again = load_checkpoint(tmp_path / "out")
    assert again.config == source.config
    for module, name, tensor in iterate(source.tensors):
        np.testing.assert_array_equal(again.tensors[module][name].read(), tensor.read())
    if case == "grover":  # what transformers itself wrote, but for what belongs to other heads
        published = set(read_safetensors(GOLDEN / case / "model.safetensors"))
        assert set(read_safetensors(tmp_path / "out/model.safetensors")) <= published
    fused = [name for name in read_safetensors(tmp_path / "out/model.safetensors") if "Wqkv" in name]
    assert len(fused) == (4 if case == "dnabert_2" else 0)


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@pytest.mark.parametrize(
    ("model", "settings", "version", "tokenizer"),
    [
        ("2B5_multi_species", "7d003a6f2785", "4.29.0.dev0", "e516a38aaf16"),
        ("1B_agro_nt", "4063f8250f32", "4.32.0.dev0", "882fac59d620"),
        ("50M_multi_species_v2", "e20f497248c7", "4.32.0.dev0", "253d338919eb"),
        ("100M_multi_species_v2", "82399c099aaa", "4.32.0.dev0", "253d338919eb"),
        ("250M_multi_species_v2", "234c9a119d8b", "4.32.0.dev0", "253d338919eb"),
    ],
)
def test_settings_are_the_hubs_to_the_byte(model, settings, version, tokenizer):
    """The sums are of the hub's files at the revisions of models.tsv; each names what version wrote it."""
    row = registry.model_row(model)
    config = dataclasses.replace(expected_config(row), layer_norm_eps=1e-12)
    record = {**torch_record(config, "float32", ""), "transformers_version": version}
    assert sha256(json.dumps(record, indent=2) + "\n") == settings
    found = tokenizer_files(config)
    assert sha256(json.dumps(found["tokenizer_config.json"], indent=2) + "\n") == tokenizer
    assert sha256(json.dumps(found["special_tokens_map.json"], indent=2) + "\n") == "d6dc30bf0181"
    assert sha256(found["vocab.txt"]) == ("c00e0ad166d6" if "v2" in model else "f1b544e27897")


@pytest.mark.parametrize(
    ("model", "size"), [("50M_multi_species_v2", 223_642_688), ("100M_multi_species_v2", 391_597_600)]
)
def test_names_and_shapes_give_the_published_size(model, size):
    """A safetensors file's size follows from its names and shapes: the hub's model.safetensors."""
    config = expected_config(registry.model_row(model))
    params = {m: {n: zeros(s) for n, s in leaves.items()} for m, leaves in parameter_shapes(config).items()}
    tensors = {**torch_tensors(params, config), **unused_tensors(config, "float32")}
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name in sorted(tensors):
        start, end = end, end + 4 * tensors[name].size
        header[name] = {"dtype": "F32", "shape": list(tensors[name].shape), "data_offsets": [start, end]}
    length = len(json.dumps(header, separators=(",", ":")))
    assert 8 + length + -length % 8 + end == size


@pytest.mark.parametrize("layout", ["transformers", "jax"])
def test_the_demo_model_by_its_command(tmp_path, layout):
    words = ["--checkpoint", str(DEMO), "--layout", layout]
    command = [sys.executable, str(ROOT / "workflow/scripts/export_checkpoint.py"), *words]
    done = subprocess.run(
        [*command, "--output-dir", str(tmp_path / "a")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "b").mkdir()
    assert script.main([*words, "--output-dir", str(tmp_path / "b")]) == 0
    written = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    for path in written:
        if path.name != "manifest.json":
            assert (tmp_path / "a" / path).read_bytes() == (tmp_path / "b" / path).read_bytes()
    content = files.read_manifest(tmp_path / "a")["content"]
    assert content["step"] == "checkpoint" and content["parameters"] == load_checkpoint(DEMO).size
    readme = (tmp_path / "a/README.md").read_text()
    assert readme.startswith("---\nlicense: mit\n") and "# demo_nt" in readme
    again, source = load_checkpoint(tmp_path / "a"), load_checkpoint(DEMO)
    assert again.config == source.config
    for module, name, tensor in iterate(source.tensors):
        np.testing.assert_array_equal(again.tensors[module][name].read(), tensor.read())


def test_what_transformers_asks_for(tmp_path):
    from safetensors import safe_open

    export_checkpoint(trained(tmp_path / "own", V2), "transformers", tmp_path / "out")
    with safe_open(tmp_path / "out/model.safetensors", framework="numpy") as handle:
        assert handle.metadata() == {"format": "pt"}
        values = handle.get_tensor("esm.encoder.layer.1.attention.self.rotary_embeddings.inv_freq")
    np.testing.assert_allclose(values, [1, 0.01])
    record = json.loads((tmp_path / "out/config.json").read_text())
    code = "InstaDeepAI/nucleotide-transformer-v2-50m-multi-species--"
    assert record["auto_map"]["AutoConfig"] == f"{code}esm_config.EsmConfig"
    assert registry.model_row("50M_multi_species_v2")["revision"] in (tmp_path / "out/README.md").read_text()
    assert "license: unknown" in (tmp_path / "out/README.md").read_text()


@pytest.mark.parametrize(("layout", "dtype"), [("transformers", "bfloat16"), ("jax", "float16")])
def test_half_as_large(tmp_path, layout, dtype):
    export_checkpoint(trained(tmp_path / "own", V2), layout, tmp_path / "out", dtype)
    own, again = random_params(V2), load_checkpoint(tmp_path / "out").params
    for module, leaves in own.items():
        for name, array in leaves.items():
            np.testing.assert_allclose(again[module][name], array, rtol=2**-8, atol=1e-6)
    weights = "model.safetensors" if layout == "transformers" else "jax_model/pytree_ckpt.joblib"
    if layout == "transformers":
        assert not any("inv_freq" in name for name in read_safetensors(tmp_path / "out" / weights))


def test_the_heads_zeros_are_told(tmp_path, caplog):
    export_checkpoint(trained(tmp_path / "own", SEGMENT), "jax", tmp_path / "out")
    assert "language-model head that the JAX SegmentNT needs is zeros" in caplog.text
    readme = (tmp_path / "out/README.md").read_text()
    assert "its logits say nothing" in readme and "on their own strand" in readme


@pytest.mark.parametrize(
    ("changes", "layout", "dtype", "message"),
    [
        ({}, "onnx", "float32", "--layout: 'onnx' not known (expected one of transformers, jax)"),
        ({}, "jax", "bfloat16", "--dtype: bfloat16 is no type of the published JAX file"),
        (
            {"key_size": 6},
            "transformers",
            "float32",
            "model config, key_size: this layout cannot say it (found 6",
        ),
        ({"ffn_activation": "relu"}, "transformers", "float32", "ffn_activation: this layout cannot say it"),
        ({"lm_head": False}, "transformers", "float32", "lm_head: this layout cannot say it"),
    ],
)
def test_faults(tmp_path, capsys, changes, layout, dtype, message):
    folder = trained(tmp_path / "own", dataclasses.replace(V2, **changes))
    words = ["--checkpoint", str(folder), "--layout", layout, "--dtype", dtype]
    assert script.main([*words, "--output-dir", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own"]


def test_nothing_is_overwritten(tmp_path):
    folder = trained(tmp_path / "own", V2)
    with pytest.raises(UserError, match=r"own: exists and is no empty folder"):
        export_checkpoint(folder, "jax", folder)
    with pytest.raises(UserError, match="exists and is no empty folder"):
        export_checkpoint(folder, "jax", folder / "config.json")
    with pytest.raises(UserError, match="no JAX layout of bert models"):
        export_checkpoint(trained(tmp_path / "bert", CONFIGS["bert"]), "jax", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bert", "own"]
