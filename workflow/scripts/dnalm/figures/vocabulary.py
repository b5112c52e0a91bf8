"""Byte-pair vocabularies: how well what follows is predicted, against the number of merge cycles."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from dnalm.figures import palette, style
from dnalm.figures.tables import read_table

COLUMNS = ("cycles", "tokens", "k", "split", "accuracy", "se", "positions", "bases_per_token", "longest_bp")
MARKOV, VALIDATION, HELD_OUT = 0, "validation", "held_out"  # as dnalm.vocabulary writes them
WIDTH_MM, PLOT_MM, LENGTH_MM = style.COLUMN_MM, 42.0, 18.0
LEFT_MM, RIGHT_MM, TOP_MM, AXIS_MM, GAP_MM = 13.0, 10.0, 5.0, 11.0, 6.0


def read(path: str | Path) -> pd.DataFrame:
    """Reads cycles.tsv.

    Raises:
        UserError: missing, empty, or without one of its columns.
    """
    return read_table(path, COLUMNS, "table of vocabularies")


def plot(table: pd.DataFrame) -> Figure:
    """Returns the figure: accuracies above, mean length of tokens below, the chosen vocabulary marked."""
    split = HELD_OUT if (table["split"] == HELD_OUT).any() else VALIDATION
    own = table[(table["split"] == split) & (table["cycles"] != MARKOV)]
    reference = table[(table["split"] == split) & (table["cycles"] == MARKOV)]
    chosen, note = _chosen(table), _note(own, split)
    height = TOP_MM + PLOT_MM + GAP_MM + LENGTH_MM + AXIS_MM + style.note_height_mm(note, WIDTH_MM)
    with style.applied():
        figure = style.new_figure(WIDTH_MM, height)
        width = WIDTH_MM - LEFT_MM - RIGHT_MM
        above = style.add_axes(figure, LEFT_MM, TOP_MM, width, PLOT_MM)
        below = style.add_axes(figure, LEFT_MM, TOP_MM + PLOT_MM + GAP_MM, width, LENGTH_MM)
        _draw_accuracies(above, own, reference)
        lengths = own.drop_duplicates("cycles").sort_values("cycles")
        below.plot(lengths["cycles"], lengths["bases_per_token"], color=palette.INK, marker="o", markersize=2)
        below.set(ylabel="Bases per token", xlabel="Merge cycles")
        for axes in (above, below):
            _scale(axes, sorted(set(own["cycles"].tolist())))
            axes.axvline(chosen, color=palette.PALE, linewidth=3, zorder=0)
        above.set_ylabel("Next-k-mer accuracy")
        above.tick_params(labelbottom=False)
        style.panel_letter(figure, 1, 1, "a")
        style.panel_letter(figure, 1, TOP_MM + PLOT_MM + GAP_MM - 3, "b")
        style.add_note(figure, note)
    return figure


def _draw_accuracies(axes: Axes, own: pd.DataFrame, reference: pd.DataFrame) -> None:
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
    axes.set_xticklabels(
        [f"{number:,}" for number in cycles], rotation=45, ha="right", rotation_mode="anchor"
    )


def _chosen(table: pd.DataFrame) -> int:
    rows = table[(table["split"] == VALIDATION) & (table["cycles"] != MARKOV)]
    return int(rows.groupby("cycles")["accuracy"].mean().idxmax())


def _note(own: pd.DataFrame, split: str) -> str:
    part = "held-out region" if split == HELD_OUT else "validation part"
    return (
        f"The next k bases, told from the tokens before them by one small network per vocabulary; {part}, "
        f"n = {int(own['positions'].iloc[0]):,} places; bars: 2 s.e. Dotted: the commonest k-mer after the "
        "last 6 bases. Grey: best mean accuracy on the validation part, which is taken."
    )
