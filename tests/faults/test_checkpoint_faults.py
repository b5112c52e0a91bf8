"""Broken and hostile checkpoints and inputs: one clear line, exit status 2, nothing run, nothing written."""

import json
import lzma
import pickle
import re
import zipfile
import zlib

import convert_checkpoint
import numpy as np
import pytest
import run_model
from checkpoint_makers import (
    CONFIG,
    HYPERPARAMS,
    QUERY,
    TORCH_CONFIG,
    jax_folder,
    torch_folder,
    torch_names,
    write_torch_zip,
)
from safetensors.numpy import save_file
from step_faults import assert_refused

from dnalm import models
from dnalm.checkpoints import pins, write_checkpoint


@pytest.fixture(scope="module")
def params():
    return models.init_params(CONFIG, 0)


def refuse(folder, pattern, tmp_path, capsys):
    """Converts a folder and checks that it is refused in one line with nothing written."""
    capsys.readouterr()
    target = tmp_path / "converted"
    assert convert_checkpoint.main(["--checkpoint", str(folder), "--output-dir", str(target)]) == 2
    errors = capsys.readouterr().err
    line = errors.rstrip("\n").splitlines()[-1]
    assert re.search(pattern, line), line
    assert "Traceback" not in errors and not target.exists()


# --- damaged files --------------------------------------------------------------------------------

DAMAGED = {
    "empty": (lambda data: b"", r"pytree_ckpt\.joblib: .*empty \(0 bytes\)"),
    "html": (lambda data: b"<!DOCTYPE html><html>404", r"no joblib file: a web page \(HTML\)"),
    "lfs": (
        lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        r"no joblib file: a git-lfs pointer",
    ),
    "gzip": (lambda data: b"\x1f\x8b\x08\x00" + data, r"truncated or damaged \(Error -"),
    "zlib": (lambda data: b"\x78\x9c" + data, r"truncated or damaged \(Error -"),
    "cut_zlib": (lambda data: zlib.compress(data)[:-50], r"truncated or damaged \(the stream ends early\)"),
    "zlib_of_text": (lambda data: zlib.compress(b"hello"), r"no joblib file: a compressed file"),
    "cut_xz": (lambda data: lzma.compress(data)[:-50], r"truncated or damaged \(Compressed file ended"),
    "bz2_damaged": (lambda data: b"BZh9" + data, r"truncated or damaged \(Invalid data stream\)"),
    "lz4": (lambda data: b"\x04\x22\x4d\x18" + data, r"is compressed with lz4\. Unpack it"),
    "bomb": (lambda data: zlib.compress(bytes(1 << 25)), r"refused: grows to more than 8 times its size"),
    "text": (lambda data: b"hello", r"no joblib file: unknown content"),
    "cut_in_an_array": (lambda data: data[:-2000], r"truncated or damaged \(EOFError"),
    "cut_in_the_pickle": (lambda data: data[:60], r"truncated or damaged"),
    "one_byte": (lambda data: data[:1], r"truncated or damaged"),
    "another_tree": (lambda data: pickle.dumps([1, 2], 4), r"holds a list, expected a dictionary of modules"),
    "another_leaf": (lambda data: pickle.dumps({"m": {"w": 1}}, 4), r"module m holds other things"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_joblib_file(name, params, tmp_path, capsys):
    damage, pattern = DAMAGED[name]
    folder = jax_folder(tmp_path / "x", params)
    path = folder / "jax_model" / "pytree_ckpt.joblib"
    path.write_bytes(damage(path.read_bytes()))
    refuse(folder, pattern, tmp_path, capsys)


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda data: data[:-100], r"model\.safetensors: no usable safetensors file: damaged or truncated"),
        (lambda data: data[:5], r"no usable safetensors file"),
        (lambda data: b"<html>", r"no usable safetensors file: a web page"),
        (lambda data: b"\xff" * 8 + data[8:], r"no usable safetensors file"),
        (lambda data: data[:8] + b"[" + data[9:], r"no usable safetensors file"),
    ],
    ids=["cut", "cut_header", "html", "huge_header", "no_json"],
)
def test_a_damaged_safetensors_file(damage, pattern, params, tmp_path, capsys):
    folder = torch_folder(tmp_path / "x", params)
    path = folder / "model.safetensors"
    path.write_bytes(damage(path.read_bytes()))
    refuse(folder, pattern, tmp_path, capsys)


