"""Every layout of a checkpoint gives the same weights; ours goes round without a change."""

import dataclasses
import gc
import hashlib
import json
import math
import re
import tempfile
from pathlib import Path

import haiku as hk
import jax
import jax.numpy as jnp
import joblib
import models as models_script
import numpy as np
import pytest
import safetensors.numpy
from checkpoint_makers import (
    CONFIG,
    HYPERPARAMS,
    QUERY,
    jax_folder,
    torch_folder,
    torch_names,
    write_torch_zip,
)
from toy_tokens import bpe_of_size

from dnalm import models
from dnalm.checkpoints import load_checkpoint, pins, registry, store, write_checkpoint
from dnalm.checkpoints.expected import check_row, expected_config
from dnalm.checkpoints.joblib_file import read_joblib
from dnalm.checkpoints.load import read_config
from dnalm.checkpoints.names import rename_jax
from dnalm.checkpoints.torch_file import read_torch
from dnalm.engine import memory
from dnalm.errors import UserError
from dnalm.tokens import NAMES


@pytest.fixture(scope="module")
def params():
    return models.init_params(CONFIG, 0)


def assert_same(found, expected):
    assert {m: sorted(p) for m, p in found.items()} == {m: sorted(p) for m, p in expected.items()}
    for module, leaves in expected.items():
        for name, leaf in leaves.items():
            assert found[module][name].dtype == np.float32
            np.testing.assert_array_equal(found[module][name], leaf)


# --- our own folder -------------------------------------------------------------------------------


def test_our_folder_goes_round(params, tmp_path):
    segment = dataclasses.replace(CONFIG, lm_head=False, features=("exon", "3UTR"), labels="own_strand")
    weights = models.init_params(segment, 5)
    write_checkpoint(tmp_path / "a", weights, segment, {"steps": 7})
    found = load_checkpoint(tmp_path / "a")
    assert found.config == segment == read_config(tmp_path / "a") and found.details == {"steps": 7}
    assert_same(found.params, weights)
    assert found.size == sum(leaf.size for leaves in weights.values() for leaf in leaves.values())


def test_the_same_weights_give_the_same_bytes(params, tmp_path):
    one = write_checkpoint(tmp_path / "a", params, CONFIG)
    shuffled = {name: dict(reversed(params[name].items())) for name in reversed(params)}
    two = write_checkpoint(tmp_path / "b", shuffled, CONFIG)
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]


def test_float16_halves_the_file_and_loads_as_float32(params, tmp_path):
    full = write_checkpoint(tmp_path / "a", params, CONFIG)[0]
    half = write_checkpoint(tmp_path / "b", params, CONFIG, dtype="float16")[0]
    assert half.stat().st_size < 0.7 * full.stat().st_size
    found = load_checkpoint(tmp_path / "b").params[QUERY]["w"]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, params[QUERY]["w"], rtol=1e-3)


def test_weights_beyond_float16_are_refused(params, tmp_path):
    large = {**params, QUERY: {**params[QUERY], "b": np.full(8, 1e6, np.float32)}}
    with pytest.raises(UserError, match=r"self_attention/query/b: not finite as float16"):
        write_checkpoint(tmp_path / "a", large, CONFIG, dtype="float16")
    assert not (tmp_path / "a").exists()
    write_checkpoint(tmp_path / "a", large, CONFIG)
    with pytest.raises(UserError, match=r"a, esm_transformer/\S+/query/b: not finite as float16"):
        load_checkpoint(tmp_path / "a").load("float16")


# --- published layouts ----------------------------------------------------------------------------


def test_jax_model(params, tmp_path):
    folder = jax_folder(tmp_path, params)
    for path in (folder, folder / "jax_model"):
        found = load_checkpoint(path)
        assert found.config == CONFIG == read_config(path)
        assert_same(found.params, params)
    assert found.files["weights"].name == "pytree_ckpt.joblib"


@pytest.mark.parametrize("kind", ["safetensors", "shards", "bin", "bin_shards"])
def test_torch_side(kind, params, tmp_path):
    found = load_checkpoint(torch_folder(tmp_path / "hf", params, kind))
    assert found.config == CONFIG == read_config(tmp_path / "hf")  # epsilon 1e-5, not the file's 1e-12
    assert_same(found.params, params)
    assert len(found.files) == (3 if kind.endswith("shards") else 2)


