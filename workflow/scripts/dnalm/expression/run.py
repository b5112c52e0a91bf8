"""One run of expression prediction, from the files to the scores."""

from __future__ import annotations

import logging
from argparse import Namespace

import numpy as np
import pandas as pd
from jaxtyping import Bool

from dnalm import folds
from dnalm.baselines import SHUFFLED
from dnalm.errors import UserError
from dnalm.expression.evaluate import Genes, evaluate
from dnalm.expression.features import (
    FeatureSet,
    kmer_features,
    read_embedding_sets,
    shuffled_features,
)
from dnalm.expression.genes import gather_genes
from dnalm.expression.table import Expression, read_expression
from dnalm.genome import Genome
from dnalm.windows import read_windows

log = logging.getLogger("dnalm")


def predict(settings: Namespace) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, object]]:
    """Returns scores, predictions, and what was counted, for the manifest.

    Args:
        settings: the arguments of predict_expression.py.
    """
    expression = read_expression(
        settings.table,
        settings.unit,
        settings.gene_column,
        settings.value_columns,
        settings.count_columns,
        settings.expressed_threshold,
        settings.mean,
    )
    if expression.expressed is None:
        log.warning("no subset of expressed genes: give --count-columns or --expressed-threshold")
    windows = read_windows(settings.windows)
    with Genome(settings.genome) as genome:
        table, counts = gather_genes(windows, expression, genome, settings.held_out, settings.table)
    sets = feature_sets(settings, table)
    complete = complete_rows(sets)
    counts["genes_without_features"] = int((~complete).sum())
    if not complete.all():
        log.warning("%d genes lack features in one of the sets and are left out", (~complete).sum())
    sets = [FeatureSet(each.name, each.layer, each.values[complete]) for each in sets]
    genes = make_genes(table[complete].reset_index(drop=True), expression, settings.folds, settings.seed)
    sizes = np.bincount(genes.folds["grouped"][0])
    counts |= {"groups": len(sizes), "largest_group": int(sizes.max()), "folds": settings.folds}
    log.info("%d genes in %d groups, the largest of %d genes", len(genes.names), len(sizes), sizes.max())
    return *evaluate(genes, sets), {"unit": settings.unit, "seed": settings.seed, **counts}


def feature_sets(settings: Namespace, table: pd.DataFrame) -> list[FeatureSet]:
    """Returns the embeddings, then the baselines; shuffled is the deepest layer of the first embeddings.

    Raises:
        UserError: neither is asked for.
    """
    names = table["name"].tolist()
    sets = [each for text in settings.embeddings for each in read_embedding_sets(text, names)]
    if "kmer" in settings.baselines:
        sets.append(kmer_features(table["sequence"].tolist(), settings.baseline_k))
    if SHUFFLED in settings.baselines and sets:
        first = [each for each in sets if each.name == sets[0].name]
        sets.append(shuffled_features(first[-1], settings.seed))
    if not sets:
        raise UserError("predict_expression.py", "has no features", "Give --embeddings or --baselines.")
    return sets


def complete_rows(sets: list[FeatureSet]) -> Bool[np.ndarray, " B"]:
    """Says which genes every feature set has: only these make scores that can be compared.

    Raises:
        UserError: there are none.
    """
    complete = np.logical_and.reduce([np.isfinite(each.values).all(axis=1) for each in sets])
    if not complete.any():
        raise UserError(
            "--embeddings", "no gene has features in every set", "Embed the same windows for all."
        )
    return complete


def make_genes(table: pd.DataFrame, expression: Expression, number: int, seed: int) -> Genes:
    """Groups the genes' windows and deals them to folds, by group and at random.

    Raises:
        UserError: fewer groups than folds.
    """
    sequences, names = table["sequence"].tolist(), table["name"].tolist()
    deals = {
        "grouped": folds.group_windows(table, sequences),
        "random": np.arange(len(names), dtype=np.int64),
    }
    values, expressed = expression.values.loc[names], expression.expressed
    return Genes(
        names,
        [str(column) for column in values.columns],
        values.to_numpy(np.float64),
        None if expressed is None else expressed.loc[names].to_numpy(bool),
        table["held_out"].to_numpy(bool),
        {
            kind: (groups, folds.grouped_folds(groups, folds=number, seed=seed))
            for kind, groups in deals.items()
        },
    )
