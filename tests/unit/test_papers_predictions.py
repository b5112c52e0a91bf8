"""Figures of predicted expression and strength: published scores stand only beside the same test rows."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import paper_tables_predictions as toy
import plot_agront_expression
import plot_agront_strength
import pytest
from figure_checks import assert_readable

from dnalm.errors import UserError
from dnalm.figures import style
from dnalm.figures.papers import (
    crops,
    expression_runs,
    predicted_scores,
    predictions,
    published,
    score_groups,
    squares,
    strength,
)
from dnalm.figures.papers.predictions import Predicted

ROOT = Path(__file__).parents[2]
WIDTHS = (style.COLUMN_MM, style.PAGE_MM)
LEAF, PROTOPLAST = "promoter_strength.leaf", "promoter_strength.protoplast"
TERMINATORS = "terminator_strength.leaf"


def predicted(observed, guesses, scored="test", fold=None):
    observed, guesses = np.array(observed, float), np.array(guesses, float)
    names = tuple(f"g{place}" for place in range(len(observed)))
    fold = np.zeros(len(observed), np.int64) if fold is None else np.array(fold)
    outputs = tuple(str(place + 1) for place in range(observed.shape[1]))
    return Predicted("zea_mays", "agro_nt", "3", names, outputs, observed, guesses, fold, scored)


def of(scores, **where):
    for column, value in where.items():
        scores = scores[scores[column] == value]
    return scores


def markers(axes, marker):
    return sorted(
        round(float(line.get_xdata()[0]), 3)
        for line in axes.lines
        if line.get_marker() == marker and len(line.get_xdata()) == 1
    )


@pytest.fixture(scope="module")
def expression(tmp_path_factory):
    """Three crops with all published test rows, one with some, one not run."""
    home = tmp_path_factory.mktemp("crops")
    folders = [*toy.write_crop(home, "arabidopsis_thaliana"), *toy.write_crop(home, "glycine_max")]
    folders += toy.write_crop(home, "oryza_sativa", features=("agro_nt", "kmer"))
    folders += toy.write_crop(home, "zea_mays", test=100)
    found = predictions.read_probes(folders, ("gene_exp",))
    scores = crops.gather(found, published.read_published(published.EXPRESSION))
    return found, scores, crops.places_of(found, True), crops.note_of(found, scores)


@pytest.fixture(scope="module")
def strengths(tmp_path_factory):
    """Promoters that tell their source, terminators that do not, one task not run."""
    home = tmp_path_factory.mktemp("strengths")
    folders = [*toy.write_strength(home, LEAF), *toy.write_strength(home, PROTOPLAST)]
    folders += toy.write_strength(home, TERMINATORS, named=False)
    found = predictions.read_probes(folders, strength.KINDS)
    scores = strength.gather(found, published.read_published(published.STRENGTH))
    return found, scores, strength.note_of(found, scores)


# Worked by hand: predictions 2 x the observed have r2 = 1; SSE = 1 + 4 + 9 = 14, SST = 2, R2 = -6.
@pytest.mark.parametrize(
    ("observed", "guess", "r", "r2", "R2"),
    [
        ([1, 2, 3], [1, 2, 3], 1, 1, 1),
        ([1, 2, 3], [2, 4, 6], 1, 1, -6),
        ([1, 2, 3], [3, 2, 1], -1, 1, -3),
        ([1, 2, 3, np.nan], [1, 2, 3, 9], 1, 1, 1),
        ([1, 2, 3], [2, 2, 2], np.nan, np.nan, 0),
        ([2, 2, 2], [1, 2, 3], np.nan, np.nan, np.nan),
        ([np.nan], [1], np.nan, np.nan, np.nan),
    ],
)
def test_agreement(observed, guess, r, r2, R2):
    pair = np.array(observed, float)[:, None], np.array(guess, float)[:, None]
    assert predicted_scores.agreement(*pair) == pytest.approx((r, r2, R2), nan_ok=True)


def test_a_test_set_is_scored_by_every_probe():
    one = predicted([[1], [2], [3]], [[[1], [2], [3]], [[2], [4], [6]]])
    row = next(predicted_scores.score_rows(one))
    assert (row["r2"], row["R2"], row["folds"], row["n"]) == (pytest.approx(1), pytest.approx(-2.5), 2, 3)
    assert row["R2_2sd"] == pytest.approx(2 * np.std([1, -6], ddof=1))


def test_rows_out_of_fold_have_one_score():
    one = predicted([[1], [2], [3], [4]], [[[1], [2], [4], [3]]], "held_out", [0, 0, 1, 1])
    row = next(predicted_scores.score_rows(one))
    # SSE = 2, SST = 5; the folds' own: R2 = 1, and SSE 2 over SST 0.5: -3
    assert (row["R2"], row["folds"]) == (pytest.approx(1 - 2 / 5), 2)
    assert row["R2_2sd"] == pytest.approx(2 * np.std([1, -3], ddof=1))


def test_tissues_are_pooled_and_scored_one_by_one():
    one = predicted([[0, 10], [1, 11], [2, 12]], [[[1, 11], [1, 11], [1, 11]]])
    rows = list(predicted_scores.score_rows(one, each_output=True))
    assert [row["output"] for row in rows] == ["pooled", "1", "2"]
    assert rows[0]["r2"] > 0.9, "tissues' means alone"
    assert [row["R2"] for row in rows[1:]] == [0, 0]


def test_the_shuffle_is_seeded_and_keeps_a_genes_tissues_together():
    draw = np.random.default_rng(0)
    gene = draw.normal(size=(300, 1)) + np.array([[0.0, 5.0]])
    one = predicted(gene, gene[None])
    row = predicted_scores.shuffle_scores(one)
    assert row == predicted_scores.shuffle_scores(one) and row != predicted_scores.shuffle_scores(one, seed=1)
    between = np.var([0, 5]) / (np.var([0, 5]) + gene[:, 0].var())
    assert row["r"] == pytest.approx(between, abs=0.01), "what tissues' means explain"
    alone = predicted_scores.shuffle_scores(predicted(gene[:, :1], gene[None, :, :1]))
    assert alone["r2"] == pytest.approx(1 / 299, abs=0.002), "expected of n unrelated pairs: 1 / (n - 1)"
    assert alone["r2_low"] < alone["r2"] < alone["r2_high"] < 0.03


@pytest.mark.parametrize("path", [published.EXPRESSION, published.STRENGTH])
def test_published_tables_are_in_order(path):
    table = published.read_published(path)
    assert tuple(table.columns) == published.PUBLISHED_COLUMNS and set(table["suite"]) == {"pgb"}


@pytest.mark.parametrize(
    ("task", "group", "model", "statistic", "score", "mark"),
    [
        ("gene_exp.arabidopsis_thaliana", "all", "AgroNT-1B", "r2_pearson", 0.617, "verified"),
        ("gene_exp.zea_mays", "all", "AgroNT-1B", "r2_pearson", 0.621, "verified"),
        (LEAF, "all", "AgroNT-1B", "r2_pearson", 0.73, "second_hand"),
        (PROTOPLAST, "At", "CNN", "r2_pearson", 0.58, "second_hand"),
        (PROTOPLAST, "Sb", "AgroNT-1B", "R2", 0.6464, "second_hand"),
        (TERMINATORS, "GC", "AgroNT-1B", "r2_pearson", 0.67, "verified"),
    ],
)
def test_published_numbers(task, group, model, statistic, score, mark):
    path = published.EXPRESSION if task.startswith("gene") else published.STRENGTH
    table = published.read_published(path)
    row = of(table, task=task, group=group, model=model, statistic=statistic).iloc[0]
    assert (row["score"], row["mark"]) == (score, mark)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("score", "1.7", "score is '1.7', expected a number from 0 to 1"),
        ("score", "high", "score is 'high'"),
        ("mark", "sure", "mark is 'sure', expected one of verified, second_hand, memory"),
        ("group", "Os", "group is 'Os'"),
        ("statistic", "R^2", "statistic is 'R^2'"),
        ("task", "gene_exp.zea", "is not in suite pgb"),
        ("place", "", "names no source or no place"),
        ("group", "all", "repeats a row"),
    ],
)
def test_a_faulty_published_table_is_refused(tmp_path, column, value, message):
    table = pd.read_csv(published.STRENGTH, sep="\t", dtype=str, keep_default_na=False)
    table.loc[1, column] = value
    table.to_csv(tmp_path / "t.tsv", sep="\t", index=False)
    with pytest.raises(UserError) as fault:
        published.read_published(tmp_path / "t.tsv")
    assert message in str(fault.value)


def test_published_scores_stand_only_beside_the_published_test_rows(expression):
    _, scores, _, note = expression
    beside = of(scores, origin="published")
    assert dict(zip(beside["place"], beside["r2"], strict=True)) == {
        "arabidopsis_thaliana": 0.617, "glycine_max": 0.533, "oryza_sativa": 0.419,
    }  # fmt: skip
    assert beside["R2"].isna().all() and set(beside["read_from"]) == {"figure"}
    assert "No published scores beside Z. mays: 100 test rows, the published data have 4,483." in note
    assert "They are printed as R²" in note


def test_scores_out_of_fold_have_no_published_ones(tmp_path):
    found = predictions.read_probes(
        toy.write_crop(tmp_path, "glycine_max", outputs=3, folds=4), ("gene_exp",)
    )
    scores = crops.gather(found, published.read_published(published.EXPRESSION))
    assert of(scores, origin="published").empty
    assert "no official test rows were scored" in crops.note_of(found, scores)
    assert set(of(scores, origin="here")["folds"]) == {4}


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_expression_can_be_read(expression, width_mm, caplog):
    found, scores, places, note = expression
    figure = crops.plot_crops(found, scores, places, note, width_mm)
    texts = assert_readable(figure)
    assert texts.count("not run") == 3 and texts.count("no value") == 1, "random weights of O. sativa"
    assert {"A. thaliana", "n = 160 genes × 56", "agro_nt, layer 30", "Shuffled observations"} <= set(texts)  # noqa: RUF001
    assert "solanum_lycopersicum; a value is missing" in caplog.text and len(caplog.records) == 1
    pooled = of(scores, place="glycine_max", output="pooled", features="agro_nt", origin="here").iloc[0]
    assert f"r = {pooled['r']:.2f}\nr² = {pooled['r2']:.2f}\nR² = {pooled['R2']:.2f}" in texts


def test_marks_are_those_of_the_table(expression):
    found, scores, places, note = expression
    figure = crops.plot_crops(found, scores, places, note)
    axes = figure.axes[-1]
    pooled = of(scores, output="pooled")
    assert markers(axes, "D") == [0.419, 0.533, 0.617]
    hollow = [line for line in axes.lines if line.get_marker() == "D"]
    assert {line.get_markerfacecolor() for line in hollow} == {"white"}
    assert markers(axes, "o") == sorted(
        round(value, 3) for value in pooled.loc[pooled["origin"] != "published", "r2"]
    )
    tissues = figure.axes[-2]
    rows = of(scores, place="zea_mays", features="agro_nt", origin="here")
    rows = rows[rows["output"] != "pooled"]
    filled = [line.get_ydata() for line in tissues.lines if len(line.get_xdata()) == 23]
    assert len(rows) == 23 and np.allclose(filled[1], sorted(rows["R2"]))


def test_the_first_model_is_drawn_and_not_a_baseline(tmp_path):
    folders = toy.write_crop(tmp_path, "zea_mays", outputs=2)[::-1]
    found = predictions.read_probes(folders, ("gene_exp",))
    assert [one.features for one in found] == ["kmer", "agro_nt.random_weights", "agro_nt"]
    assert squares.shown(found, "zea_mays").features == "agro_nt"
    assert squares.shown(found[:1], "zea_mays").features == "kmer"


def test_of_layers_probed_one_by_one_the_deepest_is_taken(tmp_path):
    (folder,) = toy.write_crop(tmp_path, "zea_mays", outputs=2, features=("agro_nt",))
    table = pd.read_parquet(folder / "predictions.parquet")
    lower = table.assign(layer=3.0, prediction_1=0.0)
    toy.write_probe(folder, pd.concat([lower, table]))
    (one,) = predictions.read_probes([folder], ("gene_exp",))
    assert one.layer == "30" and one.predicted.shape == (3, 160, 2) and one.predicted[..., 0].any()
    table["layer"] = table["fold"].map({0: 3.0, 1: 6.0, 2: 3.0})
    toy.write_probe(folder, table)
    assert predictions.read_probes([folder], ("gene_exp",))[0].layer == "", "each fold chose its own"


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_an_expression_run_is_drawn(tmp_path, width_mm):
    paths = toy.write_run(tmp_path)
    found = expression_runs.read_expression_run(*paths, "drosophila_melanogaster")
    scores = crops.gather(found, published.read_published(published.EXPRESSION))
    table = pd.read_csv(paths[0], sep="\t")
    own = scores[(scores["output"] != "pooled")].merge(
        table, left_on=["features", "output"], right_on=["features", "value_column"]
    )
    assert len(own) == 6 and np.allclose(own["R2"], own["R2_pooled"], atol=1e-5)
    places = crops.places_of(found, False)
    texts = assert_readable(crops.plot_crops(found, scores, places, crops.note_of(found, scores), width_mm))
    assert places == ["drosophila_melanogaster"] and "Predicted (log2(TPM + 1))" in texts
    assert {"demo_nt, layer 6", "Random weights (demo_nt), layer 6", "k-mer counts"} <= set(texts)


def test_the_mean_of_tissues_is_no_tissue(tmp_path):
    paths = toy.write_run(tmp_path, columns=("leaf", "mean"))
    assert {one.outputs for one in expression_runs.read_expression_run(*paths, "s")} == {("leaf",)}


def test_table_and_predictions_of_two_runs_are_refused(tmp_path):
    metrics, _ = toy.write_run(tmp_path / "one")
    _, values = toy.write_run(tmp_path / "two", rows=150)
    with pytest.raises(UserError, match=r"R2 of demo_nt on leaf is .* the expression table says"):
        expression_runs.read_expression_run(metrics, values, "s")


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("AT1G01010_At", "At"),
        ("Sobic.1G2_Sb#2", "Sb"),
        ("x_Zm|1", "Zm"),
        ("r_GC", "GC"),
        ("g_Atlas", ""),
        ("At", ""),
    ],
)
def test_sources_in_names(name, source):
    assert strength.source_of(name) == source


def test_strength_is_compared_source_by_source_where_names_tell(strengths):
    _, scores, note = strengths
    own = of(scores, place=LEAF, origin="published")
    found = {(row.features, row.group): (row.r2, row.R2) for row in own.itertuples()}
    assert found["AgroNT-1B", "At"] == (0.62, 0.5974) and found["CNN", "Zm"][0] == 0.73
    assert found["AgroNT-1B", "all"][0] == 0.73 and len(found) == 8
    assert set(of(scores, place=LEAF, origin="here")["group"]) == {"all", "At", "Sb", "Zm"}
    assert set(of(scores, place=LEAF, group="At", origin="here")["n"]) == {100}
    assert of(scores, place=TERMINATORS, origin="published").empty
    assert "Terminators, tobacco: names do not tell all sequences' sources" in note
    assert "second-hand" in note and "Jores et al. 2021" in note


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_strength_can_be_read(strengths, width_mm, caplog):
    found, scores, note = strengths
    figure = strength.plot_strength(found, scores, note, width_mm)
    texts = assert_readable(figure)
    assert texts.count("not run") == 2 and {"CNN, published", "AgroNT-1B, published", "Sb"} <= set(texts)
    assert [record.getMessage() for record in caplog.records] == [
        "strength of promoters and terminators: not run: Terminators, maize"
    ]
    assert markers(figure.axes[1], "s") == [0.57, 0.71, 0.71, 0.73]
    assert markers(figure.axes[1], "D") == [0.62, 0.73, 0.74, 0.75]


def test_constant_predictions_are_a_gap(tmp_path, caplog):
    folders = toy.write_strength(tmp_path, LEAF, features=("agro_nt", "kmer"))
    table = pd.read_parquet(folders[0] / "predictions.parquet")
    toy.write_probe(folders[0], table.assign(prediction=np.nan))
    found = predictions.read_probes(folders, strength.KINDS)
    scores = strength.gather(found, published.read_published(published.STRENGTH))
    texts = assert_readable(strength.plot_strength(found, scores, "x"))
    assert texts.count("no value") == 5, "the square, and four groups"
    assert "a value is missing" in caplog.text and len(caplog.records) == 1


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_nothing_is_drawn_as_nothing(width_mm, caplog):
    none = predicted_scores.as_table([])
    figures = [
        crops.plot_crops([], none, crops.CROPS, crops.note_of([], none), width_mm),
        strength.plot_strength([], none, strength.note_of([], none), width_mm),
    ]
    for figure in figures:
        assert_readable(figure)
        assert "Nothing has been run" in figure.get_label()
    assert len(caplog.records) == 2


def test_far_scores_are_arrowheads(strengths):
    found, scores, note = strengths
    figure = strength.plot_strength(found, scores, note)
    assert score_groups.limits(scores)[0] > -0.3 and markers(figure.axes[1], "<") == [score_groups.LOWEST]
    assert "Arrowheads: R² below \u22120.2" in note


def run(script, *words):
    command = [sys.executable, ROOT / "workflow" / "scripts" / script, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_scripts_write_the_same_bytes(tmp_path):
    folders = toy.write_crop(tmp_path, "oryza_sativa", outputs=2)
    sums = []
    for name in ("one", "two"):
        words = ("--probes", *folders, "--output-stem", tmp_path / name / "fig.x")
        assert run("plot_agront_expression.py", *words).returncode == 0 if name == "one" else (
            plot_agront_expression.main([str(word) for word in words]) == 0
        )  # fmt: skip
        paths = sorted((tmp_path / name).iterdir())
        sums.append([(path.name, hashlib.sha256(path.read_bytes()).hexdigest()) for path in paths])
    assert sums[0] == sums[1]
    ends = [".85mm.png", ".85mm.svg", ".png", ".svg", ".tsv"]
    assert [name for name, _ in sums[0]] == [f"fig.x{end}" for end in ends]
    table = pd.read_csv(tmp_path / "one" / "fig.x.tsv", sep="\t")
    assert tuple(table.columns) == predicted_scores.SCORE_COLUMNS and set(table["place"]) == {"oryza_sativa"}


def faults(home):
    """Yields script, words, and what the line says."""
    (folder,) = toy.write_crop(home, "zea_mays", outputs=2, features=("agro_nt",))
    other = toy.write_strength(home, LEAF, features=("kmer",))[0]
    yield plot_agront_expression, [other], "is of task pgb promoter_strength.leaf (expected pgb gene_exp)"
    yield plot_agront_strength, [folder], "(expected pgb promoter_strength, pgb terminator_strength)"
    yield plot_agront_expression, [folder, folder], "agro_nt is given twice"
    yield plot_agront_expression, [folder.parent / "absent"], "table of predictions not found"
    yield plot_agront_expression, [home / "absent" / "x"], "manifest.json"
    broken = toy.write_probe(folder.parent / "broken", pd.DataFrame({"name": ["a"], "probability": [0.5]}))
    yield plot_agront_expression, [broken], "lacks the columns features"
    table = pd.read_parquet(folder / "predictions.parquet")
    uneven = toy.write_probe(folder.parent / "uneven", table.iloc[:-1])
    yield plot_agront_expression, [uneven], "do not predict the same rows"


@pytest.mark.parametrize("number", range(7))
def test_faults_are_one_line_and_status_2(tmp_path, capsys, number):
    script, folders, message = list(faults(tmp_path))[number]
    assert script.main(["--probes", *map(str, folders), "--output-stem", str(tmp_path / "x")]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line]
    assert len(lines) == 1 and message in lines[0]
    assert not (tmp_path / "x.svg").exists()


def test_a_baseline_that_was_left_out_is_a_gap(tmp_path, caplog):
    folders = toy.write_strength(tmp_path, LEAF, features=("agro_nt",))
    folders.append(toy.write_probe(tmp_path / LEAF / "one_hot", pd.DataFrame({"name": pd.Series(dtype=str)})))
    found = predictions.read_probes(folders, strength.KINDS)
    assert len(found) == 1 and "no predictions" in caplog.text


def test_the_strength_script_runs(tmp_path):
    folders = toy.write_strength(tmp_path, LEAF)
    done = run("plot_agront_strength.py", "--probes", *folders, "--output-stem", tmp_path / "s")
    assert done.returncode == 0 and (tmp_path / "s.85mm.svg").exists()
    assert (
        run("plot_agront_strength.py", "--probes", tmp_path, "--output-stem", tmp_path / "t").returncode == 2
    )
