"""verify.py on the goldens' small random weights, whose outputs the published code computed."""

import csv
import shutil
from pathlib import Path

import convert_checkpoint
import joblib
import numpy as np
import pytest
import verify as verify_script
from checkpoint_makers import jax_folder

from dnalm.checkpoints import load_checkpoint, pins, registry, verification
from dnalm.checkpoints.verification import verify
from dnalm.errors import UserError
from dnalm.files import sha256_of
from dnalm.tokens import tokenizer

GOLDEN = Path(__file__).parents[1] / "golden" / "codon_nt"
REPOSITORY, REVISION = "InstaDeepAI/codon", "0" * 40


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(GOLDEN / "jax_model", tmp_path / "mine" / "jax_model")).parent


@pytest.fixture(autouse=True)
def tables(tmp_path, monkeypatch):
    """Tables in which the golden checkpoint is a published one with known outputs."""
    row = {**registry.model_row("codon_nt"), "max_tokens": "512", "embed_dim": "64", "num_layers": "4"}
    row |= {"attention_heads": "4", "ffn_embed_dim": "96", "hub_repository": REPOSITORY, "revision": REVISION}
    row |= {"parameters": str(sum(leaf.size for leaf in leaves()))}
    write(tmp_path / "models.tsv", [row])
    weights = GOLDEN / "jax_model" / "pytree_ckpt.joblib"
    pin = {"hub_repository": REPOSITORY, "revision": REVISION, "file": f"jax_model/{weights.name}"}
    write(tmp_path / "pins.tsv", [{**pin, "bytes": weights.stat().st_size, "sha256": sha256_of(weights)}])
    golden = np.load(GOLDEN / "io.npz")
    number = int(np.argmax((golden["a_tokens"] != 1).sum(axis=1)))
    valid = golden["a_tokens"][number] != 1
    mean = golden["a_embeddings_4"][number][valid].mean(axis=0)
    logits = golden["a_logits"][number][2].astype(np.float64)
    token = int(golden["a_tokens"][number][2])
    probability = np.exp(logits[token]) / np.exp(logits).sum()
    vocabulary = tokenizer("v2_3mer").vocabulary
    sequence = str(golden["sequences"][number])
    common = {"model": "codon_nt", "sequence": sequence, "layer_norm_eps": "1e-5", "source": "golden"}
    figures = [
        {"measure": "mean_embedding", "token": "", "norm": f"{np.linalg.norm(mean):.6f}",
         "values": ",".join(f"{value:.7f}" for value in mean[:8]), "tolerance": "1e-05", **common},
        {"measure": "token_probability", "token": f"2:{vocabulary[token]}", "norm": "",
         "values": f"{probability:.6f}", "tolerance": "1e-05", **common},
    ]  # fmt: skip
    write(tmp_path / "figures.tsv", figures)
    monkeypatch.setattr(registry, "MODELS", tmp_path / "models.tsv")
    monkeypatch.setattr(pins, "PINS", tmp_path / "pins.tsv")
    monkeypatch.setattr(verification, "FIGURES", tmp_path / "figures.tsv")
    return tmp_path


def leaves():
    return [leaf for module in load_checkpoint(GOLDEN).params.values() for leaf in module.values()]


def write(path, rows):
    with open(path, "w", newline="") as handle:
        writer = csv.DictWriter(handle, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


def outcomes(source, **options):
    return [(finding.check, finding.outcome) for finding in verify(source, **options)]


GOOD = [
    ("shapes", "ok"),
    ("file", "not known"),  # its hyperparams.json is not pinned
    ("file", "ok"),
    ("hyperparameters", "ok"),
    ("parameter count", "ok"),
    ("values", "ok"),
    ("mean embedding", "ok"),
    ("token probability", "ok"),
]


def test_a_folder_that_the_user_has_is_known_by_its_sha256(folder, capsys):
    assert outcomes(folder) == GOOD
    assert outcomes(folder, run=False) == GOOD[:-2]
    assert verify_script.main([str(folder), "--device", "cpu"]) == 0
    shown = capsys.readouterr().out
    assert "as published, InstaDeepAI/codon at 000000000000" in shown and "largest difference" in shown


def test_after_conversion_the_manifest_says_where_it_came_from(folder, tmp_path):
    assert convert_checkpoint.main(["--checkpoint", str(folder), "--output-dir", str(tmp_path / "c")]) == 0
    found = outcomes(tmp_path / "c")
    assert found == [("shapes", "ok"), ("file", "ok"), ("file", "ok"), ("source", "ok"), *GOOD[3:]]
    weights = tmp_path / "c" / "params.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    assert ("file", "FAILED") in outcomes(tmp_path / "c", run=False)


def test_other_weights_of_the_same_architecture_fail_the_figures(folder, capsys):
    weights = folder / "jax_model" / "pytree_ckpt.joblib"
    params = {m: dict(p) for m, p in joblib.load(weights).items()}
    name = next(module for module in params if module.endswith("lm_final_fc"))
    params[name]["b"] = params[name]["b"] + np.linspace(0, 1, 75, dtype=np.float32)
    other = jax_folder(folder.parent / "other", params, None)
    shutil.copy(folder / "jax_model" / "hyperparams.json", other / "jax_model" / "hyperparams.json")
    found = dict(outcomes(other))
    assert found["hyperparameters"] == found["mean embedding"] == "ok"  # one model has this architecture
    assert found["token probability"] == "FAILED" and found["file"] == "not known"
    assert verify_script.main([str(other), "--device", "cpu"]) == 2
    assert "1 checks failed (above)" in capsys.readouterr().err


def test_another_architecture(folder, tmp_path):
    found = list(verify(Path(__file__).parents[1] / "golden" / "segment_nt"))
    assert found[-2].outcome == "not known" and found[-2].detail.startswith("of this architecture: none")
    found = dict(outcomes(Path(__file__).parents[1] / "golden" / "segment_nt", model="codon_nt", run=False))
    assert found["hyperparameters"] == found["parameter count"] == "FAILED"


def test_values_that_are_not_finite(folder, tmp_path):
    weights = folder / "jax_model" / "pytree_ckpt.joblib"
    params = joblib.load(weights)
    params["esm_transformer/~/embed"]["embeddings"][3, 5] = np.nan
    joblib.dump(params, weights)
    found = {finding.check: finding for finding in verify(folder, model="codon_nt", run=False)}
    assert found["values"].outcome == "FAILED" and "embed/embeddings: holds NaN" in found["values"].detail


def test_no_checkpoint_at_all(tmp_path, capsys):
    with pytest.raises(UserError, match=r"no checkpoint in this folder"):
        list(verify(tmp_path))
    assert verify_script.main(["unheard_of", "--device", "cpu"]) == 2
    assert "neither a folder nor a registered model" in capsys.readouterr().err


def test_the_figures_of_real_weights_are_of_registered_models():
    names = {row["model"] for row in registry.read_rows(registry.REPOSITORY / "resources" / "models.tsv")}
    figures = verification.read_figures(registry.REPOSITORY / "resources/published/reference_figures.tsv")
    assert {figure["model"] for figure in figures} <= names and len(figures) == 17
    for figure in figures:
        count = len([float(value) for value in figure["values"].split(",")])
        assert count == (8 if figure["measure"] == "mean_embedding" else 1)
