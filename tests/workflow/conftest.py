"""A checkout of its own, run once on the tiny configuration and shared by the workflow tests."""

import contextlib
import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import HubServer

ROOT = Path(__file__).parents[2]
TINY = "config/examples/tiny.yaml"
PARTS = ("Snakefile", "workflow", "config", "resources", "profiles", "slurm-gpu")


def copy_checkout(target: Path) -> Path:
    """Copies what the workflow needs, without the big demo genome."""
    target.mkdir(parents=True)
    ignore = shutil.ignore_patterns("__pycache__", "dm3_chr2R.fa.gz", "*.lock.json")
    for part in PARTS:
        source = ROOT / part
        if source.is_symlink():
            (target / part).symlink_to(os.readlink(source))
        elif source.is_dir():
            shutil.copytree(source, target / part, symlinks=True, ignore=ignore)  # the tables are links
        else:
            shutil.copy(source, target / part)
    return target


@functools.cache
def without_network() -> list[str]:
    """Returns a prefix of commands that takes the network away, loopback too; empty where not allowed."""
    for prefix in (["unshare", "--net"], ["unshare", "--map-root-user", "--net"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
                return prefix
    return []


def snakemake(folder: Path, *arguments: str, prefix=(), **settings) -> subprocess.CompletedProcess:
    """Runs Snakemake in a folder and returns its exit status and all it printed (stderr into stdout)."""
    command = [*prefix, sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / ".cache"), "PYTHONWARNINGS": ""}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **settings,
    )


def fingerprints(results: Path) -> dict[str, str]:
    """Returns the sha256 of every data file and of every manifest's content, by path."""
    found = {}
    for path in sorted(results.rglob("*")):
        parts = path.relative_to(results).parts
        if path.is_dir() or parts[0] in ("logs", "runtimes", ".work") or path.name == "report.html":
            continue
        data = path.read_bytes()
        if path.name.endswith("manifest.json"):
            data = json.dumps(json.loads(data)["content"], sort_keys=True).encode()
        found["/".join(parts)] = hashlib.sha256(data).hexdigest()
    return found


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on the loopback address, which the jobs find instead of the real one."""
    with HubServer() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("no_proxy", "*")
        for name in ("HF_TOKEN", "HF_HUB_CACHE", "HF_HUB_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        yield hub


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A checkout in which the tiny configuration has run to the end, without a network; tests must not
    change its results."""
    folder = copy_checkout(tmp_path_factory.mktemp("tiny") / "checkout")
    run = snakemake(folder, "--configfile", TINY, prefix=without_network())
    assert run.returncode == 0, run.stdout[-4000:]
    (folder / "run.log").write_text(run.stdout)
    return folder
