"""Marks of published scores of elements, hollow and in lanes below our bars, and their legend."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.figures import layout, palette, style
from dnalm.figures.papers.segment_scores import MARKERS

COMPARABLE, OTHERWISE = palette.INK, "#A3A3A3"  # edges of published marks
BAR_MM, LANE_MM, PAD_MM, MARK_MM = 2.0, 1.25, 0.8, 1.15  # of a row: bar, lanes of marks, rims; a mark's width
MARK_PT = 2.8
LEGEND_MM, ENTRY_MM = 3.6, 7.0  # a line of the legend; an entry without its words


def place_marks(values: Sequence[float], apart: float) -> list[int]:
    """Gives each value the first lane where it is at least `apart` from the values before it."""
    lanes: list[list[float]] = []
    places = []
    for value in values:
        free = (place for place, lane in enumerate(lanes) if all(abs(value - x) >= apart for x in lane))
        place = next(free, len(lanes))
        lanes[place:] = [[*(lanes[place] if place < len(lanes) else []), value], *lanes[place + 1 :]]
        places.append(place)
    return places


def find_marks(row: pd.Series, apart: float) -> list[tuple[str, float, int]]:
    """Returns the published marks of a row: model, MCC, lane."""
    known = [(model, float(row[model])) for model in MARKERS if np.isfinite(row[model])]
    lanes = place_marks([value for _, value in known], apart)
    return [(*mark, lane) for mark, lane in zip(known, lanes, strict=True)]


def count_lanes(marks: Sequence[tuple[str, float, int]]) -> int:
    """Returns how many lanes a row's marks take."""
    return max((lane + 1 for *_, lane in marks), default=0)


def row_height_mm(table: pd.DataFrame, apart: float) -> float:
    """Returns the height of a row of the panel of MCC: a bar, and below it as many lanes as marks need.

    Args:
        apart: the least difference of two marks of a lane.
    """
    lanes = [count_lanes(find_marks(row, apart)) for _, row in table.iterrows()]
    return BAR_MM + LANE_MM * max(lanes, default=1) + 2 * PAD_MM


def draw_mark(axes: Axes, x: float, y: float, model: str, comparable: bool) -> None:
    """Draws a published score, pale where it is not comparable."""
    axes.plot(
        [x], [y], marker=MARKERS[model], markersize=MARK_PT, markerfacecolor="none", linestyle="none",
        markeredgecolor=COMPARABLE if comparable else OTHERWISE,
        markeredgewidth=0.8 if comparable else 0.5, clip_on=False, zorder=4,
    )  # fmt: skip


def legend_lines(model: str, table: pd.DataFrame, room_mm: float) -> list[list[tuple[str, str]]]:
    """Returns the entries of each line of the legend: the published model ("" for ours), and its name."""
    entries = [("", model or "this run")]
    entries += [(name, name) for name in MARKERS if table[name].notna().any()]
    return layout.flow(entries, lambda entry: ENTRY_MM + style.text_width_mm(entry[1]), room_mm)


def draw_legend(
    figure: Figure, lines: Sequence[Sequence[tuple[str, str]]], top_mm: float, dark: set[str]
) -> None:
    """Draws the legend; the marks of the models in `dark` as those that can be compared."""
    width_mm = style.size_mm(figure)[0]
    tall_mm = LEGEND_MM * len(lines)
    axes = style.add_axes(figure, 0, top_mm, width_mm, tall_mm)
    axes.set(xlim=(0, width_mm), ylim=(tall_mm, 0))
    axes.axis("off")
    for number, line in enumerate(lines):
        x, y = 2.0, LEGEND_MM * (number + 0.5)
        for name, text in line:
            if name:
                draw_mark(axes, x + 1.2, y, name, name in dark)
            else:
                axes.barh(y, 2.8, left=x, height=BAR_MM, color=palette.BLUE, linewidth=0)
            axes.text(x + 3.6, y, text, fontsize=style.SMALL_PT, va="center_baseline")
            x += ENTRY_MM + style.text_width_mm(text)
