"""The report's section on genomic elements predicted along a genome."""

from __future__ import annotations

import math

import pandas as pd

from dnalm.figures.tables import METRIC_COLUMNS, PUBLISHED_COLUMNS, read_table
from dnalm.report.images import load_figures
from dnalm.report.key_numbers import KeyNumber
from dnalm.report.sources import Run, Sources
from dnalm.report.text import Section, Table, count, listing, number, of_species, rate, species_name, words

MAIN_FEATURES = ("exon", "intron", "splice_donor", "splice_acceptor")
CONVENTIONS = {
    "own_strand": "own_strand, labels of the given strand, positions of both strands pooled",
    "either_strand": (
        "either_strand, an element of either strand counts; the base rate is about twice that of own_strand, "
        "so never compare the two"
    ),
}


def read_segmentation(sources: Sources, run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reads a segmentation run's metrics, and the published ones beside them."""
    stem = f"segmentation/{run.name}"
    metrics = sources.species_file(run.species, f"{stem}.metrics.tsv")
    beside = sources.species_file(run.species, f"{stem}.beside_published.tsv")
    return (
        read_table(metrics, METRIC_COLUMNS, "table of metrics"),
        read_table(beside, PUBLISHED_COLUMNS, "table of published scores"),
    )


def segmentation_table(metrics: pd.DataFrame, run: Run) -> Table:
    """Returns one row per feature, base rate beside the scores."""
    rows = []
    for _, row in metrics.iterrows():
        names = ("auprc", "auroc", "mcc", "f1", "jaccard", "sov", "best_mcc")
        sizes = [count(row["n_bases"]), count(row["positives"]), rate(row["base_rate"])]
        rows.append([words(str(row["feature"])), *sizes, *(number(row[name]) for name in names)])
    headers = ["Element", "Bases", "Positives", "Base rate", "auPRC", "AUROC", "MCC", "F1", "Jaccard", "SOV"]
    kinds = list(dict.fromkeys(metrics["labels"].astype(str)))
    note = "Strand convention: " + "; ".join(CONVENTIONS.get(kind, kind) for kind in kinds)
    note += f". MCC, F1, Jaccard and SOV of bases called from {metrics['threshold'].iloc[0]:g} on. "
    note += "Best MCC takes its threshold from the same bases and is optimistic. "
    note += "SOV compares whole segments of the element (SOV_refine)."
    title = f"{run.settings['model']} against the annotation of {species_name(run.species)} (run {run.name})"
    return Table(title, [*headers, "Best MCC"], rows, note=note + _spread(metrics))


def _spread(metrics: pd.DataFrame) -> str:
    """Says how much the MCC depends on which bases are scored."""
    sampled = metrics[metrics["mcc_sd"].notna()]
    if sampled.empty:
        return ""
    return (
        f" Over {int(sampled['samplings'].max())} samplings with shifted window starts, the SD of the MCC is "
        f"at most {sampled['mcc_sd'].max():.1g}: it tells of the choice of bases, not of the training."
    )


def published_table(beside: pd.DataFrame, run: Run) -> Table | None:
    """Returns our MCC beside the paper's, with what keeps them apart; None for a model it does not know."""
    known = beside[beside["published_mcc"].notna()]
    if known.empty:
        return None
    rows = [
        [words(str(row["feature"])), str(row["comparable"]), str(row["reason"])]
        + [number(row[name]) for name in ("mcc", "mcc_sd", "published_mcc")]
        for _, row in known.iterrows()
    ]
    headers = ["Element", "Comparable", "Because", "MCC", "SD", f"{known['published_model'].iloc[0]}, paper"]
    title = f"{run.settings['model']} beside the scores of its paper (run {run.name})"
    note = "Published: de Almeida et al. 2025, Supplementary Table 2, human chromosomes 20 and 21."
    return Table(title, headers, rows, text_columns=3, note=note)


def _doubts(metrics: pd.DataFrame, beside: pd.DataFrame, run: Run) -> list[str]:
    """Returns what keeps a reader from taking the scores as they stand."""
    doubts = []
    unscored = [str(name) for name in metrics.loc[metrics["auprc"].isna(), "feature"]]
    if unscored:
        names = listing(unscored)
        doubts.append(f"Run {run.name}: no score for {names} (no labelled base, or none without).")
    known = beside[beside["published_mcc"].notna() & (beside["comparable"].astype(str) != "yes")]
    if len(known):
        reason = str(known["reason"].iloc[0])
        doubts.append(f"Run {run.name}: the paper's scores are not comparable with these ({reason}).")
    return doubts


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
        metrics, beside = read_segmentation(sources, run)
        section.tables.append(segmentation_table(metrics, run))
        if published := published_table(beside, run):
            section.tables.append(published)
        for _, row in metrics[metrics["feature"].isin(MAIN_FEATURES)].iterrows():
            base, score = float(row["base_rate"]), float(row["auprc"])
            fold = times(score, base)
            element = f"{words(str(row['feature']))}, auPRC"
            what = of_species(element, run.species, sources.config["species"])
            model = str(run.settings["model"])
            numbers.append(KeyNumber(what, model, number(score), f"base rate {rate(base)}", fold))
        section.warnings += _doubts(metrics, beside, run)
    if not sources.runs("segmentation"):
        section.notes.append("The configuration predicts no elements.")
    return section, numbers
