"""What stands where there is nothing to draw."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.figures import palette, style
from dnalm.figures.papers import hollow

TOP_MM = 2.0  # of a title


def write_gap(axes: Axes, text: str, **look: object) -> None:
    """Writes in the middle of axes why they are empty."""
    place = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, fontsize=style.SMALL_PT, color=palette.MUTED, **place, **look)


def draw_gap(axes: Axes, text: str) -> None:
    """Leaves a panel empty but for a pale frame and the reason."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=palette.PALE)
    write_gap(axes, text)


def empty_figure(note: str, width_mm: float, title: str = "") -> Figure:
    """Returns a figure that has a title, if any, and the note, and says that there is no value."""
    text_mm, height_mm = (10.0, 20.0) if title else (5.0, 12.0)
    figure = style.new_figure(width_mm, height_mm + hollow.note_height_mm(note, width_mm))
    if title:
        style.write_at(figure, hollow.MARGIN_MM, TOP_MM, title, fontweight="bold")
    small = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
    style.write_at(figure, hollow.MARGIN_MM, text_mm, "no value", **small)
    hollow.add_note(figure, note)
    return figure
