"""Small synthetic tables of exactly the columns that the steps write, for tests of figures and report."""

import numpy as np
import pandas as pd

FEATURES = (("demo_nt", 2, 0.24), ("demo_nt", 3, 0.27), ("random_weights", 3, 0.17), ("kmer", np.nan, 0.22))
SUBSETS = (("all", 600, 410), ("expressed", 520, 370), ("held_out", 150, 110))


def expression_metrics(features=FEATURES, value_column="log2_rpkm"):
    rows = []
    for name, layer, level in features:
        for place, (subset, n, groups) in enumerate(SUBSETS):
            for folds, gain in (("grouped", 0.0), ("random", 0.06)):
                mean = level + gain - 0.04 * place
                rows.append(
                    (
                        name,
                        layer,
                        value_column,
                        subset,
                        folds,
                        n,
                        groups,
                        mean + 0.02,
                        mean + 0.01,
                        mean,
                        0.07 + 0.03 * place,
                    )
                )
    columns = [
        "features",
        "layer",
        "value_column",
        "subset",
        "folds",
        "n",
        "groups",
        "r2_pearson",
        "R2_pooled",
        "R2_mean",
        "R2_2sd",
    ]
    return pd.DataFrame(rows, columns=columns)


def expression_predictions(features=FEATURES, n=600, value_column="log2_rpkm", seed=0):
    draw = np.random.default_rng(seed)
    observed = np.where(draw.random(n) < 0.15, -3.32, draw.normal(3.5, 2.6, n))
    tables = []
    for name, layer, level in features:
        predicted = level * observed + (1 - level) * observed.mean() + draw.normal(0, 0.9, n)
        tables.append(
            pd.DataFrame(
                {
                    "gene_id": [f"gene{i}" for i in range(n)],
                    "value_column": value_column,
                    "features": name,
                    "layer": layer,
                    "observed": observed,
                    "predicted": predicted,
                    "fold": np.arange(n) % 10,
                    "held_out": np.arange(n) < n // 4,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def task_summary(
    tasks=("splice_donors.drosophila_melanogaster", "promoters.drosophila_melanogaster"),
    metric="mcc",
    suite="annotation",
):
    rows = []
    names = (
        ("demo_nt", 3),
        ("demo_segment_nt", 3),
        ("demo_nt.random_weights", 3),
        ("kmer", np.nan),
        ("one_hot", np.nan),
    )
    for shift, task in enumerate(tasks):
        for place, (name, layer) in enumerate(names):
            mean = 0.62 + 0.2 * (place == 1) - 0.09 * place - 0.1 * shift
            rows.append((task, suite, name, layer, metric, mean, 0.03, 0.06, 10, 1200, 0.5))
    columns = ["task", "features", "layer", "metric", "mean", "sd", "sd2", "folds", "n", "base_rate"]
    columns.insert(1, "suite")
    return pd.DataFrame(rows, columns=columns)
