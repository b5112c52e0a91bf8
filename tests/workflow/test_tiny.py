"""The whole workflow on the tiny configuration, as a user runs it."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest
from workflow.conftest import ROOT, TINY, copy_checkout, fingerprints, snakemake, without_network

pytestmark = [pytest.mark.long, pytest.mark.workflow]
NOTHING = "Nothing to be done"


def test_everything_is_made(tiny):
    results = tiny / "results"
    assert (results / "report.html").stat().st_size > 10_000
    for stem in ("expression.fly_slice.rna_seq", "tracks.fly_slice.elements", "tasks", "map.fly_slice.tiles"):
        for ending in ("svg", "png", "85mm.svg", "85mm.png", "tsv"):
            assert (results / "figures" / f"{stem}.{ending}").stat().st_size > 100, stem
    for species in ("fly_slice", "macaque_piece"):
        assert (results / "browser" / f"{species}.elements.html").stat().st_size > 1_000_000
    assert "results/report.html" in (tiny / "run.log").read_text()


def test_every_result_has_its_manifest(tiny):
    names = set(fingerprints(tiny / "results"))
    for name in names:
        if name.endswith((".h5ad", ".bed", ".parquet")) and "predictions" not in name:
            assert f"{name}.manifest.json" in names or name in listed(tiny / "results", name), name


def listed(results, name):
    """Returns the files that the manifest of a file's folder names."""
    folder = (results / name).parent
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text())["content"] if manifest.exists() else {"files": {}}
    return {str((folder / file).relative_to(results)) for file in content["files"]}


def test_everything_was_made_without_a_network(tiny):
    """Only downloads, which are local rules, may open a connection: nodes of a cluster have no network."""
    if not without_network():
        reason = "taking the network away (unshare --net) is not allowed here"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    with socket.create_server(("127.0.0.1", 0)) as server:
        connect = f"import socket; socket.create_connection(('127.0.0.1', {server.getsockname()[1]}), 5)"
        command = [sys.executable, "-c", connect]
        assert subprocess.run(command).returncode == 0
        assert subprocess.run([*without_network(), *command], capture_output=True).returncode == 1
    assert (tiny / "results" / "report.html").exists()


def test_a_second_run_has_nothing_to_do(tiny):
    assert NOTHING in snakemake(tiny, "--configfile", TINY).stdout


def test_the_inner_snakefile_plans_the_same(tiny):
    assert NOTHING in snakemake(tiny, "--configfile", TINY, "-s", "workflow/Snakefile", "-n").stdout


def test_named_targets(tiny):
    for target in ("embeddings", "segmentation", "tasks", "expression", "figures"):
        run = snakemake(tiny, target, "--configfile", TINY, "-n")
        assert run.returncode == 0 and NOTHING in run.stdout, target


def test_a_working_directory_elsewhere(tiny, tmp_path):
    run = snakemake(tiny, "--configfile", TINY, "--directory", str(tmp_path), "-n", "--quiet", "rules")
    assert run.returncode == 0, run.stdout
    target = "results/species/macaque_piece/masked.fa"
    run = snakemake(tiny, target, "--configfile", TINY, "--directory", str(tmp_path))
    assert run.returncode == 0, run.stdout
    assert (tmp_path / target).read_bytes() == (tiny / target).read_bytes()


TOKENS = """
species:
  fly_slice: {genome: resources/demo/tiny/fly_slice.fa.gz, annotation: resources/demo/tiny/fly_slice.gtf.gz}
defaults: {windows: {tss: {kind: tss, upstream_bp: 300, downstream_bp: 300}}}
embeddings: {tokens: {model: tiny_segment_nt, windows: tss, pooling: none, layers: [last]}}
"""


