"""Faults of the plotting programs: status 2, one clear line, no figure left."""

import importlib
import re

import numpy as np
import pandas as pd
import pytest
from figure_tables import expression_metrics, expression_predictions, task_summary
from step_faults import snapshot
from toy_genes import toy_annotation, toy_tracks

from dnalm.annotation import write_annotation

HEADER = "task\tsuite\tmetric\tfeatures\tlayer\tmean\tsd2\tfolds\tn\torigin\n"


def refuse(step, arguments, folder, pattern, capsys):
    """Runs a plotting program that must refuse its input and leave nothing."""
    capsys.readouterr()
    status = importlib.import_module(step).main(
        [*map(str, arguments), "--output-stem", str(folder / "out" / "figure")]
    )
    errors = capsys.readouterr().err
    assert status == 2, errors
    line = errors.rstrip("\n").splitlines()[-1]
    assert re.search(pattern, line), line
    assert "Traceback" not in errors
    assert not snapshot(folder / "out")


def write(table, path):
    table.to_csv(path, sep="\t", index=False, na_rep="NA")
    return path


@pytest.fixture
def leaderboard(tmp_path):
    return write(task_summary().assign(origin="here"), tmp_path / "leaderboard.tsv")


@pytest.fixture
def expression(tmp_path):
    expression_predictions().to_parquet(tmp_path / "predictions.parquet")
    write(expression_metrics(), tmp_path / "metrics.tsv")
    return ["--metrics", tmp_path / "metrics.tsv", "--predictions", tmp_path / "predictions.parquet"]


@pytest.fixture
def tracks(tmp_path):
    write_annotation(toy_annotation(), tmp_path / "annotation.parquet")
    toy_tracks(tmp_path / "tracks")
    return ["--tracks", tmp_path / "tracks", "--annotation", tmp_path / "annotation.parquet"]


def test_every_missing_task_result_is_named(tmp_path, leaderboard, capsys):
    words = [
        "--summaries",
        tmp_path / "a.tsv",
        leaderboard,
        tmp_path / "b.tsv",
        "--output",
        tmp_path / "o.tsv",
    ]
    status = importlib.import_module("make_leaderboard").main([str(word) for word in words])
    assert status == 2 and re.search(r"a\.tsv, .*b\.tsv: task result not found", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("", r"leaderboard\.tsv: leaderboard is empty \(0 bytes\)"),
        (HEADER, r"leaderboard\.tsv: leaderboard has no rows"),
        (
            "task\tmean\nx\t1\n",
            r"lacks the columns suite, metric, features, layer, sd2, folds, n, origin \(found task, mean\)",
        ),
    ],
)
def test_a_leaderboard_that_cannot_be_drawn(tmp_path, leaderboard, text, pattern, capsys):
    leaderboard.write_text(text)
    refuse("plot_tasks", ["--leaderboard", leaderboard], tmp_path, pattern, capsys)


def test_a_nan_metric_is_a_gap_and_not_a_fault(tmp_path, capsys):
    table = task_summary().assign(mean=np.nan, sd2=np.nan, origin="here")
    path = write(table, tmp_path / "leaderboard.tsv")
    assert (
        importlib.import_module("plot_tasks").main(
            ["--leaderboard", str(path), "--output-stem", str(tmp_path / "f")]
        )
        == 0
    )
    assert "a value is missing in 2 of 2 tasks" in capsys.readouterr().err
    assert (tmp_path / "f.svg").read_text().count("no value") == 10
    assert (tmp_path / "f.tsv").read_text().count("NA") > 10


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (["--value-column", "tpm"], r"tpm, demo_nt, layer 3: no predictions"),
        (["--features", "none_such"], r"no predictions"),
        (["--layer", "77"], r"demo_nt, layer 77: no predictions"),
    ],
)
def test_predictions_that_are_not_there(tmp_path, expression, change, pattern, capsys):
    refuse("plot_expression", [*expression, *change], tmp_path, pattern, capsys)


