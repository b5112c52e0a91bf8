"""Toy leaderboards and probes of benchmark tasks, in the form in which the steps write them."""

import numpy as np
import pandas as pd

from dnalm import files, leaderboard, probe, suites

MODELS = ("demo_nt", "500M_multi_species_v2", "1B_agro_nt")
BASELINES = ("kmer", "one_hot", "gc_length")
FEATURES = (*(name for model in MODELS for name in (model, f"{model}.random_weights")), *BASELINES)
LEVELS = dict(zip(FEATURES, (0.58, 0.36, 0.71, 0.4, 0.66, 0.38, 0.45, 0.31, 0.18), strict=True))


def toy_leaderboard(suite="nt_revised", tasks=None, features=FEATURES, seed=0):
    """Returns the leaderboard of a suite's tasks, with the published scores that stand beside them."""
    draw = np.random.default_rng(seed)
    entries = []
    for task in tasks or suites.read_suite(suite):
        row = suites.suite_task(suite, task)
        shift = draw.uniform(-0.15, 0.2)
        rows = [
            _summary(task, name, LEVELS.get(name, 0.5) + shift, draw, row.sizes["test"]) for name in features
        ]
        content = {"suite": suite, "task": task, "type": row.type, "metric": row.metric, "read": row.sizes}
        content |= {"settings": {"max_examples": None}, "caution": row.caution}
        table = pd.DataFrame(rows).reindex(columns=list(probe.SUMMARY_COLUMNS))
        entries.append(leaderboard.Entry(task, content, table))
    return leaderboard.make_leaderboard(entries, leaderboard.read_published())


def _summary(task, name, level, draw, n):
    mean = round(level + draw.normal(0, 0.02), 3)
    about = {"task": task, "features": name, "metric": "mcc", "head": "linear", "choice": "layer"}
    return about | {"mean": mean, "sd2": 0.03, "folds": 10, "n": n, "scored": "test"}


def toy_folds(features, layers, metric="mcc", folds=5, level=0.5, chosen=None, seed=0, n_test=240):
    """Returns a probe's FOLD_COLUMNS: of the layers with one penalty, or one row per fold that chose a layer.

    Args:
        layers: numbers, or (None,) for features without.
        chosen: the layer of each fold.
    """
    draw = np.random.default_rng(seed)
    pairs = [(layer, fold) for layer in layers for fold in range(folds)]
    if chosen is not None:
        pairs = [(layer, fold) for fold, layer in enumerate(chosen)]
    rows = []
    deepest = max([layer or 1 for layer in layers])
    for layer, fold in pairs:
        rise = 0.0 if layer is None else 0.25 * np.sin(np.pi * 0.8 * layer / deepest)
        row = {
            "features": features,
            "layer": layer,
            "pooling": "" if layer is None else "mean",
            "head": "linear",
        }
        row |= {"choice": "fixed" if chosen is None else "layer", "penalty": 1.0, "output": "", "fold": fold}
        row |= {"scored": "held_out", "n_train": 960, "n_test": n_test, "base_rate": 0.5}
        rows.append(row | {metric: round(level + rise + draw.normal(0, 0.02), 4)})
    table = pd.DataFrame(rows).astype({"layer": float})
    return table.reindex(columns=list(probe.FOLD_COLUMNS))


def write_task(
    home, name, probes, length_bp=600, metric="mcc", task="splice_donor", suite="annotation", kind="binary"
):
    """Writes a task as the workflow leaves it and returns its summary's path.

    Args:
        probes: features -> (sweep, folds); no sweep is written where it is None.
    """
    folder = home / name
    folder.mkdir(parents=True)
    data = folder / "data.parquet"
    pd.DataFrame({"sequence": ["A" * length_bp] * 3}).to_parquet(data, index=False)
    details = {"suite": suite, "task": task, "type": kind, "metric": metric, "read": {}, "settings": {}}
    files.write_manifest(data, "task", {}, details)
    for features, (sweep, folds) in probes.items():
        (folder / features).mkdir()
        probe.write_table(folds, folder / features / "folds.tsv")
        if sweep is not None:
            probe.write_table(sweep, folder / features / "sweep.tsv")
    tables = [(features, folds, None) for features, (_, folds) in probes.items()]
    probe.write_table(probe.summarise(tables, name), folder / "summary.tsv")
    return folder / "summary.tsv"


def toy_probes(models=MODELS, layers=tuple(range(1, 13)), metric="mcc", shift=0.0):
    """Returns features -> (sweep, folds) of models, their twins and baselines of the sequence."""
    found = {}
    for place, model in enumerate(models):
        own = [layer for layer in layers if layer % (place + 1) == 0] or list(layers)
        middle = [own[len(own) // 2], own[len(own) // 2], own[-1], own[len(own) // 2], own[0]]
        for name, level in ((model, 0.45 - 0.06 * place), (f"{model}.random_weights", 0.2 - 0.04 * place)):
            found[name] = (
                toy_folds(name, own, metric, level=level + shift, seed=place),
                toy_folds(name, own, metric, level=level + shift, chosen=middle, seed=place + 9),
            )
    for place, name in enumerate(BASELINES):
        table = toy_folds(name, (None,), metric, level=0.42 - 0.02 * place**2 + shift)
        found[name] = (table, table.assign(choice="penalty"))
    return found
