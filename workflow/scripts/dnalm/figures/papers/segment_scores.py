"""Scores per element beside the SegmentNT paper's: gathered from a run's tables, and described."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.figures import style
from dnalm.figures.papers.inputs import read_rows
from dnalm.figures.papers.segment_data import PUBLISHED, find_element
from dnalm.figures.tables import METRIC_COLUMNS, PUBLISHED_COLUMNS, read_table
from dnalm.segmentation.published import TABLE, read_published

# Models of the SegmentNT paper (de Almeida et al. 2025, Supplementary Table 2) and their marks.
MARKERS = {
    "SegmentNT-10kb": "v", "SegmentNT-20kb": "s", "SegmentNT-30kb": "o",
    "SegmentEnformer-30kb": "D", "SegmentEnformer-196kb": "^",
}  # fmt: skip
SOURCE_COLUMNS = ("species", "test_set", "source")
SCORES, COUNTS = ("mcc", "mcc_sd", "auprc", "base_rate"), ("positives", "n_bases", "samplings")
OWN_COLUMNS = ("feature", *SCORES, *COUNTS, "labels", "threshold")
DRAWN_COLUMNS = (*OWN_COLUMNS, "scored", "published_model", "comparable", "reason", *MARKERS)


def gather(metrics: str | Path, beside: str | Path) -> pd.DataFrame:
    """Returns DRAWN_COLUMNS, one row per scored or published element, in the paper's order; warns of gaps.

    Args:
        metrics: R.metrics.tsv.
        beside: R.beside_published.tsv.

    Raises:
        UserError: a table is missing or lacks a column.
    """
    own = read_rows(metrics, METRIC_COLUMNS, "table of metrics")[list(OWN_COLUMNS)].assign(scored=True)
    claims = read_rows(beside, PUBLISHED_COLUMNS, "table of published scores")
    order = [element.feature for element in PUBLISHED]
    order += [feature for feature in own["feature"] if feature not in order]
    table = own.set_index("feature").reindex(order).rename_axis("feature").reset_index()
    table = table.astype(dict.fromkeys(SCORES, float) | dict.fromkeys(COUNTS, "Int64"))
    table["scored"] = table["feature"].isin(own["feature"])
    claims = claims.drop_duplicates("feature").set_index("feature")[
        ["published_model", "comparable", "reason"]
    ]
    table = table.join(claims, on="feature")
    table["comparable"] = table["scored"] & table["comparable"].eq("yes")
    numbers = read_published()
    for model in MARKERS:
        table[model] = [numbers.get((model, feature), np.nan) for feature in order]
    if own.empty:
        style.log.warning("segmentnt_metrics: no element was scored")
    gone = int(table.loc[table["scored"], ["mcc", "auprc"]].isna().any(axis=1).sum())
    if gone:
        style.log.warning("segmentnt_metrics: a value of %d elements is missing and drawn as a gap", gone)
    return table[list(DRAWN_COLUMNS)]


def describe(table: pd.DataFrame, model: str) -> str:
    """Returns the line below the figure: model, bases, whiskers, where published numbers are from."""
    own = table[table["scored"]]
    text = [f"Model: {model}."] if model else []
    if len(own):
        kinds = " and ".join(str(kind).replace("_", " ") for kind in dict.fromkeys(own["labels"]))
        sizes = " to ".join(f"{size:,}" for size in sorted({own["n_bases"].min(), own["n_bases"].max()}))
        text.append(f"Bars: all scored bases (n = {sizes}), labels of {kinds};")
        text.append(f"MCC of bases called from {own['threshold'].iloc[0]:g} on.")
    if own["mcc_sd"].notna().any():
        text.append(
            f"Whiskers: \u00b1 2 s.d. of {int(own['samplings'].max())} samplings with shifted window starts "
            f"(s.d. at most {own['mcc_sd'].max():.1g}); they measure the choice of bases, neither "
            "training nor sampling error."
        )
    text.append("Vermilion ticks: base rate, the auPRC of a random score.")
    if not table["scored"].all():
        text.append("Not scored: not predicted by the model, or without labels in the annotation.")
    return " ".join([*text, _published_text(table)])


def _published_text(table: pd.DataFrame) -> str:
    """Says where the hollow marks are from, and which can be compared or why not."""
    origin = read_table(TABLE, SOURCE_COLUMNS, "table of published scores").iloc[0]
    text = [f"Hollow marks: MCC in {origin['source']}; {origin['species']}, {origin['test_set']}."]
    beside = table[table["scored"] & table[list(MARKERS)].notna().any(axis=1)]
    for comparable, name in ((True, "Dark: comparable"), (False, "Pale, thin: not comparable")):
        own = beside[beside["comparable"] == comparable]
        for reason, rows in own.groupby(own["reason"].fillna("no reason given"), sort=False):
            labels = ", ".join(find_element(feature).label for feature in rows["feature"])
            text.append(f"{name}{'' if len(rows) == len(beside) else f' ({labels})'}: {reason}.")
    if beside["comparable"].any():
        text.append("Pale, too: the paper's other models, and elements not scored.")
    return " ".join(text)
