"""Faults of calling elements and of browser files: status 2, one clear line, nothing at the final path."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import make_hub
import pytest
import toy_models
import yaml
from step_faults import assert_refused, snapshot
from toy_elements import step_arguments, values, write_run

from dnalm import config as configuration
from dnalm.errors import UserError
from dnalm.files import manifest_path

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
TRACKS = {"exon.bw": ("exon", "either")}


@pytest.fixture
def inputs(tmp_path):
    run, genome = write_run(tmp_path, {"one": {"exon.bw": values("0990" * 25)}}, TRACKS)
    return SimpleNamespace(tracks=run, genome=genome)


DAMAGES = [
    ("no run", lambda i: setattr(i, "tracks", i.tracks / "none"), "none: is no folder of tracks"),
    ("incomplete run", lambda i: manifest_path(i.tracks).unlink(), r"manifest\.json: file not found"),
    ("track cut", lambda i: (i.tracks / "exon.bw").write_bytes(b"x"), r"exon\.bw: incomplete \(found 1,"),
    ("track gone", lambda i: (i.tracks / "exon.bw").unlink(), r"exon\.bw: incomplete \(found no file"),
    (
        "track damaged",
        lambda i: (i.tracks / "exon.bw").write_bytes(bytes((i.tracks / "exon.bw").stat().st_size)),
        r"exon\.bw: is not a bigWig",
    ),
    ("no genome", lambda i: i.genome.unlink(), r"masked\.fa: genome FASTA not found"),
    (
        "other genome",
        lambda i: toy_models.write_fasta(i.genome, {"one": toy_models.random_bases(100, 7)}),
        r"masked\.fa: is not the genome of these tracks",
    ),
]


@pytest.mark.parametrize("step, output", [("call_elements", "elements.bed"), ("export_zarr", "store.zarr")])
@pytest.mark.parametrize("damage, pattern", [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_a_wrong_run_is_refused(inputs, tmp_path, capfd, damage, pattern, step, output):
    damage(inputs)
    arguments = step_arguments(inputs.tracks, inputs.genome)
    assert_refused(step, arguments, tmp_path / "out" / output, pattern, capfd)


@pytest.mark.parametrize(
    "words, pattern",
    [
        (["--threshold", "1.5"], r"threshold: is 1\.5 \(expected 0 to 1\)"),
        (["--thresholds", "exon=-1"], r"threshold of exon: is -1\.0"),
        (["--thresholds", "exon"], r"--thresholds: .* Give FEATURE=THRESHOLD"),
        (["--thresholds", "exon=high"], r"--thresholds: .*'high'"),
        (
            ["--thresholds", "lncRNA=0.4"],
            r"thresholds: name 'lncRNA', which is no feature here\. Known: exon",
        ),
        (["--smoothing-bp", "10"], r"smoothing_bp: is 10 \(expected an odd number\)"),
        (["--min-length-bp", "0"], "min_length_bp: is 0"),
        (["--merge-gap-bp", "-1"], "merge_gap_bp: is -1"),
    ],
)
def test_a_wrong_setting_is_refused(inputs, tmp_path, capfd, words, pattern):
    arguments = step_arguments(inputs.tracks, inputs.genome, *words)
    assert_refused("call_elements", arguments, tmp_path / "out" / "elements.bed", pattern, capfd)


def test_a_hub_needs_the_elements(inputs, capfd):
    before = snapshot(inputs.tracks)
    assert make_hub.main(step_arguments(inputs.tracks, inputs.genome)) == 2
    line = capfd.readouterr().err.rstrip("\n").splitlines()[-1]
    assert "elements.bed.manifest.json: file not found" in line
    assert snapshot(inputs.tracks) == before


CONFIG = """
species: {{fly: {{genome: a.fa}}}}
segmentation:
  run:
    model: head
    elements: {elements}
"""
FACTS = configuration.ModelFacts("head", "v2_6mer", 2048, 3, ("exon", "intron"), "own_strand")


def resolved(folder, elements):
    path = folder / "config.yaml"
    path.write_text(CONFIG.format(elements=elements))
    where, config = configuration.locator([path]), yaml.safe_load(path.read_text())
    configuration.check_schema(config, SCRIPTS.parent / "schemas" / "config.schema.yaml", where)
    return configuration.resolve(config, lambda name: FACTS, where)["segmentation"]["run"]


@pytest.mark.parametrize(
    "elements, pattern",
    [
        ("{smoothing_bp: 4}", r"config\.yaml:6 .*smoothing_bp: found 4, expected an odd number"),
        ("{thresholds: {exn: 0.4}}", r"'exn' is no feature of model 'head'\. Known: exon, intron"),
        ("{threshold: 1.2}", r"found 1\.2, expected a number at least 0 at most 1"),
        ("{thresholds: {exon: -1}}", r"found -1, expected a number"),
        ("{treshold: 0.4}", r"unknown key 'treshold'\. Did you mean 'threshold'\?"),
        ("{min_length_bp: 0}", r"found 0, expected a whole number at least 1"),
    ],
)
def test_a_wrong_configuration_is_refused_before_any_job(tmp_path, elements, pattern):
    with pytest.raises(UserError, match=pattern):
        resolved(tmp_path, elements)


def test_the_configuration_is_completed(tmp_path):
    run = resolved(tmp_path, "{thresholds: {exon: 0.4}}")
    assert run["hub"] is True and run["zarr"] is False
    assert run["elements"]["thresholds"] == {"exon": 0.4} and run["elements"]["threshold"] == 0.5


# Stops for good once half of the elements are written.
HALTING = """
import os, signal, sys
sys.path.insert(0, {scripts!r})
import call_elements
from dnalm.elements import formats
line, seen = formats.bed_line, []
def halting(element):
    seen.append(element)
    if len(seen) == 12:
        os.kill(os.getpid(), signal.SIGKILL)
    return line(element)
formats.bed_line = halting
sys.exit(call_elements.main(sys.argv[1:]))
"""


def test_a_killed_call_leaves_nothing_and_runs_again(inputs):
    output = inputs.tracks / "elements.bed"
    before = snapshot(inputs.tracks)
    arguments = [*step_arguments(inputs.tracks, inputs.genome), "--output", str(output)]
    program = HALTING.format(scripts=str(SCRIPTS))
    environment = {**os.environ, "PYTHONWARNINGS": ""}
    killed = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL
    left = snapshot(inputs.tracks)
    assert {name: data for name, data in left.items() if not name.endswith(".tmp")} == before
    import call_elements

    assert call_elements.main(arguments) == 0
    assert len(output.read_text().splitlines()) == 25
    names = {"elements.bed", "elements.gff3", "elements.bed.manifest.json"}
    assert set(snapshot(inputs.tracks)) == set(before) | names  # the killed one's files are gone too