def test_layer_norm_eps_can_be_the_torch_side_s(tmp_path):
    assert load_checkpoint(torch_folder(tmp_path / "hf"), 1e-12).config.layer_norm_eps == 1e-12


def test_the_joblib_reader_equals_joblib(tmp_path):
    tree = {
        "m/~/a": {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 2), np.float16)},
        "m/~/b": {"w": np.asfortranarray(np.arange(6.0).reshape(2, 3)), "n": np.array(3, np.int64)},
        "big": {"endian": np.arange(3, dtype=">f4"), "flags": np.array([True, False])},
    }
    joblib.dump(tree, tmp_path / "x.joblib")
    found = read_joblib(tmp_path / "x.joblib")
    for module, leaves in tree.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(found[module][name].read(), leaf)
            assert found[module][name].shape == leaf.shape


def test_a_joblib_file_of_jax_arrays_in_haiku_s_mapping(tmp_path):
    """Long values lie in the file as JAX wrote them, short ones inside a frame of the pickle."""
    short, long = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(40_000, dtype=np.float32)
    tree = {"m": {"w": jnp.asarray(short), "b": jnp.asarray(long).reshape(200, 200)}}
    joblib.dump(hk.data_structures.to_immutable_dict(tree), tmp_path / "x.joblib")
    found = read_joblib(tmp_path / "x.joblib")
    np.testing.assert_array_equal(found["m"]["w"].read(), short)
    np.testing.assert_array_equal(found["m"]["b"].read(), long.reshape(200, 200))
    joblib.dump({"m": {"w": jnp.asarray(short)}}, tmp_path / "old.joblib")  # numpy 1 had another name
    data = re.sub(rb"\x95.{8}", b"", (tmp_path / "old.joblib").read_bytes(), flags=re.DOTALL)  # unframed
    data = data.replace(b"\x16numpy._core.multiarray", b"\x15numpy.core.multiarray")
    (tmp_path / "old.joblib").write_bytes(data)
    np.testing.assert_array_equal(read_joblib(tmp_path / "old.joblib")["m"]["w"].read(), short)


@pytest.mark.parametrize("compress", [3, ("gzip", 3), ("bz2", 3), ("xz", 1), ("lzma", 1)], ids=str)
def test_a_compressed_joblib_file(compress, tmp_path):
    """The 2.5-billion models' joblib files are smaller than their weights: joblib compressed them."""
    generator = np.random.default_rng(0)
    tree = {"m": {"w": generator.standard_normal((300, 40), np.float32), "b": np.zeros(3, np.float32)}}
    joblib.dump(tree, tmp_path / "x.joblib", compress=compress)
    before = set(Path(tempfile.gettempdir()).glob("dnalm-*"))
    found = read_joblib(tmp_path / "x.joblib")
    np.testing.assert_array_equal(found["m"]["w"].read(), tree["m"]["w"])
    np.testing.assert_array_equal(found["m"]["b"].read(), tree["m"]["b"])
    del found
    gc.collect()
    assert set(Path(tempfile.gettempdir()).glob("dnalm-*")) <= before


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_our_safetensors_are_the_library_s_byte_for_byte(dtype, params, tmp_path):
    path = write_checkpoint(tmp_path / "a", params, CONFIG, dtype=dtype)[0]
    tensors = {f"{m}/{n}": leaf.astype(dtype) for m, leaves in params.items() for n, leaf in leaves.items()}
    assert path.read_bytes() == safetensors.numpy.save(tensors)


def test_bfloat16_on_disk_and_every_type_on_the_device(params, tmp_path):
    write_checkpoint(tmp_path / "a", params, CONFIG, dtype="bfloat16")
    found = load_checkpoint(tmp_path / "a")
    expected = params[QUERY]["w"].astype(jnp.bfloat16).astype(np.float32)
    np.testing.assert_array_equal(found.params[QUERY]["w"], expected)
    for dtype in ("float32", "float16", "bfloat16"):
        leaf = found.load(dtype)[QUERY]["w"]
        assert isinstance(leaf, jax.Array) and leaf.dtype == dtype
        np.testing.assert_allclose(np.asarray(leaf, np.float32), expected, rtol=1e-3)


