"""Whole runs of segment.py: parts, regions with context, long windows, float32 tracks, filled Ns."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import segment
import toy_models

from dnalm import files
from dnalm.checkpoints import write_checkpoint
from dnalm.engine import parts
from dnalm.genome import Genome
from dnalm.models import forward, init_params
from dnalm.segmentation import plan, run
from dnalm.stitching import Layout, centring_context, fill, find_pieces, join_spans, make_chunks
from dnalm.tracks import open_track, read_values

LENGTH_BP = 1500
TRACKS = ["exon.bw", "splice_donor.bw"]


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    """Keeps compiled programs between the runs of this file."""
    with toy_models.compiled_once(tmp_path_factory.mktemp("compiled")):
        yield


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    bases = toy_models.random_bases(LENGTH_BP)
    bases[300] = bases[1100] = ord("N")
    bases[700:710] = ord("N")
    config = toy_models.config(toy_models.FEATURES, "either_strand", num_layers=1)
    params = init_params(config, 0)
    write_checkpoint(folder / "model", params, config)
    genome = toy_models.write_fasta(folder / "masked.fa", {"one": bases, "two": bases[:400]})
    return SimpleNamespace(checkpoint=folder / "model", genome=genome, config=config, params=params)


def start(inputs, output, *words):
    common = [
        "--checkpoint",
        inputs.checkpoint,
        "--genome",
        inputs.genome,
        "--device",
        "cpu",
        "--batch-size",
        2,
    ]
    return segment.main([str(word) for word in (*common, *words, "--output-dir", output)])


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "manifest.json"}


def values(folder, contig="one", start=0, end=LENGTH_BP):
    with open_track(folder / "exon.bw") as track:
        return read_values(track, contig, start, end)


# --- parts ----------------------------------------------------------------------------------------


SIZES = {"PART_CHUNK_BP": 200, "CHUNK_BP": 300, "CHUNK_WINDOWS": 1, "BATCHES_PER_CHUNK": 0}


@pytest.fixture
def small_chunks(monkeypatch):
    for name, value in SIZES.items():
        monkeypatch.setattr(run, name, value)


@pytest.fixture(scope="module")
def made_parts(inputs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SIZES.items():
            patch.setattr(run, name, value)
        for number in (1, 2, 3):
            words = ("--part", f"{number}/3", "--work-dir", folder / "work")
            assert start(inputs, folder / f"{number}-of-3.json", *words) == 0
    return folder


@pytest.fixture
def records(made_parts, tmp_path):
    """Three parts of a run, whose files a test may damage."""
    folder = shutil.copytree(made_parts, tmp_path / "parts")
    paths = sorted(folder.glob("*.json"))
    for path in paths:
        path.write_text(path.read_text().replace(str(made_parts), str(folder)))
    return paths


def test_parts_gathered_have_the_bytes_of_one_run(inputs, records, tmp_path, small_chunks):
    assert start(inputs, tmp_path / "whole") == 0
    shards = [len(json.loads(record.read_text())["content"]["shards"]) for record in records]
    assert min(shards) >= 2 and max(shards) - min(shards) <= 2  # shares of the work, not of the contigs
    assert start(inputs, tmp_path / "gathered", "--gather", *reversed(records)) == 0
    assert contents(tmp_path / "gathered") == contents(tmp_path / "whole")
    one, other = (files.read_manifest(tmp_path / name)["content"] for name in ("whole", "gathered"))
    assert one == other
    assert not list(records[0].parent.rglob("*.npz"))


@pytest.mark.parametrize(
    ("damage", "pattern"),
    [
        (lambda records: records.pop(), r"parts: found \[1, 2\], expected 1 to 3 of one run"),
        (lambda records: records.append(records[0]), r"1-of-3\.json: is part 1, as is .*1-of-3\.json"),
        (lambda records: records[1].write_text("{}"), r"2-of-3\.json: is no record of a part"),
        (
            lambda records: shard_of(records[2]).unlink(),
            r"3-of-3\.json: its shard .*npz is missing or changed",
        ),
        (
            lambda records: shard_of(records[2]).write_bytes(b"x"),
            r"3-of-3\.json: its shard .* missing or changed",
        ),
    ],
)
def test_parts_that_cannot_be_gathered(damage, pattern, inputs, records, tmp_path, small_chunks, capsys):
    damage(records)
    capsys.readouterr()
    assert start(inputs, tmp_path / "out", "--gather", *records) == 2
    assert re.search(pattern, capsys.readouterr().err.splitlines()[-1])
    assert not (tmp_path / "out" / "manifest.json").exists()


def shard_of(record):
    content = json.loads(record.read_text())
    return Path(content["run"]["folder"]) / f"shard_{int(next(iter(content['content']['shards']))):06d}.npz"


def test_parts_of_other_settings_are_refused(inputs, records, tmp_path, small_chunks, capsys):
    assert start(inputs, tmp_path / "out", "--overlap", 0.5, "--gather", *records) == 2
    assert "is a part of another run (settings, inputs or version differ)" in capsys.readouterr().err


def test_a_share_is_a_run_of_neighbours_with_an_equal_part_of_the_windows():
    layout = Layout(8, 6)
    pieces = plan.Pieces({"a": [(0, 10_000)], "b": [(0, 500)]}, {"a": [], "b": []})
    groups = plan.plan_groups(pieces, {"a": [(0, 10_000)], "b": [(0, 500)]}, layout, 1000, None)
    costs = [plan.windows_of(group, layout) for group in groups]
    shares = [parts.share(costs, (number, 4)) for number in range(1, 5)]
    assert [number for share in shares for number in share] == list(range(len(groups)))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


# --- regions of a BED file --------------------------------------------------------------------------


def test_a_short_region_lies_in_the_middle_of_its_context():
    assert centring_context(100, 120, 48) == 14 and centring_context(100, 300, 48) == 24
    pieces = {"a": [(0, 400)]}
    for region, around in {(100, 120): (86, 134), (0, 20): (0, 48), (390, 400): (352, 400)}.items():
        (chunk,) = make_chunks(pieces, {"a": [region]}, 1000, lambda s, e: centring_context(s, e, 48))
        assert (chunk.start, chunk.end, chunk.piece) == (*region, around)


def test_regions_of_a_bed_file(inputs, tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("one\t400\t600\tfirst\t0\t-\none\t695\t720\ttwo\t0\t+\none\t402\t403\n")
    assert start(inputs, tmp_path / "out", "--bed", bed) == 0
    found = values(tmp_path / "out")
    inside = np.zeros(LENGTH_BP, bool)
    inside[400:600] = inside[695:720] = True
    inside[700:710] = False  # N
    np.testing.assert_array_equal(~np.isnan(found), inside)
    table = pd.read_csv(tmp_path / "out" / "regions.tsv", sep="\t")
    assert list(table["name"].unique()) == ["first", "two", "one:402-403"]
    exon = table[table["feature"] == "exon"].set_index("name")
    assert exon.loc["two", "predicted_bases"] == 15
    np.testing.assert_allclose(exon.loc["first", "mean"], found[400:600].mean(), rtol=1e-5)
    np.testing.assert_allclose(exon.loc["first", "max"], found[400:600].max(), rtol=1e-5)
    content = files.read_manifest(tmp_path / "out")["content"]
    assert set(content["files"]) == {*TRACKS, "filled_n.bed", "regions.tsv"} and "bed" in content["inputs"]


def test_context_is_as_wide_as_asked_for(inputs, tmp_path):
    bed = tmp_path / "regions.bed"
    bed.write_text("two\t100\t148\n")
    runs = {}
    for context in (0, 24):
        assert (
            start(inputs, tmp_path / str(context), "--bed", bed, "--context-bp", context, "--window-bp", 96)
            == 0
        )
        runs[context] = values(tmp_path / str(context), "two", 100, 148)
    with Genome(inputs.genome) as genome:  # alone, in a window of its own
        tokens = inputs.config.kmers.encode_batch([genome.fetch("two", 100, 148)])
    alone = forward(inputs.config, segmentation=True)(inputs.params, tokens)["segment_probabilities"]
    np.testing.assert_allclose(runs[0], alone[0, :, 0], atol=6e-4)
    assert np.abs(runs[24] - runs[0]).max() > 1e-3


# --- windows longer than those of training ----------------------------------------------------------


def test_long_windows_are_rescaled(inputs, tmp_path):
    trained, longer = (inputs.config.max_tokens - 1) * 6, (inputs.config.max_tokens - 1 + 20) * 6
    for window in (trained, longer):
        assert start(inputs, tmp_path / str(window), "--window-bp", window, "--regions", "two:0-300") == 0
    content = files.read_manifest(tmp_path / str(longer))["content"]
    factor = (longer // 6 + 1) / inputs.config.max_tokens
    assert content["rescaling_factor"] == factor > 1
    assert files.read_manifest(tmp_path / str(trained))["content"]["rescaling_factor"] is None
    with Genome(inputs.genome) as genome:
        sequence = fill(letters(genome.fetch("two", 0, longer))).tobytes().decode()
    tokens = inputs.config.kmers.encode_batch([sequence])
    model = forward(inputs.config, segmentation=True, rescaling_factor=factor)
    expected = model(inputs.params, tokens)["segment_probabilities"][0, :100, 0]
    np.testing.assert_allclose(values(tmp_path / str(longer), "two", 0, 100), expected, atol=6e-4)


def test_the_factor_of_segment_nt():
    from dnalm.checkpoints import registry
    from dnalm.checkpoints.expected import expected_config

    config = expected_config(registry.model_row("segment_nt"))
    assert plan.rescaling_factor(config, plan.make_layout(config)) == config.rescaling_factor
    assert plan.rescaling_factor(config, plan.make_layout(config, 49_992)) == 8333 / 2048
    assert plan.rescaling_factor(config, plan.make_layout(config, 40_008)) == 6669 / 2048


# --- float32 ----------------------------------------------------------------------------------------


def test_tracks_with_all_digits(inputs, tmp_path):
    for resolution in ("float32", "0.001"):
        assert start(inputs, tmp_path / resolution, "--resolution", resolution) == 0
    exact, rounded = (values(tmp_path / name) for name in ("float32", "0.001"))
    np.testing.assert_array_equal(np.isnan(exact), np.isnan(rounded))
    known = ~np.isnan(exact)
    assert 1e-5 < np.abs(exact - rounded)[known].max() <= 0.00051
    assert len(np.unique(exact[known])) > 1000
    assert files.read_manifest(tmp_path / "float32")["content"]["resolution"] == "float32"


# --- isolated Ns ------------------------------------------------------------------------------------


def letters(text):
    return np.frombuffer(text.encode(), np.uint8)


@pytest.mark.parametrize(
    ("sequence", "filled"),
    [
        ("ACGNTT", "ACGTTT"),  # AACNCGT on the other strand: its surroundings come first there
        ("ANNC", "AACC"),
        ("ANNNNC", "AAACCC"),
        ("NNA", "AAA"),
        ("CNN", "CCC"),
        ("ACGT", "ACGT"),
        ("NN", "NN"),
    ],
)
def test_the_nearest_base_fills(sequence, filled):
    assert fill(letters(sequence)).tobytes().decode() == filled


def test_both_strands_are_filled_alike():
    complement = bytes.maketrans(b"ACGTN", b"TGCAN")
    generator = np.random.default_rng(0)
    for _ in range(300):
        sequence = bytes(generator.choice(list(b"ACGTN"), 60, p=[0.22] * 4 + [0.12]))
        there = fill(np.frombuffer(sequence, np.uint8)).tobytes()
        back = fill(np.frombuffer(sequence.translate(complement)[::-1], np.uint8)).tobytes()
        if sequence.translate(complement)[::-1] != sequence:
            assert back.translate(complement)[::-1] == there


def test_short_runs_do_not_end_a_piece():
    spans = [(0, 10), (11, 20), (26, 30), (31, 40)]
    assert join_spans(spans, 5) == ([(0, 20), (26, 40)], [(10, 11), (30, 31)])
    assert join_spans(spans, 6) == ([(0, 40)], [(10, 11), (20, 26), (30, 31)])
    assert join_spans(spans, 0) == (spans, [])
    assert find_pieces(letters("NACGNTTNNNNNNAC"), 1) == [(1, 7), (13, 15)]


def test_filled_ns_are_missing_and_listed(inputs, tmp_path):
    assert start(inputs, tmp_path / "out") == 0
    missing = np.flatnonzero(np.isnan(values(tmp_path / "out")))
    assert missing.tolist() == [300, *range(700, 710), 1100]
    rows = (tmp_path / "out" / "filled_n.bed").read_text()
    assert rows == "one\t300\t301\none\t1100\t1101\ntwo\t300\t301\n"
    content = files.read_manifest(tmp_path / "out")["content"]
    assert (content["filled_n"], content["max_filled_n"], content["pieces"]) == (3, 5, 3)
    assert start(inputs, tmp_path / "none", "--max-filled-n", 0) == 0
    assert (tmp_path / "none" / "filled_n.bed").read_text() == ""
    assert files.read_manifest(tmp_path / "none")["content"]["pieces"] == 6
