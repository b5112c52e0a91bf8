"""Faults of evaluation: each ends evaluate_segmentation.py with status 2 and one clear line."""

from types import SimpleNamespace

import evaluate_segmentation
import numpy as np
import pandas as pd
import pytest
import toy_models
from step_faults import assert_refused

from dnalm import files
from dnalm.annotation import ANNOTATION_COLUMNS, write_annotation
from dnalm.tracks import write_tracks


@pytest.fixture
def inputs(tmp_path):
    """A folder of tracks, an annotation and the genome, all sound."""
    genome = toy_models.write_fasta(tmp_path / "masked.fa", {"one": toy_models.random_bases(100)})
    table = pd.DataFrame(
        [{**dict.fromkeys(ANNOTATION_COLUMNS, ""), "contig": "one", "start": 5, "end": 9, "strand": "+"}]
    ).assign(type="exon", transcript_id="t", gene_id="g", cds_verified=True)
    write_annotation(table, tmp_path / "annotation.parquet")
    folder = tmp_path / "tracks"
    names = {f"exon{suffix}.bw": strand for suffix, strand in ((".plus", "+"), (".minus", "-"))}
    with write_tracks([folder / name for name in names], {"one": 100}, 0.01) as writer:
        writer.add("one", 0, np.full((100, 2), 40, np.uint16))
    about = {
        "labels": "own_strand",
        "resolution": 0.01,
        "regions": ["one:0-100"],
        "tracks": {name: {"feature": "exon", "strand": strand} for name, strand in names.items()},
    }
    paths = [folder / name for name in names]
    files.write_manifest(folder, "segment", {"genome": genome}, about, files=paths)
    return SimpleNamespace(tracks=folder, annotation=tmp_path / "annotation.parquet", genome=genome)


def arguments_of(inputs, *more):
    return [
        word
        for name in ("tracks", "annotation", "genome")
        for word in (f"--{name}", str(getattr(inputs, name)))
    ] + list(more)


def test_sound_inputs_are_scored(inputs, tmp_path):
    output = tmp_path / "out" / "metrics.tsv"
    assert evaluate_segmentation.main([*arguments_of(inputs), "--output", str(output)]) == 0
    (row,) = pd.read_csv(output, sep="\t").to_dict("records")
    assert (row["feature"], row["n_bases"], row["positives"], row["auroc"]) == ("exon", 200, 4, 0.5)
    content = files.read_manifest(output)["content"]
    assert content["regions"] == ["one:0-100"] and content["window_bp"] is None
    names = [
        "metrics_by_contig",
        "metrics_by_gene_type",
        "metrics_by_sampling",
        "beside_published",
        "metrics",
    ]
    assert list(content["files"]) == [f"{name}.tsv" for name in names]
    assert pd.read_csv(output.with_name("beside_published.tsv"), sep="\t")["comparable"].to_list() == ["no"]


def test_the_window_is_that_of_the_tracks_where_one_fits(inputs, tmp_path, capfd):
    for window_bp, samplings in ((50, 10), (3072, 0)):
        manifest = files.manifest_path(inputs.tracks)
        data = files.read_json(manifest)
        data["content"]["window_bp"] = window_bp
        files.write_json(manifest, data)
        output = tmp_path / "out" / "a.metrics.tsv"
        assert evaluate_segmentation.main([*arguments_of(inputs), "--output", str(output)]) == 0
        assert pd.read_csv(output, sep="\t")["samplings"].to_list() == [samplings]
        rows = pd.read_csv(output.with_name("a.metrics_by_sampling.tsv"), sep="\t")
        assert len(rows) == samplings
    assert "no region holds a window of 3072 bp" in capfd.readouterr().err


def spoil(path, data):
    path.write_bytes(data)


CASES = [
    ("no folder", lambda i: setattr(i, "tracks", i.genome), r"masked\.fa: is no folder of tracks"),
    ("22 no manifest", lambda i: (i.tracks / "manifest.json").unlink(), r"manifest\.json: file not found"),
    (
        "22 track missing",
        lambda i: (i.tracks / "exon.plus.bw").unlink(),
        r"exon\.plus\.bw: incomplete \(found no file",
    ),
    (
        "22 track cut",
        lambda i: spoil(i.tracks / "exon.plus.bw", b"x"),
        r"exon\.plus\.bw: incomplete \(found 1,",
    ),
    (
        "track damaged",
        lambda i: spoil(i.tracks / "exon.plus.bw", bytes((i.tracks / "exon.plus.bw").stat().st_size)),
        r"exon\.plus\.bw: is not a bigWig",
    ),
    (
        "other genome",
        lambda i: toy_models.write_fasta(i.genome, {"one": toy_models.random_bases(100, 1)}),
        r"masked\.fa: is not the genome of these tracks",
    ),
    ("no annotation", lambda i: i.annotation.unlink(), r"annotation\.parquet: annotation table not found"),
    ("annotation damaged", lambda i: spoil(i.annotation, b"text"), r"is no readable Parquet table"),
]


@pytest.mark.parametrize("damage, pattern", [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_wrong_input_is_refused(inputs, tmp_path, capfd, damage, pattern):
    damage(inputs)
    output = tmp_path / "out" / "metrics.tsv"
    assert_refused("evaluate_segmentation", arguments_of(inputs), output, pattern, capfd)


def test_a_region_beyond_the_genome_is_refused(inputs, tmp_path, capsys):
    line = arguments_of(inputs, "--regions", "one:50-101")
    pattern = r"region 'one:50-101': ends after the contig"
    assert_refused("evaluate_segmentation", line, tmp_path / "out" / "metrics.tsv", pattern, capsys)


WRONG = [
    (("--threshold", "1.5"), r"--threshold: is 1\.5 \(expected 0 to 1\)"),
    (("--threshold", "-0.1"), r"--threshold: is -0\.1"),
    (("--threshold", "nan"), r"--threshold: is nan"),
    (("--window-bp", "101"), r"--window-bp: 101 is longer than every region \(the longest has 100 bp\)"),
    (("--window-bp", "51", "--regions", "one:0-50", "one:60-90"), r"the longest has 50 bp"),
    (("--window-bp", "9"), r"--window-bp: is 9 \(expected 10 or more\)"),
]


@pytest.mark.parametrize("more, pattern", WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_option_is_refused(inputs, tmp_path, capsys, more, pattern):
    line = arguments_of(inputs, *more)
    assert_refused("evaluate_segmentation", line, tmp_path / "out" / "metrics.tsv", pattern, capsys)


def test_values_that_are_no_probabilities_are_refused(inputs, tmp_path, capsys):
    path = inputs.tracks / "exon.plus.bw"
    with write_tracks([path], {"one": 100}, 0.01) as writer:
        writer.add("one", 0, np.full((100, 1), 101, np.uint16))
    data = files.read_json(files.manifest_path(inputs.tracks))
    data["content"]["files"][path.name]["bytes"] = path.stat().st_size
    files.write_json(files.manifest_path(inputs.tracks), data)
    pattern = r"exon\.plus\.bw: holds values above 1"
    assert_refused(
        "evaluate_segmentation", arguments_of(inputs), tmp_path / "out" / "metrics.tsv", pattern, capsys
    )
