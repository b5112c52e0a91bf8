"""The section `tasks` of the configuration: keys by suite, checked before any job."""

import pytest
from test_config import BASE, load

from dnalm.errors import UserError


def tasks(tmp_path, text):
    return load(tmp_path, BASE + f"tasks: {{one: {{models: [small], {text}}}}}\n")["tasks"]["one"]


def test_defaults_by_suite(tmp_path):
    task = tasks(tmp_path, "suite: annotation, task: promoter")
    assert task["species"] == ["fly"] and task["max_examples"] == 4000 and task["regions"] == "held_out"
    assert "duplicates" not in task
    for text in ("suite: nt_revised, task: enhancers", "suite: own, data: a.csv, type: regression"):
        task = tasks(tmp_path, text)
        assert task["species"] == [] and task["max_examples"] is None and task["duplicates"] == "report"
        assert task["folds"] == 10 and "regions" not in task
    task = tasks(
        tmp_path, "suite: own, data: a.csv, test_data: b.csv, type: binary, duplicates: drop, folds: 5"
    )
    assert task["duplicates"] == "drop" and task["test_data"] == "b.csv" and task["folds"] == 5


FAULTS = [
    ("suite: gu, task: mouse_0", r"suite: found 'gu', expected one of annotation, nt_revised"),
    ("suite: gue", r"tasks\.one: the key 'task' is missing\. suite gue needs it"),
    ("suite: annotation", r"the key 'task' is missing"),
    ("suite: own, type: binary", r"the key 'data' is missing"),
    ("suite: own, data: a.csv", r"the key 'type' is missing"),
    ("suite: own, data: a.csv, type: classes", r"type: found 'classes', expected one of binary"),
    ("suite: gue, task: mouse_9", r"tasks\.one\.task: task 'mouse_9' is not in suite gue \(nearest: mouse_"),
    ("suite: gue, task: mouse_0, species: all", r"'species' means nothing in suite gue"),
    ("suite: gue, task: mouse_0, data: a.csv", r"'data' means nothing in suite gue"),
    ("suite: own, data: a.csv, type: binary, regions: all", r"'regions' means nothing in suite own"),
    (
        "suite: annotation, task: promoter, duplicates: drop",
        r"'duplicates' means nothing in suite annotation",
    ),
    (
        "suite: gue, task: mouse_0, duplicates: keep",
        r"duplicates: found 'keep', expected one of report, drop",
    ),
]


@pytest.mark.parametrize(("text", "pattern"), FAULTS, ids=[text for text, _ in FAULTS])
def test_keys_that_do_not_fit(tmp_path, text, pattern):
    with pytest.raises(UserError, match=pattern):
        tasks(tmp_path, text)


def test_settings_of_probes(tmp_path):
    task = tasks(tmp_path, "suite: gue, task: mouse_0")
    assert task["baselines"] == ["kmer", "one_hot", "gc_length", "constant", "random_weights"]
    assert (task["head"], task["choose"], task["penalties"]) == ("linear", "layer", None)
    assert task["pooling"] == ["mean"]
    several = tasks(tmp_path, "suite: gue, task: mouse_0, pooling: [cls, mean], penalties: [1, 10]")
    assert several["pooling"] == ["cls", "mean"] and several["penalties"] == [1, 10]
    own = tasks(tmp_path, "suite: own, data: a.csv, type: multi_regression, metric: R2")
    assert own["metric"] == "R2"


PROBE_FAULTS = [
    ("pooling: [cls, mean], choose: penalty", r"pooling: 2 kinds, of which choose: penalty chooses none"),
    ("head: mlp, penalties: [1]", r"penalties: an MLP has none"),
    ("penalties: [0]", r"penalties"),
    ("baselines: [majority]", r"found 'majority', expected one of kmer, one_hot, gc_length, constant"),
]


@pytest.mark.parametrize(("text", "pattern"), PROBE_FAULTS, ids=[text for text, _ in PROBE_FAULTS])
def test_settings_of_probes_that_do_not_fit(tmp_path, text, pattern):
    with pytest.raises(UserError, match=pattern):
        tasks(tmp_path, f"suite: gue, task: mouse_0, {text}")


@pytest.mark.parametrize(("kind", "metric"), [("regression", "mcc"), ("binary", "r2"), ("multilabel", "R2")])
def test_metrics_of_another_type(tmp_path, kind, metric):
    with pytest.raises(UserError, match=rf"metric: found '{metric}', expected one of .* for type {kind}"):
        tasks(tmp_path, f"suite: own, data: a.csv, type: {kind}, metric: {metric}")
