"""A published model in the configuration: planned without a network, fetched from the hub, converted."""

import json
import os
import subprocess
import sys

import pytest
from checkpoint_makers import jax_folder, torch_folder
from hub_server import COMMIT, edit_row, write_pins
from workflow.conftest import copy_checkout, snakemake

from dnalm.checkpoints import load_checkpoint, registry, trust

pytestmark = [pytest.mark.workflow]
MODEL = "codon_nt"
SETTINGS = f"""
species: {{fly_slice: {{genome: resources/demo/tiny/fly_slice.fa.gz}}}}
defaults: {{windows: {{tiles: {{kind: tiles, length_bp: 120, overlap_bp: 0}}}}}}
embeddings: {{tiles: {{model: {MODEL}, windows: tiles}}}}
"""
SIZES = {
    "max_tokens": "64",
    "embed_dim": "8",
    "num_layers": "1",
    "attention_heads": "2",
    "ffn_embed_dim": "12",
}
CONVERTED = f"results/models/{MODEL}/manifest.json"
RECORD = f"results/models/{MODEL}.source.json"


def checkout(folder, revision=""):
    """Copies the workflow; its table says that the model is a small one."""
    folder = copy_checkout(folder)
    edit_row(registry.MODELS, folder / "resources/models.tsv", MODEL, revision=revision, **SIZES)
    (folder / "settings.yaml").write_text(SETTINGS)
    return folder


def run(folder, *words):
    return snakemake(folder, CONVERTED, "--configfile", "settings.yaml", *words)


def test_a_pinned_model(hub, tmp_path):
    folder = checkout(tmp_path / "checkout", COMMIT)
    repository = registry.model_row(MODEL)["hub_repository"]
    origin = jax_folder(tmp_path / "origin")
    names = ("jax_model/hyperparams.json", "jax_model/pytree_ckpt.joblib")
    files = {name: (origin / name).read_bytes() for name in names}
    write_pins(folder / "resources/checkpoints.tsv", repository, COMMIT, files)
    hub.add_repository(repository, COMMIT, files)

    plan = run(folder, "-n")
    assert plan.returncode == 0 and "fetch_checkpoint" in plan.stdout and hub.requests == []
    done = run(folder)
    assert done.returncode == 0, done.stdout[-3000:]
    record = json.loads((folder / RECORD).read_text())
    assert {entry["verified"] for entry in record["files"].values()} == {"pin"}
    assert "licence CC BY-NC-SA 4.0" in (folder / f"results/logs/fetch_checkpoint/{MODEL}.log").read_text()
    assert load_checkpoint(folder / "results/models" / MODEL).config.embed_dim == 8

    hub.forget()
    assert "Nothing to be done" in run(folder).stdout and hub.requests == []


def test_an_unpinned_model(hub, tmp_path):
    folder = checkout(tmp_path / "checkout")
    repository = registry.model_row(MODEL)["hub_repository"]
    hub.add_folder(repository, COMMIT, jax_folder(tmp_path / "origin"))
    refused = run(folder)
    assert refused.returncode == 1 and "is of a format that can carry code" in refused.stdout
    assert (
        f"--accept-unpinned --lock-file {trust.LOCK_FILE}" in refused.stdout
        and "Traceback" not in refused.stdout
    )

    command = [sys.executable, "workflow/scripts/fetch_checkpoint.py", "--model", MODEL, "--accept-unpinned",
               "--lock-file", trust.LOCK_FILE]  # fmt: skip
    by_hand = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=dict(os.environ))
    assert by_hand.returncode == 0, by_hand.stderr
    done = run(folder)
    assert done.returncode == 0, done.stdout[-3000:]
    record = json.loads((folder / RECORD).read_text())
    assert record["revision"] == COMMIT and record["folder"] == by_hand.stdout.splitlines()[-1]
    assert {entry["verified"] for entry in record["files"].values()} == {"lock"}


def test_an_unpinned_safetensors_model_is_trusted_on_first_use(hub, tmp_path):
    folder = checkout(tmp_path / "checkout")
    repository = registry.model_row(MODEL)["hub_repository"]
    hub.add_folder(repository, COMMIT, torch_folder(tmp_path / "origin"))
    done = run(folder)
    assert done.returncode == 0, done.stdout[-3000:]
    recorded = json.loads((folder / trust.LOCK_FILE).read_text())
    assert recorded[repository] == {"revision": COMMIT} and len(recorded) == 3
