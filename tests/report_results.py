"""A small folder of results, of the layout that the workflow writes, for tests of the report."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
from figure_tables import expression_metrics, task_summary

from dnalm import leaderboard
from dnalm.figures import style
from dnalm.files import write_manifest
from dnalm.probe import SUMMARY_COLUMNS

SPECIES = "drosophila_melanogaster"
WINDOWS = {
    "tiles": {"kind": "tiles", "length_bp": 3072, "upstream_bp": 3000, "downstream_bp": 3000},
    "tss": {"kind": "tss", "length_bp": "auto", "upstream_bp": 1500, "downstream_bp": 1500},
}
CARD = """# demo_nt
A small encoder trained on chromosome arm 2R. See [the paper](https://example.org/paper).

## Scores
| element | auPRC |
|---|---|
| exon | 0.8 |

## What is not claimed
- It knows **one** chromosome arm, `chr2R`.
- It is no substitute for a published model.
"""


def resolved_config():
    species = {
        SPECIES: {
            "genome": "resources/demo/dm3_chr2R.fa.gz",
            "annotation": "resources/demo/dm3.gtf.gz",
            "expression": {"table": "x.tsv", "unit": "log2"},
            "held_out": ["chr2R:2000000-7000000"],
            "mask": {"soft_masked": "keep", "iupac": "mask"},
            "windows": WINDOWS,
        },
        "macaque_piece": {
            "genome": {"ensembl": "macaca_mulatta", "release": 111},
            "annotation": None,
            "expression": None,
            "held_out": [],
            "mask": {"soft_masked": "mask", "iupac": "mask"},
            "windows": WINDOWS,
        },
    }
    both = list(species)
    run = {"layers": ["last"], "species": [SPECIES], "models": ["demo_nt"]}
    return {
        "title": "DNA language models from genomes to figures",
        "species": species,
        "models": {},
        "figures": {"maps": {"tiles": "last"}, "tracks": {"elements": "auto"}},
        "embeddings": {"tiles": {"model": "demo_nt", "windows": "tiles", "species": both}},
        "segmentation": {"elements": {"model": "demo_segment_nt", "species": both}},
        "tasks": {"splice_donors": run, "promoters": run},
        "expression": {"rna_seq": {**run, "windows": "tss"}},
    }


def segmentation_metrics(labels="own_strand"):
    rows = []
    scores = (("exon", 1_210_000, 0.82), ("splice_donor", 2_100, 0.73), ("splice_acceptor", 2_080, np.nan))
    for feature, positives, auprc in scores:
        rate = positives / 1e7
        rows.append((feature, labels, 10_000_000, positives, rate, auprc, 0.95, 0.6, 0.65))
    names = ["feature", "labels", "n_bases", "positives", "base_rate", "auprc", "auroc", "mcc", "best_mcc"]
    more = {"threshold": 0.5, "f1": 0.7, "jaccard": 0.54, "sov": 0.5, "samplings": 10, "mcc_sd": 0.0004}
    return pd.DataFrame(rows, columns=names).assign(**more)


def published_scores(number=np.nan):
    """The paper's numbers beside ours: none for the demo's models."""
    table = segmentation_metrics()[["feature", "mcc", "mcc_sd"]]
    more = {"published_model": "SegmentNT-30kb" if number > 0 else np.nan, "published_mcc": number}
    return table.assign(**more, comparable="no", reason="other sequences")


def _write(table, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, sep="\t", index=False, na_rep="NA")


def write_task(folder, summary, left_out=None, **content):
    """Writes what the report reads of a task: summary and manifests."""
    _write(summary, folder / "summary.tsv")
    about = {"suite": "annotation", "task": "splice_donor", "type": "binary", "metric": "mcc", "leakage": []}
    (folder / "data.parquet").write_bytes(b"PAR1")
    write_manifest(folder / "data.parquet", "task", {}, {**about, **content})
    write_manifest(folder / "summary.tsv", "probe", {}, {"left_out": left_out} if left_out else {})


def write_leaderboard(folder):
    """Writes the leaderboard of the tasks in a folder."""
    summaries = [folder / path.parent.name / "summary.tsv" for path in sorted(folder.glob("*/summary.tsv"))]
    entries = leaderboard.read_entries(summaries)
    entries = [
        replace(one, summary=one.summary.assign(head="linear").reindex(columns=list(SUMMARY_COLUMNS)))
        for one in entries
    ]
    _write(leaderboard.make_leaderboard(entries, leaderboard.read_published()), folder / "leaderboard.tsv")


@cache
def _rendered(title):
    with style.applied():
        figure = style.new_figure(85, 40)
        axes = style.add_axes(figure, 12, 5, 60, 22)
        axes.plot([0, 1], [0, 1])
        style.add_note(figure, "Model: demo_nt, n = 2 points.")
    return {**style.render(figure, title), ".tsv": b"x\n0\n1\n"}


def make_figure(stem, title):
    """Writes the three files of a figure; drawn once per title, since many tests want the same."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    for suffix, data in _rendered(title).items():
        stem.with_name(stem.name + suffix).write_bytes(data)
    return stem


def make_results(folder, figures=True):
    """Writes the folder; returns (configuration file, results folder, stems of the figures)."""
    config, results = resolved_config(), folder / "results"
    for species, settings in config["species"].items():
        home = results / "species" / species
        letters = {"A": 300, "C": 200, "G": 200, "N": 10, "R": 2, "a": 30, "t": 58}
        _write(
            pd.DataFrame([("c1", *pair) for pair in letters.items()], columns=["contig", "letter", "count"]),
            home / "masked.tsv",
        )
        for name in settings["windows"]:
            path = home / "windows" / f"{name}.bed"
            _write(pd.DataFrame([("c1", 0, 100, "w", 0, "+", 0.0)]), path)
            dropped = {"over_contig_end": 1, "n_fraction": 2, "token_limit": 0}
            write_manifest(path, "windows", {}, {"windows": 3524, "dropped": dropped})
    home = results / "species" / SPECIES
    _write(segmentation_metrics(), home / "segmentation" / "elements.metrics.tsv")
    _write(published_scores(), home / "segmentation" / "elements.beside_published.tsv")
    _write(expression_metrics(), home / "expression" / "rna_seq.tsv")
    for task in ("splice_donors", "promoters"):
        write_task(results / "tasks" / f"{task}.{SPECIES}", task_summary((f"{task}.{SPECIES}",)))
    write_leaderboard(results / "tasks")
    for model in ("demo_nt", "demo_segment_nt"):
        path = results / "models" / model / "config.json"
        path.parent.mkdir(parents=True)
        model = {"tokenizer": "v2_6mer", "max_tokens": 513, "num_layers": 3, "embed_dim": 128, "features": []}
        path.write_text(json.dumps({"model": model, "details": {}}))
    kinds = (f"tracks.{SPECIES}.elements", "tasks", f"expression.{SPECIES}.rna_seq", f"map.{SPECIES}.tiles")
    stems = [make_figure(results / "figures" / kind, f"Figure {kind}") for kind in kinds] if figures else []
    path = folder / "config.json"
    path.write_text(json.dumps(config))
    return path, results, stems
