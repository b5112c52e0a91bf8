"""Scores by layer and by length of sequence: what the figures draw of probes' tables, gaps included."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import paper_tables_benchmark as toy
import plot_context
import plot_layers
import pytest
from figure_checks import assert_readable

from dnalm.errors import UserError
from dnalm.figures import style
from dnalm.figures.papers import context, layer_scores, layers

ROOT = Path(__file__).parents[2]
WIDTHS = (style.COLUMN_MM, style.PAGE_MM)


@pytest.fixture(scope="module")
def summaries(tmp_path_factory):
    home = tmp_path_factory.mktemp("tasks")
    return [
        toy.write_task(home, "donors.zea_mays", toy.toy_probes()),
        toy.write_task(home, "strength", toy.toy_probes(toy.MODELS[:1], (6,), "R2"), metric="R2",
                       kind="regression", suite="own", task="strength"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def swept(summaries):
    return layer_scores.gather_layers(summaries)


@pytest.fixture(scope="module")
def lengths(tmp_path_factory):
    home = tmp_path_factory.mktemp("lengths")
    own = (
        ("zea_mays", 600, 0.0),
        ("zea_mays", 200, -0.1),
        ("zea_mays", 6000, 0.1),
        ("oryza_sativa", 600, 0.0),
    )
    found = [
        toy.write_task(
            home, f"donors_{bp}.{species}", toy.toy_probes(toy.MODELS[:2], (3, 6), shift=shift), bp
        )
        for species, bp, shift in own
    ]
    return found


def lines_of(axes, colour=None):
    """Returns the drawn series: marker and points, those across the axes left out."""
    found = [line for line in axes.lines if line.get_marker() not in ("None", "", None)]
    return [line for line in found if colour is None or line.get_color() == colour]


def test_the_metric_is_the_tasks_own_and_means_are_the_sweeps(swept, summaries):
    assert list(dict.fromkeys(zip(swept["task"], swept["metric"], strict=True))) == [
        ("donors.zea_mays", "mcc"), ("strength", "R2"),
    ]  # fmt: skip
    sweep = pd.read_csv(summaries[0].parent / "demo_nt" / "sweep.tsv", sep="\t")
    own = swept[(swept["task"] == "donors.zea_mays") & (swept["features"] == "demo_nt")].set_index("layer")
    scores = sweep.loc[sweep["layer"] == 7, "mcc"]
    assert own.loc[7, "mean"] == pytest.approx(scores.mean())
    assert own.loc[7, "sd2"] == pytest.approx(2 * scores.std(ddof=1)) and own.loc[7, "n"] == 1200
    assert dict(own["chosen"][own["chosen"] > 0]) == {1: 1, 7: 3, 12: 1}


def test_another_metric_can_be_asked_for(summaries):
    assert set(layer_scores.gather_layers(summaries[:1], "auroc")["metric"]) == {"auroc"}
    with pytest.raises(UserError, match=r"metric 'gini': is not known .expected one of mcc"):
        layer_scores.gather_layers(summaries, "gini")


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_lines_are_the_tables(swept, width_mm):
    figure = layers.plot_layers(swept, width_mm=width_mm)
    texts = assert_readable(figure)
    assert {"Donors", "Zea mays", "Strength", "n = 1,200", "MCC", "R²", "k-mer counts", "One-hot"} <= set(
        texts
    )
    _legend, first, second = figure.axes
    for name, hollow_mark in (("demo_nt", False), ("demo_nt.random_weights", True)):
        own = swept[(swept["task"] == "donors.zea_mays") & (swept["features"] == name)].sort_values("layer")
        line = next(line for line in lines_of(first) if np.allclose(line.get_ydata()[0], own["mean"].iloc[0]))
        assert list(line.get_xdata()) == list(own["layer"]) == list(range(1, 13))
        assert list(line.get_ydata()) == pytest.approx(list(own["mean"]))
        assert (line.get_markerfacecolor() == "white") == hollow_mark
    by_mark = {line.get_marker() for line in lines_of(first)}
    assert len(lines_of(first)) == 6 and len(by_mark) == 3, "a twin has its model's shape"
    flat = swept[(swept["task"] == "donors.zea_mays") & swept["layer"].isna()]["mean"]
    across = [line for line in first.lines if list(line.get_xdata()) == [0, 1]]
    assert sorted(line.get_ydata()[0] for line in across) == pytest.approx(sorted(flat))
    assert [len(line.get_xdata()) for line in lines_of(second)] == [1, 1], "one layer is a point"
    assert "One layer only: demo_nt" in figure.get_label()


def test_the_note_warns_of_the_sweep(swept):
    label = layers.plot_layers(swept).get_label()
    assert "one fixed penalty (1)" in label and "no score to report" in label
    assert "± 2 s.d. over folds" in label and "mean over 5 folds" in label and "each fold" in label


def test_a_tick_for_each_fold_at_the_layer_it_chose(swept):
    figure = layers.plot_layers(swept[swept["task"] == "donors.zea_mays"])
    axes = figure.axes[1]
    ticks = [
        c for c in axes.collections if type(c).__name__ == "LineCollection" and len(c.get_linewidth()) == 1
    ]
    ticks = [c for c in ticks if c.get_linewidth()[0] == 0.6]
    assert sum(len(c.get_segments()) for c in ticks) == 15, "three models of five folds; twins have none"
    bottom = axes.get_ylim()[0]
    assert all(segment[:, 1].min() >= bottom for c in ticks for segment in c.get_segments())


@pytest.mark.parametrize("width_mm", WIDTHS)
@pytest.mark.parametrize("count", [4, 12])
def test_many_tasks_can_be_read(swept, width_mm, count):
    one = swept[swept["task"] == "donors.zea_mays"]
    table = pd.concat([one.assign(task=f"poly_a_signal_{i}.arabidopsis_thaliana") for i in range(count)])
    figure = layers.plot_layers(table, width_mm=width_mm)
    assert assert_readable(figure).count("n = 1,200") == count
    assert style.size_mm(figure)[1] < 280


def test_a_missing_sweep_is_a_gap_and_one_warning(tmp_path, caplog):
    probes = toy.toy_probes(toy.MODELS[:1], (1, 2, 3))
    probes["kmer"] = (None, probes["kmer"][1])
    table = layer_scores.gather_layers([toy.write_task(tmp_path, "donors", probes)])
    with caplog.at_level("WARNING"):
        figure = layers.plot_layers(table, width_mm=style.COLUMN_MM)
    assert assert_readable(figure).count("no value") == 1
    assert "No value: k-mer counts (Donors)." in figure.get_label()
    assert len(caplog.records) == 1 and "1 values are missing" in caplog.text


def test_a_layer_without_a_score_breaks_the_line(swept):
    table = swept.assign(mean=swept["mean"].mask((swept["features"] == "demo_nt") & (swept["layer"] == 7)))
    figure = layers.plot_layers(table)
    assert (
        "no value" in assert_readable(figure) and "demo_nt, layer 7 (Donors, Zea mays)" in figure.get_label()
    )


def test_fine_tuned_features_have_no_layers(tmp_path):
    probes = toy.toy_probes(toy.MODELS[:1], (1, 2, 3))
    tuned = toy.toy_folds("demo_nt.ia3", (None,)).assign(choice="step", head="ia3", penalty=np.nan)
    probes["demo_nt.ia3"] = (tuned, tuned)
    figure = layers.plot_layers(layer_scores.gather_layers([toy.write_task(tmp_path, "donors", probes)]))
    assert "Without layers, not drawn: demo_nt.ia3." in figure.get_label()
    assert len(lines_of(figure.axes[1])) == 2


@pytest.mark.parametrize("kind", ["pooling", "mlp", "low"])
def test_other_sweeps_can_be_read(tmp_path, kind):
    probes = toy.toy_probes(toy.MODELS[:1], (1, 2, 3))
    sweep, folds = probes["demo_nt"]
    if kind == "pooling":
        sweep = pd.concat([sweep, sweep.assign(pooling="max", mcc=sweep["mcc"] - 0.1)])
    elif kind == "mlp":
        sweep = sweep.assign(choice="epoch", head="mlp", penalty=np.nan)
    else:
        sweep = sweep.assign(mcc=sweep["mcc"] - 3)
    probes["demo_nt"] = (sweep, folds)
    figure = layers.plot_layers(layer_scores.gather_layers([toy.write_task(tmp_path, "donors", probes)]))
    assert_readable(figure)
    said = {"pooling": "Dotted: another pooling", "mlp": "MLP probes", "low": "see table"}
    assert said[kind] in figure.get_label()
    assert len(lines_of(figure.axes[1])) == 2 + (kind == "pooling")
    assert figure.axes[1].get_ylim()[0] >= -1.5


@pytest.mark.parametrize("width_mm", WIDTHS)
@pytest.mark.parametrize("plot", [layers.plot_layers, context.plot_context], ids=["layers", "context"])
def test_no_result_says_so(plot, width_mm, caplog):
    columns = layer_scores.LAYER_COLUMNS if plot is layers.plot_layers else context.CONTEXT_COLUMNS
    with caplog.at_level("WARNING"):
        figure = plot(pd.DataFrame(columns=list(columns)), width_mm=width_mm)
    assert "no value" in assert_readable(figure) and len(caplog.records) == 1


def test_families_are_tasks_of_one_kind_and_species(lengths):
    table = context.gather_context(lengths)
    found = table.groupby("family")["length_bp"].unique()
    assert {name: sorted(own) for name, own in found.items()} == {
        "annotation|splice_donor|zea_mays|mcc": [200, 600, 6000],
        "annotation|splice_donor|oryza_sativa|mcc": [600],
    }
    assert tuple(table.columns) == context.CONTEXT_COLUMNS


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_series_rise_with_length(lengths, width_mm):
    table = context.gather_context(lengths)
    figure = context.plot_context(table, width_mm=width_mm)
    texts = assert_readable(figure)
    assert {"Splice donor", "Zea mays", "Oryza sativa", "200", "600", "6,000", "MCC"} <= set(texts)
    axes = figure.axes[1]
    assert axes.get_xscale() == "log" and len(lines_of(axes)) == 7
    own = table[(table["species"] == "zea_mays") & (table["features"] == "demo_nt")].sort_values("length_bp")
    line = next(line for line in lines_of(axes) if line.get_ydata()[0] == pytest.approx(own["mean"].iloc[0]))
    assert list(line.get_ydata()) == pytest.approx(list(own["mean"]))
    assert list(line.get_xdata()) == pytest.approx([200, 600, 6000], rel=0.1), "a little apart"
    kmer = table[(table["species"] == "zea_mays") & (table["features"] == "kmer")].sort_values("length_bp")
    line = next(line for line in lines_of(axes) if np.allclose(line.get_ydata(), kmer["mean"]))
    assert list(line.get_xdata()) == [200, 600, 6000]
    label = figure.get_label()
    assert "± 2 s.d. over folds" in label and "A family of one length is a point." in label
    assert "scored on held-out folds" in label


@pytest.mark.parametrize("lost", ["value", "row"])
def test_a_missing_length_is_a_gap_and_one_warning(lengths, lost, caplog):
    table = context.gather_context(lengths)
    gone = (table["task"] == "donors_600.zea_mays") & (table["features"] == "demo_nt")
    table = table.assign(mean=table["mean"].mask(gone)) if lost == "value" else table[~gone]
    with caplog.at_level("WARNING"):
        figure = context.plot_context(table)
    assert assert_readable(figure).count("no value") == 1 and len(caplog.records) == 1
    assert "No value: demo_nt (donors_600.zea_mays)." in figure.get_label()


def test_lengths_too_near_for_labels_are_thinned(lengths):
    table = context.gather_context(lengths)
    table = pd.concat([table.assign(length_bp=table["length_bp"] + step, task=table["task"] + str(step))
                       for step in (0, 20, 40)])  # fmt: skip
    assert_readable(context.plot_context(table, width_mm=style.COLUMN_MM))


@pytest.mark.parametrize(
    ("script", "name", "paths"),
    [(plot_layers, "plot_layers", "summaries"), (plot_context, "plot_context", "lengths")],
)
def test_the_scripts_write_both_widths_and_the_same_bytes(script, name, paths, tmp_path, request):
    words = ["--summaries", *map(str, request.getfixturevalue(paths)), "--output-stem"]
    command = [sys.executable, f"workflow/scripts/{name}.py", *words, str(tmp_path / "one")]
    subprocess.run(command, check=True, cwd=ROOT)
    assert script.main([*words, str(tmp_path / "two")]) == 0
    for suffix in (".svg", ".png", ".85mm.svg", ".85mm.png", ".tsv"):
        sums = {
            hashlib.sha256((tmp_path / f"{stem}{suffix}").read_bytes()).hexdigest() for stem in ("one", "two")
        }
        assert len(sums) == 1, suffix


@pytest.mark.parametrize("script", [plot_layers, plot_context])
def test_a_missing_task_is_the_users_fault(script, tmp_path, capsys):
    words = ["--summaries", str(tmp_path / "no" / "summary.tsv"), "--output-stem", str(tmp_path / "x")]
    assert script.main(words) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1 and "task result not found" in error[0]
