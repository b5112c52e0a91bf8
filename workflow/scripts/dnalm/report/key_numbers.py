"""The key numbers: each score beside what it must beat, and how that reads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from dnalm.figures.tables import baseline_of, feature_label, feature_order, layer_text
from dnalm.report.text import number


@dataclass(frozen=True)
class KeyNumber:
    """One line of the key numbers: what, which model, its score, what it must beat, and how that reads."""

    what: str
    model: str
    score: str
    baselines: str
    reading: str


def reading(mean: float, sd2: float, baselines: dict[str, tuple[float, float]]) -> str:
    """Says which baselines a score exceeds by more than 2 s.d. over folds, the larger of both."""
    known = {name: pair for name, pair in baselines.items() if math.isfinite(pair[0])}
    if not math.isfinite(mean) or not known:
        return "no comparison"
    below = [
        name
        for name, (base, base_sd2) in known.items()
        if mean - base <= max(one for one in (sd2, base_sd2, 0.0) if math.isfinite(one))
    ]
    return f"no clear gain over {', '.join(below)}" if below else "above every baseline"


def _scored(table: pd.DataFrame, mean: str, sd2: str) -> dict[tuple[str, str], tuple[float, float]]:
    return {
        (str(row["features"]), layer_text(row["layer"])): (float(row[mean]), float(row[sd2]))
        for _, row in table.iterrows()
    }


def compare(table: pd.DataFrame, what: str, mean: str, sd2: str) -> list[KeyNumber]:
    """Returns one key number per model and layer, with every baseline beside it."""
    scores = _scored(table, mean, sd2)
    lines = []
    for pair in feature_order(table):
        if baseline_of(pair[0]):
            continue
        own = {
            feature_label(name, "").replace(f" ({pair[0]})", "").lower(): score
            for (name, layer), score in scores.items()
            if baseline_of(name)
            and ("." not in name or (name.startswith(f"{pair[0]}.") and layer == pair[1]))
        }
        mean_of, spread = scores[pair]
        text = "; ".join(f"{name} {number(score[0])}" for name, score in own.items()) or "none"
        score = f"{number(mean_of)} ± {number(spread)}"
        lines.append(KeyNumber(what, feature_label(*pair), score, text, reading(mean_of, spread, own)))
    return lines
