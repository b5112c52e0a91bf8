"""run_model.py against PyTorch's outputs on small random weights in every torch-side layout; needs no torch.

`make parity-torch` writes the files anew, by tests/parity_torch, and runs this file on them.
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

HERE = Path(__file__).parent / "torch"
REQUIREMENTS = Path(__file__).parents[2] / "requirements-parity.txt"
PAD = 1
EMBEDDING_ATOL, ATTENTION_ATOL = 2e-5, 1e-5  # as of the published JAX code's goldens
FORMATS = {
    "nt_v1": ("safetensors", "bin_shards"),
    "nt_v1_3mer": (
        "safetensors",
        "safetensors_shards",
        "safetensors_mixed",
        "bin",
        "bin_published",
        "bin_shards",
        "bin_mixed",
    ),
    "agro_nt": ("safetensors_shards",),
    "norm_before": (
        "safetensors",
        "safetensors_float16",
        "safetensors_bfloat16",
        "bin_float16",
        "bin_bfloat16",
        "safetensors_gamma_beta",
    ),
    "nt_v2_3mer": ("safetensors", "bin"),
}
EPS_1E_12 = ("--layer-norm-eps", "1e-12")


def run(folder, golden, tmp_path, *arguments, mask=True):
    np.save(tmp_path / "tokens.npy", golden["tokens"])
    np.save(tmp_path / "mask.npy", golden["attention_mask"])
    argv = ["--checkpoint", str(folder), "--tokens", str(tmp_path / "tokens.npy"), *arguments]
    argv += ["--attention-mask", str(tmp_path / "mask.npy")] if mask else []
    argv += ["--outputs", "embeddings,attention,logits", "--output", str(tmp_path / "out.npz")]
    assert run_model.main(argv) == 0
    return np.load(tmp_path / "out.npz")


def differences(found, golden):
    """Returns the largest difference of each output on valid tokens; torch treats pads otherwise."""
    valid, columns = golden["tokens"] != PAD, golden["logit_columns"]
    largest = {}
    for name in golden.files:
        if name in ("tokens", "attention_mask", "logit_columns"):
            continue
        expected = golden[name]
        if name == "logits_token_1":
            result = found["logits"][:, 1]
        elif name == "logits_columns":
            result, expected = found["logits"][..., columns][valid], expected[valid]
        elif name.startswith("attention_"):
            result, expected = (np.swapaxes(x, 1, 2)[valid] for x in (found[name], expected))
        else:
            result, expected = found[name][valid], expected[valid]
        assert result.shape == expected.shape and np.isfinite(expected).all()
        largest[name] = float(np.abs(result - expected).max())
    return largest


def check(found, golden):
    """Compares every output of a golden file, and prints the worst of each kind."""
    largest = differences(found, golden)
    layers = sum(name.startswith("embeddings_") for name in golden.files)
    assert layers >= 2 and len(largest) == 2 * layers + 2
    kinds = ("embeddings", "attention", "logits")
    worst = {kind: max(value for name, value in largest.items() if name.startswith(kind)) for kind in kinds}
    print(", ".join(f"{kind} {value:.1e}" for kind, value in worst.items()))
    for name, value in largest.items():
        limit = ATTENTION_ATOL if name.startswith("attention") else EMBEDDING_ATOL
        assert value <= limit, f"{name}: {value:.1e} above {limit:.0e}"


@pytest.mark.parametrize(
    ("case", "kind"), [(case, kind) for case, kinds in FORMATS.items() for kind in kinds]
)
def test_every_output_of_every_format(case, kind, tmp_path):
    golden = np.load(HERE / case / "io.npz")
    check(run(HERE / case / kind, golden, tmp_path), golden)


@pytest.mark.parametrize("case", ["nt_v1", "nt_v1_3mer", "agro_nt", "norm_before"])
def test_with_the_mask_that_the_model_makes(case, tmp_path):
    golden = np.load(HERE / case / "io.npz")
    check(run(HERE / case / FORMATS[case][0], golden, tmp_path, mask=False), golden)


def test_with_the_epsilon_of_the_torch_side(tmp_path):
    golden = np.load(HERE / "nt_v1_3mer" / "io_eps_1e-12.npz")
    check(run(HERE / "nt_v1_3mer" / "safetensors", golden, tmp_path, *EPS_1E_12), golden)


@pytest.mark.parametrize("case", ["nt_v1_3mer", "norm_before", "nt_v1", "nt_v2_3mer"])
def test_formats_give_the_same_bits(case):
    first, *others = (load_checkpoint(HERE / case / kind) for kind in FORMATS[case])
    for other in others:
        assert other.config == first.config
        assert {module: set(leaves) for module, leaves in other.params.items()} == {
            module: set(leaves) for module, leaves in first.params.items()
        }
        for module, leaves in first.params.items():
            for name, leaf in leaves.items():
                found = np.asarray(other.params[module][name])
                assert found.dtype == np.float32
                assert np.array_equal(found.view(np.uint32), np.asarray(leaf).view(np.uint32)), (module, name)


def test_the_comparison_sees_another_epsilon(tmp_path):
    golden = np.load(HERE / "nt_v1_3mer" / "io.npz")
    found = run(HERE / "nt_v1_3mer" / "safetensors", golden, tmp_path, *EPS_1E_12)
    with pytest.raises(AssertionError, match=r"(embeddings|logits)_\w+: .* above 2e-05"):
        check(found, golden)
    assert max(differences(found, golden).values()) < 1e-2


@pytest.mark.parametrize(
    "name",
    [
        "esm.encoder.layer.1.attention.self.query.weight",
        "esm.encoder.layer.0.attention.output.dense.weight",
        "lm_head.dense.weight",
    ],
)
def test_the_comparison_sees_a_transposed_matrix(name, tmp_path):
    folder = tmp_path / "transposed"
    shutil.copytree(HERE / "nt_v1_3mer" / "safetensors", folder)
    tensors = load_file(folder / "model.safetensors")
    tensors[name] = np.ascontiguousarray(tensors[name].T)
    save_file(tensors, folder / "model.safetensors")
    golden = np.load(HERE / "nt_v1_3mer" / "io.npz")
    found = run(folder, golden, tmp_path)
    with pytest.raises(AssertionError, match="above"):
        check(found, golden)
    assert max(differences(found, golden).values()) > 0.1


def test_the_comparison_sees_tied_embeddings(tmp_path):
    """The published models are not tied: the decoder's matrix is its own."""
    folder = tmp_path / "tied"
    shutil.copytree(HERE / "nt_v1_3mer" / "safetensors", folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.decoder.weight"] = tensors["esm.embeddings.word_embeddings.weight"]
    save_file(tensors, folder / "model.safetensors")
    golden = np.load(HERE / "nt_v1_3mer" / "io.npz")
    with pytest.raises(AssertionError, match=r"logits_\w+: .* above"):
        check(run(folder, golden, tmp_path), golden)


def test_goldens_are_of_the_pinned_versions():
    record = json.loads((HERE / "goldens.json").read_text())
    pins = dict(re.findall(r"^([\w-]+)==([\w.]+)", REQUIREMENTS.read_text(), re.M))
    for package in ("torch", "transformers", "numpy"):
        assert record["versions"][package].partition("+")[0] == pins[package]
    written = {case: set(entry["formats"]) for case, entry in record["cases"].items()}
    tested = {case: set(kinds) for case, kinds in FORMATS.items()}
    assert written == tested
