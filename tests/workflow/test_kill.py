"""A run killed in the middle of embedding, then run again, ends with the bytes of an uninterrupted one."""

import os
import signal
import subprocess
import sys
import time

import pytest
from workflow.conftest import TINY, copy_checkout, fingerprints, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.xdist_group("tiny")]


def shards(folder):
    work = folder / "results" / ".work"
    return (
        [path for path in work.rglob("*") if path.is_file() and not path.name.startswith(".")]
        if work.exists()
        else []
    )


def test_sigkill_during_embedding(tiny, tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    command = [sys.executable, "-m", "snakemake", "embeddings", "--cores", "2", "--configfile", TINY]
    # Its own session: the kill takes Snakemake and every job, as a reboot would.
    with open(folder / "killed.log", "w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        deadline = time.monotonic() + 180
        while not any("embed" in str(path) for path in shards(folder)) and time.monotonic() < deadline:
            assert process.poll() is None, (folder / "killed.log").read_text()[-3000:]
            time.sleep(0.005)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert not (folder / "results/species/fly_slice/embeddings/tiles.h5ad.manifest.json").exists()

    snakemake(folder, "--configfile", TINY, "--unlock")
    again = snakemake(folder, "--configfile", TINY, "--rerun-incomplete")
    assert again.returncode == 0, again.stdout[-3000:]
    assert fingerprints(folder / "results") == fingerprints(tiny / "results")
