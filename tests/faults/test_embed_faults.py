"""Faults of embedding: each is refused with status 2 and one clear line, or survived with the same bytes."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import embed
import jax
import numpy as np
import pytest
import toy_models
from step_faults import assert_refused, snapshot

from dnalm import files, windows
from dnalm.checkpoints import write_checkpoint
from dnalm.embeddings import embedder
from dnalm.engine import preflight, runner
from dnalm.errors import UserError
from dnalm.files import sha256_of
from dnalm.genome import Genome
from dnalm.models import init_params

TESTS = Path(__file__).parents[1]
WINDOW_BP, COUNT = 96, 12


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """A checkpoint, a genome with one N window, and windows."""
    folder = tmp_path_factory.mktemp("inputs")
    bases = toy_models.random_bases(WINDOW_BP * COUNT)
    bases[WINDOW_BP : WINDOW_BP + 3] = ord("N")
    genome = toy_models.write_fasta(folder / "masked.fa", {"one": bases})
    table, _ = windows.make_tiles({"one": len(bases)}, Genome(genome), WINDOW_BP)
    windows.write_windows(table, folder / "x.bed")
    return SimpleNamespace(
        checkpoint=toy_models.language_model(folder / "model", num_layers=1),
        genome=genome,
        bed=folder / "x.bed",
    )


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Keeps compiled programs between the runs of this file."""
    folder = str(tmp_path_factory.mktemp("compiled"))
    with toy_models.compiled_once(folder):
        yield folder


def arguments_of(inputs, **changes):
    """The command line without --output; a change to None leaves an argument out."""
    values = {
        "checkpoint": inputs.checkpoint,
        "genome": inputs.genome,
        "windows": inputs.bed,
        "layers": "1",
        "device": "cpu",
        "batch_size": 2,
        **changes,
    }
    return [
        word
        for name, value in values.items()
        if value is not None
        for word in ("--" + name.replace("_", "-"), str(value))
    ]


def text_file(tmp_path, text):
    (tmp_path / "in.txt").write_text(text)
    return tmp_path / "in.txt"


# id, the arguments changed (from the test's folder), the line on stderr
CASES = [
    ("layer", lambda f: {"layers": "7"}, r"--layers: found '7' \(expected 1 to 1, middle, last or all\)"),
    ("checkpoint", lambda f: {"checkpoint": f / "none"}, r"none: neither a folder nor a registered model"),
    ("no genome", lambda f: {"genome": None}, r"--windows: needs the genome"),
    ("windows missing", lambda f: {"windows": f / "no.bed"}, r"no\.bed: windows BED not found"),
    ("windows damaged", lambda f: {"windows": text_file(f, "one\t1\n")}, r"in\.txt:1: found 2 columns"),
    (
        "contig",
        lambda f: {"windows": text_file(f, "chr9\t0\t96\ta\t0\t+\t0.0000\n")},
        r"masked\.fa: has no contig 'chr9'",
    ),
    (
        "over the end",
        lambda f: {"windows": text_file(f, "one\t1100\t1200\ta\t0\t+\t0.0000\n")},
        r"one:1100-1200 leaves its 1152 bases",
    ),
    (
        "too many tokens",
        lambda f: {"windows": text_file(f, "one\t300\t600\ta\t0\t+\t0.0000\n")},
        r"a: has 51 tokens, the model takes at most 33",
    ),
    ("no windows", lambda f: {"windows": text_file(f, "")}, r"in\.txt: holds no rows to embed"),
    ("batch size", lambda f: {"batch_size": "0"}, r"--batch-size: found '0'"),
    (
        "sequences twice",
        lambda f: {"windows": None, "sequences": text_file(f, ">a\nACGT\n>a\nACGT\n")},
        r"duplicate contig name 'a'",
    ),
    ("sequences empty", lambda f: {"windows": None, "sequences": text_file(f, "")}, r"in\.txt: .* is empty"),
]


