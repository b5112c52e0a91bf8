"""A training that is killed without warning, and one on several devices: the losses of one left alone."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors import safe_open
from toy_training import command_line, write_inputs

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
pytestmark = pytest.mark.long
STEPS = 40
QUICK = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}


def command(step, arguments):
    arguments = {
        **arguments,
        "--annotation": arguments["--annotation"] if step == "train_segmentation" else None,
    }
    return [sys.executable, str(SCRIPTS / f"{step}.py"), *command_line(arguments)]


def inputs(step, folder, **changes):
    folder.mkdir()
    arguments = write_inputs(folder, steps=STEPS, log_every=1, checkpoint_every=1, **changes)
    if step == "pretrain":
        text = (folder / "training.yaml").read_text()
        (folder / "training.yaml").write_text(
            text.replace("features:\n- exon\n- intron\n- splice_donor\n", "")
        )
    return arguments


def run(step, arguments, **environment):
    done = subprocess.run(
        command(step, arguments), capture_output=True, text=True, env={**os.environ, **QUICK, **environment}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stderr


@pytest.mark.parametrize("step", ["pretrain", "train_segmentation"])
def test_after_sigkill_the_same_bytes(step, tmp_path):
    whole = inputs(step, tmp_path / "whole")
    run(step, whole)
    killed = inputs(step, tmp_path / "killed")
    process = subprocess.Popen(
        command(step, killed),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **QUICK},
    )
    state, end = killed["--work-dir"] / "state.safetensors", time.monotonic() + 120
    while not state.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    time.sleep(float(np.random.default_rng().uniform(0, 0.2)))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "the run ended before it could be killed"
    assert not killed["--output-dir"].exists()
    told = run(step, killed)
    assert "resuming at step" in told
    for name in ("params.safetensors", "training.tsv", "metrics.tsv"):
        one, other = (arguments["--output-dir"] / name for arguments in (whole, killed))
        assert one.read_bytes() == other.read_bytes(), name
    assert len(pd.read_csv(whole["--output-dir"] / "training.tsv", sep="\t")) == STEPS


@pytest.mark.parametrize("step", ["pretrain", "train_segmentation"])
def test_four_devices_give_the_losses_of_one(step, tmp_path):
    losses = []
    for devices in (1, 4):
        arguments = inputs(step, tmp_path / str(devices), batch_size=8)
        flags = f"--xla_force_host_platform_device_count={devices}"
        told = run(step, arguments, XLA_FLAGS=flags)
        assert f"{devices} x cpu" in told
        with safe_open(arguments["--work-dir"] / "state.safetensors", "numpy") as state:
            losses.append(json.loads(state.metadata()["progress"])["losses"])  # all their digits
    assert len(losses[0]) == STEPS and losses[0][0] != losses[0][-1]
    np.testing.assert_allclose(losses[0], losses[1], rtol=0, atol=1e-5)
