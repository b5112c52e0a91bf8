"""Published checkpoints from a hub on this machine: which files, what makes them trusted, what is said."""

import hashlib
import json
import logging
import os
import re
import shutil
import subprocess
from pathlib import Path

import fetch_checkpoint as script
import numpy as np
import pytest
from checkpoint_makers import CONFIG, jax_folder, torch_folder
from hub_server import COMMIT, FLIP, HubServer, edit_row, with_table, without_pauses, write_pins

from dnalm import models
from dnalm.checkpoints import layouts, load_checkpoint, pins, registry, trust
from dnalm.checkpoints.fetch import fetch_checkpoint, pin_rows
from dnalm.errors import UserError

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "workflow" / "scripts" / "fetch_checkpoint.py"
UNPINNED = registry.model_row("500M_multi_species_v2")
MODEL, REPOSITORY = "a_model", "InstaDeepAI/a_model"
OTHER = "f" * 40
CONFIG_JSON, TABLE, WEIGHTS = b'{"a": 1}', b'{"k": 3}', b"weights " * 5000
INDEX = json.dumps({"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}).encode()
BIN_INDEX = INDEX.replace(b"safetensors", b"bin")
SAFETENSORS = {"config.json": CONFIG_JSON, "model.safetensors": WEIGHTS}
SHARDS = {
    "config.json": CONFIG_JSON,
    "model.safetensors.index.json": INDEX,
    "model-1.safetensors": b"one",
    "model-2.safetensors": b"two",
}
JAX = {"jax_model/hyperparams.json": TABLE, "jax_model/pytree_ckpt.joblib": WEIGHTS}
BIN = {"config.json": CONFIG_JSON, "pytorch_model.bin": WEIGHTS}
BIN_SHARDS = {name.replace("model.safe", "pytorch_model.safe").replace("safetensors", "bin"): content
              for name, content in SHARDS.items()} | {"pytorch_model.bin.index.json": BIN_INDEX}  # fmt: skip
VOCABULARY = {"vocab.txt": b"A\n", "README.md": b"# A model\n"}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub without repositories, and a registered model of it without a revision."""
    row = {"model": MODEL, "hub_repository": REPOSITORY, "revision": ""}
    table = edit_row(registry.MODELS, tmp_path / "models.tsv", "segment_nt", **row)
    monkeypatch.setattr(registry, "MODELS", table)
    without_pauses(monkeypatch)
    with HubServer() as hub:
        yield hub


@pytest.fixture
def fetch(hub, tmp_path):
    def fetch(name=MODEL, **options):
        place = {"cache_dir": tmp_path / "cache", "endpoint": hub.url, "lock_file": tmp_path / "lock.json"}
        return fetch_checkpoint(name, **{**place, **options})

    return fetch


def pinned(monkeypatch, tmp_path, files, model=MODEL):
    """Gives the model a revision, and pins its files."""
    table = edit_row(registry.MODELS, tmp_path / "pinned.tsv", model, revision=COMMIT)
    monkeypatch.setattr(registry, "MODELS", table)
    monkeypatch.setattr(pins, "PINS", write_pins(tmp_path / "pins.tsv", REPOSITORY, COMMIT, files))


# --- which files ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layout", "there", "taken"),
    [
        ("auto", SAFETENSORS | SHARDS | JAX | BIN, SAFETENSORS),
        ("auto", SHARDS | JAX | BIN, SHARDS),
        ("auto", JAX | BIN | BIN_SHARDS, JAX),
        ("auto", BIN | BIN_SHARDS, BIN),
        ("auto", BIN_SHARDS, BIN_SHARDS),
        ("auto", {"model.safetensors": WEIGHTS} | JAX, JAX),  # no settings beside the weights
        ("safetensors", SHARDS | JAX, SHARDS),
        ("jax", SAFETENSORS | JAX, JAX),
        ("bin", SAFETENSORS | BIN_SHARDS, BIN_SHARDS),
    ],
)
def test_which_files(hub, fetch, layout, there, taken):
    hub.add_repository(REPOSITORY, COMMIT, there | VOCABULARY)
    record = fetch(layout=layout, accept_unpinned=True)
    assert set(record["files"]) == set(taken)
    folder = Path(record["folder"])
    assert folder.is_absolute() and folder.name == COMMIT
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
    assert found == taken


@pytest.mark.parametrize(
    ("files", "layout"), [(JAX, "auto"), (BIN_SHARDS, "auto"), (SAFETENSORS, "safetensors")]
)
def test_of_a_pinned_model_the_pinned_files_without_probing(hub, fetch, monkeypatch, tmp_path, files, layout):
    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS | JAX | BIN_SHARDS)
    pinned(monkeypatch, tmp_path, files)
    record = fetch(layout=layout)
    assert {name: entry["verified"] for name, entry in record["files"].items()} == dict.fromkeys(files, "pin")
    assert {path.rpartition(f"{COMMIT}/")[2].partition("?")[0] for _, path in hub.requests} == set(files)
    assert not (tmp_path / "lock.json").exists() and pin_rows(record) == []


def test_of_every_published_model_the_weights_are_pinned():
    published = [row for row in registry.read_rows() if row["hub_repository"]]
    bert = {"dnabert", "dnabert_2", "grover"}  # nobody's sum of their weights is known
    rows = [row for row in published if row["family"] not in bert]
    assert len(rows) == 12 and all(len(row["revision"]) == 40 for row in rows) and len(published) == 18
    for row in rows:
        known = pins.pins_of(row["hub_repository"], row["revision"])
        assert all(len(pin.sha256) == 64 for pin in known.values())
        if row["model"] == "2B5_1000G":  # in two files, whose index is not pinned
            assert set(known) == {f"pytorch_model-0000{n}-of-00002.bin" for n in (1, 2)}
        else:
            assert layouts.of_known_files("auto", known, row["tokenizer"])[-1] in known, row["model"]


def test_the_fetched_files_load(hub, fetch, tmp_path):
    params = models.init_params(CONFIG, 0)
    hub.add_folder(REPOSITORY, COMMIT, torch_folder(tmp_path / "origin", params, "shards"))
    found = load_checkpoint(fetch()["folder"]).params
    for module, leaves in params.items():
        for name, leaf in leaves.items():
            np.testing.assert_array_equal(found[module][name], leaf)


def test_a_bundled_model_is_not_fetched(fetch, hub):
    with pytest.raises(UserError, match=r"demo_nt: is part of this repository, nothing to fetch"):
        fetch("demo_nt")
    assert hub.requests == []


# --- trust ----------------------------------------------------------------------------------------


def test_a_first_use_is_recorded_and_enforced(hub, fetch, tmp_path):
    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS)
    first = fetch()
    assert {entry["verified"] for entry in first["files"].values()} == {"etag"}
    recorded = json.loads((tmp_path / "lock.json").read_text())
    assert recorded[REPOSITORY] == {"revision": COMMIT}
    entry = recorded[f"{REPOSITORY}@{COMMIT}/model.safetensors"]
    assert entry == {key: first["files"]["model.safetensors"][key] for key in ("bytes", "sha256")}

    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS | {"model.safetensors": WEIGHTS[:-1] + b"?"})
    with pytest.raises(
        UserError, match=rf"has another content \(found sha256 \w{{64}}, expected {entry['sha256']}"
    ):
        fetch(cache_dir=tmp_path / "another")
    assert fetch()["files"]["model.safetensors"]["verified"] == "lock"


def test_main_is_resolved_once(hub, fetch, tmp_path):
    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS)
    assert fetch()["revision"] == COMMIT
    hub.add_repository(REPOSITORY, OTHER, SAFETENSORS | {"config.json": b"{}"})
    assert fetch(cache_dir=tmp_path / "another cache")["revision"] == COMMIT
    assert fetch(lock_file=None)["revision"] == OTHER


@pytest.mark.parametrize(
    ("files", "name"),
    [(JAX, "jax_model/pytree_ckpt.joblib"), (BIN, "pytorch_model.bin"), (BIN_SHARDS, "model-1.bin")],
)
def test_files_that_can_carry_code(hub, tmp_path, capsys, files, name):
    hub.add_repository(REPOSITORY, COMMIT, files)
    words = ["--model", MODEL, "--endpoint", hub.url, "--cache-dir", str(tmp_path / "cache")]
    words += ["--lock-file", str(tmp_path / "lock.json"), "--output", str(tmp_path / "record.json")]
    assert script.main(words) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    digest = hashlib.sha256(files[name]).hexdigest()
    assert line.startswith(f"{REPOSITORY}/{name}: is of a format that can carry code")
    assert f"{len(files[name])} bytes, {digest}" in line and "--accept-unpinned --lock-file" in line
    assert hub.asked(name) == 0 and not (tmp_path / "record.json").exists()

    assert script.main([*words, "--accept-unpinned"]) == 0
    *rows, folder = capsys.readouterr().out.splitlines()
    assert f"{REPOSITORY}\t{COMMIT}\t{name}\t{len(files[name])}\t{digest}" in rows and len(rows) == len(files)
    assert json.loads((tmp_path / "record.json").read_text())["folder"] == folder
    (tmp_path / "pins.tsv").write_text("\n".join(["hub_repository\trevision\tfile\tbytes\tsha256", *rows]))
    assert set(pins.read_pins(tmp_path / "pins.tsv")[0].__dict__.values()) >= {REPOSITORY, COMMIT}

    # What the lock file has is accepted, also in another cache.
    assert script.main([*words, "--cache-dir", str(tmp_path / "another")]) == 0
    assert capsys.readouterr().out.splitlines() == [folder.replace("/cache/", "/another/")]


def test_an_etag_that_is_no_checksum_proves_nothing(hub, fetch, monkeypatch):
    import hub_server

    monkeypatch.setattr(hub_server, "etag_of", lambda _, content: f"5f3e-{len(content)}")
    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS)
    assert {entry["verified"] for entry in fetch()["files"].values()} == {"first use"}


@pytest.mark.parametrize(
    "part", ["../config.json", "/etc/passwd.safetensors", "a/b.safetensors", "x.bin", ".safetensors"]
)
def test_an_index_names_files_of_its_folder_only(hub, fetch, part):
    index = json.dumps({"weight_map": {"x": part}}).encode()
    hub.add_repository(REPOSITORY, COMMIT, SHARDS | {"model.safetensors.index.json": index})
    with pytest.raises(UserError, match=r"index.json: names no .safetensors files of its own folder"):
        fetch()


@pytest.mark.parametrize("index", [b"[]", b'{"weight_map": []}', b'{"weight_map": {}}'])
def test_an_index_without_names(hub, fetch, index):
    hub.add_repository(REPOSITORY, COMMIT, SHARDS | {"model.safetensors.index.json": index})
    with pytest.raises(UserError, match=r"(found 'none'|holds a list, expected settings by name)"):
        fetch()


@pytest.mark.parametrize(
    ("entries", "missing"),
    [
        ({REPOSITORY: {}}, "revision"),
        ({REPOSITORY: "main"}, "revision"),
        (
            {REPOSITORY: {"revision": COMMIT}, f"{REPOSITORY}@{COMMIT}/config.json": {"bytes": 3}},
            "bytes and sha256",
        ),
    ],
)
def test_a_damaged_lock_file(hub, fetch, tmp_path, entries, missing):
    (tmp_path / "lock.json").write_text(json.dumps(entries))
    with pytest.raises(UserError, match=rf"lock\.json: the entry {REPOSITORY}.* has no {missing}"):
        fetch()


# --- the cache, the network, what is said -----------------------------------------------------------


def test_what_is_cached_needs_no_request_and_no_licence(hub, fetch, caplog):
    caplog.set_level(logging.INFO, "dnalm")
    hub.add_repository(REPOSITORY, COMMIT, SHARDS)
    first = fetch()
    assert len(re.findall("licence CC BY-NC-SA 4.0: no commercial use", caplog.text)) == 1
    assert caplog.text.count("fetching") == 4
    hub.forget()
    caplog.clear()
    again = fetch()
    assert hub.requests == [] and "licence" not in caplog.text and "fetching" not in caplog.text
    assert again["folder"] == first["folder"] and caplog.text.count("sha256") == 4


def test_the_token_goes_to_the_hub_alone(hub, fetch, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS)
    fetch()
    sent = [("Signature" in path, headers.get("authorization"))
            for (_, path), headers in zip(hub.requests, hub.headers, strict=True)]  # fmt: skip
    assert set(sent) == {(False, "Bearer hf_secret"), (True, None)}


def run(tmp_path, hub_url, *words, **environment):
    """Starts the script as a user does, with a model that has no revision."""
    name = UNPINNED["model"]
    table = edit_row(registry.MODELS, tmp_path / "unpinned.tsv", name, revision="")
    command = with_table(table, SCRIPT, "--model", name, *words)
    settings = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub_url, "no_proxy": "*", **environment}
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env={**inherited, **settings}, **pipes)


def test_two_processes_at_once_and_then_offline(hub, tmp_path):
    large = SAFETENSORS | {"model.safetensors": WEIGHTS * 500}
    hub.add_repository(UNPINNED["hub_repository"], COMMIT, large)
    lock = tmp_path / "lock.json"
    both = [run(tmp_path, hub.url, "--lock-file", str(lock)) for _ in range(2)]
    answers = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    assert answers[0][0] == answers[1][0] and str(tmp_path / "home" / "hub") in answers[0][0]
    folder = Path(answers[0][0].strip())
    assert (folder / "model.safetensors").read_bytes() == large["model.safetensors"]
    assert "it/s" not in answers[0][1] and "%|" not in answers[0][1] and "HTTP Request" not in answers[0][1]
    assert not list((tmp_path / "home").rglob("*.incomplete"))
    assert all("/resolve/" in path for _, path in hub.requests)  # nothing else is asked or told

    hub.forget()
    for words in (["--lock-file", str(lock)], []):  # `main` is what the cache says it is
        offline = run(tmp_path, hub.url, *words, HF_HUB_OFFLINE="1")
        assert offline.communicate(timeout=60)[0] == answers[0][0] and offline.returncode == 0
    assert hub.requests == []


def test_offline_without_the_files(hub, tmp_path):
    offline = run(tmp_path, hub.url, HF_HUB_OFFLINE="1")
    line = offline.communicate(timeout=60)[1].splitlines()[-1]
    assert offline.returncode == 2 and "no checkpoint in the cache (HF_HUB_OFFLINE is set)" in line
    assert hub.requests == []


def test_the_default_lock_file_of_the_message_is_the_workflow_s():
    rules = (ROOT / "workflow" / "rules" / "checkpoints.smk").read_text()
    assert trust.LOCK_FILE in rules


def test_jax_folder_of_a_pinned_model_loads(hub, fetch, monkeypatch, tmp_path):
    folder = jax_folder(tmp_path / "origin")
    files = {name: (folder / name).read_bytes() for name in JAX}
    pinned(monkeypatch, tmp_path, files)
    hub.add_repository(REPOSITORY, COMMIT, files)
    assert load_checkpoint(fetch()["folder"]).config == CONFIG


def test_a_disk_without_links(hub, tmp_path):
    hub.add_repository(UNPINNED["hub_repository"], COMMIT, SAFETENSORS)
    record = tmp_path / "record.json"
    for offline, verified in (("0", "etag"), ("1", "first use")):  # no link names the hub's sum
        settings = {"HF_HUB_DISABLE_SYMLINKS": "1", "HF_HUB_OFFLINE": offline}
        process = run(tmp_path, hub.url, "--output", str(record), **settings)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == 0, errors
        assert json.loads(record.read_text())["files"]["model.safetensors"]["verified"] == verified


def test_settings_without_a_pin_beside_pinned_weights(hub, fetch, tmp_path, monkeypatch):
    """Of some repositories only the weights' sha256 is known, of some not even their size."""
    hub.add_repository(REPOSITORY, COMMIT, SAFETENSORS)
    weights = {"model.safetensors": SAFETENSORS["model.safetensors"]}
    table = write_pins(tmp_path / "pins.tsv", REPOSITORY, COMMIT, weights)
    size = str(len(weights["model.safetensors"]))
    table.write_text(table.read_text().replace(f"\t{size}\t", "\t\t"))
    monkeypatch.setattr(pins, "PINS", table)
    edited = edit_row(registry.MODELS, tmp_path / "pinned.tsv", MODEL, revision=COMMIT)
    monkeypatch.setattr(registry, "MODELS", edited)
    verified = {name: entry["verified"] for name, entry in fetch()["files"].items()}
    assert verified == {"model.safetensors": "pin", "config.json": "etag"}
    hub.fault("model.safetensors", FLIP)
    shutil.rmtree(tmp_path / "cache")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        fetch()
