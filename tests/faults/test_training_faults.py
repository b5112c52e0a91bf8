"""Faults of training: each ends its script with status 2 and one clear line, and leaves no model."""

import dataclasses
import importlib
import re

import numpy as np
import pytest
import yaml
from toy_training import command_line, write_inputs

from dnalm.checkpoints import write_checkpoint
from dnalm.models import init_params
from dnalm.training import recipe
from dnalm.training.state import Progress, save_state

STEPS = ("pretrain", "train_segmentation")


def call(step, arguments, capsys):
    """Returns a script's exit status and the lines it wrote to stderr."""
    if step == "pretrain":
        arguments = {name: value for name, value in arguments.items() if name != "--annotation"}
    capsys.readouterr()
    status = importlib.import_module(step).main(command_line(arguments))
    return status, capsys.readouterr().err.rstrip("\n").splitlines()


def assert_refused(step, arguments, pattern, capsys):
    status, lines = call(step, arguments, capsys)
    assert status == 2, lines
    assert re.search(pattern, lines[-1]), lines[-1]
    assert not any("Traceback" in line for line in lines)
    folder = arguments["--output-dir"]
    assert not folder.exists() or not list(folder.iterdir())


def change_settings(arguments, **changes):
    """Rewrites the settings; a common training.yaml must fit both scripts' keys."""
    settings = yaml.safe_load(arguments["--config"].read_text())
    arguments["--config"].write_text(yaml.safe_dump({**settings, **changes}))


@pytest.fixture(params=STEPS)
def step(request):
    return request.param


@pytest.fixture
def arguments(tmp_path, step):
    written = write_inputs(tmp_path)
    if step == "pretrain":
        settings = yaml.safe_load(written["--config"].read_text())
        del settings["features"]
        written["--config"].write_text(yaml.safe_dump(settings))
    return written


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"learning_rat": 1}, r"training\.yaml: unknown key 'learning_rat'\. Did you mean 'learning_rate'"),
        ({"steps": 2.5}, r"training\.yaml: steps: found 2\.5, expected a value like 3000"),
        ({"warmup_fraction": 2}, r"warmup_fraction: found 2\.0, expected 0 to 1"),
        ({"embed_dim": 10}, r"embed_dim: found 10, expected a multiple of 4 \(twice attention_heads\)"),
        ({"window_bp": 25}, r"window_bp: found 25, expected a multiple of 3 \(the k of v2_3mer\)"),
        (
            {"tokenizer": "bpe"},
            r"training\.yaml: tokenizer: found 'bpe', expected v1_6mer or v2_6mer or v2_3mer",
        ),
        ({"validation": "chr1"}, r"region 'chr1': is not contig:start-end"),
        (
            {"validation": "chr1:1000-9000"},
            r"region chr1:1000-9000: ends after the contig \(found 9000, expected <= 2400\)",
        ),
        ({"window_bp": 1230}, r"training windows: none of 1230 bp without N lies outside what is held out"),
    ],
)
def test_settings_that_cannot_be(step, arguments, capsys, changes, pattern):
    change_settings(arguments, **changes)
    assert_refused(step, arguments, pattern, capsys)


@pytest.mark.parametrize(
    ("region", "pattern"),
    [
        ("chr1:9-3", r"region 'chr1:9-3': is not contig:start-end with start < end"),
        ("2R:10-300", r"region 2R:10-300: names no contig of the genome \(it has chr1\)"),
        ("chr1:0-2400", r"training windows: none of 24 bp"),
    ],
)
def test_held_out_regions_that_hold_out_nothing_or_all(step, arguments, capsys, region, pattern):
    assert_refused(step, {**arguments, "--held-out": region}, pattern, capsys)


@pytest.mark.parametrize(
    ("name", "content", "pattern"),
    [
        ("--genome", None, r"masked\.fa: genome FASTA not found"),
        ("--config", None, r"training\.yaml: training recipe not found"),
        ("--config", "- steps", r"training\.yaml: holds no `key: value` lines"),
    ],
)
def test_missing_and_damaged_inputs(step, arguments, capsys, name, content, pattern):
    arguments[name].unlink()
    if content is not None:
        arguments[name].write_text(content)
    assert_refused(step, arguments, pattern, capsys)


def test_a_damaged_annotation(tmp_path, capsys):
    arguments = write_inputs(tmp_path)
    arguments["--annotation"].write_text("PAR1 this is not")
    pattern = r"annotation\.parquet: is no readable Parquet table"
    assert_refused("train_segmentation", arguments, pattern, capsys)


def test_a_loss_that_is_not_finite_names_step_and_last_good_checkpoint(tmp_path, capsys):
    arguments = write_inputs(
        tmp_path, learning_rate=1e38, warmup_fraction=0, steps=40, checkpoint_every=1, log_every=1
    )
    pattern = r"training step \d+: the loss is (nan|inf).*last good checkpoint, of step \d+, is .*state\.safe"
    assert_refused("train_segmentation", arguments, pattern, capsys)
    assert (arguments["--work-dir"] / "state.safetensors").exists()


def test_a_state_of_another_run_or_a_damaged_one_is_refused(step, arguments, capsys):
    path = arguments["--work-dir"] / "state.safetensors"
    save_state(path, {"step": np.int32(3)}, "another run's key", Progress(3))
    pattern = r"state\.safetensors: belongs to a run with another recipe or other inputs"
    assert_refused(step, arguments, pattern, capsys)
    path.write_bytes(path.read_bytes()[:-3])
    assert_refused(step, arguments, r"state\.safetensors: is damaged", capsys)


def test_an_initial_model_that_cannot_be_gone_on_from_is_refused(step, arguments, tmp_path, capsys):
    settings = recipe.PretrainingRecipe(tokenizer="v2_3mer", embed_dim=8, num_layers=1, window_bp=9)
    config = recipe.model_config(settings, lm_head=True)
    learned = dataclasses.replace(config, positional_embedding="learned")
    write_checkpoint(tmp_path / "initial", init_params(learned, 0), learned)
    arguments["--initial"] = tmp_path / "initial"
    pattern = r"initial: takes 4 tokens, windows of 24 bp have 9\. Shorten window_bp"
    assert_refused(step, arguments, pattern, capsys)
