"""The same run on one, two and four devices gives the same bytes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import toy_models

from dnalm import files

ROOT = Path(__file__).parents[2]
CHECKPOINT = ROOT / "resources/demo/models/tiny_segment_nt"
LENGTH_BP = 40_000  # 35 windows of each strand: full batches and a short one on every number of devices
DEVICES = (1, 2, 4)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folders of the tracks, by number of devices."""
    folder = tmp_path_factory.mktemp("devices")
    bases = toy_models.random_bases(LENGTH_BP)
    bases[20_000:20_001], bases[30_000:30_300] = ord("N"), ord("N")
    genome = toy_models.write_fasta(folder / "masked.fa", {"one": bases})
    command = [sys.executable, ROOT / "workflow/scripts/segment.py", "--checkpoint", CHECKPOINT]
    command += ["--genome", genome, "--batch-size", "3", "--device", "cpu", "--window-bp", "1536"]
    command += ["--resolution", "float32"]  # unrounded: the last bit would show
    for count in DEVICES:
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
            "NPROC": "4",  # XLA's threads: on a CPU they decide how sums are cut
            "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        }
        subprocess.run([*command, "--output-dir", folder / str(count)], env=environment, check=True)
    return {count: folder / str(count) for count in DEVICES}


def test_every_run_used_its_devices(runs):
    used = {count: files.read_manifest(folder)["run"] for count, folder in runs.items()}
    assert {count: (run["devices"], run["batch_size"]) for count, run in used.items()} == {
        count: (count, 3) for count in DEVICES
    }


@pytest.mark.parametrize("count", DEVICES[1:])
def test_tracks_and_manifest_are_the_same(runs, count):
    one, many = runs[1], runs[count]
    names = sorted(path.name for path in one.iterdir())
    assert names == sorted(path.name for path in many.iterdir())
    assert sum(name.endswith(".bw") for name in names) == 12
    for name in names:
        if name != "manifest.json":
            assert (one / name).read_bytes() == (many / name).read_bytes(), name
    assert files.read_manifest(one)["content"] == files.read_manifest(many)["content"]
