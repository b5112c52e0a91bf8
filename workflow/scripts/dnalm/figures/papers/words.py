"""Sentences of the notes below figures of predicted values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from dnalm.figures import style
from dnalm.figures.papers.predicted_scores import SHUFFLES
from dnalm.figures.papers.predictions import TEST, Predicted
from dnalm.figures.papers.published import sources_in_words
from dnalm.figures.tables import feature_label

WHISKERS = "marks, r² (squared Pearson); ticks, R² = 1 \u2212 SSE/SST; whiskers, ± 2 s.d. of r² over folds."


def models(drawn: Sequence[Predicted]) -> str:
    """Names the sets of features that squares show."""
    return ", ".join(dict.fromkeys(feature_label(*one.pair) for one in drawn))


def protocol(drawn: Sequence[Predicted], rows: str) -> str:
    """Says which rows were scored by how many folds' probes.

    Args:
        rows: genes or sequences.
    """
    tested = sorted({len(one.predicted) for one in drawn if one.scored == TEST})
    crossed = sorted({len(set(one.fold.tolist())) for one in drawn if one.scored != TEST})
    texts = []
    if tested:
        folds = "/".join(map(str, tested))
        texts.append(
            f"official test {rows}, drawn as the first fold's probe predicts them, scores are means over "
            f"{folds} folds' probes"
        )
    if crossed:
        folds = "/".join(map(str, crossed))
        texts.append(f"{rows} predicted out of fold, {folds} folds, one score over all")
    return f"{'; '.join(texts)}."


def shuffle(rows: str, drawn: Sequence[Predicted]) -> str:
    """Says what the shuffled row is."""
    whole = " with all their tissues" if any(len(one.outputs) > 1 for one in drawn) else ""
    return (
        f"Shuffled: observed values dealt anew among {rows}{whole}, {SHUFFLES} times (mean, 95 % range): a "
        "control of the statistic, not of training."
    )


def published(scores: pd.DataFrame) -> str:
    """Says where hollow marks are from, and that the papers' R2 is r2."""
    text = sources_in_words(scores)
    meaning = " They are printed as R² and taken for r², which the promoter scores are by recomputation."
    return text + meaning if text else ""


def left_out(drawn: Sequence[Predicted], name: Callable[[str], str]) -> str:
    """Says beside which results no published scores stand, and why."""
    whys: dict[str, list[str]] = {}
    for one in drawn:
        if one.unlike:
            whys.setdefault(one.unlike, []).append(name(one.place))
    texts = [f"{', '.join(places)}: {why}" for why, places in whys.items()]
    return f"No published scores beside {'; '.join(texts)}." if texts else ""


def cautions(drawn: Sequence[Predicted], name: Callable[[str], str]) -> str:
    """Says where probes learnt from fewer rows than there are."""
    texts = [f"{name(one.place)}: {one.caution}" for one in drawn if one.caution]
    return f"{'; '.join(texts)}." if texts else ""


def warn(what: str, absent: Sequence[str], has_gaps: bool) -> None:
    """Logs in one line what was not run, and that a value is missing."""
    texts = [f"not run: {', '.join(absent)}"] if absent else []
    texts += ["a value is missing and drawn as a gap"] if has_gaps else []
    if texts:
        style.log.warning("%s: %s", what, "; ".join(texts))
