"""Published scores of AgroNT on regression tasks of the Plant Genomic Benchmark, with their sources.

The papers print r2, the squared Pearson correlation, as "R2" or "coefficient of determination": promoter
scores equal r2 of the released predictions, not 1 - SSE/SST. Rows of statistic R2 are recomputed from these.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from dnalm import suites
from dnalm.errors import UserError
from dnalm.files import require_file
from dnalm.leaderboard import READ_FROM

FOLDER = Path(__file__).parents[5] / "resources" / "published"
EXPRESSION, STRENGTH = FOLDER / "agront_expression.tsv", FOLDER / "agront_strength.tsv"
# group: all, or the sequences' source. statistic: r2_pearson or R2, as in docs/definitions.md, whatever the
# source calls it. place: figure, file or table of the source. read_from, mark: as in `leaderboard`.
PUBLISHED_COLUMNS = (
    "suite", "task", "group", "model", "method", "statistic", "score", "source", "place", "read_from", "mark",
    "note",
)  # fmt: skip
# what sequences come from -> name for notes; GC: source Mendoza-Revilla et al. 2024, legend of Fig. 3
GROUPS = {
    "all": "all sequences", "At": "A. thaliana", "Sb": "S. bicolor", "Zm": "Z. mays",
    "GC": "random sequences of varied GC content",
}  # fmt: skip
AGRONT, CNN = "AgroNT-1B", "CNN"
STATISTICS = ("r2_pearson", "R2")
MARKS_IN_WORDS = {"verified": "read at the source", "second_hand": "second-hand", "memory": "from memory"}


def read_published(path: str | Path) -> pd.DataFrame:
    """Returns a table of published scores as PUBLISHED_COLUMNS.

    Raises:
        UserError: other columns, a row that means nothing, or the same row twice.
    """
    path = require_file(path, "table of published scores")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if tuple(table.columns) != PUBLISHED_COLUMNS:
        raise UserError(
            path, f"columns {list(table.columns)} (expected {list(PUBLISHED_COLUMNS)})", "Mend it."
        )
    known = {
        "group": tuple(GROUPS), "model": (AGRONT, CNN), "statistic": STATISTICS, "read_from": READ_FROM,
        "mark": suites.MARKS[:3],
    }  # fmt: skip
    for number, row in enumerate(table.to_dict("records"), 2):
        suites.suite_task(row["suite"], row["task"])
        for column, values in known.items():
            if row[column] not in values:
                what = f"{column} is {row[column]!r}, expected one of {', '.join(values)}"
                raise UserError(f"{path}:{number}", what, "Mend it.")
        _check_score(row, f"{path}:{number}")
    twice = table.duplicated(["suite", "task", "group", "model", "statistic"])
    if twice.any():
        raise UserError(f"{path}:{int(twice.idxmax()) + 2}", "repeats a row", "Remove it.")
    return table.assign(score=table["score"].astype(float))


def _check_score(row: dict[str, str], where: str) -> None:
    try:
        is_score = 0 <= float(row["score"]) <= 1
    except ValueError:
        is_score = False
    if not is_score:
        raise UserError(where, f"score is {row['score']!r}, expected a number from 0 to 1", "Mend it.")
    if not row["source"] or not row["place"]:
        raise UserError(where, "names no source or no place in it", "Mend it.")


def rows_beside(published: pd.DataFrame, task: str, groups: list[str], place: str) -> list[dict[str, object]]:
    """Returns the published scores of a task's groups as rows of `predicted_scores.SCORE_COLUMNS`.

    Args:
        task: of the benchmark.
        groups: those that have scores of ours.
        place: what figures call the task.
    """
    rows = []
    own = published[(published["task"] == task) & published["group"].isin(groups)]
    for (group, model), each in own.groupby(["group", "model"], sort=False):
        score = {row["statistic"]: row for row in each.to_dict("records")}
        first = score.get("r2_pearson") or score["R2"]
        about = {key: first[key] for key in ("method", "source", "place", "read_from", "mark", "note")}
        values = {
            name: score[key]["score"]
            for name, key in (("r2", "r2_pearson"), ("R2", "R2"))
            if key in score
        }  # fmt: skip
        about["read_at"] = about.pop("place")
        rows.append(
            {"place": place, "group": group, "features": model, "origin": "published", **values, **about}
        )
    return rows


def sources_in_words(scores: pd.DataFrame, name: Callable[[str], str] = lambda model: model) -> str:
    """Says where the drawn published scores are from and how sure they are; empty where none is drawn."""
    drawn = scores[scores["origin"] == "published"]
    texts = []
    for (model, source), own in drawn.groupby(["features", "source"], sort=False):
        marks = ", ".join(
            dict.fromkeys(f"{MARKS_IN_WORDS[row.mark]}, {row.read_from}" for row in own.itertuples())
        )
        texts.append(f"{name(str(model))}: {source} ({marks})")
    return f"Hollow: published, {'; '.join(texts)}." if texts else ""
