"""Published tasks from a hub on this machine: which files, what makes them trusted, what is said."""

import json
import os
import subprocess
import sys
from pathlib import Path

import fetch_task as script
import import_task
import pytest
from hub_server import COMMIT, CUT, FLIP, HTML, HubServer, without_pauses
from step_faults import assert_refused
from toy_suites import suite_files

from dnalm import suites, tasks
from dnalm.errors import UserError
from dnalm.tasks.fetch import fetch_task

OTHER = "e" * 40


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return suite_files(tmp_path_factory.mktemp("suites"))


@pytest.fixture
def hub(monkeypatch):
    without_pauses(monkeypatch)
    with HubServer() as hub:
        yield hub


@pytest.fixture
def fetch(hub, tmp_path):
    def fetch(suite, task):
        place = {"cache_dir": tmp_path / "cache", "endpoint": hub.url, "lock_file": tmp_path / "lock.json"}
        return fetch_task(suite, task, **place)

    return fetch


def publish(hub, files, suite, task, layout=0, commit="", extra=()):
    """Puts a task's files where its suite says they are."""
    row = suites.suite_task(suite, task)
    names = row.file_sets()[layout]
    content = {names[split]: path.read_bytes() for split, path in files[suite, task].items()}
    repository = f"datasets/{row.hub_repository}"
    hub.add_repository(repository, commit or row.revision or COMMIT, {**content, **dict(extra)})
    return content


CASES = [
    ("nt_revised", "enhancers", 0, ["train", "test"], ["etag", "etag"]),
    ("nt_revised", "enhancers_types", 1, ["train", "test"], ["etag", "etag"]),  # FASTA is not there
    ("pgb", "gene_exp.glycine_max", 0, ["train", "validation", "test"], ["etag"] * 3),
    ("gue", "mouse_3", 0, ["train", "validation", "test"], ["etag"] * 3),
]


@pytest.mark.parametrize(("suite", "task", "layout", "splits", "by"), CASES, ids=[c[1] for c in CASES])
def test_a_task_is_fetched_once(hub, fetch, files, suite, task, layout, splits, by):
    content = publish(hub, files, suite, task, layout)
    record = fetch(suite, task)
    assert list(record["files"]) == splits and [entry["verified"] for entry in record["files"].values()] == by
    assert record["revision"] == (suites.suite_task(suite, task).revision or COMMIT)
    for entry in record["files"].values():
        assert content[entry["file"]] == Path(record["folder"], entry["file"]).read_bytes()
    assert "/datasets--" in record["folder"]
    hub.forget()
    again = fetch(suite, task)
    assert {entry["verified"] for entry in again["files"].values()} == {"lock"} and hub.requests == []


def test_the_fetched_task_is_imported(hub, files, tmp_path, capsys):
    publish(hub, files, "gue", "mouse_3")
    words = ["--suite", "gue", "--task", "mouse_3", "--endpoint", hub.url, "--cache-dir", tmp_path / "cache"]
    assert script.main([str(word) for word in [*words, "--output", tmp_path / "source.json"]]) == 0
    assert capsys.readouterr().out.strip() == json.loads((tmp_path / "source.json").read_text())["folder"]
    output = tmp_path / "data.parquet"
    assert import_task.main(["--record", str(tmp_path / "source.json"), "--output", str(output)]) == 0
    manifest = json.loads((tmp_path / "data.parquet.manifest.json").read_text())["content"]
    assert manifest["revision"] == COMMIT and manifest["hub_repository"] == "leannmlindsey/GUE"
    assert set(manifest["inputs"]) == {"train", "validation", "test"} and manifest["metric"] == "mcc"
    assert len(tasks.read_task(output)) == 380


def test_offline(hub, fetch, files, tmp_path):
    publish(hub, files, "nt_revised", "enhancers")
    record = fetch("nt_revised", "enhancers")
    hub.forget()

    def run(task):
        words = [sys.executable, script.__file__, "--suite", "nt_revised", "--task", task]
        words += ["--cache-dir", tmp_path / "cache", "--lock-file", tmp_path / "lock.json"]
        environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": hub.url, "PYTHONWARNINGS": ""}
        return subprocess.run(map(str, words), capture_output=True, text=True, env=environment)

    assert run("enhancers").stdout.strip() == record["folder"]
    missing = run("H3K9ac")
    assert missing.returncode == 2 and "HF_HUB_OFFLINE is set" in missing.stderr.splitlines()[-1]
    assert hub.requests == []


def test_the_locked_revision_stays(hub, fetch, files):
    publish(hub, files, "gue", "mouse_3")
    assert fetch("gue", "mouse_3")["revision"] == COMMIT
    publish(hub, files, "gue", "mouse_3", commit=OTHER)
    assert fetch("gue", "mouse_3")["revision"] == COMMIT


def test_a_split_that_a_task_of_the_layout_lacks(hub, fetch, files):
    both = {
        split: path for split, path in files["pgb", "gene_exp.glycine_max"].items() if split != "validation"
    }
    publish(hub, {("pgb", "pro_seq.m_esculenta"): both}, "pgb", "pro_seq.m_esculenta")
    assert list(fetch("pgb", "pro_seq.m_esculenta")["files"]) == ["train", "test"]


def test_a_changed_file_is_refused(hub, fetch, files):
    publish(hub, files, "nt_revised", "enhancers")
    record = fetch("nt_revised", "enhancers")
    path = Path(record["folder"], "enhancers/test.fna")
    text = path.read_bytes()
    path.write_bytes(text[:-2] + (b"C\n" if text.endswith(b"A\n") else b"A\n"))
    hub.fault("enhancers/test.fna", FLIP)
    with pytest.raises(UserError, match=r"enhancers/test\.fna: .*sha256"):
        fetch("nt_revised", "enhancers")
    assert fetch("nt_revised", "enhancers") == {**record, "files": _locked(record)}


def _locked(record):
    return {split: {**entry, "verified": "lock"} for split, entry in record["files"].items()}


FAULTS = [
    (
        "nothing there",
        "pgb",
        "lncrna.z_mays",
        None,
        r"at 78ec8156\w+: is not there \(expected lncrna/z_mays_train",
    ),
    ("no repository", "gue", "mouse_3", None, r"no repository leannmlindsey/GUE"),
    ("no test rows", "nt_revised", "enhancers", "test", r"enhancers/test\.fna: is not there"),
    ("cut", "nt_revised", "enhancers", CUT, r"enhancers/train\.fna: no answer, or cut"),
    ("a page", "nt_revised", "enhancers", HTML, r"enhancers/train\.fna: the server sends an HTML"),
    ("server's fault", "nt_revised", "enhancers", 500, r"enhancers/train\.fna: HTTP status 500"),
]


@pytest.mark.parametrize(
    ("name", "suite", "task", "fault", "pattern"), FAULTS, ids=[case[0] for case in FAULTS]
)
def test_what_cannot_be_fetched(hub, files, tmp_path, capsys, name, suite, task, fault, pattern):
    publish(hub, files, "pgb", "gene_exp.glycine_max")
    publish(hub, files, "nt_revised", "enhancers")
    if fault == "test":
        train = {split: path for split, path in files["nt_revised", "enhancers"].items() if split == "train"}
        publish(hub, {("nt_revised", "enhancers"): train}, "nt_revised", "enhancers")
    elif fault:
        hub.fault("enhancers/train.fna", *[fault] * 20)
    arguments = ["--suite", suite, "--task", task, "--endpoint", hub.url, "--cache-dir", tmp_path / "cache"]
    assert_refused("fetch_task", arguments, tmp_path / "o" / "source.json", pattern, capsys)