def test_every_tokens_embedding(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    (folder / "tokens.yaml").write_text(TOKENS)
    run = snakemake(folder, "embeddings", "--configfile", "tokens.yaml")
    assert run.returncode == 0, run.stdout[-3000:]
    store = folder / "results/species/fly_slice/embeddings/tokens.zarr"
    assert {"layer_2", "offsets", "spans_bp", "manifest.json"} <= {path.name for path in store.iterdir()}


@pytest.mark.parametrize("table", ["models.tsv", "tasks.tsv"])
def test_a_new_row_runs_nothing_again(tiny, table):
    path = tiny / "resources" / table
    before = path.read_text()
    last = before.rstrip("\n").rsplit("\n", 1)[1]
    try:
        path.write_text(before.rstrip("\n") + "\n" + re.sub(r"^[^\t]+", "added_row", last) + "\n")
        assert NOTHING in snakemake(tiny, "--configfile", TINY, "-n").stdout
    finally:
        path.write_text(before)


def test_the_report_of_snakemake(tiny, tmp_path):
    run = snakemake(tiny, "--configfile", TINY, "--report", str(tmp_path / "report.html"))
    assert run.returncode == 0, run.stdout[-2000:]
    assert (tmp_path / "report.html").stat().st_size > 100_000


def test_lint():
    run = snakemake(ROOT, "--lint")
    assert run.returncode == 0, run.stdout


def test_masked_positions_are_missing_in_tracks(tiny):
    pyBigWig = pytest.importorskip("pyBigWig")
    import pysam

    folder = tiny / "results/species/macaque_piece"
    contig, sequence = None, ""
    with pysam.FastaFile(str(folder / "masked.fa")) as fasta:
        contig = fasta.references[0]
        sequence = fasta.fetch(contig)
    with pyBigWig.open(str(folder / "segmentation/elements/exon.plus.bw")) as track:
        values = track.values(contig, 0, len(sequence), numpy=True)
    assert all(values[i] != values[i] for i, base in enumerate(sequence) if base == "N")
    assert sum(value == value for value in values) > 0.8 * len(sequence)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("embeddings:", "embedings:"),
            r"tiny\.yaml:\d+ embedings: unknown key 'embedings'. Did you mean 'embeddings'\?",
        ),
        (
            ("model: tiny_segment_nt", "model: tiny_segmnt_nt"),
            "model 'tiny_segmnt_nt': neither a folder nor a registered model .nearest: tiny_segment_nt",
        ),
        (("length_bp: 1536", "length_bp: 60000"), "60000 bp .* longer than model 'tiny_segment_nt' allows"),
    ],
    ids=["unknown key", "unknown model", "window too long"],
)
def test_a_fault_of_the_configuration_ends_with_2(tmp_path, change, message):
    folder = copy_checkout(tmp_path / "checkout")
    text = (folder / TINY).read_text()
    assert change[0] in text
    (folder / TINY).write_text(text.replace(*change, 1))
    run = snakemake(folder, "--configfile", TINY, "-n")
    assert run.returncode == 2, run.stdout
    assert re.search(message, run.stdout) and "Traceback" not in run.stdout
    assert not (folder / "results").exists()


def test_a_failing_job_repeats_its_line_at_the_end(tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    (folder / "resources/demo/tiny/rheMac3.fa.gz").write_bytes(b">chr1\n>chr1\nACGT\n")
    run = snakemake(folder, "results/species/macaque_piece/genome.fa", "--configfile", TINY)
    assert run.returncode == 1
    assert re.search(r"results/logs/fetch_genome/macaque_piece\.log: .*rheMac3", run.stdout)
    assert not (folder / "results/species/macaque_piece/genome.fa").exists()


def shards(folder):
    work = folder / "results" / ".work"
    return (
        [path for path in work.rglob("*") if path.is_file() and not path.name.startswith(".")]
        if work.exists()
        else []
    )


def test_a_run_killed_while_embedding_ends_with_the_bytes_of_an_uninterrupted_one(tiny, tmp_path):
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
    again = snakemake(folder, "embeddings", "--configfile", TINY, "--rerun-incomplete")
    assert again.returncode == 0, again.stdout[-3000:]
    found, whole = fingerprints(folder / "results"), fingerprints(tiny / "results")
    embedded = {name for name in whole if "/embeddings/tiles" in name}
    assert embedded and embedded <= set(found)
    assert found == {name: whole[name] for name in found}
