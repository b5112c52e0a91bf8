"""The report's section on genomic elements predicted along a genome."""

from __future__ import annotations

import math

import pandas as pd

from dnalm.figures.tables import METRIC_COLUMNS, read_table
from dnalm.report.images import load_figures
from dnalm.report.key_numbers import KeyNumber
from dnalm.report.sources import Run, Sources
from dnalm.report.text import Section, Table, count, number, of_species, rate, species_name, words

MAIN_FEATURES = ("exon", "intron", "splice_donor", "splice_acceptor")
CONVENTIONS = {
    "own_strand": "own_strand, labels of the given strand, positions of both strands pooled",
    "either_strand": (
        "either_strand, an element of either strand counts; the base rate is about twice that of own_strand, "
        "so never compare the two"
    ),
}


def read_segmentation(sources: Sources, run: Run) -> pd.DataFrame:
    """Reads a segmentation run's metrics."""
    path = sources.species_file(run.species, f"segmentation/{run.name}.metrics.tsv")
    return read_table(path, METRIC_COLUMNS, "table of metrics")


def segmentation_table(metrics: pd.DataFrame, run: Run) -> Table:
    """Returns one row per feature, base rate beside the scores."""
    rows = []
    for _, row in metrics.iterrows():
        scores = [number(row[metric]) for metric in ("auprc", "auroc", "mcc", "best_mcc")]
        sizes = [count(row["n_bases"]), count(row["positives"]), rate(row["base_rate"])]
        rows.append([words(str(row["feature"])), *sizes, *scores])
    headers = ["Element", "Bases", "Positives", "Base rate", "auPRC", "AUROC", "MCC at 0.5", "Best MCC"]
    kinds = list(dict.fromkeys(metrics["labels"].astype(str)))
    note = "Strand convention: " + "; ".join(CONVENTIONS.get(kind, kind) for kind in kinds)
    note += ". Best MCC takes its threshold from the same bases and is optimistic."
    title = f"{run.settings['model']} against the annotation of {species_name(run.species)} (run {run.name})"
    return Table(title, headers, rows, note=note)


def times(score: float, base: float) -> str:
    """Says how many times its base rate a score is."""
    if not (base > 0 and math.isfinite(score)):
        return "no comparison"
    return f"{score / base:,.{1 if score < 10 * base else 0}f} times the base rate"


def segmentation_section(sources: Sources) -> tuple[Section, list[KeyNumber]]:
    """Returns the section on elements along the genome and its key numbers."""
    section, numbers = Section("elements", "Genomic elements"), []
    section.lead = (
        "A probability per base and element, windows stitched; scored where the annotation is known."
    )
    for run in sources.runs("segmentation"):
        section.figures += load_figures(sources, "tracks", run.species, run.name)
        if not sources.config["species"][run.species].get("annotation"):
            section.notes.append(
                f"{species_name(run.species)} has no annotation: predictions are not scored."
            )
            continue
        metrics = read_segmentation(sources, run)
        section.tables.append(segmentation_table(metrics, run))
        for _, row in metrics[metrics["feature"].isin(MAIN_FEATURES)].iterrows():
            base, score = float(row["base_rate"]), float(row["auprc"])
            fold = times(score, base)
            element = f"{words(str(row['feature']))}, auPRC"
            what = of_species(element, run.species, sources.config["species"])
            model = str(run.settings["model"])
            numbers.append(KeyNumber(what, model, number(score), f"base rate {rate(base)}", fold))
    if not sources.runs("segmentation"):
        section.notes.append("The configuration predicts no elements.")
    return section, numbers
