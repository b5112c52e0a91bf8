"""Published and own tasks in the configuration: planned without a network, fetched from the hub, imported.

One of them with every architecture, random weights in the hub's formats: one table, one figure.
"""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from hub_server import COMMIT
from toy_suites import planted, suite_files
from workflow.conftest import copy_checkout, snakemake

from dnalm import suites

pytestmark = [pytest.mark.long, pytest.mark.workflow]
SETTINGS = """
species: {fly_slice: {genome: resources/demo/tiny/fly_slice.fa.gz}}
models:
  {nt_v2: random/nt_v2, dnabert6: random/dnabert6, dnabert2: random/dnabert2, grover_like: random/grover_like}
tasks:
  types:
    {suite: nt_revised, task: enhancers_types, models: [nt_v2, dnabert6, dnabert2, grover_like], folds: 3,
      baselines: [kmer], penalties: [10], long_inputs: split, split_overlap: 4}
  mine:
    {suite: own, data: own.csv, type: regression, models: [tiny_segment_nt], folds: 4, duplicates: drop,
      baselines: [kmer, one_hot], pooling: [mean, cls], layers: all, penalties: [1, 100, 10000]}
"""
GOLDENS = Path(__file__).parents[1] / "golden"
RANDOM = {
    "nt_v2": GOLDENS / "torch" / "nt_v2_3mer" / "safetensors",
    "dnabert6": GOLDENS / "bert" / "dnabert_6",
    "dnabert2": GOLDENS / "bert" / "dnabert_2",
    "grover_like": GOLDENS / "bert" / "grover",
}
TARGETS = ("results/tasks/types/data.parquet", "results/tasks/mine/data.parquet")


def strength(path):
    """Writes sequences of two lengths whose labels count a motif; the first 40 are test rows."""
    lines = ["sequence,label,split"]
    for number, (_, text, labels) in enumerate(planted("regression", 200)):
        lines.append(f"{text + 'ACGTA' * (number % 2)},{labels[0]},{'test' if number < 40 else 'train'}")
    path.write_text("\n".join(lines) + "\n")


def test_tasks_without_species(hub, tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    row = suites.suite_task("nt_revised", "enhancers_types")
    files = suite_files(tmp_path / "suites")["nt_revised", "enhancers_types"]
    content = {row.file_sets()[1][split]: path.read_bytes() for split, path in files.items()}
    hub.add_repository(f"datasets/{row.hub_repository}", COMMIT, content)
    strength(folder / "own.csv")
    for name, source in RANDOM.items():
        shutil.copytree(source, folder / "random" / name)
    (folder / "settings.yaml").write_text(SETTINGS)

    def run(*words):
        return snakemake(folder, *TARGETS, "--configfile", "settings.yaml", *words)

    plan = run("-n")
    assert plan.returncode == 0 and "rule fetch_task" in plan.stdout and hub.requests == [], plan.stdout
    done = run()
    assert done.returncode == 0, done.stdout[-3000:]
    task = pd.read_parquet(folder / TARGETS[0])
    assert (
        task["split"].value_counts().to_dict() == {"train": 240, "test": 80} and task["label"].nunique() == 3
    )
    locked = json.loads((folder / "config/tasks.lock.json").read_text())
    assert locked[f"datasets/{row.hub_repository}"] == {"revision": COMMIT}
    manifest = json.loads((folder / f"{TARGETS[1]}.manifest.json").read_text())["content"]
    assert manifest["settings"]["duplicates"] == "drop" and manifest["settings"]["fold_count"] == 4
    report = pd.read_csv(folder / "results/tasks/mine/leakage.tsv", sep="\t")
    assert set(report["relation"]) == {"identical", "reverse_complement", "near_identical"}
    assert "240 rows of train, expected 30000" in (folder / "results/logs/import_task/types.log").read_text()

    hub.forget()
    assert "Nothing to be done" in run().stdout and hub.requests == []
    with open(folder / "resources/suites/nt_revised.tsv", "a") as handle:
        handle.write((folder / "resources/suites/nt_revised.tsv").read_text().splitlines()[1] + "\n")
    assert "Nothing to be done" in run().stdout, "another row of the suite ran tasks again"
    whole = snakemake(folder, "tasks", "results/figures/tasks.svg", "--configfile", "settings.yaml")
    assert whole.returncode == 0, whole.stdout[-3000:]
    check_scores(folder / "results/tasks")
    drawn = set(pd.read_csv(folder / "results/figures/tasks.tsv", sep="\t")["features"])
    assert drawn == {*RANDOM, "kmer", "tiny_segment_nt"}, drawn


def check_scores(results):
    types, mine = (pd.read_csv(results / name / "summary.tsv", sep="\t") for name in ("types", "mine"))
    assert set(types["scored"]) == set(mine["scored"]) == {"test"}
    assert set(types["n"]) == {80} and set(mine["n"]) == {40} and set(mine["folds"]) == {4}
    found = types[types["metric"] == "mcc"].set_index("features")
    assert found.loc["kmer", "mean"] > 0.8 and set(found.index) == {*RANDOM, "kmer"}
    assert (found.loc[list(RANDOM), "best_baseline"] == "kmer").all()
    for name in RANDOM:
        content = json.loads((results / f"types/{name}.h5ad.manifest.json").read_text())["content"]
        assert content["split_overlap"] == 4 and content["settings" if "settings" in content else "model"]
    values = mine[mine["metric"] == "r2_pearson"].set_index("features")
    assert values.loc["kmer", "mean"] > 0.8 and "one_hot" not in values.index
    manifest = json.loads((results / "mine/summary.tsv.manifest.json").read_text())["content"]
    assert manifest["left_out"] == {"one_hot": "sequences differ in length (found 120 to 125 bp)"}
    folds = pd.read_csv(results / "mine/tiny_segment_nt/folds.tsv", sep="\t")
    assert set(folds["pooling"]) <= {"mean", "cls"} and set(folds["penalty"]) <= {1, 100, 10000}
    sweep = pd.read_csv(results / "mine/tiny_segment_nt/sweep.tsv", sep="\t")
    assert set(sweep["pooling"]) == {"mean", "cls"}, "a pooling was not embedded"
