"""The benchmark bars of the Nucleotide Transformer paper: what they draw of a leaderboard, gaps included."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import paper_tables_benchmark as toy
import plot_nt_benchmark
import pytest
from figure_checks import assert_readable

from dnalm import suites
from dnalm.errors import UserError
from dnalm.figures import palette, style
from dnalm.figures.papers import benchmark, benchmark_note, benchmark_scores, hollow

ROOT = Path(__file__).parents[2]
WIDTHS = (style.COLUMN_MM, style.PAGE_MM)
FEW = ["H3", "promoter_tata", "enhancers"]


def gathered(folder, table, suite="nt_original"):
    table.to_csv(folder / "leaderboard.tsv", sep="\t", index=False, na_rep="NA")
    return benchmark_scores.gather(folder / "leaderboard.tsv", suite)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return gathered(tmp_path_factory.mktemp("few"), toy.toy_leaderboard("nt_original", FEW))


def facets(figure):
    return [axes for axes in figure.axes if axes.patches]


def drawn(table, width_mm=style.PAGE_MM, suite="nt_original"):
    return benchmark.plot_benchmark(table, benchmark_note.NOTES[suite], width_mm, suite)


@pytest.mark.parametrize("suite", benchmark_scores.SUITES)
def test_every_task_of_a_suite_has_its_category(suite, tmp_path):
    table = gathered(tmp_path, toy.toy_leaderboard(suite, features=("kmer",)), suite)
    counts = table.groupby("category", sort=False)["task"].nunique()
    assert dict(counts) == {"Histone marks": 10, "Regulatory elements": 5, "Splicing": 3}
    assert set(table["task"]) == set(suites.read_suite(suite)) and set(benchmark_scores.TASKS) <= set(
        table["task"]
    )


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_bars_whiskers_values_and_published_marks_are_the_tables(few, width_mm):
    figure = drawn(few, width_mm)
    texts = assert_readable(figure)
    for axes, task in zip(facets(figure), ["H3", "promoter_tata", "enhancers"], strict=True):
        own = few[few["task"] == task]
        ours = own[own["origin"] == "here"].set_index("features")["mean"]
        order = sorted(name for name in toy.FEATURES if name not in toy.BASELINES)
        assert [bar.get_width() for bar in axes.patches] == pytest.approx(
            list(ours[[*order, *toy.BASELINES]])
        )
        assert {f"{mean:.2f}" for mean in ours} <= set(texts)
        spans = [line for line in axes.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 0.5]
        spans = [np.ptp(line.get_xdata()) for line in spans if len(set(line.get_ydata())) == 1]
        assert spans.count(pytest.approx(0.06)) == 9
        marks = [line for line in axes.lines if line.get_marker() in hollow.MARKERS]
        theirs = own.loc[own["origin"] == "published", "mean"]
        assert sorted(float(line.get_xdata()[0]) for line in marks) == pytest.approx(sorted(theirs))
        assert {line.get_markerfacecolor() for line in marks} == {"white"}
        assert min(float(line.get_ydata()[0]) for line in marks) > 8.5, "below the bars"
        assert len({line.get_marker() for line in marks}) == len(marks)
    assert {"Histone marks: MCC", "n = 1,497", "n = 621", "TATA promoters", "a", "b"} <= set(texts)
    assert {"NT-Multispecies-2.5B", "published", "its random weights"} <= set(texts)


def test_the_note_says_what_a_reader_must_know(few):
    label = drawn(few).get_label()
    said = ("mean over 10 folds", "± 2 s.d. over folds", "read off a figure, right to about 0.01")
    said += ("imgs/nt_results_rebuttal_2.png", "same names and other data", "Not run: Promoters, ")
    for text in said:
        assert text in label


def test_baselines_are_grey_and_stand_below_their_model(few):
    labels = benchmark_scores.rows_of(few[few["origin"] == "here"])
    assert list(labels.items())[:2] == [
        ("1B_agro_nt", "1B_agro_nt"), ("1B_agro_nt.random_weights", "its random weights"),
    ]  # fmt: skip
    colours = [bar.get_facecolor()[:3] for bar in facets(drawn(few))[0].patches]
    assert [len(set(colour)) == 1 for colour in colours] == [False, True] * 3 + [True] * 3


@pytest.mark.parametrize("width_mm", WIDTHS)
@pytest.mark.parametrize("suite", benchmark_scores.SUITES)
def test_eighteen_tasks_can_be_read(suite, width_mm, tmp_path):
    figure = drawn(gathered(tmp_path, toy.toy_leaderboard(suite), suite), width_mm, suite)
    assert len(facets(figure)) == 18
    texts = assert_readable(figure)
    assert f"Nucleotide Transformer tasks, {suite.partition('_')[2]}" in texts
    assert "Not run" not in figure.get_label()
    assert width_mm == style.COLUMN_MM or style.size_mm(figure)[1] < 260


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_one_task_of_one_model(width_mm, tmp_path):
    table = gathered(tmp_path, toy.toy_leaderboard("nt_revised", ["enhancers"], ("demo_nt",)), "nt_revised")
    figure = drawn(table, width_mm, "nt_revised")
    assert "a" not in assert_readable(figure) and len(facets(figure)) == 1
    assert "Nucleotide Transformer tasks, revised" in assert_readable(figure)


@pytest.mark.parametrize("lost", ["value", "row"])
def test_a_missing_bar_is_a_gap_and_one_warning(few, lost, caplog):
    gone = (few["task"] == "H3") & (few["features"] == "kmer")
    table = few.assign(mean=few["mean"].mask(gone)) if lost == "value" else few[~gone]
    with caplog.at_level("WARNING"):
        figure = drawn(table)
    assert assert_readable(figure).count("no value") == 1 and "1 values are missing" in figure.get_label()
    assert len(caplog.records) == 1 and "1 values are missing" in caplog.text


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_nothing_of_the_suite_says_so(tmp_path, width_mm, caplog):
    other = toy.toy_leaderboard("nt_revised", ["enhancers"], ("kmer",))
    with caplog.at_level("WARNING"):
        figure = drawn(gathered(tmp_path, other), width_mm)
    assert "no value" in assert_readable(figure) and "No task of this set has a result" in figure.get_label()
    assert len(caplog.records) == 1


def test_scores_below_zero_lengthen_the_axis(few):
    table = few.assign(mean=few["mean"].mask(few["features"] == "gc_length", -0.25))
    figure = drawn(table)
    assert "\u22120.25" in assert_readable(figure)
    assert facets(figure)[0].get_xlim() == pytest.approx((-0.3, 1.0))


def test_published_scores_left_out_are_named(tmp_path):
    table = toy.toy_leaderboard("nt_original", FEW)
    note = "leaks; published scores left out: 50 of 1,497 test rows, by max_examples"
    table = table[(table["task"] != "H3") | (table["origin"] == "here")]
    table["note"] = table["note"].mask(table["task"] == "H3", note)
    figure = drawn(gathered(tmp_path, table))
    assert "left out, as the data differ (50 of 1,497 test rows, by max_examples): H3." in figure.get_label()
    assert not [line for line in facets(figure)[0].lines if line.get_marker() in hollow.MARKERS]


def test_the_deepest_layer_is_drawn_whatever_its_score(tmp_path):
    table = toy.toy_leaderboard("nt_original", ["H3"], ("demo_nt", "kmer"))
    ours = table[table["features"] == "demo_nt"]
    both = pd.concat([table[table["features"] != "demo_nt"], ours.assign(layer=3, mean=0.9),
                      ours.assign(layer=12, mean=0.4)])  # fmt: skip
    found = gathered(tmp_path, both)
    assert list(found.loc[found["features"] == "demo_nt", "mean"]) == [0.4]
    figure = drawn(found)
    assert "demo_nt, layer 12" in assert_readable(figure) and "the deepest one probed" in figure.get_label()


def test_two_tasks_of_the_same_data_have_both_names(tmp_path):
    table = toy.toy_leaderboard("nt_original", ["H3"], ("demo_nt", "kmer"))
    found = gathered(tmp_path, pd.concat([table, table.assign(task="H3_small")]))
    assert set(found["name"]) == {"H3 (H3)", "H3 (H3_small)"}
    assert_readable(drawn(found, style.COLUMN_MM))


def test_lanes_keep_marks_apart():
    places = np.array([3.0, 0.0, 1.0, 2.5])
    assert list(hollow.lanes(places, 1.7)) == [0, 0, 1, 2] or list(hollow.lanes(places, 1.7)) == [1, 0, 1, 0]
    assert list(hollow.lanes(np.array([0.0, 2.0, 4.0]), 1.7)) == [0, 0, 0]
    assert len(hollow.lanes(np.empty(0), 1.7)) == 0


def test_labels_move_as_little_as_may_be():
    assert list(hollow.spread_apart(np.array([0.5, 0.5, 0.0]), 0.2, 1.0)) == pytest.approx([0.4, 0.6, 0.0])
    assert list(hollow.spread_apart(np.array([1.0, 1.0]), 0.2, 1.0)) == pytest.approx([0.8, 1.0])


def test_long_texts_are_cut_in_the_middle():
    short = hollow.shorten("a_model_with_a_name_that_has_no_end_v2", 20.0)
    assert style.text_width_mm(short) <= 20.0 and short.startswith("a_mod") and short.endswith("_v2")
    assert hollow.shorten("demo_nt", 20.0) == "demo_nt"


def test_notes_of_capitals_fit():
    lines = hollow.wrap("H3K27ac, H3K36me3, " * 20, 81.0)
    assert max(map(style.text_width_mm, lines)) <= 81.0 and len(lines) > 3


def test_the_script_writes_both_widths_and_the_same_bytes(tmp_path):
    toy.toy_leaderboard("nt_original", FEW).to_csv(tmp_path / "l.tsv", sep="\t", index=False, na_rep="NA")
    script = "workflow/scripts/plot_nt_benchmark.py"
    words = ("--leaderboard", tmp_path / "l.tsv", "--suite", "nt_original", "--output-stem", tmp_path / "one")
    subprocess.run([sys.executable, script, *map(str, words)], check=True, cwd=ROOT)
    again = [str(word) for word in (*words[:-1], tmp_path / "two")]
    assert plot_nt_benchmark.main(again) == 0
    for suffix in (".svg", ".png", ".85mm.svg", ".85mm.png", ".tsv"):
        sums = {
            hashlib.sha256((tmp_path / f"{stem}{suffix}").read_bytes()).hexdigest() for stem in ("one", "two")
        }
        assert len(sums) == 1, suffix
    assert tuple(pd.read_csv(tmp_path / "one.tsv", sep="\t").columns) == benchmark_scores.DRAWN_COLUMNS


def test_a_leaderboard_without_its_columns_is_the_users_fault(tmp_path, capsys):
    path = tmp_path / "l.tsv"
    path.write_text("task\nH3\n")
    with pytest.raises(UserError, match="leaderboard lacks the columns suite"):
        benchmark_scores.gather(path, "nt_revised")
    assert plot_nt_benchmark.main(["--leaderboard", str(path), "--output-stem", str(tmp_path / "x")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_published_marks_stay_out_of_the_models_colours():
    marks = hollow.published_marks([f"model {number}" for number in range(14)])
    assert {mark.colour for mark in marks.values()} == {palette.INK, palette.MUTED}
    assert len({(mark.marker, mark.colour) for mark in marks.values()}) == 14
