"""Small result folders of regression probes, as the steps write them, for tests of the papers' figures."""

import json

import numpy as np
import pandas as pd

from dnalm import suites

CROPS = {
    "arabidopsis_thaliana": 56, "glycine_max": 47, "oryza_sativa": 7, "solanum_lycopersicum": 10,
    "zea_mays": 23,
}  # fmt: skip
STRENGTHS = tuple(
    f"{kind}_strength.{assay}" for kind in ("promoter", "terminator") for assay in ("leaf", "protoplast")
)
SOURCES = {"promoter": ("At", "Sb", "Zm"), "terminator": ("At", "GC", "Zm")}
R2 = {"agro_nt": 0.5, "agro_nt.random_weights": 0.22, "kmer": 0.3}  # explained share, before calibration


def values(rows, outputs, level, seed, probes=3):
    """Returns observed [G T] and predicted [P G T]; `level` is about r2."""
    draw = np.random.default_rng(seed)
    gene, tissue = draw.normal(0, 2.2, (rows, 1)), draw.normal(0, 0.5, (1, outputs))
    signal = gene + tissue + draw.normal(0, 0.7, (rows, outputs))
    observed = np.maximum(signal + 4, 0)
    quality = level + (draw.normal(0, 0.06, (1, 1, outputs)) if outputs > 1 else 0)
    noise = draw.normal(0, 1, (1, rows, 1)) + 0.2 * draw.normal(0, 1, (probes, rows, outputs))
    guess = quality * signal + noise * np.sqrt(np.maximum(quality * (1 - quality), 0.01)) * 2.2
    return observed, guess + 4


def write_task(folder, suite, task, test, **more):
    """Writes the manifest of a task's data: `test` rows of an official test set, 0 for none."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "suite": suite, "task": task, "type": "multi_regression", "read": {"train": 1000, "test": test},
        "settings": {"max_examples": None}, "dropped": 0, "files": {}, **more,
    }  # fmt: skip
    (folder / "data.parquet.manifest.json").write_text(json.dumps({"content": content}))


def predictions(observed, predicted, features, layer=np.nan, names=None, folds=0):
    """Returns predictions.parquet's table: a test set scored by every probe, or rows out of `folds` folds."""
    rows, outputs = observed.shape
    ends = [""] if outputs == 1 else [f"_{place + 1}" for place in range(outputs)]
    names = names or [f"gene{place}" for place in range(rows)]
    tables = []
    for number, guess in enumerate(predicted[:1] if folds else predicted):
        table = pd.DataFrame({"name": names})
        table = table.assign(**{f"label{end}": observed[:, place] for place, end in enumerate(ends)})
        table = table.assign(features=features, layer=layer, group=np.arange(rows))
        table["fold"] = np.arange(rows) % folds if folds else number
        table["scored"] = "held_out" if folds else "test"
        tables.append(table.assign(**{f"prediction{end}": guess[:, p] for p, end in enumerate(ends)}))
    return pd.concat(tables, ignore_index=True)


def write_probe(folder, table):
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "predictions.parquet", index=False)
    return folder


def write_crop(home, species, rows=160, features=tuple(R2), test=None, outputs=None, folds=0):
    """Writes a crop's task and probes of it; returns their folders."""
    task = f"gene_exp.{species}"
    if test is None:
        test = suites.suite_task("pgb", task).sizes.get("test", 3000)
    write_task(home / task, "pgb", task, test)
    found = []
    for place, name in enumerate(features):
        count = outputs or CROPS[species]
        observed, predicted = values(rows, count, R2[name], seed=len(species))
        layer = np.nan if name == "kmer" else 30.0 - place
        table = predictions(observed, predicted, name, layer, folds=folds)
        found.append(write_probe(home / task / name, table))
    return found


def write_strength(home, task, rows=300, features=tuple(R2), named=True, test=None):
    """Writes a strength task and probes of it; returns their folders."""
    if test is None:
        test = suites.suite_task("pgb", task).sizes.get("test", 4000)
    write_task(home / task, "pgb", task, test, type="regression")
    kinds, found = SOURCES[task.partition("_")[0]], []
    names = [f"g{place}_{kinds[place % 3]}" if named else f"g{place}" for place in range(rows)]
    for name in features:
        observed, predicted = values(rows, 1, R2[name] + 0.15, seed=len(task))
        layer = np.nan if name == "kmer" else 12.0
        table = predictions(observed - 3, predicted - 3, name, layer, names)
        found.append(write_probe(home / task / name, table))
    return found


def write_run(
    home, columns=("leaf", "root"), rows=200, features=("demo_nt", "demo_nt.random_weights", "kmer")
):
    """Writes table and predictions of an expression run; returns their paths."""
    from dnalm.metrics import pearson_r2, r2_score

    home.mkdir(parents=True, exist_ok=True)
    scores, tables = [], []
    for place, name in enumerate(features):
        observed, predicted = values(rows, len(columns), 0.45 - 0.15 * place, seed=5)
        layer = "" if name == "kmer" else "6"
        for column, own in enumerate(columns):
            pair = observed[:, column], predicted[0][:, column]
            row = (
                name,
                layer,
                own,
                "all",
                "grouped",
                rows,
                rows,
                pearson_r2(*pair),
                r2_score(*pair),
                0.3,
                0.1,
            )
            scores.append(row)
            table = pd.DataFrame({"gene_id": [f"g{number}" for number in range(rows)], "value_column": own})
            table = table.assign(features=name, layer=layer, observed=pair[0], predicted=pair[1])
            tables.append(table.assign(fold=np.arange(rows) % 5, held_out=False))
    names = ["features", "layer", "value_column", "subset", "folds", "n", "groups"]
    names += ["r2_pearson", "R2_pooled", "R2_mean", "R2_2sd"]
    paths = home / "run.tsv", home / "run.predictions.parquet"
    pd.DataFrame(scores, columns=names).to_csv(paths[0], sep="\t", index=False, float_format="%.6g")
    pd.concat(tables).to_parquet(paths[1], index=False)
    (home / "run.tsv.manifest.json").write_text(json.dumps({"content": {"unit": "tpm"}}))
    return paths