@pytest.mark.parametrize("lost", ["metrics.tsv", "predictions.parquet"])
def test_a_missing_or_damaged_expression_result(tmp_path, expression, lost, capsys):
    (tmp_path / lost).unlink()
    refuse("plot_expression", expression, tmp_path, rf"{re.escape(lost)}: .* not found", capsys)
    (tmp_path / lost).write_bytes(b"PAR1 \xff\x00 not a table")
    refuse("plot_expression", expression, tmp_path, rf"{re.escape(lost)}: ", capsys)


def test_predictions_without_any_number(tmp_path, expression, capsys):
    expression_predictions().assign(observed=np.nan).to_parquet(tmp_path / "predictions.parquet")
    refuse("plot_expression", expression, tmp_path, r"demo_nt, layer 3: no gene has both", capsys)


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        (["--genes", "nope"], r"--genes: gene 'nope' is not in the annotation \(it has, for example, far2"),
        (["--regions", "c1:0-10000"], r"c1:0-10000: found no gene of at most 60000 bp to draw"),
        (["--regions", "c7:0-30000"], r"region 'c7:0-30000': names no contig"),
    ],
)
def test_genes_and_regions_that_are_not_there(tmp_path, tracks, change, pattern, capsys):
    refuse("plot_tracks", [*tracks, *change], tmp_path, pattern, capsys)


def test_a_missing_track(tmp_path, tracks, capsys):
    for path in (tmp_path / "tracks").glob("splice_donor*"):
        path.unlink()
    refuse(
        "plot_tracks",
        tracks,
        tmp_path,
        r"tracks: no track of splice_donor \(expected splice_donor\.bw",
        capsys,
    )


def test_a_damaged_track(tmp_path, tracks, capsys):
    (tmp_path / "tracks" / "intron.minus.bw").write_bytes(b"no bigWig")
    refuse("plot_tracks", tracks, tmp_path, r"intron\.minus\.bw: is not a bigWig file", capsys)


def test_a_gene_on_a_contig_without_tracks(tmp_path, tracks, capsys):
    table = toy_annotation()
    table.loc[table["gene_id"] == "far2", "contig"] = "c2"
    write_annotation(table, tmp_path / "annotation.parquet")
    refuse(
        "plot_tracks",
        [*tracks, "--genes", "far2"],
        tmp_path,
        r"the tracks hold no contig c2 of gene far2",
        capsys,
    )


def embeddings(path, rows=4, columns=("contig", "start", "end")):
    import anndata

    places = {
        "contig": ["c1"] * rows,
        "start": range(0, 100 * rows, 100),
        "end": range(100, 100 * rows + 100, 100),
    }
    obs = pd.DataFrame(
        {name: list(places[name]) for name in columns}, index=[f"w{row}" for row in range(rows)]
    )
    data = anndata.AnnData(obs=obs)
    data.obsm["layer_3"] = np.arange(4.0 * rows, dtype=np.float32).reshape(rows, 4)
    data.write_h5ad(path)
    return path


@pytest.mark.parametrize(
    ("change", "pattern"),
    [
        ([], r"--annotation, --genome: neither is given"),
        (["--layer", "9"], r"holds no layer 9 \(found 3\)"),
    ],
)
def test_a_map_without_colours_or_layer(tmp_path, change, pattern, capsys):
    path = embeddings(tmp_path / "x.h5ad")
    refuse("plot_embedding_map", ["--embeddings", path, *change], tmp_path, pattern, capsys)


def test_embeddings_that_are_no_windows_of_a_genome(tmp_path, capsys):
    path = embeddings(tmp_path / "x.h5ad", columns=())
    refuse(
        "plot_embedding_map", ["--embeddings", path], tmp_path, r"its rows have no contig, start, end", capsys
    )
    path.write_bytes(b"no file of HDF5")
    refuse(
        "plot_embedding_map", ["--embeddings", path], tmp_path, r"x\.h5ad: is no readable \.h5ad file", capsys
    )


def test_an_unwritable_place(tmp_path, leaderboard, capsys):
    (tmp_path / "file").write_text("")
    status = importlib.import_module("plot_tasks").main(
        ["--leaderboard", str(leaderboard), "--output-stem", str(tmp_path / "file" / "figure")]
    )
    assert status == 2 and "is a file, expected a folder" in capsys.readouterr().err
