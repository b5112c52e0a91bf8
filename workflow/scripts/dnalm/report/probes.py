"""The report's sections on expression and on the map of embeddings."""

from __future__ import annotations

import pandas as pd

from dnalm.figures.tables import (
    EXPRESSION_COLUMNS,
    feature_label,
    feature_order,
    layer_text,
    read_table,
)
from dnalm.report.images import load_figures
from dnalm.report.key_numbers import KeyNumber, compare
from dnalm.report.sources import Sources
from dnalm.report.text import Section, Table, count, number, of_species, species_name

SUBSETS = {"all": "all", "expressed": "counts above 0", "held_out": "held-out region"}


def expression_section(sources: Sources) -> tuple[Section, list[KeyNumber]]:
    """Returns the section on expression and its key numbers (R2 over folds, all genes)."""
    section, numbers = Section("expression", "Gene expression"), []
    section.lead = (
        "Ridge regression from embeddings of windows around the TSS to expression, cross-validated."
    )
    for run in sources.runs("expression"):
        section.figures += load_figures(sources, "expression", run.species, run.name)
        path = sources.species_file(run.species, f"expression/{run.name}.tsv")
        table = read_table(path, EXPRESSION_COLUMNS, "expression table")
        for column, own in table.groupby("value_column", sort=False):
            section.tables.append(expression_table(own, f"{column}, {species_name(run.species)}"))
            main = own[(own["subset"] == "all") & (own["folds"] == "grouped")]
            what = of_species("Expression, R²", run.species, sources.config["species"])
            what += f" ({column})" if table["value_column"].nunique() > 1 else ""
            numbers += compare(main, what, "R2_mean", "R2_2sd")
        if sources.config["species"][run.species].get("held_out"):
            section.notes.append(
                f"{species_name(run.species)}: outside the held-out region the backbone saw these genes' DNA "
                "during training, though never their expression; the held-out rows are free of that."
            )
    if not section.tables:
        section.notes.append("The configuration predicts no expression.")
    return section, numbers


def expression_table(table: pd.DataFrame, title: str) -> Table:
    """Returns one row per subset of genes and set of features, random folds in a column of their own."""
    layers = table["layer"].map(layer_text)
    subsets = [subset for subset in SUBSETS if (table["subset"] == subset).any()]
    rows = []
    for subset in subsets:
        for features, layer in feature_order(table):
            own = table[(table["subset"] == subset) & (table["features"] == features) & (layers == layer)]
            grouped, random = (own[own["folds"] == kind] for kind in ("grouped", "random"))
            compared = number(random["R2_mean"].iloc[0]) if len(random) else number(None)
            if grouped.empty:
                continue
            row = grouped.iloc[0]
            spread = f"{number(row['R2_mean'])} ± {number(row['R2_2sd'])}"
            scores = [number(row["r2_pearson"]), number(row["R2_pooled"]), spread, compared]
            sizes = [count(row["n"]), count(row["groups"])]
            rows.append([SUBSETS[subset], feature_label(features, layer), *sizes, *scores])
    headers = [
        "Genes",
        "Features",
        "n",
        "Groups",
        "r²",
        "R² pooled",
        "R² per fold ± 2 s.d.",
        "R², random folds",
    ]
    note = (
        "Folds by group, but for the last column: random folds, a comparison only. Genes with counts above 0 "
        "are fitted apart; rows of the held-out region score the fit to all genes."
    )
    return Table(title, headers, rows, text_columns=2, note=note)


def map_section(sources: Sources) -> Section:
    """Returns the section with the maps of embeddings."""
    section = Section("map", "Embedding map")
    section.lead = "Where windows of the genome lie in the space of a model's embeddings."
    section.figures = load_figures(sources, "map")
    if not section.figures:
        section.notes.append("The configuration draws no map.")
    return section