@pytest.mark.parametrize("changes, pattern", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_wrong_input_is_refused(inputs, tmp_path, capsys, changes, pattern):
    line = arguments_of(inputs, **changes(tmp_path))
    assert_refused("embed", line, tmp_path / "out" / "x.h5ad", pattern, capsys)


def test_19_a_full_disk_is_seen_before_computing(inputs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(preflight.shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    monkeypatch.setattr(runner.Runner, "run", None)  # nothing may be computed
    pattern = r"too little space \(found 0\.00 GiB free, expected 0\.00 GiB\)"
    assert_refused("embed", arguments_of(inputs), tmp_path / "x.h5ad", pattern, capsys)


def python(program, *arguments):
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "workflow" / "scripts")])
    environment = {**os.environ, "JAX_PLATFORMS": "cpu", "PYTHONPATH": paths}
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


LIMITED = """
import resource, sys
sys.dont_write_bytecode = True  # Python keeps what the limit cuts off
import embed
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
sys.exit(embed.main(sys.argv[1:]))
"""


def test_19_a_real_limit_on_file_size_is_one_clear_line(inputs, tmp_path):
    """The HDF5 library crashes the process when a write fails: it must not get that far."""
    done = python(LIMITED, *arguments_of(inputs), "--output", tmp_path / "out" / "x.h5ad")
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert [path.name for path in (tmp_path / "out").glob("*") if path.name != ".work"] == []


def test_21_what_a_killed_run_left_is_cleaned_a_day_later(inputs, tmp_path):
    old, running = tmp_path / ".x.h5ad.0123.tmp", tmp_path / ".x.h5ad.4567.tmp"
    for path in (old, running):
        path.write_text("half")
    os.utime(old, (1, 1))
    run(inputs, tmp_path / "x.h5ad")
    assert not old.exists()
    assert running.exists()