@pytest.mark.parametrize("name", ["cut", "bit", "old_format", "compressed", "beyond"])
def test_a_damaged_torch_file(name, params, tmp_path, capsys):
    folder = torch_folder(tmp_path / "x", params, "bin")
    path = folder / "pytorch_model.bin"
    data = path.read_bytes()
    if name == "cut":
        path.write_bytes(data[: len(data) // 2])
        pattern = r"no torch zip file: unknown content or truncated"
    elif name == "bit":
        at = data.index(params[QUERY]["w"].tobytes()) + 5
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        pattern = r"no torch zip file"  # the zip's own checksum
    elif name == "old_format":
        path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, 2))
        pattern = r"no torch zip file"
    elif name == "compressed":
        write_torch_zip(path, torch_names(params), zipfile.ZIP_DEFLATED)
        pattern = r"refused: a compressed member"
    else:
        write_torch_zip(path, {"x": np.zeros((1 << 10, 1 << 10), np.float32)[:1]}, kind="DoubleStorage")
        pattern = r"truncated or damaged \(ValueError tensor of shape \(1, 1024\) reaches beyond"
    refuse(folder, pattern, tmp_path, capsys)


def test_a_flipped_bit_in_a_published_file_is_told(params, tmp_path, capsys, monkeypatch):
    folder = jax_folder(tmp_path / "x", params)
    path = folder / "jax_model" / "pytree_ckpt.joblib"
    table = tmp_path / "checkpoints.tsv"
    table.write_text(
        "hub_repository\trevision\tfile\tbytes\tsha256\n"
        f"a/b\tc\tjax_model/{path.name}\t{path.stat().st_size}\t{'0' * 64}\n"
    )
    monkeypatch.setattr(pins, "PINS", table)
    target = tmp_path / "converted"
    assert convert_checkpoint.main(["--checkpoint", str(folder), "--output-dir", str(target)]) == 0
    assert re.search(
        r"has the size of the file in a/b but another content \(sha256 \w{12}, there 0{12}\): damaged, or",
        capsys.readouterr().err,
    )


# --- weights and settings that do not belong together ---------------------------------------------


def changed(params, name):
    leaf = params[QUERY]["w"]
    return {
        "missing": {k: v for k, v in params.items() if k != QUERY},
        "extra": {**params, QUERY.replace("layer_0", "layer_1"): params[QUERY]},
        "transposed": {**params, QUERY: {**params[QUERY], "w": leaf[:4]}},
        "nan": {**params, QUERY: {**params[QUERY], "w": np.full_like(leaf, np.nan)}},
    }[name]


