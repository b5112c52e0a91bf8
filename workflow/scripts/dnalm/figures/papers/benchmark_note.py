"""The note below the benchmark bars: how scores were made, where published ones are from, what is missing."""

from __future__ import annotations

import pandas as pd

from dnalm import suites
from dnalm.figures.papers.benchmark_scores import TASK, TASKS
from dnalm.figures.tables import folds_text, layer_text, scored_text
from dnalm.leaderboard import ELSEWHERE, HERE

NOTES = {
    "nt_revised": "Revised tasks; those of the original set have the same names and other data.",
    "nt_original": "Original tasks; those of the revised set have the same names and other data, and "
    "supersede these, of which test sequences are also training sequences.",
}
READ_FROM = {
    "figure": "read off a figure, right to about 0.01", "table": "from a table", "file": "from a file",
}  # fmt: skip
LEFT_OUT = "published scores left out: "  # as the leaderboard's note says it


def describe(table: pd.DataFrame) -> str:
    """Says what bars and whiskers are, and of the published scores where they come from and how."""
    ours, theirs = table[table["origin"] == HERE], table[table["origin"] == ELSEWHERE]
    if ours.empty:
        return "No task of this set has a result."
    methods = ", ".join(sorted(set(ours["method"].dropna().astype(str))))
    text = f"Bars: mean over {folds_text(ours)} folds ({methods}), scored on {scored_text(ours)} of n rows; "
    text += "whiskers: ± 2 s.d. over folds; grey: baselines."
    if ours["layer"].map(layer_text).ne("").any():
        text += " A layer that is named is the deepest one probed."
    if len(theirs):
        text += f" Hollow marks: published scores of the same test rows: {'; '.join(_sources(theirs))}."
    left_out = [str(note).split(LEFT_OUT)[1] for note in ours["note"].dropna() if LEFT_OUT in str(note)]
    why = list(dict.fromkeys(left_out))
    if why:
        names = dict.fromkeys(ours.loc[ours["note"].fillna("").str.contains(LEFT_OUT), "name"])
        text += (
            f" Published scores left out, as the data differ ({why[0] if len(why) == 1 else 'see table'}): "
        )
        text += f"{', '.join(names)}."
    return text


def _sources(theirs: pd.DataFrame) -> list[str]:
    """Returns a text for each source: where from, how read, by which method, and what else to know."""
    texts = []
    for (source, read_from), own in theirs.groupby(["source", "read_from"], sort=False):
        about = [READ_FROM.get(str(read_from), str(read_from)), *dict.fromkeys(own["method"].astype(str))]
        about += ["second-hand"] if (own["mark"] == "second_hand").any() else []
        for note in dict.fromkeys(part for text in own["note"].dropna() for part in str(text).split("; ")):
            shared = own["note"].fillna("").str.contains(note, regex=False)
            which = "" if shared.all() else " in " + ", ".join(dict.fromkeys(own.loc[shared, "name"]))
            about += [f"{note}{which}"]
        texts.append(f"{source} ({'; '.join(about)})")
    return texts


def count_missing(table: pd.DataFrame) -> int:
    """Returns how many scores of ours are missing."""
    ours = table[table["origin"] == HERE]
    return int(ours["features"].nunique() * table[TASK].nunique() - ours["mean"].notna().sum())


def tasks_not_run(table: pd.DataFrame, suite: str) -> list[str]:
    """Returns the names of the suite's tasks that have no row."""
    run = set(table["suite_task"])
    return [TASKS.get(task, ("", task))[1] for task in suites.read_suite(suite) if task not in run]


def gaps_text(missing: int, absent: list[str]) -> str:
    """Says how many values are missing and which tasks are absent."""
    texts = [f"{missing} values are missing." if missing else ""]
    texts += [f"Not run: {', '.join(absent)}." if absent else ""]
    return " ".join(filter(None, texts))
