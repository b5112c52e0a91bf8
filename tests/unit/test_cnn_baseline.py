"""The CNN that the demo's checkpoint has to beat: its size, what it reads, its split and its table."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from toy_training import HELD_OUT, VALIDATION, write_inputs

from dnalm import checkpoints, models
from dnalm.genome import Genome
from dnalm.genome.regions import parse_region
from dnalm.training import data, recipe, segmentation

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(BENCHMARKS))  # last: it has scripts of the workflow's names

import cnn_baseline  # noqa: E402

FEATURES = recipe.SegmentationRecipe.features
LETTERS = np.frombuffer(b"ACGT", np.uint8)


@pytest.fixture(scope="module")
def params():
    return cnn_baseline.start_params(cnn_baseline.network(len(FEATURES)), [0.1] * len(FEATURES), 1)


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """Genome, annotation and a checkpoint of random weights with its training.yaml."""
    folder = tmp_path_factory.mktemp("toy")
    arguments = write_inputs(folder)
    settings = recipe.read_recipe(arguments["--config"], recipe.SegmentationRecipe)
    config = recipe.model_config(settings, settings.features, "own_strand")
    checkpoints.write_checkpoint(folder / "model", models.init_params(config, 1), config)
    arguments["--config"].rename(folder / "model" / "training.yaml")
    return folder, settings


def words_of(folder, *more):
    """Returns the arguments for three steps on the toy inputs."""
    words = ["--steps", "3", "--held-out", HELD_OUT, "--checkpoint", folder / "model", *more]
    words += ["--genome", folder / "masked.fa", "--annotation", folder / "annotation.parquet"]
    return [str(word) for word in words]


def read_output(text):
    """Returns the scores, the first and the last line of what is printed."""
    first, _, head, _, *rows, last = text.splitlines()
    scores = pd.DataFrame([row.split() for row in rows], columns=["feature", *head.split()])
    return scores.set_index("feature").astype(float), first, last


def test_size_and_receptive_field_are_as_the_docstring_says(params):
    assert 60_000 < cnn_baseline.count_params(params) < 68_000
    claimed = int(re.search(r"receptive field is\s+([\d,]+) bp", cnn_baseline.__doc__)[1].replace(",", ""))
    assert claimed == cnn_baseline.RECEPTIVE_BP
    middle, model = claimed, cnn_baseline.network(len(FEATURES))
    bases = np.random.default_rng(1).choice(LETTERS, (1, 2 * claimed + 1))
    gradient = jax.grad(lambda x: model.apply(params, x)[0, middle].sum())(cnn_baseline.one_hot(bases))
    read = np.flatnonzero(np.abs(gradient[0]).sum(axis=1))
    assert (read[0] - middle, read[-1] - middle) == (-(claimed // 2), claimed // 2)
    assert len(read) == claimed  # no gaps


def test_strips_leave_no_trace(params, monkeypatch):
    """Predictions of both strands are in genome order, and do not depend on where a strip ends."""
    bases = np.random.default_rng(2).choice(LETTERS, 3000)
    genome = object.__new__(data.TrainingGenome)
    genome.sequences = {"c": bases}
    monkeypatch.setattr(cnn_baseline, "STRIP_BP", 1024)
    parts = cnn_baseline.predict_cnn(params, genome, ("c", 100, 2900), len(FEATURES))
    monkeypatch.setattr(cnn_baseline, "STRIP_BP", 2800)
    whole = cnn_baseline.predict_cnn(params, genome, ("c", 100, 2900), len(FEATURES))
    complement = bytes.maketrans(b"ACGT", b"TGCA")
    genome.sequences = {"c": np.frombuffer(bases.tobytes().translate(complement)[::-1], np.uint8)}
    turned = cnn_baseline.predict_cnn(params, genome, ("c", 100, 2900), len(FEATURES))
    for strand, other in ("+-", "-+"):
        np.testing.assert_allclose(parts[strand], whole[strand], atol=1e-5)
        np.testing.assert_allclose(turned[other][::-1], whole[strand], atol=1e-5)


def test_the_learning_rate_warms_up_and_falls_to_zero():
    rates = [cnn_baseline.learning_rate(1.0, progress) for progress in (0, 0.04, 0.08, 0.54, 1, 1.5)]
    assert rates == pytest.approx([0.0125, 0.5, 1, 0.5, 0, 0], abs=1e-9)


def test_batches_are_those_of_the_checkpoint_s_training(toy):
    folder, settings = toy
    unseen = [parse_region(HELD_OUT), parse_region(VALIDATION)]
    table = pd.read_parquet(folder / "annotation.parquet")
    with Genome(folder / "masked.fa") as opened:
        examples = data.TrainingGenome(opened, unseen, settings.window_bp, table, settings.features)
    config = recipe.model_config(settings, settings.features)
    expected = segmentation.make_batches(config, examples, settings)(5)[1][0]
    letters, labels = cnn_baseline.make_batches(examples, settings)(5)
    assert letters.shape == expected.shape[:2]
    np.testing.assert_array_equal(labels, expected)


def test_the_table_is_printed_twice_the_same(toy, monkeypatch, capsys):
    """Also: one frame is scored as training scores; more frames change the checkpoint's column alone."""
    folder, settings = toy
    command = [sys.executable, str(BENCHMARKS / "cnn_baseline.py"), *words_of(folder)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.stdout.count("\n") == 8, found.stdout + found.stderr
    scores, first, last = read_output(found.stdout)
    assert re.match(r"CNN: 6\d,\d{3} parameters, receptive field 1,031 bp, 3 steps, 0\.0 Mb seen, ", first)
    assert list(scores.columns) == ["base_rate", "cnn_auprc", "checkpoint_auprc", "difference"]
    model = checkpoints.load_checkpoint(folder / "model")
    table = pd.read_parquet(folder / "annotation.parquet")
    with Genome(folder / "masked.fa") as opened:
        examples = data.TrainingGenome(opened, [], settings.window_bp, table, settings.features)
    expected = segmentation.score_region(
        model.config, model.params, examples, table, parse_region(HELD_OUT), settings.window_bp
    ).set_index("feature")
    np.testing.assert_allclose(scores["checkpoint_auprc"], expected["auprc"], atol=1e-3)
    np.testing.assert_allclose(scores["base_rate"], expected["base_rate"], atol=1e-4)
    above = scores["difference"] > 0
    assert last == "exceeds on: {}; below on: {}".format(
        *(", ".join(scores.index[chosen]) or "none" for chosen in (above, ~above))
    )
    assert found.returncode == int(not above.all())

    monkeypatch.setattr(sys, "argv", ["cnn_baseline.py", *words_of(folder, "--frames", "3")])
    monkeypatch.setattr(cnn_baseline.os, "sched_setaffinity", lambda *_: None)
    cnn_baseline.main()
    again, line, _ = read_output(capsys.readouterr().out)
    assert line.split(" Mb seen")[0] == first.split(" Mb seen")[0]
    assert line.split("loss")[1] == first.split("loss")[1]
    pd.testing.assert_frame_equal(again[["base_rate", "cnn_auprc"]], scores[["base_rate", "cnn_auprc"]])
    assert not again["checkpoint_auprc"].equals(scores["checkpoint_auprc"])


@pytest.mark.parametrize(
    ("differences", "status", "last"),
    [
        ((0.1, 0.2, 0.1), 0, "exceeds on: exon, splice_donor, CDS; below on: none"),
        ((0.1, 0.2, -0.1), 0, "exceeds on: exon, splice_donor; below on: CDS"),
        ((0.1, 0.0, 0.1), 1, "exceeds on: exon, CDS; below on: splice_donor"),
        ((np.nan, 0.2, 0.1), 1, "exceeds on: splice_donor, CDS; below on: exon"),
    ],
)
def test_the_verdict(differences, status, last, capsys):
    """Exons, introns and splice sites decide; a draw or a missing score is not a win."""
    scores = pd.DataFrame({"difference": differences}, ["exon", "splice_donor", "CDS"])
    assert cnn_baseline.report(scores) == status
    assert capsys.readouterr().out.splitlines()[-1] == last


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--score-region", "chr1:1100-1300"], "--score-region lies in no held-out region"),
        (["--frames", "2"], "--frames: the token's bases"),
    ],
)
def test_wrong_arguments_are_named(toy, more, message, monkeypatch, capsys):
    folder, _ = toy
    monkeypatch.setattr(sys, "argv", ["cnn_baseline.py", *words_of(folder, *more)])
    monkeypatch.setattr(cnn_baseline.os, "sched_setaffinity", lambda *_: None)
    with pytest.raises(SystemExit) as stop:
        cnn_baseline.main()
    assert message in str(stop.value) + capsys.readouterr().err
