"""Real signals to runs in their own process: they end after the shard at hand, and go on from there."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_models

from dnalm import files, windows
from dnalm.checkpoints import write_checkpoint
from dnalm.engine import interrupt
from dnalm.genome import Genome
from dnalm.models import init_params

TESTS = Path(__file__).parents[1]
LENGTH_BP, WINDOW_BP = 1200, 96

# Arguments: script, number of the shard in which the signals come, the signals, then the script's own.
# Shards are small; a signal comes while one is computed, so it must be the last one that is kept.
RUN = """
import os, signal, sys, time
import embed, segment
from dnalm.embeddings import embedder
from dnalm.engine import interrupt, shards
from dnalm.segmentation import run
embedder.SHARD_TOKENS, embedder.BATCHES_PER_SHARD = 40, 0
run.CHUNK_BP, run.PART_CHUNK_BP, run.CHUNK_WINDOWS, run.BATCHES_PER_CHUNK = 200, 200, 1, 0
interrupt.REPEAT_S = 0.2
script, at, numbers, *arguments = sys.argv[1:]
get = shards.Shards.get
def signalled(self, number, part, compute):
    def disturbed():
        if str(number) == at:
            for signal_number in map(int, numbers.split(",")):
                os.kill(os.getpid(), signal_number)
                time.sleep(0.5)
        return compute()
    return get(self, number, part, disturbed)
shards.Shards.get = signalled
sys.exit({"embed": embed, "segment": segment}[script].main(arguments))
"""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    bases = toy_models.random_bases(LENGTH_BP)
    bases[700:710] = ord("N")
    config = toy_models.config(toy_models.FEATURES, "own_strand", num_layers=1)
    write_checkpoint(folder / "segmenter", init_params(config, 0), config)
    genome = toy_models.write_fasta(folder / "masked.fa", {"one": bases})
    table, _ = windows.make_tiles({"one": LENGTH_BP}, Genome(genome), WINDOW_BP)
    windows.write_windows(table, folder / "x.bed")
    toy_models.language_model(folder / "model", num_layers=1)
    return SimpleNamespace(folder=folder, genome=genome, bed=folder / "x.bed", compiled=folder / "compiled")


STEPS = {
    "embed": ("embed", ["--layers", "1"], "x.h5ad"),
    "tokens": ("embed", ["--layers", "1", "--pooling", "none"], "x.zarr"),
    "segment": ("segment", [], "tracks"),
    "part": ("segment", ["--part", "1/1"], "part.json"),
}


def command_of(inputs, step, folder):
    """Returns the script's name and arguments, with its output below a folder."""
    script, options, name = STEPS[step]
    words = ["--genome", inputs.genome, "--device", "cpu", "--batch-size", "2", "--work-dir", folder / "work"]
    if script == "embed":
        words += ["--checkpoint", inputs.folder / "model", "--windows", inputs.bed]
        words += ["--output", folder / name]
    else:
        words += ["--checkpoint", inputs.folder / "segmenter", "--output-dir", folder / name]
    return script, [*words, *options]