def test_torch_zip_with_half_and_brain_floats(tmp_path):
    values = np.array([[1.0, -2.5], [0.15625, 3e4]], np.float32)  # exact in both
    write_torch_zip(tmp_path / "half.bin", {"x": values.astype(np.float16)}, kind="HalfStorage")
    np.testing.assert_array_equal(read_torch(tmp_path / "half.bin")["x"].read(), values)
    brain = (values[:1].view(np.uint32) >> 16).astype(np.uint16)
    write_torch_zip(tmp_path / "brain.bin", {"x": brain}, kind="BFloat16Storage")
    np.testing.assert_array_equal(read_torch(tmp_path / "brain.bin")["x"].read(), values[:1])
    write_torch_zip(tmp_path / "columns.bin", {"x": np.asfortranarray(values)})  # column-major on the hub
    np.testing.assert_array_equal(read_torch(tmp_path / "columns.bin")["x"].read(), values)


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("esm_transformer/~/embed", "esm_transformer/~/embed"),
        ("esm_transformer/attention_layer_0/~/mha/query", QUERY),
        ("esm_transformer/attention_layer_3/~/mha", "esm_transformer/attention_layer_3/~/self_attention"),
        (
            "esm_transformer/attention_layer_0/~/mha_layer_norm",
            "esm_transformer/attention_layer_0/~/self_attention_layer_norm",
        ),
        (
            "esm_transformer/~/esm_roberta_lm_head/~/lm_final_fc",
            "esm_transformer/~/roberta_lm_head/~/lm_final_fc",
        ),
        ("dcnuc_v2_500M_multi_species/attention_layer_0/~/self_attention/query", QUERY),
        ("u_net_head/~/fc", "u_net_head/~/fc"),
    ],
)
def test_published_names(published, ours):
    assert list(rename_jax({published: {}})) == [ours]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"rescaling_factor": 5001 / 2048, "max_positions": 2048, "features": ["a"]}, {"max_tokens": 5001}),
        ({"key_dim": 6}, {"key_size": 6}),
        ({"use_rotary_embedding": False, "k_for_kmers": 6, "positional_embedding": "learned"},
         {"tokenizer": "v1_6mer", "vocabulary_size": 4105, "positional_embedding": "learned"}),
        ({"features": ["exon"]}, {"features": ("exon",), "labels": "either_strand"}),
    ],
)  # fmt: skip
def test_hyperparams(change, expected, tmp_path):
    (tmp_path / "hyperparams.json").write_text(json.dumps({**HYPERPARAMS, **change}))
    config = read_config(tmp_path)
    assert {name: getattr(config, name) for name in expected} == expected


def test_torch_names_are_complete(params):
    assert len(torch_names(params)) == 3 + sum(len(leaves) for leaves in params.values())


# --- registry -------------------------------------------------------------------------------------


def test_registry_rows_fit_together():
    table = registry.read_models()
    assert list(table.columns) == list(registry.MODEL_COLUMNS) and table["model"].is_unique
    assert {"demo_nt", "demo_segment_nt", "tiny_segment_nt", "segment_nt", "1B_agro_nt"} <= set(
        table["model"]
    )
    for row in table.to_dict("records"):
        assert row["tokenizer"] in NAMES and int(row["max_tokens"]) > 1
        assert bool(row["features"]) == bool(row["labels"]) == bool(row["window_bp"])
        assert bool(row["folder"]) != bool(row["hub_repository"])
        for alias in filter(None, row["aliases"].split(",")):
            assert registry.model_row(alias)["model"] == row["model"]


def test_bundled_checkpoints_are_what_their_rows_say():
    for row in registry.read_models().to_dict("records"):
        folder = registry.REPOSITORY / row["folder"]
        if not row["folder"] or not store.is_stored(folder):
            continue
        config = read_config(folder)
        stated = (row["tokenizer"], int(row["max_tokens"]), int(row["embed_dim"]), int(row["num_layers"]))
        assert stated == (config.tokenizer, config.max_tokens, config.embed_dim, config.num_layers)
        assert ",".join(config.features) == row["features"] and config.labels == row["labels"]


def test_published_revisions_are_those_of_the_known_files():
    known = {(pin.hub_repository, pin.revision) for pin in pins.read_pins()}
    stated = {(row["hub_repository"], row["revision"]) for row in registry.read_models().to_dict("records")}
    assert known <= stated and len(known) == 14  # of DNABERT-3 to 6 no revision is known


def test_models_script_lists_every_model(capsys):
    assert models_script.main([]) == 0
    shown = capsys.readouterr().out
    assert "500M_human_ref" in shown and "bundled" in shown and "2,547,800,585" in shown


