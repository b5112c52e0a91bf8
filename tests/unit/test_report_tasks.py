"""The report on tasks: those of suites and own ones, the leaderboard, related rows, what was left out."""

import datetime
import json

import numpy as np
import pandas as pd
import pytest
from figure_tables import task_summary
from report_results import make_results, write_leaderboard, write_task
from test_report import Page

from dnalm import suites
from dnalm.report import page, tasks
from dnalm.report.sources import Sources

LEAK = {"relation": "identical", "rows_of": "test", "related_to": "train", "rows": 100, "of": 400}


def summary(name, metric="mcc", suite="gue"):
    table = task_summary((name,), metric, suite).assign(
        head="linear", choice="layer", scored="test", low=0.4, high=0.6, difference=0.1
    )
    models = ~table["features"].str.contains("random|kmer|one_hot")
    bounds = {"difference_low": 0.05, "difference_high": 0.2, "best_baseline": "kmer"}
    for column, value in bounds.items():
        table[column] = np.where(models, value, np.nan) if column != "best_baseline" else value
    return table


def content(suite, task):
    row = suites.suite_task(suite, task)
    about = {"suite": suite, "task": task, "type": row.type, "metric": row.metric, "caution": row.caution}
    return {**about, "read": row.sizes, "settings": {"max_examples": None}}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    config, results, _ = make_results(tmp_path_factory.mktemp("report"), figures=False)
    settings = json.loads(config.read_text())
    run = {"models": ["demo_nt"], "species": []}
    settings["tasks"] |= {
        "h3": {**run, "suite": "gue", "task": "emp_H3"},
        "old": {**run, "suite": "nt_original", "task": "enhancers"},
        "strength": {**run, "suite": "own"},
    }
    home = results / "tasks"
    write_task(home / "h3", summary("h3"), **content("gue", "emp_H3"))
    write_task(
        home / "old", summary("old"), **content("nt_original", "enhancers"), leakage=[LEAK], differences=["x"]
    )
    own = {"suite": "own", "task": "", "type": "regression", "metric": "r2", "dropped": 7}
    why = {"one_hot": "sequences differ in length (found 5 to 9 bp)"}
    write_task(home / "strength", summary("strength", "r2_pearson"), why, **own, leakage=[LEAK])
    write_leaderboard(home)
    return settings, results


def built(settings, results):
    return Page(page.build(Sources(settings, results), datetime.date(2026, 1, 2)))


def test_tasks_without_species_are_on_the_page(site):
    read = built(*site)
    assert read.faults == []
    for words in (
        "5 probe tasks cross-validated",
        "H3, MCC",
        "Strength, r²",
        "frozen embeddings published (2) 0.602",
        "(2) Feng et al. 2025, Nature Communications 16:10780.",
        "imgs/nt_results_rebuttal_2.png; read off a figure",
        "fine-tuned, all weights",
        "+0.100 0.050 to 0.200",
        "Old: test rows are related to training rows: 100 of 400 (identical to). Scores are flattered",
        "Old: the data differ: x.",
        "Strength: 7 training rows related to test rows were left out.",
        "Strength: One-hot is left out, sequences differ in length (found 5 to 9 bp).",
    ):
        assert words in read.text, words
    assert "Old test identical to train 100 400 25.0%" in read.text


def test_the_steps_of_every_task_are_counted(site):
    # Five tasks: two of an annotation, three without species.
    assert "make task CPU 5" in built(*site).text


def test_many_tasks_are_summed_up_and_folded(site, tmp_path):
    settings, results = site
    names = [f"mouse_{number}" for number in range(5)] + ["human_tf_0", "human_tf_1", "emp_H4"]
    run = {"models": ["demo_nt"], "species": [], "suite": "gue"}
    many = {**settings, "tasks": {name: run for name in names}}
    for number, name in enumerate(names):
        table = summary(name)
        if number == 0:
            table["difference_low"], table["difference_high"] = -0.2, -0.1
        write_task(results / "tasks" / name, table, **content("gue", name))
    write_leaderboard(results / "tasks")
    read = built(many, results)
    assert read.faults == [] and "Every metric of each of the 8 tasks" in read.text
    assert (
        "8 probe tasks demo_nt, layer 3 7 of 8 best of each task above in 7, below in 1, no clear"
        in read.text
    )
    assert "details" in read.tags


def test_relations_within_a_split_are_no_leak():
    inside = {**LEAK, "rows_of": "train", "related_to": "train"}
    outside = {**LEAK, "rows_of": "folds", "related_to": "other folds"}
    found = tasks.leak_rows({"leakage": [inside, LEAK, outside]}, "Task")
    assert [row[1] for row in found] == ["test", "folds"]
    assert tasks.task_notes({"leakage": [inside, outside]}, {}, "Task") == []


def test_a_score_without_spread_or_interval():
    row = {
        "task": "t",
        "metric": "mcc",
        "features": "M",
        "layer": np.nan,
        "method": "m",
        "origin": "published",
    }
    row |= {
        "source": "A",
        "read_from": "figure",
        "mark": "memory",
        "note": np.nan,
        "mean": 0.5,
        "sd2": np.nan,
    }
    row |= dict.fromkeys(["low", "high", "difference", "difference_low", "difference_high"], np.nan)
    table = tasks.leaderboard_table(pd.DataFrame([row]), {"t": "T"})
    cells = ["T", "MCC", "M", "m", "published (1)", "0.500"]
    assert table.rows == [[*cells, "\u2013", "\u2013", "\u2013"]]
    assert not table.sortable, "one row"
    assert table.tsv.splitlines()[1].startswith("T\tMCC\tM")
    assert table.note.endswith("(1) A; read off a figure; from memory, unsure.")
