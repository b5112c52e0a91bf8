"""The panel of merge cycles: how well what follows is predicted by vocabularies of several sizes."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from dnalm.figures import palette, style, vocabulary
from dnalm.figures.papers import panels

UPRIGHT_MM = 2.6  # that an upright number takes along its axis
APART_MM = 1.2  # between two numbers beside each other


def measured(cycles: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of vocabularies with an accuracy that a logarithmic axis can show."""
    return cycles[(cycles["cycles"] != vocabulary.MARKOV) & (cycles["accuracy"] > 0)]


def split_of(cycles: pd.DataFrame) -> str:
    """Returns the part of the genome that is drawn: the held-out regions where they were measured."""
    held_out = (measured(cycles)["split"] == vocabulary.HELD_OUT).any()
    return vocabulary.HELD_OUT if held_out else vocabulary.VALIDATION


def lost_values(cycles: pd.DataFrame) -> int:
    """Returns how many vocabularies' accuracies are missing in the part that is drawn."""
    shown = cycles[(cycles["split"] == split_of(cycles)) & (cycles["cycles"] != vocabulary.MARKOV)]
    return len(shown) - len(measured(shown))


def draw_cycles(axes: Axes, table: pd.DataFrame, upright: bool) -> None:
    """Draws next-k-mer accuracy against merge cycles, the chosen number marked; counts of bases dotted."""
    known, split = measured(table), split_of(table)
    own = known[known["split"] == split]
    counts = (table["split"] == split) & (table["cycles"] == vocabulary.MARKOV) & (table["accuracy"] > 0)
    vocabulary.draw_accuracies(axes, own, table[counts])
    if (known["split"] == vocabulary.VALIDATION).any():
        axes.axvline(vocabulary.chosen_cycles(known), color=palette.PALE, linewidth=3, zorder=0)
    numbers = sorted({int(number) for number in own["cycles"]})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())

    def need_mm(text: str) -> float:
        return UPRIGHT_MM if upright else style.text_width_mm(text) + APART_MM

    axes.set_xticklabels(panels.thin_labels(axes, numbers, need_mm), rotation=90 if upright else 0)
    axes.set(xlabel="Merge cycles", ylabel="Accuracy")
    if lost := lost_values(table):
        place = {"ha": "right", "va": "bottom", "transform": axes.transAxes}
        axes.text(1, 1.01, f"no value: {lost}", fontsize=style.SMALL_PT, color=palette.MUTED, **place)
