"""Scores of predicted values: r, r2 and R2 of all outputs pooled, of each output, and of shuffled genes.

r is Pearson's correlation, r2 its square, R2 = 1 - SSE/SST (docs/definitions.md). On an official test set a
score is the mean over the folds' probes; rows predicted out of fold have one score, all folds pooled. `2sd`
is twice the standard deviation (n - 1) over probes, or of the folds' own scores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int

from dnalm.figures.papers.predictions import TEST, Predicted
from dnalm.metrics import pearson_r2, r2_score

HERE, SHUFFLED, PUBLISHED = "here", "shuffled", "published"
POOLED = "pooled"
# place: species or task. group: all, or the sequences' source. output: pooled, or its name. origin: HERE,
# SHUFFLED or PUBLISHED. n: pairs of values, rows x outputs. low, high: 95 % of the shuffles.
SCORE_COLUMNS = (
    "place", "group", "output", "features", "layer", "origin", "scored", "n", "rows", "outputs", "folds",
    "r", "r2", "r2_2sd", "r2_low", "r2_high", "R2", "R2_2sd", "R2_low", "R2_high",
    "method", "source", "read_at", "read_from", "mark", "note",
)  # fmt: skip
COUNTS, VALUES = SCORE_COLUMNS[7:11], SCORE_COLUMNS[11:20]
SHUFFLES, SEED = 100, 0
ENDS = (2.5, 97.5)  # per cent of the shuffles
NAMES = ("r", "r2", "R2")


def agreement(
    observed: Float[np.ndarray, "G T"], predicted: Float[np.ndarray, "G T"]
) -> tuple[float, float, float]:
    """Returns r, r2 and R2 of all pairs that have both values; NaN where one is constant."""
    kept = np.isfinite(observed) & np.isfinite(predicted)
    true, guess = observed[kept], predicted[kept]
    r2 = pearson_r2(true, guess)
    side = np.sign(((true - true.mean()) * (guess - guess.mean())).sum()) if len(true) else np.nan
    return float(side * np.sqrt(r2)), r2, r2_score(true, guess)


def score(one: Predicted, rows: Bool[np.ndarray, " G"], columns: Sequence[int]) -> dict[str, object]:
    """Returns n, folds, r, r2 and R2 of some rows and outputs, the outputs pooled, with 2 s.d."""
    cells = np.ix_(rows, np.asarray(columns))
    observed, predicted = one.observed[cells], [each[cells] for each in one.predicted]
    own = [agreement(observed, each) for each in predicted]
    values = np.mean(own, axis=0)
    numbers = np.unique(one.fold[rows])
    if one.scored != TEST:
        fold = one.fold[rows]
        own = [agreement(observed[fold == each], predicted[0][fold == each]) for each in numbers]
    spread = _two_sd(np.array(own))
    count = np.isfinite(observed) & np.isfinite(predicted[0])
    return {
        "scored": one.scored, "n": int(count.sum()), "rows": int(count.any(axis=1).sum()),
        "outputs": len(columns), "folds": len(own), **dict(zip(NAMES, map(float, values), strict=True)),
        "r2_2sd": float(spread[1]), "R2_2sd": float(spread[2]),
    }  # fmt: skip


def _two_sd(own: Float[np.ndarray, "F S"]) -> Float[np.ndarray, " S"]:
    """Returns 2 s.d. of each score over folds; a fold without a score (one gene) is left out."""
    finite = [column[np.isfinite(column)] for column in own.T]
    return np.array([2 * np.std(column, ddof=1) if len(column) > 1 else np.nan for column in finite])


def shuffle_scores(one: Predicted, shuffles: int = SHUFFLES, seed: int = SEED) -> dict[str, object]:
    """Returns mean and 95 % range of the scores when genes' observed values are dealt anew.

    It shuffles the evaluation, not the training: a control of the statistic. A gene's outputs move
    together, so what is left is what knowing the outputs' means earns (no genes) in a pooled score.
    """
    generator, found = np.random.default_rng(seed), []
    for _ in range(shuffles):
        dealt: Int[np.ndarray, " G"] = generator.permutation(len(one.observed))
        found.append(agreement(one.observed[dealt], one.predicted[0]))
    means, ends = np.mean(found, axis=0), np.percentile(found, ENDS, axis=0)
    row: dict[str, object] = {"features": one.features, "layer": one.layer, "origin": SHUFFLED}
    row |= {"scored": one.scored, "outputs": len(one.outputs), "folds": shuffles}
    for place, name in enumerate(NAMES):
        row[name] = float(means[place])
        if name != "r":
            row[f"{name}_low"], row[f"{name}_high"] = (float(end) for end in ends[:, place])
    return {"place": one.place, "group": "all", "output": POOLED, **row}


def score_rows(one: Predicted, each_output: bool = False) -> Iterator[dict[str, object]]:
    """Yields the scores of all rows: the outputs pooled, then each by itself where there are several."""
    rows = np.ones(len(one.observed), bool)
    about = {"place": one.place, "group": "all", "features": one.features, "layer": one.layer}
    note = {"origin": HERE, "note": "; ".join(filter(None, (one.unlike, one.caution)))}
    yield {**about, "output": POOLED, **score(one, rows, range(len(one.outputs))), **note}
    for place, name in enumerate(one.outputs) if each_output else ():
        yield {**about, "output": name or "1", **score(one, rows, [place]), **note}


def as_table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Returns rows as SCORE_COLUMNS."""
    table = pd.DataFrame(list(rows), columns=list(SCORE_COLUMNS))
    types = dict.fromkeys(COUNTS, "Int64") | dict.fromkeys(VALUES, np.float64)
    return table.assign(output=table["output"].fillna(POOLED), layer=table["layer"].fillna("")).astype(types)
