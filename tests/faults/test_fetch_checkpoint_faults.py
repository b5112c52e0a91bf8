"""Faults of the hub: each ends fetch_checkpoint.py with status 2 and one line, and the next run is whole."""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import namedtuple
from pathlib import Path

import fetch_checkpoint
import hub_server
import pytest
from hub_server import (
    COMMIT,
    CUT,
    FLIP,
    GATED,
    HTML,
    NO_HEADERS,
    NO_REPOSITORY,
    NO_REVISION,
    POINTER,
    STALL,
    HubServer,
    edit_row,
    pointer_to,
    with_table,
    without_pauses,
    write_pins,
)
from step_faults import assert_refused

from dnalm.checkpoints import pins, registry

MODEL, REPOSITORY = "a_model", "InstaDeepAI/a_model"
WEIGHTS = b"\x08" + b"weights " * 5000
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()
FILES = {"config.json": b'{"a": 1}', "model.safetensors": WEIGHTS}
SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "fetch_checkpoint.py"


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with one model, registered without a revision."""
    table = tmp_path / "models.tsv"
    row = {"model": MODEL, "hub_repository": REPOSITORY, "revision": ""}
    edit_row(registry.MODELS, table, "segment_nt", **row)
    monkeypatch.setattr(registry, "MODELS", table)
    without_pauses(monkeypatch)
    with HubServer() as hub:
        hub.add_repository(REPOSITORY, COMMIT, FILES)
        yield hub


@pytest.fixture
def pinned(hub, tmp_path, monkeypatch):
    """The same hub, for a model with a revision whose files are pinned."""
    table = edit_row(registry.MODELS, tmp_path / "pinned.tsv", MODEL, revision=COMMIT)
    monkeypatch.setattr(registry, "MODELS", table)
    monkeypatch.setattr(pins, "PINS", write_pins(tmp_path / "pins.tsv", REPOSITORY, COMMIT, FILES))
    return hub


def words(hub, tmp_path):
    place = {"--endpoint": hub.url, "--cache-dir": tmp_path / "cache", "--lock-file": tmp_path / "lock.json"}
    return ["--model", MODEL, *(word for pair in place.items() for word in pair)]


def refused(hub, tmp_path, capsys, pattern):
    assert_refused(
        "fetch_checkpoint", words(hub, tmp_path), tmp_path / "out" / "record.json", pattern, capsys
    )
    assert not (tmp_path / "lock.json").exists()


def assert_whole(hub, tmp_path):
    """Fetches without a fault; nothing but the two files is left in the cache."""
    output = tmp_path / "out" / "record.json"
    arguments = [*words(hub, tmp_path), "--output", output]
    assert fetch_checkpoint.main([str(word) for word in arguments]) == 0
    record = json.loads(output.read_text())
    assert record["files"]["model.safetensors"]["sha256"] == DIGEST
    assert (Path(record["folder"]) / "model.safetensors").read_bytes() == WEIGHTS
    assert_no_rest(tmp_path / "cache")


def assert_no_rest(cache):
    blobs = {path.name for path in cache.glob("models--*/blobs/*")}
    assert blobs <= {hub_server.etag_of(name, content) for name, content in FILES.items()}


LARGE, SMALL, CDN = "model.safetensors", "config.json", "cdn:model.safetensors"


@pytest.mark.parametrize(
    ("file", "kind", "times", "pattern"),
    [
        (LARGE, HTML, 9, r"model\.safetensors: the server sends an HTML or XML page, .* \(starts .*DOCTYPE"),
        (LARGE, POINTER, 9, r"model\.safetensors: the server sends a git-lfs pointer, not the file itself"),
        (LARGE, CUT, 99, r"model\.safetensors: no answer, or cut \(RemoteProtocolError: .*"),
        (LARGE, FLIP, 1, rf"another content \(found sha256 \w{{64}}, expected {DIGEST}\)\. It was taken"),
        (SMALL, FLIP, 1, r"config\.json: has another content \(found (git sha1|sha256) \w+, expected"),
        (SMALL, HTML, 9, r"config\.json: the server sends an HTML or XML page"),
        (SMALL, NO_HEADERS, 9, r"config\.json: the server does not answer as a hub \(X-Repo-Commit or"),
        (LARGE, NO_HEADERS, 9, r"model\.safetensors: the server does not answer as a hub"),
        (LARGE, 500, 99, r"model\.safetensors: HTTP status 500, also after trying again\. Run again later"),
        (LARGE, 429, 99, r"model\.safetensors: HTTP status 429, also after trying again"),
        (CDN, 503, 99, r"model\.safetensors: HTTP status 503, also after trying again"),
        (CDN, 403, 99, r"HTTP status 403: no access\. Accept the licence at .*HF_TOKEN"),
        (LARGE, 401, 9, r"HTTP status 401: no access\. .*set HF_TOKEN or log in with `hf auth login`"),
        (LARGE, GATED, 9, rf"is gated \(HTTP status 403\)\. Accept the licence at .*{REPOSITORY}, then"),
        (LARGE, NO_REPOSITORY, 9, rf"no repository {REPOSITORY}, or it wants a login \(HTTP status 401\)"),
        (LARGE, NO_REVISION, 9, r"no such revision\. Check `revision` in resources/models\.tsv"),
    ],
    ids=lambda value: str(value)[:24] if not isinstance(value, int) else None,
)  # fmt: skip
@pytest.mark.parametrize("trusted", ["unpinned", "pinned"])
def test_7_11_a_fault_of_the_hub(request, hub, tmp_path, capsys, trusted, file, kind, times, pattern):
    if trusted == "pinned":
        request.getfixturevalue("pinned")
    hub.fault(file, *[kind] * times)
    refused(hub, tmp_path, capsys, pattern)
    assert_no_rest(tmp_path / "cache")
    hub.mend()
    assert_whole(hub, tmp_path)


@pytest.mark.parametrize(
    ("file", "kind"),
    [(LARGE, CUT), (LARGE, HTML), (SMALL, POINTER), (LARGE, 503), (CDN, 503), (CDN, 429)],
)
def test_7_8_a_passing_fault_is_tried_again(pinned, tmp_path, file, kind):
    pinned.fault(file, kind)
    assert_whole(pinned, tmp_path)


@pytest.mark.parametrize("trusted", ["unpinned", "pinned"])
@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (pointer_to(WEIGHTS), r"model\.safetensors: is a git-lfs pointer, not the file itself"),
        (b"\n<html>log in</html>", r"model\.safetensors: is an HTML or XML page, not the file"),
    ],
)
def test_54_a_mirror_that_holds_something_else(request, hub, tmp_path, capsys, trusted, content, pattern):
    if trusted == "pinned":
        request.getfixturevalue("pinned")
    hub.add_repository(REPOSITORY, COMMIT, {**FILES, "model.safetensors": content})
    refused(hub, tmp_path, capsys, pattern)
    hub.add_repository(REPOSITORY, COMMIT, FILES)
    assert_whole(hub, tmp_path)


@pytest.mark.parametrize(
    ("content", "pattern"),
    [
        (WEIGHTS[:-9], r"is cut or another file \(found 39992 bytes, expected 40001\)"),
        (WEIGHTS[:-1] + b"?", rf"has another content \(found sha256 \w{{64}}, expected {DIGEST}\)"),
    ],
)
def test_11_54_a_mirror_that_holds_another_version(pinned, tmp_path, capsys, content, pattern):
    pinned.add_repository(REPOSITORY, COMMIT, {**FILES, "model.safetensors": content})
    refused(pinned, tmp_path, capsys, pattern)
    pinned.add_repository(REPOSITORY, COMMIT, FILES)
    assert_whole(pinned, tmp_path)


def test_a_mirror_that_gives_another_revision(pinned, tmp_path, capsys):
    pinned.add_repository(REPOSITORY, "f" * 40, FILES, branch=COMMIT)
    refused(pinned, tmp_path, capsys, rf"another revision \(found f{{40}}, expected {COMMIT}\)")


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_11_what_was_damaged_in_the_cache_is_fetched_again(pinned, tmp_path, capsys, damage):
    assert_whole(pinned, tmp_path)
    (blob,) = (path for path in (tmp_path / "cache").glob("models--*/blobs/*") if path.name == DIGEST)
    blob.write_bytes({"flip": WEIGHTS[:-1] + b"?", "cut": WEIGHTS[:99], "empty": b""}[damage])
    pinned.forget()
    assert_whole(pinned, tmp_path)
    assert pinned.asked("model.safetensors") == 1
    assert "model.safetensors: in the cache, but" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["model.safetensors", "config.json"])
def test_12_what_the_lock_file_says_is_enforced(hub, tmp_path, capsys, file):
    assert_whole(hub, tmp_path)
    text = (tmp_path / "lock.json").read_text()
    digest = hashlib.sha256(FILES[file]).hexdigest()
    (tmp_path / "lock.json").write_text(text.replace(digest, "0" * 64))
    arguments = [*words(hub, tmp_path), "--output", tmp_path / "new" / "record.json"]
    assert fetch_checkpoint.main([str(word) for word in arguments]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{file}: has another content (found sha256 {digest}, expected {'0' * 64})" in line
    assert not (tmp_path / "new").exists()


def test_nobody_answers(hub, tmp_path, capsys):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    arguments = [
        "--model",
        MODEL,
        "--endpoint",
        f"http://127.0.0.1:{port}",
        "--cache-dir",
        tmp_path / "cache",
    ]
    pattern = (
        r"model\.safetensors: no answer, or cut \(ConnectError: .*HF_HUB_OFFLINE=1 uses only what is cached"
    )
    assert_refused("fetch_checkpoint", arguments, tmp_path / "record.json", pattern, capsys)


@pytest.mark.parametrize(
    ("option", "value", "pattern"),
    [
        ("--endpoint", "huggingface.co", r"huggingface\.co: is no address of a hub \(expected http:// or"),
        ("--model", "segmnt_nt", r"segmnt_nt: neither a folder nor a registered model"),
        ("--model", "demo_nt", r"demo_nt: is part of this repository, nothing to fetch"),
        ("--layout", "jax", r"a_model at main: no checkpoint there \(expected jax_model/pytree"),
        ("--cache-dir", "/dev/null/x", r"/dev/null.*: .*[Nn]ot a directory"),
    ],
)  # fmt: skip
def test_what_the_user_says(hub, tmp_path, capsys, option, value, pattern):
    arguments = [*words(hub, tmp_path), option, value]
    assert_refused("fetch_checkpoint", arguments, tmp_path / "record.json", pattern, capsys)


def test_no_such_layout_among_the_pinned_files(pinned, tmp_path, capsys):
    arguments = [*words(pinned, tmp_path), "--layout", "jax"]
    pattern = r"no checkpoint there \(expected jax_model/pytree_ckpt\.joblib, with its settings\)"
    assert_refused("fetch_checkpoint", arguments, tmp_path / "record.json", pattern, capsys)


def test_19_no_room_is_said_before_the_download(pinned, tmp_path, capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**6, 10**6 - 99, 99))
    refused(
        pinned,
        tmp_path,
        capsys,
        r"99 bytes free, 40009 needed for InstaDeepAI/a_model\. Free",
    )
    assert pinned.requests == []


# --- processes -------------------------------------------------------------------------------------


@pytest.fixture
def started(tmp_path, monkeypatch):
    """A hub with a model that has no revision, and a way to start the script on it."""
    row = registry.model_row("500M_multi_species_v2")
    table = edit_row(registry.MODELS, tmp_path / "unpinned.tsv", row["model"], revision="")
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    with HubServer() as hub:
        hub.add_repository(row["hub_repository"], COMMIT, FILES)
        settings = {"HF_HOME": str(tmp_path), "HF_HUB_CACHE": str(tmp_path / "cache"), "no_proxy": "*"}

        def start(*before):
            environment = {**inherited, **settings, "HF_ENDPOINT": hub.url}
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            command = [*before, *with_table(table, SCRIPT, "--model", row["model"])]
            return subprocess.Popen(command, env=environment, **pipes)

        yield hub, start


def test_17_18_21_killed_in_the_middle(started, tmp_path):
    hub, start = started
    hub.fault("model.safetensors", STALL)
    process = start()
    assert hub.wait_for_stall(60)
    deadline = time.monotonic() + 20
    while not list(tmp_path.rglob("*.incomplete")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (left,) = tmp_path.rglob("*.incomplete")
    assert not list(tmp_path.rglob("model.safetensors"))
    os.utime(left, (0, 0))  # as if an hour had passed
    again = start()
    folder, errors = again.communicate(timeout=60)
    assert again.returncode == 0, errors
    assert (Path(folder.strip()) / "model.safetensors").read_bytes() == WEIGHTS
    assert_no_rest(tmp_path / "cache")


def test_19_a_disk_that_fills_up_in_the_middle(started, tmp_path):
    _, start = started
    # In units of 1,024 bytes. Bytecode that the limit cuts off would be kept by Python.
    full = start("bash", "-c", 'export PYTHONDONTWRITEBYTECODE=1; ulimit -f 20; exec "$@"', "bash")
    errors = full.communicate(timeout=60)[1]
    assert full.returncode == 2, errors
    line = errors.splitlines()[-1]
    assert re.search(
        r"model\.safetensors: File too large\. Free space, or set HF_HOME or --cache-dir", line
    ), errors
    assert not list(tmp_path.rglob("*.incomplete")) and "Traceback" not in errors
    again = start()
    assert again.communicate(timeout=60)[0] and again.returncode == 0