def test_20_an_output_folder_that_is_a_file_is_refused(inputs, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr(runner.Runner, "run", None)
    assert embed.main([*arguments_of(inputs), "--output", str(tmp_path / "out" / "x.h5ad")]) == 2
    assert "out: is a file, expected a folder" in capsys.readouterr().err
    assert (tmp_path / "out").read_text() == "a file"


def test_20_a_folder_without_write_permission_is_refused(inputs, tmp_path, capsys, monkeypatch):
    allowed = os.access
    monkeypatch.setattr(preflight.os, "access", lambda path, mode: mode == os.R_OK and allowed(path, mode))
    assert_refused("embed", arguments_of(inputs), tmp_path / "x.h5ad", r"is not writable", capsys)


def test_20_an_output_that_is_a_folder_is_refused(inputs, tmp_path, capsys):
    (tmp_path / "x.h5ad").mkdir()
    assert embed.main([*arguments_of(inputs), "--output", str(tmp_path / "x.h5ad")]) == 2
    assert "x.h5ad: is a folder, expected a place for a file" in capsys.readouterr().err


def test_22_killed_between_data_and_manifest_is_incomplete(inputs, tmp_path, monkeypatch):
    run(inputs, tmp_path / "x.h5ad")

    def killed(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_manifest", killed)
    assert embed.main([*arguments_of(inputs, pooling="cls"), "--output", str(tmp_path / "x.h5ad")]) == 130
    with pytest.raises(UserError, match="not found"):  # not the manifest of the earlier result
        files.read_manifest(tmp_path / "x.h5ad")


def test_23_an_input_changed_meanwhile_is_refused(inputs, tmp_path, capsys, monkeypatch):
    bed = tmp_path / "in" / "changing.bed"
    bed.parent.mkdir()
    bed.write_bytes(inputs.bed.read_bytes())
    compute = embedder.Embedder._shard

    def meanwhile(self, first, last):
        bed.write_bytes(inputs.bed.read_bytes() + b"more\n")
        return compute(self, first, last)

    monkeypatch.setattr(embedder.Embedder, "_shard", meanwhile)
    work = tmp_path / "work"  # the finished shards stay: they belong to the file as it was
    line = arguments_of(inputs, windows=bed, work_dir=work)
    pattern = r"changing\.bed: changed while it was read"
    assert embed.main([*line, "--output", str(tmp_path / "x.h5ad")]) == 2
    errors = capsys.readouterr().err
    assert pattern.replace("\\", "") in errors
    assert not (tmp_path / "x.h5ad.manifest.json").exists()


def full_after(calls, monkeypatch):
    """Makes the device refuse every batch of more than one row."""
    prepare = runner.Runner.__init__

    def init(self, *arguments, **options):
        prepare(self, *arguments, **options)
        call = self._call

        def limited(params, tokens):
            calls.append(tokens.shape[0])
            if tokens.shape[0] > 1:
                raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 5 bytes.")
            return call(params, tokens)

        self._call = limited

    monkeypatch.setattr(runner.Runner, "__init__", init)


def run(inputs, output, **changes):
    assert embed.main([*arguments_of(inputs, **changes), "--output", str(output)]) == 0
    return sha256_of(output)


def values_of(path):
    from dnalm import engine

    return engine.read_embeddings(path, 1)[1]


def test_56_out_of_memory_is_survived_with_the_same_numbers(inputs, tmp_path, monkeypatch, capsys):
    run(inputs, tmp_path / "a.h5ad")
    calls = []
    full_after(calls, monkeypatch)
    run(inputs, tmp_path / "b.h5ad", batch_size=4)
    assert {4, 2, 1} <= set(calls)
    np.testing.assert_allclose(values_of(tmp_path / "b.h5ad"), values_of(tmp_path / "a.h5ad"), atol=1e-6)
    assert "out of device memory: batches of 2 instead of 4 rows" in capsys.readouterr().err


def test_57_a_missing_gpu_is_no_reason_to_use_the_cpu(inputs, tmp_path, capsys):
    pattern = r"cuda: not available \(.*\)\. Choose another --device or install JAX for it"
    try:
        assert_refused("embed", arguments_of(inputs, device="cuda"), tmp_path / "x.h5ad", pattern, capsys)
    finally:
        jax.config.update("jax_platforms", "cpu")  # for the tests that follow


def test_58_a_gpu_held_by_others_is_named(inputs, tmp_path, capsys, monkeypatch):
    def full(*arguments):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: failed to allocate 3.2GiB")

    monkeypatch.setattr(jax, "device_put", full)
    pattern = r"out of memory for the model's weights .*set XLA_PYTHON_CLIENT_MEM_FRACTION"
    assert_refused("embed", arguments_of(inputs), tmp_path / "x.h5ad", pattern, capsys)


def test_59_a_value_that_is_not_finite_names_its_window(inputs, tmp_path, capsys):
    config = toy_models.config(num_layers=1)
    params = init_params(config, 0)
    params["esm_transformer/~/embed"]["embeddings"] *= 1e38  # its variance is beyond float32
    write_checkpoint(tmp_path / "broken", params, config)
    line = arguments_of(inputs, checkpoint=tmp_path / "broken", work_dir=tmp_path / "work")
    pattern = r"one:\d+-\d+: the model gives NaN or infinity here \(and in 11 more"
    assert_refused("embed", line, tmp_path / "out" / "x.h5ad", pattern, capsys)
    assert not list((tmp_path / "work").rglob("*.npz"))  # the shard is not kept


KILLED = """
import os, signal, sys
import embed
from dnalm.embeddings import embedder
from dnalm.engine import shards
embedder.SHARD_TOKENS, embedder.BATCHES_PER_SHARD = 40, 0
saved, load = [], shards.Shards.get
def get(self, *arguments):
    if len(saved) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    saved.append(1)
    return load(self, *arguments)
shards.Shards.get = get
embed.main(sys.argv[1:])
"""


def test_21_22_60_a_killed_run_goes_on_and_ends_with_the_same_bytes(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(embedder, "SHARD_TOKENS", 40)
    monkeypatch.setattr(embedder, "BATCHES_PER_SHARD", 0)
    expected = run(inputs, tmp_path / "whole.h5ad")
    output, work = tmp_path / "out" / "x.h5ad", tmp_path / "work"
    line = arguments_of(inputs, work_dir=work)
    killed = python(KILLED, *line, "--output", output)
    assert killed.returncode == -9, killed.stderr
    assert not output.exists()
    assert not output.with_name("x.h5ad.manifest.json").exists()
    kept = {path.name: path.stat().st_mtime_ns for path in work.rglob("*.npz")}
    assert len(kept) == 2

    computed, compute = [], embedder.Embedder._shard
    monkeypatch.setattr(
        embedder.Embedder,
        "_shard",
        lambda self, first, last: computed.append(first) or compute(self, first, last),
    )
    capsys.readouterr()
    assert embed.main([*line, "--output", str(output)]) == 0
    assert "going on with 2 of" in capsys.readouterr().err
    assert min(computed) > 0  # the first shards were not computed again
    assert sha256_of(output) == expected
    assert output.with_name("x.h5ad.manifest.json").exists()
    assert not work.exists()  # nothing is left of the shards


def test_61_62_damaged_and_swapped_shards_are_made_again(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(embedder, "SHARD_TOKENS", 40)
    monkeypatch.setattr(embedder, "BATCHES_PER_SHARD", 0)
    expected = run(inputs, tmp_path / "whole.h5ad")
    work = tmp_path / "work"
    monkeypatch.setattr("dnalm.engine.shards.Shards.remove", lambda self: None)
    run(inputs, tmp_path / "x.h5ad", work_dir=work)
    shards = sorted(work.rglob("*.npz"))
    assert len(shards) > 4
    shards[0].write_bytes(shards[0].read_bytes()[:-9])
    shards[1].write_bytes(shards[2].read_bytes())  # a duplicate in another's place
    shards[3].unlink()
    capsys.readouterr()
    assert run(inputs, tmp_path / "x.h5ad", work_dir=work) == expected
    errors = capsys.readouterr().err
    assert "shard_000000.npz: damaged" in errors
    assert "shard_000001.npz: belongs to another run" in errors


def test_61_another_checkpoint_finds_no_shards(inputs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("dnalm.engine.shards.Shards.remove", lambda self: None)
    first = run(inputs, tmp_path / "a.h5ad", work_dir=tmp_path / "work")
    other = toy_models.language_model(tmp_path / "other", seed=1, num_layers=1)
    capsys.readouterr()
    assert run(inputs, tmp_path / "b.h5ad", work_dir=tmp_path / "work", checkpoint=other) != first
    assert "going on" not in capsys.readouterr().err
    assert len(list((tmp_path / "work").iterdir())) == 2


def test_per_token_output_has_a_size_limit(inputs, tmp_path, capsys, monkeypatch):
    import zarr

    from dnalm.embeddings import run as whole_run

    monkeypatch.setattr(whole_run, "LARGEST_TOKEN_OUTPUT", 1000)
    line = arguments_of(inputs, pooling="none")
    both = [*line, "--reverse-complement"]
    assert_refused("embed", both, tmp_path / "out" / "x.zarr", "cannot average single tokens", capsys)
    pattern = r"every token's embedding takes .* GiB .*or give --force"
    assert_refused("embed", line, tmp_path / "out" / "x.zarr", pattern, capsys)
    assert_refused("embed", line, tmp_path / "out" / "x.h5ad", pattern, capsys)
    output = tmp_path / "out" / "x.zarr"
    assert embed.main([*line, "--force", "--output", str(output)]) == 0
    store = zarr.open_group(output, mode="r")
    offsets, spans = store["offsets"][:], store["spans_bp"][:]
    assert len(offsets) == COUNT + 1
    assert store["layer_1/values"].shape == (offsets[-1], 16) == (len(spans), 16)
    assert store["names"][:2].tolist() == [b"one:0-96", b"one:96-192"]
    window = spans[offsets[1] : offsets[2]]  # starts with CLS and NNN
    assert window[:5].tolist() == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 9]]
    assert window[-1, 1] == WINDOW_BP
    assert [path for path in snapshot(output.parent) if path.endswith("tmp")] == []
