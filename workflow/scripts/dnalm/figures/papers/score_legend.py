"""What the marks and colours of `score_groups` mean."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dnalm.figures import palette, style
from dnalm.figures.papers.panels import add_key
from dnalm.figures.papers.predicted_scores import PUBLISHED, SHUFFLED
from dnalm.figures.papers.score_groups import (
    FILLED,
    HOLLOW,
    PUBLISHED_MARKS,
    SHUFFLE_GREY,
    TICK,
    Slot,
    colours_of,
)
from dnalm.figures.tables import feature_label

LEGEND_ROW_MM = 3.2


def _handles(slots: Sequence[Slot], colours: dict[tuple[str, str], str]) -> list[Line2D]:
    handles = []
    for origin, features, layer in slots:
        look, colour, label = (
            FILLED,
            colours.get((features, layer), SHUFFLE_GREY),
            feature_label(features, layer),
        )
        if origin == SHUFFLED:
            label = "Shuffled observations"
        if origin == PUBLISHED:
            look, label = {**PUBLISHED_MARKS[features], **HOLLOW}, f"{features}, published"
        handles.append(Line2D([], [], linestyle="", label=label, **{"color": colour, **look}))
    grey = {"color": palette.MUTED, "linestyle": ""}
    handles.append(Line2D([], [], label="r² (marks)", **grey, **FILLED))
    return [*handles, Line2D([], [], label="R² (ticks)", **grey, **TICK)]


def legend_height_mm(slots: Sequence[Slot], width_mm: float) -> float:
    """Returns the height that `draw_legend` needs."""
    return LEGEND_ROW_MM * -(-(len(slots) + 2) // _columns(slots, width_mm)) + 1.0


def _columns(slots: Sequence[Slot], width_mm: float) -> int:
    labels = [handle.get_label() for handle in _handles(slots, {})]
    widest = max(style.text_width_mm(str(label)) for label in labels) + 8.0
    return int(min(len(labels), max(1, width_mm // widest)))


def draw_legend(
    figure: Figure, scores: pd.DataFrame, slots: Sequence[Slot], place_mm: tuple[float, float, float]
) -> None:
    """Draws what marks and colours mean; place_mm: left, top, width."""
    left_mm, top_mm, width_mm = place_mm
    look = {"columnspacing": 1.2, "handletextpad": 0.4, "labelspacing": 0.35}
    handles = _handles(slots, colours_of(scores))
    add_key(figure, handles, left_mm, top_mm, ncols=_columns(slots, width_mm), **look)
