"""The papers' figures as targets, on small files of the published layout: fetched, probed, drawn."""

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
species:
  fly_slice:
    genome: resources/demo/tiny/fly_slice.fa.gz
    annotation: resources/demo/tiny/fly_slice.gtf.gz
models: {dnabert6: random/dnabert6}
tasks:
  types: &probe {suite: nt_revised, task: enhancers_types, models: [tiny_segment_nt], folds: 3,
    baselines: [kmer], penalties: [10], layers: all}
  leaf: {<<: *probe, suite: pgb, task: promoter_strength.leaf, layers: [last]}
  soya: {<<: *probe, suite: pgb, task: gene_exp.glycine_max, layers: [last]}
  whole: &own {suite: own, data: own.csv, type: regression, models: [tiny_segment_nt], folds: 3,
    baselines: [], penalties: [10]}
  middle: {<<: *own, context_bp: 60}
figures:
  papers:
    nt_benchmark: {}
    layers: {tasks: [types]}
    context: {tasks: [whole, middle]}
    agront_strength: {}
    agront_expression: {}
    dnabert_attention: {model: dnabert6, region: "chr2R_slice:20000-20600"}
"""
PUBLISHED = {  # suite, task -> which of the suite's layouts
    ("nt_revised", "enhancers_types"): 1,
    ("pgb", "promoter_strength.leaf"): 0,
    ("pgb", "gene_exp.glycine_max"): 0,
}
STEMS = {
    "nt_benchmark": "nt_benchmark.nt_revised", "layers": "layers", "context": "context",
    "agront_strength": "agront_strength", "agront_expression": "agront_expression",
    "dnabert_attention": "dnabert_attention",
}  # fmt: skip
DNABERT = Path(__file__).parents[1] / "golden" / "bert" / "dnabert_6"


def add_suites(hub, folder):
    """Puts the published tasks on the hub, each with its own layout; tasks of one repository together."""
    files = suite_files(folder)
    repositories: dict[tuple[str, str], dict[str, bytes]] = {}
    for (suite, task), layout in PUBLISHED.items():
        row = suites.suite_task(suite, task)
        names, own = row.file_sets()[layout], files[suite, task]
        content = {names[split]: path.read_bytes() for split, path in own.items()}
        place = row.hub_repository, row.revision or COMMIT
        repositories[place] = {**repositories.get(place, {}), **content}
    for (name, revision), content in repositories.items():
        hub.add_repository(f"datasets/{name}", revision, content)


def test_each_target_is_drawn_from_the_published_layout(hub, tmp_path):
    folder = copy_checkout(tmp_path / "checkout")
    add_suites(hub, tmp_path / "suites")
    rows = [f"{text},{labels[0]}" for _, text, labels in planted("regression", 120)]
    (folder / "own.csv").write_text("\n".join(["sequence,label", *rows]) + "\n")
    shutil.copytree(DNABERT, folder / "random" / "dnabert6")
    (folder / "settings.yaml").write_text(SETTINGS)
    done = snakemake(folder, *(f"figure_{name}" for name in STEMS), "--configfile", "settings.yaml")
    assert done.returncode == 0, done.stdout[-4000:]
    figures = folder / "results" / "figures"
    for stem in STEMS.values():
        for ending in ("svg", "png", "85mm.svg", "85mm.png", "tsv"):
            assert (figures / f"{stem}.{ending}").stat().st_size > 50, (stem, ending)
    tables = {name: pd.read_csv(figures / f"{stem}.tsv", sep="\t") for name, stem in STEMS.items()}
    assert {"tiny_segment_nt", "kmer"} <= set(tables["nt_benchmark"]["features"])
    assert tables["layers"]["layer"].nunique() == 2
    assert sorted(tables["context"]["length_bp"].unique()) == [60, 120]
    for name in ("agront_strength", "agront_expression"):
        assert len(tables[name]) > 1, name
    assert not (folder / "results" / "report.html").exists(), "a target makes its figure and nothing else"
    absent = snakemake(folder, "figure_attention", "--configfile", "settings.yaml")
    assert absent.returncode == 2 and "has no figures.papers.attention" in absent.stdout
