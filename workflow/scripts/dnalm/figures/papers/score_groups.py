"""r2 and R2 of several sets of features, group by group, published scores and shuffles beside."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dnalm.figures import palette, style
from dnalm.figures.papers.predicted_scores import HERE, POOLED, PUBLISHED, SHUFFLED
from dnalm.figures.papers.published import AGRONT, CNN
from dnalm.figures.tables import baseline_of, feature_colours, feature_order

Slot = tuple[str, str, str]  # origin, features, layer

PITCH_MM, GROUP_GAP_MM = 2.2, 2.0  # between the rows of a group, and between groups
LEAST_HIGH = 0.5  # of the axis, whatever is drawn
LOWEST = -0.2  # what lies further left is an arrowhead at the edge
SHUFFLE_GREY, BAND = "#C4C4C4", "#F6F6F6"
HOLLOW = {"markerfacecolor": "white", "markeredgewidth": 0.7, "color": palette.INK}
PUBLISHED_MARKS = {AGRONT: {"marker": "D", "markersize": 3.0}, CNN: {"marker": "s", "markersize": 3.0}}
FILLED = {"marker": "o", "markersize": 3.2, "markeredgewidth": 0}
TICK = {"marker": "|", "markersize": 5.0, "markeredgewidth": 0.9}


def slots_of(scores: pd.DataFrame) -> list[Slot]:
    """Returns the rows that every group has: models, published models, baselines, the shuffle."""
    pooled = scores[scores["output"] == POOLED]
    own = pooled[pooled["origin"] == HERE]
    pairs = feature_order(own) if len(own) else []
    known = set(pooled.loc[pooled["origin"] == PUBLISHED, "features"])
    slots = [(HERE, *pair) for pair in pairs if not baseline_of(pair[0])]
    slots += [(PUBLISHED, model, "") for model in PUBLISHED_MARKS if model in known]
    slots += [(HERE, *pair) for pair in pairs if baseline_of(pair[0])]
    return slots + ([(SHUFFLED, "", "")] if (pooled["origin"] == SHUFFLED).any() else [])


def colours_of(scores: pd.DataFrame) -> dict[tuple[str, str], str]:
    """Returns the colour of each set of features, the same in all panels."""
    own = scores[scores["origin"] == HERE]
    return feature_colours(feature_order(own)) if len(own) else {}


def height_mm(slots: Sequence[Slot], groups: int) -> float:
    """Returns the height of axes that hold the groups."""
    return max(1, groups) * (max(1, len(slots)) * PITCH_MM + GROUP_GAP_MM)


def _find(scores: pd.DataFrame, key: tuple[str, str], slot: Slot) -> pd.Series | None:
    origin, features, layer = slot
    rows = scores[
        (scores["place"] == key[0])
        & (scores["group"] == key[1])
        & (scores["output"] == POOLED)
        & (scores["origin"] == origin)
    ]
    if origin != SHUFFLED:
        rows = rows[(rows["features"] == features) & (rows["layer"] == layer)]
    return None if rows.empty else rows.iloc[0]


def _mark(axes: Axes, value: float, y: float, **look: object) -> None:
    if not np.isfinite(value):
        return
    if value < LOWEST:
        look |= {"marker": "<", "markersize": 3.0, "markeredgewidth": 0}
    axes.plot(max(value, LOWEST), y, linestyle="", clip_on=False, zorder=3, **look)


def _draw_row(axes: Axes, row: pd.Series, y: float, slot: Slot, colour: str) -> None:
    """Draws one row: r2 with its spread, and R2 as a tick."""
    spread = row["r2_2sd"] if np.isfinite(row["r2_2sd"]) else 0.0
    ends = (
        (row["r2_low"], row["r2_high"]) if slot[0] == SHUFFLED else (row["r2"] - spread, row["r2"] + spread)
    )
    if np.isfinite(ends[0]):
        axes.plot(np.maximum(ends, LOWEST), [y, y], color=colour, linewidth=0.9, solid_capstyle="butt")
    if slot[0] == PUBLISHED:
        _mark(axes, row["R2"], y, **{**TICK, "color": palette.MUTED, "markeredgewidth": 0.6})
        _mark(axes, row["r2"], y, **HOLLOW, **PUBLISHED_MARKS[slot[1]])
        return
    _mark(axes, row["R2"], y, color=colour, **TICK)
    _mark(axes, row["r2"], y, color=colour, **FILLED)


def draw_groups(
    axes: Axes, scores: pd.DataFrame, groups: Sequence[tuple[str, str, str]], slots: Sequence[Slot]
) -> int:
    """Draws r2 (marks) and R2 (ticks) of each group's rows; returns how many values are missing.

    Args:
        scores: predicted_scores.SCORE_COLUMNS.
        groups: place, group, label. One without any score of ours is `not run`.
    """
    colours, missing, middles = colours_of(scores), 0, []
    step = len(slots) + GROUP_GAP_MM / PITCH_MM
    for number, (place, group, _) in enumerate(groups):
        top = number * step
        middles.append(top + (len(slots) - 1) / 2)
        if number % 2 == 0 and len(groups) > 1:
            axes.axhspan(middles[-1] - step / 2, middles[-1] + step / 2, color=BAND, linewidth=0, zorder=-1)
        rows = [_find(scores, (place, group), slot) for slot in slots]
        if all(row is None for row in rows):
            _write(axes, middles[-1], "not run")
            continue
        for y, (slot, row) in enumerate(zip(slots, rows, strict=True)):
            colour = colours.get((slot[1], slot[2]), SHUFFLE_GREY)
            if row is not None and np.isfinite([row["r2"], row["R2"]]).any():
                _draw_row(axes, row, top + y, slot, colour)
            elif slot[0] == HERE and (row is not None or group == "all"):
                missing += 1
                _write(axes, top + y, "no value")
    low, high = limits(scores)
    axes.axvline(0, color=palette.PALE, linewidth=0.6, zorder=0)
    axes.set(xlim=(low, high), ylim=(middles[-1] + step / 2, middles[0] - step / 2))
    axes.set_yticks(middles, [label for *_, label in groups])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    return missing


def _write(axes: Axes, y: float, text: str) -> None:
    look = {"fontsize": style.SMALL_PT, "color": palette.MUTED, "va": "center"}
    axes.annotate(text, (0, y), xytext=(3, 0), textcoords="offset points", **look)


def limits(scores: pd.DataFrame) -> tuple[float, float]:
    """Returns limits that hold 0 and the pooled scores, no further left than `LOWEST`."""
    pooled = scores[scores["output"] == POOLED]
    values = pooled[["r2", "R2", "r2_low", "R2_low"]].to_numpy(float)
    values = values[np.isfinite(values)]
    spread = (pooled["r2"] + pooled["r2_2sd"].fillna(0)).max()
    low = max(min([0.0, *values]), LOWEST)
    high = max([LEAST_HIGH, *values, *([spread] if np.isfinite(spread) else [])])
    return low - 0.03 * (high - low), high + 0.05 * (high - low)


def arrow_note(scores: pd.DataFrame) -> str:
    """Says what arrowheads are, where there are any."""
    lowest = scores.loc[scores["output"] == POOLED, ["r2", "R2"]].min(axis=None)
    return f"Arrowheads: R² below {palette.MINUS}{-LOWEST}, see the table." if lowest < LOWEST else ""
