"""What panels of several figures share: titles, keys, axes of positions, labels with room between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import style
from dnalm.figures.genes import Region

KB_MM = 18.0  # of an axis of positions, for each labelled tick


def write_title(figure: Figure, left_mm: style.Length, top_mm: style.Length, letter: str, text: str) -> None:
    """Writes a panel's letter and, right of it, its title."""
    style.panel_letter(figure, left_mm, top_mm, letter)
    style.write_at(figure, left_mm + 4, top_mm + 0.2, text)


def add_key(
    figure: Figure, handles: Sequence[Artist], left_mm: style.Length, top_mm: style.Length, **look: object
) -> None:
    """Adds a legend; its top left corner is at a place in mm from the figure's."""
    across, down = style.size_mm(figure)
    place = (left_mm / across, 1 - top_mm / down)
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=place, **look)


def show_positions(axes: Axes, region: Region, mm_wide: float, digits: int = 1) -> None:
    """Gives the horizontal axis a region's positions in kb, with so many digits after the point."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(3, int(mm_wide / KB_MM)), steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.{digits}f}")
    axes.set_xlabel(f"Position on {region[0]} (kb)")


def thin_labels(axes: Axes, numbers: Sequence[style.Length], need_mm: Callable[[str], float]) -> list[str]:
    """Returns the labels of ascending ticks of a logarithmic axis, empty where the next leaves no room.

    The last one stays.

    Args:
        need_mm: label -> what it takes along the axis, with the space to its neighbours.
    """
    low, high = np.log(axes.get_xlim())
    wide_mm = axes.get_position().width * style.size_mm(axes.get_figure())[0]  # type: ignore[arg-type]
    labels, free_mm = [], np.inf
    for number in reversed(numbers):
        text = f"{number:,.0f}"
        half_mm = need_mm(text) / 2
        place_mm = float(np.log(number)) * wide_mm / (high - low)
        fits = place_mm + half_mm <= free_mm
        free_mm = place_mm - half_mm if fits else free_mm
        labels.append(text if fits else "")
    return labels[::-1]
