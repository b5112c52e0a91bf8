"""The training scripts from inputs to a finished folder: what is read, what is written, stopped, resumed."""

import importlib
import json
import os
import signal

import jax
import numpy as np
import pandas as pd
import pytest
import yaml
from jax.experimental.compilation_cache import compilation_cache
from toy_training import HELD_OUT, SETTINGS, VALIDATION, WINDOW_BP, command_line, write_inputs

from dnalm import checkpoints, files
from dnalm.genome.regions import parse_region
from dnalm.training import data

FILES = ("params.safetensors", "config.json", "training.tsv", "metrics.tsv", "training.yaml")


def arguments_of(step, folder):
    """Returns a script's arguments for the toy inputs."""
    arguments = write_inputs(folder)
    if step == "pretrain":
        (folder / "training.yaml").write_text(yaml.safe_dump(SETTINGS))
        del arguments["--annotation"]
    return arguments


def run(step, arguments):
    return importlib.import_module(step).main(command_line(arguments))


@pytest.fixture
def compiled_once(tmp_path):
    """Keeps compiled programs on disk, so that the runs of one test compile once."""
    settings = {
        "jax_compilation_cache_dir": str(tmp_path / "cache"),
        "jax_persistent_cache_min_compile_time_secs": 0.5,
    }
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.mark.usefixtures("compiled_once")
@pytest.mark.parametrize("step", ["pretrain", "train_segmentation"])
def test_a_stopped_run_is_taken_up_and_reads_no_held_out_base(step, tmp_path, monkeypatch):
    """Both stages: an interrupted and a whole run leave the same bytes; no window touches held-out bases."""
    drawn, cut = [], data.WindowSampler.draw

    def draw(sampler, random, count):
        windows = cut(sampler, random, count)
        drawn.extend(windows)
        if len(drawn) == 3 * SETTINGS["batch_size"]:
            os.kill(os.getpid(), signal.SIGTERM)
        return windows

    monkeypatch.setattr(data.WindowSampler, "draw", draw)
    arguments = arguments_of(step, tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(step, arguments)
    assert stopped.value.code == 128 + signal.SIGTERM
    assert not arguments["--output-dir"].exists()
    assert run(step, arguments) == 0
    check_model(step, tmp_path / "model")
    for _, start, end in (parse_region(HELD_OUT), parse_region(VALIDATION)):
        assert all(first + WINDOW_BP <= start or first >= end for _, first, _ in drawn)

    whole = {**arguments, "--work-dir": tmp_path / "work2", "--output-dir": tmp_path / "whole"}
    assert run(step, whole) == 0
    for name in FILES:
        assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    contents = [files.read_manifest(tmp_path / folder)["content"] for folder in ("model", "whole")]
    assert contents[0] == contents[1] and contents[0]["held_out"] == [HELD_OUT]
    assert str(tmp_path) not in json.dumps(contents[0])


def check_model(step, folder):
    """Checks what a finished folder says and that its model runs."""
    checkpoint = checkpoints.load_checkpoint(folder)
    assert checkpoint.config.max_tokens == 1 + WINDOW_BP // 3
    assert not any("composition" in module for module in checkpoint.params)
    assert all(np.isfinite(leaf).all() for leaves in checkpoint.params.values() for leaf in leaves.values())
    metrics = pd.read_csv(folder / "metrics.tsv", sep="\t")
    card = (folder / "MODEL_CARD.md").read_text()
    assert HELD_OUT in card and VALIDATION in card and "4 steps" in card
    if step == "pretrain":
        assert checkpoint.config.lm_head
        scores = ["cross_entropy_nats", "token_accuracy", "base_accuracy"]
        hidden = ["hidden_tokens", *(f"hidden_{name}" for name in scores)]
        assert list(metrics["metric"]) == ["masked_tokens", *scores, *hidden]
    else:
        assert checkpoint.config.labels == "own_strand"
        exon = metrics.set_index("feature").loc["exon"]
        assert (exon["bases"], exon["positives"]) == (600, 100)  # 300 bp, both strands; t2's two exons
        assert metrics.set_index("feature").loc["splice_donor", "positives"] == 1
    log = pd.read_csv(folder / "training.tsv", sep="\t")
    assert list(log["step"]) == [2, 4]