PARAMETERS = {
    "missing": r"self_attention/query/b: parameter missing \(expected shape \(8,\)\)",
    "extra": r"attention_layer_1/~/self_attention/query/b: unexpected parameter \(found shape \(8,\)\)",
    "transposed": r"query/w: wrong shape \(found \(4, 8\), expected \(8, 8\)\)",
    "nan": r"query/w: holds NaN or infinite values",
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_weights_that_do_not_fit(name, params, tmp_path, capsys):
    folder = jax_folder(tmp_path / "x", changed(params, name))
    refuse(folder, PARAMETERS[name], tmp_path, capsys)


SETTINGS = {
    "key": ({"num_layers": None}, r"hyperparams\.json: entry 'num_layers' missing"),
    "other_size": ({"embed_dim": 16}, r"wrong shape"),
    "other_depth": ({"num_layers": 2}, r"attention_layer_1/~/fc1/w: parameter missing"),
    "other_k": ({"k_for_kmers": 4}, r"k_for_kmers 4 with rotary positions not known"),
    "kind": ({"num_layers": "many"}, r"hyperparams\.json: an entry is of the wrong kind"),
    "activation": ({"ffn_activation_name": "tanh"}, r"ffn_activation: 'tanh' does not fit"),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_that_do_not_fit(name, params, tmp_path, capsys):
    change, pattern = SETTINGS[name]
    settings = {k: v for k, v in {**HYPERPARAMS, **change}.items() if v is not None}
    refuse(jax_folder(tmp_path / "x", params, settings), pattern, tmp_path, capsys)


def test_torch_side_settings_and_names(params, tmp_path, capsys):
    folder = torch_folder(tmp_path / "x", params)
    (folder / "config.json").write_text(json.dumps({**TORCH_CONFIG, "vocab_size": 33}))
    refuse(folder, r"vocabulary of 33 tokens \(expected one of \[75, 4105, 4107\]\)", tmp_path, capsys)
    (folder / "config.json").write_text("[1]")
    refuse(folder, r"config\.json: holds a list, expected settings by name", tmp_path, capsys)
    (folder / "config.json").write_text(json.dumps(TORCH_CONFIG))
    save_file({**torch_names(params), "bert.pooler.weight": np.zeros(2)}, folder / "model.safetensors")
    refuse(folder, r"tensor bert\.pooler\.weight is no part of a known model", tmp_path, capsys)
    (folder / "model.safetensors").unlink()
    refuse(folder, r"no weights \(expected model\.safetensors or pytorch_model\.bin\)", tmp_path, capsys)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"x": "../other.safetensors"}}))
    refuse(folder, r"names no \.safetensors files of its own folder \(found '\.\./other", tmp_path, capsys)


def test_our_own_folder_damaged(params, tmp_path, capsys):
    folder = tmp_path / "x"
    write_checkpoint(folder, params, CONFIG)
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"model": {**record["model"], "depth": 1}}))
    refuse(folder, r"config\.json: unknown keys \['depth'\]", tmp_path, capsys)
    (folder / "config.json").write_text("{}")
    refuse(folder, r"config\.json: has no entry `model`", tmp_path, capsys)
    (folder / "config.json").unlink()
    refuse(folder, r"config\.json: file not found", tmp_path, capsys)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("segment_nt", r"segment_nt: its files are not here \(expected a folder with InstaDeepAI/segment"),
        ("InstaDeepAI/nucleotide-transformer-v2-50m-multi-species", r"at revision 81b29e5786726d891dbf\w+"),
        ("segmnt_nt", r"neither a folder nor a registered model \(nearest: segment_nt"),
        (__file__, r"is a file, expected a checkpoint's folder"),
    ],
)
def test_where_no_checkpoint_is(name, pattern, tmp_path, capsys):
    refuse(name, pattern, tmp_path, capsys)


def test_an_empty_folder(tmp_path, capsys):
    (tmp_path / "x").mkdir()
    refuse(tmp_path / "x", r"no checkpoint in this folder \(expected jax_model/", tmp_path, capsys)


# --- run_model.py ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def checkpoint(params, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint")
    write_checkpoint(folder, params, CONFIG)
    return folder


