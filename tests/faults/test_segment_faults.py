"""Faults of segmentation: refused with status 2 and one clear line, or survived with the same bytes."""

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest
import segment
import toy_models

from dnalm import files
from dnalm.bigwig import BigWigWriter
from dnalm.checkpoints import write_checkpoint
from dnalm.engine import preflight, runner
from dnalm.models import init_params
from dnalm.segmentation import predict, run

TESTS = Path(__file__).parents[1]
LENGTH_BP = 1500


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Keeps compiled programs between the runs of this file."""
    with toy_models.compiled_once(tmp_path_factory.mktemp("compiled")):
        yield


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    bases = toy_models.random_bases(LENGTH_BP)
    bases[700:710] = ord("N")
    config = toy_models.config(toy_models.FEATURES, "own_strand", num_layers=1)
    write_checkpoint(folder / "model", init_params(config, 0), config)
    return SimpleNamespace(
        checkpoint=folder / "model",
        language_model=toy_models.language_model(folder / "language", num_layers=1),
        genome=toy_models.write_fasta(folder / "masked.fa", {"one": bases, "two": "N" * 50}),
    )


def arguments_of(inputs, **changes):
    values = {
        "checkpoint": inputs.checkpoint,
        "genome": inputs.genome,
        "device": "cpu",
        "batch_size": 2,
        **changes,
    }
    return [
        word
        for name, value in values.items()
        for word in ("--" + name.replace("_", "-"), *str(value).split())
    ]


def assert_refused(inputs, output, pattern, capsys, **changes):
    """Status 2, the last line on stderr matches, and the output folder holds no file."""
    capsys.readouterr()
    status = segment.main([*arguments_of(inputs, **changes), "--output-dir", str(output)])
    errors = capsys.readouterr().err
    assert status == 2, errors
    assert "Traceback" not in errors
    assert re.search(pattern, errors.rstrip("\n").splitlines()[-1]), errors
    assert not output.is_dir() or list(output.iterdir()) == []


CASES = [
    (
        "language model",
        lambda i: {"checkpoint": i.language_model},
        r"is a language model, it predicts no features",
    ),
    ("no checkpoint", lambda i: {"checkpoint": "nothing"}, r"nothing: neither a folder nor a registered"),
    ("no genome", lambda i: {"genome": "no.fa"}, r"no\.fa: genome FASTA not found"),
    (
        "window too long",
        lambda i: {"window_bp": 408},
        r"408 bp are 69 tokens, .* at most 55 \(312 bp; it was trained on 33\)\. Give at most 312",
    ),
    ("window uneven", lambda i: {"window_bp": 100}, r"--window-bp: 100 is no multiple of 24"),
    ("overlap", lambda i: {"overlap": 1.0}, r"overlap: is 1\.0 \(expected 0 to 0\.9\)"),
    ("resolution", lambda i: {"resolution": 0.5}, r"resolution: is 0\.5"),
    ("filled n", lambda i: {"max_filled_n": -1}, r"--max-filled-n: found -1, expected 0 or more"),
    ("context alone", lambda i: {"context_bp": 9}, r"--context-bp: needs --bed"),
    ("part", lambda i: {"part": "3/2"}, r"--part: found '3/2', expected number/count such as 2/8"),
    ("region form", lambda i: {"regions": "one:5"}, r"region 'one:5': is not contig:start-end"),
    ("region order", lambda i: {"regions": "one:50-50"}, r"region 'one:50-50': is not contig:start-end"),
    ("region contig", lambda i: {"regions": "chr9:1-5"}, r"names no contig of the genome \(it has one"),
    (
        "region end",
        lambda i: {"regions": "one:1-1501"},
        r"ends after the contig \(found 1501, expected <= 1500",
    ),
]


@pytest.mark.parametrize("changes, pattern", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_wrong_input_is_refused(inputs, tmp_path, capsys, changes, pattern):
    assert_refused(inputs, tmp_path / "out", pattern, capsys, **changes(inputs))


def test_19_too_little_space_is_seen_before_computing(inputs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    monkeypatch.setattr(runner.Runner, "run", None)
    assert_refused(inputs, tmp_path / "out", r"too little space", capsys)


def test_19_a_disk_that_fills_up_leaves_no_track(inputs, tmp_path, capsys, monkeypatch):
    def full(*block):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(BigWigWriter, "_write_block", full)
    assert_refused(inputs, tmp_path / "out", r"No space left on device.*Free space", capsys)


LIMITED = """
import resource, sys
sys.dont_write_bytecode = True  # Python keeps what the limit cuts off
import segment
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
sys.exit(segment.main(sys.argv[1:]))
"""


def python(program, *arguments):
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "workflow" / "scripts")])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_19_a_real_limit_on_file_size_is_survived_by_the_writer(inputs, tmp_path):
    done = python(LIMITED, *arguments_of(inputs), "--output-dir", tmp_path / "out")
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "out").glob("*")) == []


def test_20_an_output_folder_that_is_a_file_is_refused(inputs, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr(runner.Runner, "run", None)
    assert_refused(inputs, tmp_path / "out", r"out: is a file, expected a folder", capsys)


def test_23_a_genome_changed_meanwhile_is_refused(inputs, tmp_path, capsys, monkeypatch):
    genome = tmp_path / "changing.fa"
    genome.write_bytes(inputs.genome.read_bytes())
    levels_of = predict.Predictor.levels_of

    def meanwhile(self, chunks):
        os.utime(genome, ns=(1, 1))
        return levels_of(self, chunks)

    monkeypatch.setattr(predict.Predictor, "levels_of", meanwhile)
    assert segment.main([*arguments_of(inputs, genome=genome), "--output-dir", str(tmp_path / "out")]) == 2
    assert "changing.fa: changed while it was read" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_57_a_missing_gpu_is_no_reason_to_use_the_cpu(inputs, tmp_path, capsys):
    try:
        assert_refused(inputs, tmp_path / "out", r"cuda: not available", capsys, device="cuda")
    finally:
        jax.config.update("jax_platforms", "cpu")


def test_59_a_value_that_is_not_finite_names_its_window(inputs, tmp_path, capsys):
    config = toy_models.config(toy_models.FEATURES, "own_strand", num_layers=1)
    params = init_params(config, 0)
    params["esm_transformer/~/embed"]["embeddings"] *= 1e38  # its variance is beyond float32
    write_checkpoint(tmp_path / "broken", params, config)
    pattern = r"one:\d+-\d+: the model gives NaN or infinity here"
    assert_refused(inputs, tmp_path / "out", pattern, capsys, checkpoint=tmp_path / "broken")


KILLED = """
import os, signal, sys
import segment
from dnalm.engine import shards
from dnalm.segmentation import run
run.CHUNK_BP, run.CHUNK_WINDOWS, run.BATCHES_PER_CHUNK = 200, 1, 0
saved, load = [], shards.Shards.get
def get(self, *arguments):
    if len(saved) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    saved.append(1)
    return load(self, *arguments)
