"""Embeddings on one, two and four devices: the same bytes, whatever the lengths of the windows.

XLA's number of threads is fixed: on a CPU it decides how sums are cut, and so their last bits.
"""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import toy_models

from dnalm import files, windows
from dnalm.genome import Genome

ROOT = Path(__file__).parents[2]
WINDOW_BP, COUNT = 186, 35  # full batches and a short one on every number of devices
DEVICES = (1, 2, 4)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A model, its compiled programs, and windows without and with N, whose bases are tokens each."""
    folder = tmp_path_factory.mktemp("inputs")
    return SimpleNamespace(
        folder=folder,
        model=toy_models.language_model(folder / "model", max_tokens=240),
        same=write_windows(folder / "same", ()),
        mixed=write_windows(folder / "mixed", ((WINDOW_BP, 3), (20 * WINDOW_BP, WINDOW_BP))),
    )


def write_windows(folder, runs_of_n):
    """Returns --genome and --windows of a genome with N at (start, bases)."""
    folder.mkdir()
    bases = toy_models.random_bases(WINDOW_BP * COUNT)
    for start, length in runs_of_n:
        bases[start : start + length] = ord("N")
    genome = toy_models.write_fasta(folder / "masked.fa", {"one": bases})
    table, _ = windows.make_tiles({"one": len(bases)}, Genome(genome), WINDOW_BP)
    windows.write_windows(table, folder / "x.bed")
    return ["--genome", genome, "--windows", folder / "x.bed"]


def run(inputs, words, name):
    """Returns number of devices -> output."""
    outputs = {}
    for count in DEVICES:
        outputs[count] = inputs.folder / str(count) / name
        command = [sys.executable, ROOT / "workflow/scripts/embed.py", "--checkpoint", inputs.model]
        command += [*words, "--layers", "all", "--batch-size", "3", "--device", "cpu"]
        environment = {
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}",
            # Threads, else as many as devices where these outnumber the cores: a product's sum is cut
            # among them, which shows in its last bits.
            "NPROC": "4",
            "JAX_COMPILATION_CACHE_DIR": str(inputs.folder / "compiled"),
        }
        subprocess.run([*command, "--output", outputs[count]], env=environment, check=True)
    return outputs


def layers_of(path):
    with h5py.File(path) as file:
        return {layer: file["obsm"][layer][:] for layer in file["obsm"]}


@pytest.mark.parametrize(
    ("name", "options"), [("x.h5ad", ["--reverse-complement"]), ("x.zarr", ["--pooling", "none"])]
)
def test_windows_of_one_length_give_the_same_bytes(inputs, name, options):
    outputs = run(inputs, [*inputs.same, *options], name)
    manifests = {count: files.read_manifest(path) for count, path in outputs.items()}
    for count in DEVICES:
        assert manifests[count]["run"]["devices"] == count
        assert manifests[count]["content"] == manifests[1]["content"]  # with every array's sha256
        if name.endswith(".h5ad"):
            assert outputs[count].read_bytes() == outputs[1].read_bytes()
            for layer, values in layers_of(outputs[1]).items():
                assert values.tobytes() == layers_of(outputs[count])[layer].tobytes()


def test_windows_of_several_lengths_give_the_same_bytes(inputs):
    outputs = run(inputs, inputs.mixed, "mixed.h5ad")
    one = layers_of(outputs[1])
    assert set(one) == {"layer_1", "layer_2"}
    assert np.isnan(one["layer_1"]).all(axis=1).sum() == 1  # the window without a known base
    for count in DEVICES[1:]:
        for layer, values in layers_of(outputs[count]).items():
            np.testing.assert_array_equal(values, one[layer])
