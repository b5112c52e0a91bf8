"""One square per place: observed against predicted values, with what is defined printed on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import density, palette, style
from dnalm.figures.papers.gaps import draw_gap
from dnalm.figures.papers.predicted_scores import HERE, POOLED
from dnalm.figures.papers.predictions import Predicted
from dnalm.figures.tables import baseline_of

MOST_DOTS = 500  # more are drawn as one image: an SVG of each would be megabytes
TITLE_MM, AXIS_MM, LEFT_MM, RIGHT_MM = 5.5, 8.5, 9.5, 2.5


@dataclass(frozen=True)
class Grid:
    """Squares of a page: columns, side, and the gap between them."""

    columns: int
    side_mm: float
    gap_mm: float

    @property
    def row_mm(self) -> float:
        return TITLE_MM + self.side_mm + AXIS_MM

    def left_mm(self, column: int) -> float:
        return LEFT_MM + column * (self.side_mm + self.gap_mm)


def make_grid(count: int, columns: int, width_mm: float, gap_mm: float, most_mm: float = 46.0) -> Grid:
    """Returns the grid that fills a width."""
    columns = max(1, min(count, columns))
    free = width_mm - LEFT_MM - RIGHT_MM - gap_mm * (columns - 1)
    return Grid(columns, min(most_mm, free / columns), gap_mm)


def shown(found: Sequence[Predicted], place: str) -> Predicted | None:
    """Returns what the square of a place shows: its first model, else its first baseline."""
    own = sorted(
        (one for one in found if one.place == place), key=lambda one: bool(baseline_of(one.features))
    )
    return own[0] if own else None


def pooled_score(scores: pd.DataFrame, one: Predicted) -> pd.Series:
    """Returns the scores of all its rows and outputs."""
    own = scores[(scores["place"] == one.place) & (scores["features"] == one.features)]
    own = own[(own["origin"] == HERE) & (own["output"] == POOLED) & (own["group"] == "all")]
    return own.iloc[0]


def score_text(score: pd.Series) -> str:
    """Returns n, r, r2 and R2 for a square; `no value` where there is none."""
    lines = [
        f"{sign} = {score[name]:.2f}" if np.isfinite(score[name]) else f"{sign}: no value"
        for sign, name in (("r", "r"), ("r²", "r2"), ("R²", "R2"))
    ]
    return "\n".join(lines).replace("-", palette.MINUS)


def size_text(score: pd.Series, what: str) -> str:
    """Returns how many rows a square shows, times outputs where they are several."""
    times = f" \u00d7 {int(score['outputs'])}" if score["outputs"] > 1 else ""
    return f"n = {int(score['rows']):,} {what}{times}"


def draw_square(axes: Axes, one: Predicted, score: pd.Series, what: str) -> bool:
    """Draws all pairs of values of the first fold's probe; returns whether a score is missing."""
    observed, predicted = one.observed.ravel(), one.predicted[0].ravel()
    kept = np.isfinite(observed) & np.isfinite(predicted)
    if not kept.any():
        draw_gap(axes, "no value")
        return True
    density.draw_density(axes, predicted[kept], observed[kept])
    dots = axes.lines[0]
    dots.set_rasterized(len(dots.get_xdata()) > MOST_DOTS)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(4))
    look = {"transform": axes.transAxes, "fontsize": style.SMALL_PT, "linespacing": 1.2}
    look["bbox"] = {"facecolor": "white", "alpha": 0.75, "linewidth": 0, "pad": 0.6}
    axes.text(0.04, 0.97, score_text(score), va="top", **look)
    axes.text(0.97, 0.03, size_text(score, what), ha="right", **look)
    return not np.isfinite([score["r2"], score["R2"]]).all()


def draw_place(
    figure: Figure,
    grid: Grid,
    corner_mm: tuple[float, float],
    one: Predicted | None,
    scores: pd.DataFrame,
    about: tuple[str, str],
    what: str,
    **look: object,
) -> bool:
    """Draws the square of a place below its title; returns whether a score is missing.

    Args:
        corner_mm: left and top.
        one: None where it was not run.
        about: title and unit.
        what: the rows are. look: of the title.
    """
    (left_mm, top_mm), (title, unit) = corner_mm, about
    axes = style.add_axes(figure, left_mm, top_mm + TITLE_MM, grid.side_mm, grid.side_mm)
    style.write_at(figure, left_mm, top_mm + 0.8, title, **look)
    beside = f" ({unit})" if unit else ""
    if left_mm == grid.left_mm(0):
        axes.set_ylabel(f"Observed{beside}")
    if one is None:
        draw_gap(axes, "not run")
        return False
    axes.set_xlabel(f"Predicted{beside}")
    return draw_square(axes, one, pooled_score(scores, one), what)


def legend(found: Sequence[Predicted], point: str) -> str:
    """Says what contours and dots of the squares mean.

    Args:
        point: what a dot is: a gene in a tissue, a sequence.
    """
    sizes = [one.observed.size for one in found]
    if not sizes or max(sizes) < density.FEWEST:
        return f"Dots: {point}; dotted line: identity."
    shares = ", ".join(f"{100 * share:.0f}" for share in sorted(density.SHARES))
    return f"Contours hold {shares} % of the points ({point}), dots lie outside; dotted line: identity."