shards.Shards.get = get
segment.main(sys.argv[1:])
"""


def outputs(folder):
    return {path.name: files.sha256_of(path) for path in folder.glob("*.bw")}


def test_21_60_a_killed_run_goes_on_and_ends_with_the_same_bytes(inputs, tmp_path, monkeypatch, capsys):
    for name, value in {"CHUNK_BP": 200, "CHUNK_WINDOWS": 1, "BATCHES_PER_CHUNK": 0}.items():
        monkeypatch.setattr(run, name, value)
    assert segment.main([*arguments_of(inputs), "--output-dir", str(tmp_path / "whole")]) == 0
    content = files.read_manifest(tmp_path / "whole")["content"]
    assert (content["bases"], content["predicted_bases"]) == (LENGTH_BP + 50, LENGTH_BP - 10)
    assert len(outputs(tmp_path / "whole")) == 4

    line = [*arguments_of(inputs, work_dir=tmp_path / "work"), "--output-dir", str(tmp_path / "out")]
    killed = python(KILLED, *line)
    assert killed.returncode == -9, killed.stderr
    assert outputs(tmp_path / "out") == {}
    assert len(list((tmp_path / "work").rglob("*.npz"))) == 3
    capsys.readouterr()
    assert segment.main(line) == 0
    assert "going on with 3 of" in capsys.readouterr().err
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
    again = files.read_manifest(tmp_path / "out")["content"]
    assert again == content
    assert not (tmp_path / "work").exists()


def test_61_damaged_chunks_are_made_again(inputs, tmp_path, monkeypatch, capsys):
    for name, value in {"CHUNK_BP": 200, "CHUNK_WINDOWS": 1, "BATCHES_PER_CHUNK": 0}.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr("dnalm.engine.shards.Shards.remove", lambda self: None)
    line = [*arguments_of(inputs, work_dir=tmp_path / "work"), "--output-dir"]
    assert segment.main([*line, str(tmp_path / "first")]) == 0
    chunks = sorted((tmp_path / "work").rglob("*.npz"))
    data = np.frombuffer(chunks[1].read_bytes(), np.uint8).copy()
    data[len(data) // 2] ^= 1
    chunks[1].write_bytes(data.tobytes())
    chunks[2].write_bytes(chunks[3].read_bytes())
    capsys.readouterr()
    assert segment.main([*line, str(tmp_path / "second")]) == 0
    errors = capsys.readouterr().err
    assert "shard_000001.npz: damaged" in errors
    assert "shard_000002.npz: belongs to another run" in errors
    assert outputs(tmp_path / "second") == outputs(tmp_path / "first")
