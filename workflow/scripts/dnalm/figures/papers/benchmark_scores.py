"""Scores of the Nucleotide Transformer paper's tasks, ours and published ones, by category.

To which category a task belongs follows from what it predicts.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dnalm import suites
from dnalm.figures.tables import baseline_of, feature_label, feature_order, layer_text, read_table
from dnalm.leaderboard import HERE

SUITES = ("nt_revised", "nt_original")
HISTONE, REGULATORY, SPLICING = "Histone marks", "Regulatory elements", "Splicing"
CATEGORIES = (HISTONE, REGULATORY, SPLICING)
# suite's task -> category and name; all others of both suites are histone marks, named as they are
TASKS = {
    "promoter_all": (REGULATORY, "Promoters"), "promoter_tata": (REGULATORY, "TATA promoters"),
    "promoter_no_tata": (REGULATORY, "Non-TATA promoters"), "enhancers": (REGULATORY, "Enhancers"),
    "enhancers_types": (REGULATORY, "Enhancer types"), "splice_sites_all": (SPLICING, "Splice sites"),
    "splice_sites_acceptors": (SPLICING, "Splice acceptors"),
    "splice_sites_donors": (SPLICING, "Splice donors"),
}  # fmt: skip
# task: of the configuration; name: of its facet; the others as the leaderboard has them.
DRAWN_COLUMNS = (
    "category", "task", "suite", "suite_task", "name", "metric", "features", "layer", "method", "origin",
    "mean", "sd2", "folds", "n", "scored", "source", "read_from", "mark", "note",
)  # fmt: skip
TASK, ALONE = "task", ["task", "features"]


def gather(path: str | Path, suite: str) -> pd.DataFrame:
    """Returns a suite's rows of the leaderboard as DRAWN_COLUMNS, in the order in which they are drawn.

    Where every layer has a probe of its own, the deepest is taken: that looks at no score.

    Raises:
        UserError: the leaderboard is missing, empty, or lacks a column.
    """
    wanted = [column for column in DRAWN_COLUMNS if column not in ("category", "name")]
    table = read_table(path, wanted, "leaderboard")
    table = deepest(table.loc[table["suite"] == suite, wanted])
    if table.empty:
        return table.reindex(columns=list(DRAWN_COLUMNS))
    order = {name: place for place, name in enumerate(suites.read_suite(suite))}
    named = [TASKS.get(str(task), (HISTONE, str(task))) for task in table["suite_task"]]
    table = table.assign(category=[pair[0] for pair in named], name=[pair[1] for pair in named])
    places = table["category"].map(CATEGORIES.index), table["suite_task"].map(order).fillna(len(order))
    table = table.assign(_category=places[0], _place=places[1])
    table = table.sort_values(["_category", "_place", TASK], kind="stable")
    several = table.groupby("suite_task")[TASK].transform("nunique") > 1
    table["name"] = table["name"].where(~several, table["name"] + " (" + table[TASK] + ")")
    return table[list(DRAWN_COLUMNS)].reset_index(drop=True)


def deepest(table: pd.DataFrame) -> pd.DataFrame:
    """Returns of each task's features (and method) the row of the deepest layer; published rows stay."""
    depth = pd.to_numeric(table["layer"].map(layer_text), errors="coerce").fillna(-1)
    ours = table["origin"] == HERE if "origin" in table else pd.Series(True, table.index)
    best = depth.groupby([table[column] for column in ALONE]).transform("max")
    return table[~ours | (depth == best)]


def rows_of(ours: pd.DataFrame) -> dict[str, str]:
    """Returns features -> label, a model's untrained twin right below it, then the other baselines."""
    pairs = feature_order(ours.sort_values("features", kind="stable"))
    names = list(dict.fromkeys(name for name, _ in pairs))
    layers = {name: {layer for own, layer in pairs if own == name} for name in names}
    labels: dict[str, str] = {}
    for name in names:
        layer = next(iter(layers[name])) if len(layers[name]) == 1 else ""
        labels.setdefault(name, feature_label(name, layer))
        twin = f"{name}.random_weights"
        if twin in names and not baseline_of(name):
            labels[twin] = "its random weights"
    return labels