def run(inputs, step, folder, at="", signals=()):
    script, words = command_of(inputs, step, folder)
    numbers = ",".join(str(int(number)) for number in signals)
    return subprocess.run(
        [sys.executable, "-c", RUN, script, str(at), numbers, *map(str, words)],
        env={
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "JAX_COMPILATION_CACHE_DIR": str(inputs.compiled),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "workflow" / "scripts")]),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def results(folder):
    """Returns the sha256 of all files but the working folder, of manifests their content."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_dir() or name.startswith("work/"):
            continue
        found[name] = files.sha256_of(path)
        if name.endswith(".json"):
            found[name] = json.dumps(json.loads(path.read_text())["content"], sort_keys=True)
    return found


@pytest.fixture(scope="module")
def whole(inputs, tmp_path_factory):
    """step -> what an uninterrupted run leaves; made when first asked for."""
    made = {}

    def get(step):
        if step not in made:
            folder = tmp_path_factory.mktemp(step)
            done = run(inputs, step, folder)
            assert done.returncode == 0, done.stderr
            made[step] = results(folder)
        return made[step]

    return get


CASES = [
    *[(step, signal.SIGTERM) for step in STEPS],
    ("embed", signal.SIGUSR1),
    ("segment", signal.SIGUSR1),
    ("segment", signal.SIGINT),
]


@pytest.mark.parametrize("step, number", CASES, ids=lambda value: getattr(value, "name", value))
def test_60_a_signalled_run_keeps_its_shard_and_ends_like_an_uninterrupted_one(
    inputs, whole, tmp_path, step, number
):
    stopped = run(inputs, step, tmp_path, at=2, signals=[number])
    assert stopped.returncode == 128 + number, stopped.stderr
    lines = stopped.stderr.rstrip("\n").splitlines()
    noun = "shard" if step in ("embed", "tokens") else "chunk"
    assert (
        f"{number.name}: stopping at the end of this {noun}; a second one ends it at once\n" in stopped.stderr
    )
    assert lines[-1].startswith("stopped after 3 of ") and lines[-1].endswith(
        f" {noun}s; the same command goes on from there"
    )
    assert "Traceback" not in stopped.stderr
    assert results(tmp_path) == {}  # nothing at the final place, and nothing temporary beside it
    assert len(list((tmp_path / "work").rglob("*.npz"))) == 3

    again = run(inputs, step, tmp_path)
    assert again.returncode == 0, again.stderr
    total = re.search(r"3 of (\d+)", lines[-1])[1]
    assert f"going on with 3 of {total} {noun}s" in again.stderr
    assert results(tmp_path) == whole(step)


@pytest.mark.parametrize("numbers", [(signal.SIGTERM, signal.SIGTERM), (signal.SIGUSR1, signal.SIGTERM)])
def test_a_second_signal_ends_a_run_at_once(inputs, whole, tmp_path, numbers):
    stopped = run(inputs, "segment", tmp_path, at=2, signals=numbers)
    assert stopped.returncode == 128 + signal.SIGTERM, stopped.stderr
    assert "stopped after" not in stopped.stderr
    assert not list(tmp_path.glob("tracks/*.bw"))
    assert len(list((tmp_path / "work").rglob("*.npz"))) == 2  # not that of the shard at hand
    again = run(inputs, "segment", tmp_path)
    assert again.returncode == 0, again.stderr
    assert results(tmp_path) == whole("segment")


# The main thread is in one call that no signal interrupts, as one that waits for a device.
BUSY = """
import ctypes, logging, signal
from dnalm.engine.interrupt import StopSignal
logging.basicConfig(level=logging.INFO, format="%(message)s")
with StopSignal("shard"):
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print("ready", flush=True)
    ctypes.CDLL(None).sleep(60)
"""


def test_the_second_signal_is_heard_while_the_main_thread_is_busy():
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent / "workflow" / "scripts")}
    job = subprocess.Popen(
        [sys.executable, "-c", BUSY],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert job.stdout.readline() == "ready\n"
        job.send_signal(signal.SIGTERM)
        assert job.stderr.readline().startswith("SIGTERM: stopping at the end of this shard")
        job.send_signal(signal.SIGTERM)  # to the process and to its group: once
        time.sleep(interrupt.REPEAT_S + 0.2)
        assert job.poll() is None
        job.send_signal(signal.SIGTERM)
        assert job.wait(timeout=10) == 128 + signal.SIGTERM
    finally:
        job.kill()
        job.communicate()


def test_handlers_are_as_before_afterwards_and_only_the_main_thread_has_them():
    numbers = interrupt.SIGNALS
    before = [signal.getsignal(number) for number in numbers]
    with interrupt.StopSignal("shard") as stop:
        assert [signal.getsignal(number) for number in numbers] != before
        assert list(stop.watch("ab", 2)) == ["a", "b"]
    assert [signal.getsignal(number) for number in numbers] == before
    seen = []

    def elsewhere():
        with interrupt.StopSignal("shard") as stop:
            seen.extend(stop.watch("ab", 2))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == ["a", "b"]