GOOD = "ACGTACGTACGT\n"
SEQUENCES = {
    "layer_0": (GOOD, ["--layers", "0"], r"--layers: no layer '0' \(expected 1 to 1, or all\)"),
    "layer_2": (GOOD, ["--layers", "1,2"], r"--layers: no layer '2' \(expected 1 to 1, or all\)"),
    "layer_word": (GOOD, ["--layers", "last"], r"--layers: no layer 'last'"),
    "output": (GOOD, ["--outputs", "embedding"], r"--outputs: 'embedding' not known"),
    "no_head": (GOOD, ["--outputs", "segmentation"], r"this checkpoint has no segmentation head"),
    "rescaling": (GOOD, ["--rescaling-factor", "0"], r"--rescaling-factor: 0\.0 with rotary positions"),
    "rescaling_nan": (GOOD, ["--rescaling-factor", "nan"], r"--rescaling-factor: nan with rotary"),
    "batch_size": (GOOD, ["--batch-size", "0"], r"--batch-size: found 0, expected at least 1"),
    "too_long": (
        GOOD + "ACG" * 64,
        [],
        r"line 2: window too long for the model \(found 65 tokens, expected at most 64\)",
    ),
    "n_breaks_kmers": ("ACNACG" * 20, [], r"line 1: window too long for the model \(found 81 tokens"),
    "lower_case": (GOOD + "ACGacg", [], r"txt, line 2, position 3: token 'acg' not found in the vocab"),
    "iupac": ("ACGRTA", [], r"txt, line 1, position 3: token 'RTA'"),
    "fasta_lower": (">c1 x\nACG\n>c2\nACGaa\n", [], r"txt, c2, position 3: token 'a' not found"),
    "fasta_duplicate": (">c1\nACG\n>c1\nACG\n", [], r"txt:3: duplicate contig name 'c1'"),
    "empty_line": ("ACG\n\nACG\n", [], r"txt:2: empty line between sequences"),
    "blank": ("\n", [], r"txt: holds no sequences"),
    "empty": ("", [], r"txt: file of sequences is empty"),
    "device": (GOOD, ["--device", "tpu"], r"device tpu: not available"),
}


@pytest.mark.parametrize("name", SEQUENCES)
def test_run_model_refuses_sequences(name, checkpoint, tmp_path, capsys):
    text, arguments, pattern = SEQUENCES[name]
    path = tmp_path / "sequences.txt"
    path.write_text(text)
    argv = ["--checkpoint", checkpoint, "--sequences", path, *arguments]
    assert_refused("run_model", argv, tmp_path / "out" / "x.npz", pattern, capsys)


def test_lower_case_is_taken_when_asked_for(checkpoint, tmp_path):
    found = []
    for text, words in (("ACGACGn\n", ["--lower-case"]), ("ACGACGN\n", [])):
        (tmp_path / "one.txt").write_text(text)
        argv = ["--checkpoint", str(checkpoint), "--sequences", str(tmp_path / "one.txt"), *words]
        assert run_model.main([*argv, "--output", str(tmp_path / "x.npz")]) == 0
        found.append(np.load(tmp_path / "x.npz")["embeddings_1"])
    np.testing.assert_array_equal(*found)


TOKENS = {
    "floats": (np.zeros((1, 4)), None, r"found float64 of shape \(1, 4\), expected integers \(B,T\)"),
    "flat": (np.zeros(4, int), None, r"found int64 of shape \(4,\)"),
    "no_rows": (np.zeros((0, 4), int), None, r"found int64 of shape \(0, 4\)"),
    "unknown_id": (np.array([[3, 75]]), None, r"tokens: ids 3 to 75 \(expected 0 to 74\)"),
    "wrapped_id": (np.array([[3, 2**32 + 6]]), None, r"tokens: ids 3 to 2147483647"),
    "too_long": (np.full((2, 65), 6), None, r"row 1: window too long for the model \(found 65 tokens"),
    "objects": (np.array([[3, None]], dtype=object), None, r"no \.npy file of numbers \(Object arrays"),
    "mask_shape": (
        np.array([[3, 6]]),
        np.ones((1, 2, 2), bool),
        r"found bool of shape \(1, 2, 2\), expected bool \(1, 1, 2, 2\)",
    ),
    "mask_type": (np.array([[3, 6]]), np.ones((1, 1, 2, 2)), r"found float64 of shape \(1, 1, 2, 2\)"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_run_model_refuses_tokens(name, checkpoint, tmp_path, capsys):
    tokens, mask, pattern = TOKENS[name]
    np.save(tmp_path / "tokens.npy", tokens)
    argv = ["--checkpoint", checkpoint, "--tokens", tmp_path / "tokens.npy"]
    if mask is not None:
        np.save(tmp_path / "mask.npy", mask)
        argv += ["--attention-mask", tmp_path / "mask.npy"]
    assert_refused("run_model", argv, tmp_path / "out" / "x.npz", pattern, capsys)
