"""Marks of the papers' figures and their legend: ours filled, published scores and random weights hollow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.optimize import isotonic_regression

from dnalm.figures import layout, palette, style

# Told apart at MARK_PT; more models than shapes begin again in another grey.
MARKERS = ("o", "s", "^", "D", "v", "P", "<", "X", ">", "p")
MARK_PT = 3.4
LEGEND_LINE_MM, LINE_MM, SPACE_MM = 3.4, 5.0, 4.0  # a line of the legend, of a mark's own, between entries
WORD_SPACE_MM = 0.7  # in running text of SMALL_PT, with the letters' own bearings
NOTE_LINE_MM, NOTE_ABOVE_MM, MARGIN_MM = 2.6, 3.0, 2.0


@dataclass(frozen=True)
class Mark:
    """How a model or baseline looks.

    Attributes:
        line: matplotlib's style of the line that joins its marks, empty for none.
    """

    label: str
    marker: str
    colour: str
    hollow: bool = False
    line: str = ""

    def settings(self) -> dict[str, object]:
        """Returns what `Axes.plot` takes."""
        return {
            "marker": self.marker, "markersize": MARK_PT, "color": self.colour, "markeredgewidth": 0.7,
            "markerfacecolor": "white" if self.hollow else self.colour, "linestyle": self.line or "none",
        }  # fmt: skip


def published_marks(labels: Sequence[str]) -> dict[str, Mark]:
    """Gives each published model its hollow shape."""
    greys = (palette.INK, palette.MUTED)
    return {
        label: Mark(label, MARKERS[i % len(MARKERS)], greys[i // len(MARKERS) % 2], True)
        for i, label in enumerate(labels)
    }


def lanes(places_mm: Float[np.ndarray, " M"], apart_mm: float) -> Int[np.ndarray, " M"]:
    """Returns the lane of each mark, the first in which it does not touch the one before it."""
    found, ends = np.zeros(len(places_mm), np.int64), list[float]()
    for place in np.argsort(places_mm, kind="stable"):
        free = [lane for lane, end in enumerate(ends) if places_mm[place] - end >= apart_mm]
        lane = free[0] if free else len(ends)
        ends[lane : lane + 1] = [float(places_mm[place])]
        found[place] = lane
    return found


def spread_apart(places: Float[np.ndarray, " M"], apart: float, top: float) -> Float[np.ndarray, " M"]:
    """Moves labels as little as may be until none lies within `apart` of another, nor above `top`.

    Least squares under that constraint is isotonic regression of the places less their ranks.
    """
    order, steps = np.argsort(places, kind="stable"), np.arange(len(places)) * apart
    moved = isotonic_regression(np.asarray(places, np.float64)[order] - steps).x
    found = np.empty(len(places))
    found[order] = np.minimum(moved, top - steps.max(initial=0)) + steps
    return found


def shorten(text: str, width_mm: float, size_pt: float = style.SMALL_PT) -> str:
    """Returns a text that fits, cut in its middle where it is too long."""
    short, kept = text, len(text)
    while kept > 4 and style.text_width_mm(short, size_pt) > width_mm:
        kept -= 1
        short = f"{text[: kept - kept // 2].rstrip()}…{text[-(kept // 2) :].lstrip()}"
    return short


def wrap(text: str, width_mm: float) -> list[str]:
    """Breaks text of SMALL_PT into lines by the widths of its words: capitals are wider than running text."""
    lines = layout.flow(text.split(), _word_mm, width_mm + WORD_SPACE_MM)
    return [" ".join(line) for line in lines]


def _word_mm(word: str) -> float:
    widen = layout.HINTED if any(map(str.isdigit, word)) else 1.0
    return widen * style.text_width_mm(word) + WORD_SPACE_MM


def note_height_mm(text: str, width_mm: float) -> float:
    """Returns the height that `add_note` needs, with the space above it."""
    return NOTE_ABOVE_MM + NOTE_LINE_MM * len(wrap(text, width_mm - 2 * MARGIN_MM))


def add_note(figure: Figure, text: str) -> None:
    """Writes the note below a figure as `style.add_note` does, with lines broken by their width."""
    across, down = style.size_mm(figure)
    figure.set_label(text)
    top_mm = down - note_height_mm(text, across) + NOTE_ABOVE_MM - 1.0
    lines = "\n".join(wrap(text, across - 2 * MARGIN_MM))
    about = {"fontsize": style.SMALL_PT, "color": palette.MUTED, "linespacing": 1.2}
    style.write_at(figure, MARGIN_MM, top_mm, lines, **about)


def _entry_mm(mark: Mark) -> float:
    return _key_mm(mark) + style.text_width_mm(mark.label) + SPACE_MM


def _key_mm(mark: Mark) -> float:
    return LINE_MM + 1.0 if mark.line else 2.2


def _legend_lines(marks: Sequence[Mark], width_mm: float) -> list[list[Mark]]:
    return layout.flow(marks, _entry_mm, width_mm + SPACE_MM)


def legend_height_mm(marks: Sequence[Mark], width_mm: float) -> float:
    """Returns how high `draw_legend` will draw; 0 without marks."""
    return LEGEND_LINE_MM * len(_legend_lines(marks, width_mm))


def draw_legend(
    figure: Figure, marks: Sequence[Mark], left_mm: float, top_mm: float, width_mm: float
) -> None:
    """Draws the legend, as many lines as its width asks for."""
    if not marks:
        return
    high_mm = legend_height_mm(marks, width_mm)
    axes = style.add_axes(figure, left_mm, top_mm, width_mm, high_mm)
    axes.set(xlim=(0, width_mm), ylim=(high_mm, 0))
    axes.axis("off")
    for number, line in enumerate(_legend_lines(marks, width_mm)):
        left, y = 0.0, LEGEND_LINE_MM * (number + 0.5)
        for mark in line:
            _draw_key(axes, left, y, mark)
            axes.text(left + _key_mm(mark), y, mark.label, fontsize=style.SMALL_PT, va="center_baseline")
            left += _entry_mm(mark)


def _draw_key(axes: Axes, left: float, y: float, mark: Mark) -> None:
    ends = [left, left + LINE_MM / 2, left + LINE_MM] if mark.line else [left + 0.8]
    settings = mark.settings() | {"markevery": [len(ends) // 2], "clip_on": False}
    axes.plot(ends, [y] * len(ends), **settings)  # type: ignore[arg-type]