# --- what models.tsv says of a checkpoint ---------------------------------------------------------


VOCABULARIES = {"dnabert_2": 4096, "grover": 609}  # of the published files, which are not here


@pytest.mark.parametrize("name", registry.read_models()["model"])
def test_a_row_has_the_parameters_and_memory_of_its_architecture(name):
    row = registry.model_row(name)
    config = expected_config(row, bpe_of_size(VOCABULARIES[name]) if name in VOCABULARIES else "")
    shapes = models.parameter_shapes(config)
    count = sum(math.prod(shape) for leaves in shapes.values() for shape in leaves.values())
    assert int(row["parameters"]) == count
    for precision, width in (("float32", 4), ("bfloat16", 2)):
        window = memory.row_bytes(config, config.max_tokens, precision)
        gigabytes = (count * width + window + 1e9) / 1e9  # weights, one window, JAX itself
        assert float(row[f"memory_gb_{precision}"]) == math.ceil(10 * gigabytes) / 10


ROW = {**registry.model_row("codon_nt"), "max_tokens": "64", "embed_dim": "8", "num_layers": "1"}
ROW |= {"attention_heads": "2", "ffn_embed_dim": "12"}


def test_a_checkpoint_that_is_what_its_row_says():
    other = dataclasses.replace(CONFIG, max_tokens=60)
    assert check_row(CONFIG, ROW, "x") == CONFIG == check_row(other, ROW, "x") == expected_config(ROW)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ({"embed_dim": 16}, r"x, embed_dim: another model than codon_nt \(found 16, expected 8\)"),
        ({"features": ("exon",)}, r"x, features: .*\(found exon, expected \)\. Fetch it again, or correct"),
        ({"token_dropout": True}, r"x, token_dropout: .*\(found True, expected False\)"),
        ({"use_glu_in_ffn": False}, r"x, use_glu_in_ffn: .*\(found False, expected True\)"),
    ],
)
def test_a_checkpoint_that_is_not_what_its_row_says(change, pattern):
    with pytest.raises(UserError, match=pattern):
        check_row(dataclasses.replace(CONFIG, **change), ROW, "x")


def test_an_unknown_family():
    with pytest.raises(UserError, match=r"models\.tsv, codon_nt: unknown family 'bert'"):
        expected_config({**ROW, "family": "bert"})


def fetched_record(folder, tmp_path, model="codon_nt"):
    files = {
        str(path.relative_to(folder)): {
            "bytes": path.stat().st_size,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        }
        for path in folder.rglob("*")
        if path.is_file()
    }
    record = tmp_path / "record.json"
    record.write_text(json.dumps({"model": model, "folder": str(folder), "files": files}))
    return record


def test_the_record_of_a_download(params, tmp_path, monkeypatch):
    monkeypatch.setattr(registry, "model_row", lambda name: {**ROW, "model": name})
    folder = torch_folder(tmp_path / "snapshot", params)
    record = fetched_record(folder, tmp_path)
    jax_folder(folder, models.init_params(CONFIG, 1))  # beside it, but not fetched for this: not looked at
    assert_same(load_checkpoint(record).params, params)
    assert read_config(record) == CONFIG
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(UserError, match=r"changed since it was fetched \(found sha256 \w{12}, expected"):
        load_checkpoint(record)
    weights.write_bytes(data[:-1])
    with pytest.raises(UserError, match=r"model\.safetensors: no longer as fetched \(expected \d+ bytes\)"):
        load_checkpoint(record)
    record.write_text("{}")
    with pytest.raises(UserError, match=r"record\.json: is no record of fetch_checkpoint\.py"):
        load_checkpoint(record)


def test_a_shard_that_is_missing_or_brings_a_tensor_again(params, tmp_path):
    folder = torch_folder(tmp_path / "x", params, "shards")
    first, second = (folder / f"model-0000{n}-of-00002.safetensors" for n in (1, 2))
    data = second.read_bytes()
    second.write_bytes(first.read_bytes())
    with pytest.raises(
        UserError, match=r"model-00002-of-00002\.safetensors: tensor \S+ is in an earlier file too"
    ):
        load_checkpoint(folder)
    second.write_bytes(data)
    first.unlink()
    with pytest.raises(
        UserError, match=r"model-00001-of-00002\.safetensors: not found, but model\.safetensors\.index"
    ):
        load_checkpoint(folder)
