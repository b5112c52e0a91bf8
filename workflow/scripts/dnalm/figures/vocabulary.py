"""Byte-pair vocabularies: how well what follows is predicted, against the number of merge cycles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dnalm.figures import layout, palette, style
from dnalm.figures.tables import read_table

COLUMNS = ("cycles", "tokens", "k", "split", "accuracy", "se", "positions", "bases_per_token", "longest_bp")
MARKOV, VALIDATION, HELD_OUT = 0, "validation", "held_out"  # as dnalm.vocabulary writes them
WIDTH_MM, PLOT_MM, LENGTH_MM = style.COLUMN_MM, 42.0, 18.0
LEFT_MM, RIGHT_MM, TOP_MM, AXIS_MM, GAP_MM = 13.0, 10.0, 5.0, 11.0, 6.0
FIRST_SHARE, END_MM = (
    0.62,
    4.0,
)  # of panels beside each other: the first one's share, what the last one leaves
TEXT_TALL_MM = 2.0  # of small text
SLANT = 0.71  # sine and cosine of the slanted labels' 45 degrees


def read(path: str | Path) -> pd.DataFrame:
    """Reads cycles.tsv.

    Raises:
        UserError: missing, empty, or without one of its columns.
    """
    return read_table(path, COLUMNS, "table of vocabularies")


def plot(table: pd.DataFrame, width_mm: float = WIDTH_MM) -> Figure:
    """Returns the figure: accuracies and the mean length of tokens, the chosen vocabulary marked.

    Args:
        table: COLUMNS.
        width_mm: the lengths are drawn beside the accuracies, below them where the figure is narrow.
    """
    split = HELD_OUT if (table["split"] == HELD_OUT).any() else VALIDATION
    own = table[(table["split"] == split) & (table["cycles"] != MARKOV)]
    reference = table[(table["split"] == split) & (table["cycles"] == MARKOV)]
    chosen, note = chosen_cycles(table), _note(own, split)
    with style.applied():
        figure, above, below = _panels(width_mm, note)
        draw_accuracies(above, own, reference)
        lengths = own.drop_duplicates("cycles").sort_values("cycles")
        below.plot(lengths["cycles"], lengths["bases_per_token"], color=palette.INK, marker="o", markersize=2)
        below.set(ylabel="Bases per token", xlabel="Merge cycles")
        for axes in (above, below):
            _scale(axes, sorted(set(own["cycles"].tolist())))
            axes.axvline(chosen, color=palette.PALE, linewidth=3, zorder=0)
        above.set_ylabel("Next-k-mer accuracy")
        if layout.is_narrow(width_mm):
            above.tick_params(labelbottom=False)
        else:
            above.set_xlabel("Merge cycles")
        style.add_note(figure, note)
    return figure


def _panels(width_mm: float, note: str) -> tuple[Figure, Axes, Axes]:
    """Returns the figure with the axes of the accuracies and of the lengths, each with its letter."""
    stacked = layout.is_narrow(width_mm)
    height_mm = TOP_MM + PLOT_MM + AXIS_MM + (GAP_MM + LENGTH_MM if stacked else 0.0)
    figure = style.new_figure(width_mm, height_mm + style.note_height_mm(note, width_mm))
    plots_mm = width_mm - LEFT_MM - RIGHT_MM
    first_mm = plots_mm if stacked else FIRST_SHARE * (plots_mm - LEFT_MM)
    above = style.add_axes(figure, LEFT_MM, TOP_MM, first_mm, PLOT_MM)
    style.panel_letter(figure, 1, 1, "a")
    if stacked:
        top_mm = TOP_MM + PLOT_MM + GAP_MM
        below = style.add_axes(figure, LEFT_MM, top_mm, first_mm, LENGTH_MM)
        style.panel_letter(figure, 1, top_mm - 3, "b")
        return figure, above, below
    left_mm = LEFT_MM + first_mm + RIGHT_MM + LEFT_MM
    below = style.add_axes(figure, left_mm, TOP_MM, width_mm - left_mm - END_MM, PLOT_MM)
    style.panel_letter(figure, left_mm - LEFT_MM + 1, 1, "b")
    return figure, above, below


def draw_accuracies(axes: Axes, own: pd.DataFrame, reference: pd.DataFrame) -> None:
    """Draws accuracy against merge cycles, a line per k with 2 s.e., dotted what counts of bases reach.

    Args:
        own: rows of COLUMNS of one split. reference: those of the counts.
    """
    ends = []
    for number, (k, rows) in enumerate(own.groupby("k")):
        rows, colour = rows.sort_values("cycles"), palette.MODEL_COLOURS[number % len(palette.MODEL_COLOURS)]
        axes.errorbar(
            rows["cycles"], rows["accuracy"], yerr=2 * rows["se"], color=colour, marker="o", markersize=2,
            elinewidth=0.6,
        )  # fmt: skip
        ends.append((float(rows["accuracy"].iloc[-1]), f"k = {k}", colour))
        known = reference.loc[reference["k"] == k, "accuracy"]
        if len(known):
            axes.axhline(float(known.iloc[0]), color=colour, linewidth=0.6, linestyle=(0, (1, 1.5)))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    for value, text, colour in ends:
        axes.annotate(
            text, (1, value), xytext=(3, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            color=colour, va="center", fontsize=style.SMALL_PT, annotation_clip=False,
        )  # fmt: skip


def _scale(axes: Axes, cycles: list[int]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(cycles))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(_thinned(axes, cycles), rotation=45, ha="right", rotation_mode="anchor")


def _thinned(axes: Axes, cycles: list[int]) -> list[str]:
    """Returns the labels of ascending ticks, empty where the next one leaves no room; the last one stays."""
    low, high = np.log(axes.get_xlim())
    mm_per_unit = axes.get_position().width * style.size_mm(axes.get_figure())[0] / (high - low)
    labels, free = [], np.inf
    for number in reversed(cycles):
        text, end = f"{number:,}", float(np.log(number) * mm_per_unit)
        labels.append(text if end <= free else "")
        if labels[-1]:
            free = end - SLANT * (style.text_width_mm(text) + TEXT_TALL_MM)
    return labels[::-1]


def chosen_cycles(table: pd.DataFrame) -> int:
    """Returns the number of merges with the best mean accuracy on the validation part."""
    rows = table[(table["split"] == VALIDATION) & (table["cycles"] != MARKOV)]
    return int(rows.groupby("cycles")["accuracy"].mean().idxmax())


def _note(own: pd.DataFrame, split: str) -> str:
    part = "held-out region" if split == HELD_OUT else "validation part"
    return (
        f"The next k bases, told from the tokens before them by one small network per vocabulary; {part}, "
        f"n = {int(own['positions'].iloc[0]):,} places; bars: 2 s.e. Dotted: the commonest k-mer after the "
        "last 6 bases. Grey: best mean accuracy on the validation part, which is taken."
    )
