"""run_model.py against PyTorch on small random DNABERT, GROVER and DNABERT-2 checkpoints; needs no torch.

`make parity-torch` writes them anew (tests/parity_torch/write_bert_goldens.py) and runs this file on them.
"""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import run_model
from safetensors.numpy import load_file, save_file

from dnalm.checkpoints import load_checkpoint

HERE = Path(__file__).parent / "bert"
REQUIREMENTS = Path(__file__).parents[2] / "requirements-parity.txt"
ATOL = {"embeddings": 2e-5, "attention": 1e-5, "logits": 2e-5}
CASES = ("dnabert_3", "dnabert_6", "grover", "dnabert_2")


def differences(folder, golden, tmp_path):
    """Returns the largest difference of each output on tokens that are no padding."""
    pad = load_checkpoint(folder).config.tokens.pad_id
    np.save(tmp_path / "tokens.npy", golden["tokens"])
    argv = ["--checkpoint", str(folder), "--tokens", str(tmp_path / "tokens.npy")]
    argv += ["--outputs", "embeddings,attention,logits", "--output", str(tmp_path / "out.npz")]
    assert run_model.main(argv) == 0
    found, every = np.load(tmp_path / "out.npz"), int(golden["every"])
    valid = (golden["tokens"] != pad)[:, ::every]
    largest = {}
    for name in golden.files:
        if name in ("tokens", "every"):
            continue
        result = found[name][:, ::every]
        expected = golden[name]
        if name.startswith("attention"):
            result = np.swapaxes(found[name][:, :, ::every, ::every], 1, 2)
            expected = np.swapaxes(expected, 1, 2)
        if name == "logits":
            result = result[..., : expected.shape[-1]]
        assert result.shape == expected.shape and np.isfinite(expected).all()
        largest[name] = float(np.abs(result - expected)[valid].max())
    return largest


def check(largest):
    worst = {kind: max(v for name, v in largest.items() if name.startswith(kind)) for kind in ATOL}
    print(", ".join(f"{kind} {value:.1e}" for kind, value in worst.items()))
    for kind, value in worst.items():
        assert value <= ATOL[kind], f"{kind}: {value:.1e} above {ATOL[kind]:.0e}"


@pytest.mark.parametrize("case", CASES)
def test_every_output(case, tmp_path):
    largest = differences(HERE / case, np.load(HERE / case / "io.npz"), tmp_path)
    assert len(largest) >= 5
    check(largest)


def test_1500_tokens_with_linear_biases(tmp_path):
    check(differences(HERE / "dnabert_2", np.load(HERE / "dnabert_2" / "io_long.npz"), tmp_path))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [("config.json", "layer_norm_eps", 1e-5), ("config.json", "hidden_act", "relu")],
)
def test_the_comparison_sees_another_setting(file, key, value, tmp_path):
    shutil.copytree(HERE / "dnabert_3", tmp_path / "other")
    record = json.loads((tmp_path / "other" / file).read_text())
    (tmp_path / "other" / file).write_text(json.dumps({**record, key: value}))
    with pytest.raises(AssertionError, match="above"):
        check(differences(tmp_path / "other", np.load(HERE / "dnabert_3" / "io.npz"), tmp_path))


def test_the_decoder_is_tied_and_what_the_file_has_of_it_is_not_used(tmp_path):
    shutil.copytree(HERE / "grover", tmp_path / "other")
    tensors = load_file(tmp_path / "other" / "model.safetensors")
    tensors["cls.predictions.decoder.weight"] = np.zeros_like(
        tensors["bert.embeddings.word_embeddings.weight"]
    )
    save_file(tensors, tmp_path / "other" / "model.safetensors")
    check(differences(tmp_path / "other", np.load(HERE / "grover" / "io.npz"), tmp_path))


def test_a_transposed_or_misplaced_matrix_is_seen(tmp_path):
    shutil.copytree(HERE / "grover", tmp_path / "other")
    path = tmp_path / "other" / "model.safetensors"
    tensors = load_file(path)
    one, other = (f"bert.encoder.layer.1.attention.self.{name}.weight" for name in ("query", "key"))
    save_file({**tensors, one: tensors[other], other: tensors[one]}, path)
    with pytest.raises(AssertionError, match="above"):
        check(differences(tmp_path / "other", np.load(HERE / "grover" / "io.npz"), tmp_path))


def test_sequences_to_the_embeddings_of_bases(tmp_path):
    (tmp_path / "x.txt").write_text("ACGTNACGTTA\nacgta\n")
    argv = ["--checkpoint", str(HERE / "dnabert_3"), "--sequences", str(tmp_path / "x.txt"), "--per-base"]
    assert run_model.main([*argv, "--layers", "2", "--output", str(tmp_path / "out.npz")]) == 0
    found = np.load(tmp_path / "out.npz")
    tokens, bases = found["embeddings_2"], found["base_embeddings_2"]
    assert tokens.shape == (2, 11, 24) and bases.shape == (2, 11, 24)
    np.testing.assert_array_equal(bases[0, 4], tokens[0, 4])  # base 4: the k-mer from 3, after [CLS]
    np.testing.assert_array_equal(bases[1, :5], tokens[1, [1, 1, 2, 3, 3]])
    assert np.isnan(bases[1, 5:]).all() and np.isfinite(bases[0]).all()


def test_goldens_are_of_the_pinned_versions():
    record = json.loads((HERE / "goldens.json").read_text())
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", REQUIREMENTS.read_text(), re.M))
    for package in ("torch", "transformers", "numpy"):
        assert record["versions"][package].partition("+")[0] == pins[package]
    assert set(record["cases"]) == set(CASES)
