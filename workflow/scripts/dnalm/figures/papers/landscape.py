"""The figure of an attention landscape: a region's attention, its genes, and the motifs where it is high."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from dnalm.attention.motifs import SHORTEST_BP, find_stretches
from dnalm.figures import gene_models, layout, palette, style
from dnalm.figures.papers import panels
from dnalm.figures.papers.gaps import write_gap
from dnalm.figures.papers.landscape_bins import bin_landscape, choose_motifs, describe, is_peaked, region_of

LIMIT_Q = 0.05
ROOT_TICKS = (0, 1, 5, 20, 50, 100, 200, 400, 800)
MODEL_COLOUR, STRETCH_COLOUR, WEAK_COLOUR = palette.BLUE, "#FBE3BF", "#BFD8EA"
RANDOM_LABEL, RANDOM_COLOUR = palette.BASELINES["random_weights"]
LEFT_MM, RIGHT_MM, TOP_MM, KEY_MM, AXIS_MM = 13.0, 4.0, 6.0, 4.5, 9.5
TRACK_MM, ROW_MM = 30.0, 4.3  # the landscape, and one motif
MOTIFS_MM = 68.0  # the second panel where both stand side by side
LABEL_MM, TEXT_MM = 12.0, 25.0  # beside the bars: k-mers, and what is written of them
NOTE = (
    "Attention of the CLS token in the last layer, summed over heads, mean of the tokens that cover a base "
    f"(Ji et al. 2021, Fig. 3). Stretches: at least {SHORTEST_BP} bases above the region's mean. Motifs: "
    "k-mers or their reverse complements in stretches against the region, hypergeometric test, q of "
    "Benjamini and Hochberg; neighbouring k-mers are not independent, so compare with random weights."
)


def plot_landscape(
    landscape: pd.DataFrame,
    motifs: pd.DataFrame,
    models: pd.DataFrame | None,
    note: str,
    width_mm: float = style.PAGE_MM,
) -> Figure:
    """Draws a landscape with its stretches and genes (a), and the ten most enriched motifs (b).

    Both stand side by side on a page and one above the other in a column. What is missing is a gap with a
    note.

    Args:
        landscape: attention.LANDSCAPE_COLUMNS, one row per base.
        motifs: attention.MOTIF_COLUMNS.
        models: gene_models.MODEL_COLUMNS of the region, None without an annotation.
        note: the model, for the line below the figure.
    """
    region, chosen = region_of(landscape), choose_motifs(motifs)
    note = f"{note} {NOTE} {describe(landscape, motifs)}".strip()
    beside = not layout.is_narrow(width_mm)
    with style.applied():
        track_mm = width_mm - LEFT_MM - RIGHT_MM - (MOTIFS_MM + 3.0 if beside else 0.0)
        genes_mm = 0.0 if models is None else gene_models.height_mm(models, region, track_mm) + 1.5
        bars_mm = ROW_MM * max(len(chosen), 4)
        above_mm = TOP_MM + KEY_MM
        tall_mm = max(TRACK_MM, bars_mm - genes_mm) if beside else TRACK_MM
        first_mm = above_mm + tall_mm + genes_mm + AXIS_MM
        second_mm = above_mm + bars_mm + AXIS_MM
        panels_mm = max(first_mm, second_mm) if beside else first_mm + second_mm
        figure = style.new_figure(width_mm, panels_mm + style.note_height_mm(note, width_mm))
        missing = _draw_first(figure, landscape, models, track_mm, tall_mm, genes_mm)
        left_mm, top_mm = (width_mm - MOTIFS_MM, 0.0) if beside else (0.0, first_mm)
        missing |= _draw_second(figure, chosen, left_mm, top_mm, width_mm, bars_mm)
        if missing:
            style.log.warning("attention landscape: a panel has nothing to draw")
        style.add_note(figure, note)
    return figure


def _draw_first(
    figure: Figure,
    landscape: pd.DataFrame,
    models: pd.DataFrame | None,
    wide_mm: float,
    tall_mm: float,
    genes_mm: float,
) -> bool:
    region = region_of(landscape)
    panels.write_title(figure, 1, 1.5, "a", "Attention along the region")
    _draw_key(figure, LEFT_MM, TOP_MM)
    axes = style.add_axes(figure, LEFT_MM, TOP_MM + KEY_MM, wide_mm, tall_mm)
    missing, lowest = _draw_landscape(axes, landscape), axes
    if models is not None:
        axes.tick_params(axis="x", length=0, labelbottom=False)
        axes.spines["bottom"].set_visible(False)
        top_mm = TOP_MM + KEY_MM + tall_mm + 1.5
        lowest = style.add_axes(figure, LEFT_MM, top_mm, wide_mm, genes_mm - 1.5)
        gene_models.draw_models(lowest, models, region, "", wide_mm)
        lowest.set_yticks([])
        lowest.spines["left"].set_visible(False)
        lowest.text(-2.0 / wide_mm, 0.5, "Genes", transform=lowest.transAxes, ha="right", va="center")
        if models.empty:
            write_gap(lowest, "no genes here")
    if landscape.empty:
        lowest.set_xticks([])
    else:
        span_bp = region[2] - region[1]
        panels.show_positions(lowest, region, wide_mm, 1 if span_bp >= 500 else 2 if span_bp >= 50 else 3)
    return missing


def _draw_line(axes: Axes, table: pd.DataFrame, column: str, **line: object) -> None:
    """Draws a column as steps; bins without a value are gaps."""
    edges = np.append(table["start"], table["end"].iloc[-1])
    values = table[column].to_numpy(float)
    axes.step(edges, np.append(values, values[-1]), where="post", solid_joinstyle="round", **line)


def _draw_landscape(axes: Axes, landscape: pd.DataFrame) -> bool:
    """Draws stretches, both lines and gaps; returns whether there is nothing."""
    _, start, end = region_of(landscape)
    axes.set_xlim(start, end)
    axes.set_ylabel("Attention (mean = 1)")
    if landscape.empty or landscape["attention"].isna().all():
        axes.set(ylim=(0, 1), yticks=[])
        write_gap(axes, "no value")
        return True
    table, values = bin_landscape(landscape), landscape["attention"].to_numpy(float)
    top = float(np.nanmax([table["attention"].max(), table["attention_random"].max(), 1.0])) * 1.06
    for low, high in find_stretches(values):
        axes.add_patch(
            Rectangle((start + low, 0), high - low, top, color=STRETCH_COLOUR, linewidth=0, zorder=0)
        )
    for low, high in find_stretches(np.where(np.isnan(values), 2.0, 0.0), 1):
        axes.add_patch(Rectangle((start + low, 0), high - low, top, zorder=1, **style.HATCHED))
    axes.axhline(1, color=palette.PALE, linewidth=0.5, zorder=2)
    _draw_line(axes, table, "attention_random", color=RANDOM_COLOUR, linewidth=0.8, zorder=3)
    _draw_line(axes, table, "attention", color=MODEL_COLOUR, linewidth=0.7, zorder=4)
    if is_peaked(table):
        axes.set_yscale("function", functions=(np.sqrt, np.square))
        axes.set_yticks([tick for tick in ROOT_TICKS if tick <= top])
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(0, top)
    return False


def _draw_key(figure: Figure, left_mm: float, top_mm: float) -> None:
    handles = [
        Line2D([], [], color=MODEL_COLOUR, linewidth=0.9, label="model"),
        Line2D([], [], color=RANDOM_COLOUR, linewidth=0.9, label=RANDOM_LABEL.lower()),
        Patch(color=STRETCH_COLOUR, linewidth=0, label="stretch"),
    ]
    panels.add_key(figure, handles, left_mm, top_mm, ncols=3, columnspacing=1.4, handletextpad=0.5)


def _draw_second(
    figure: Figure, motifs: pd.DataFrame, left_mm: float, top_mm: float, width_mm: float, bars_mm: float
) -> bool:
    panels.write_title(figure, left_mm + 1, top_mm + 1.5, "b", "Motifs in stretches of high attention")
    if not (motifs["q"] < LIMIT_Q).any():
        text = f"no k-mer has q < {LIMIT_Q:g}"
        style.write_at(
            figure, left_mm + 5, top_mm + TOP_MM, text, fontsize=style.SMALL_PT, color=palette.MUTED
        )
    wide_mm = width_mm - left_mm - LABEL_MM - 1.0 - TEXT_MM
    axes = style.add_axes(figure, left_mm + LABEL_MM + 1.0, top_mm + TOP_MM + KEY_MM, wide_mm, bars_mm)
    return _draw_motifs(axes, motifs)


def _draw_motifs(axes: Axes, motifs: pd.DataFrame) -> bool:
    """Draws one bar per motif with its test, and the random weights' mark; returns whether there is none."""
    axes.set_xlabel("log2 enrichment")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if motifs.empty:
        axes.set(yticks=[], xticks=[])
        write_gap(axes, "no value")
        return True
    ends = motifs[["log2_enrichment", "log2_enrichment_random"]].to_numpy(float)
    low, high = min(0.0, float(np.nanmin(ends))), max(0.5, float(np.nanmax(ends)))
    for y, row in enumerate(motifs.itertuples()):
        colour = MODEL_COLOUR if row.q < LIMIT_Q else WEAK_COLOUR
        axes.barh(y, row.log2_enrichment, height=0.68, color=colour, linewidth=0)
        if np.isfinite(row.log2_enrichment_random):
            mark = {"marker": "D", "markersize": 3.2, "markeredgecolor": palette.INK, "markeredgewidth": 0.4}
            axes.plot(row.log2_enrichment_random, y, color=RANDOM_COLOUR, clip_on=False, **mark)
        text = f"q = {_number(row.q)}, {row.count_in:,} of {row.count_all:,}"
        beside = {"xycoords": ("axes fraction", "data"), "xytext": (4, 0), "textcoords": "offset points"}
        axes.annotate(text, (1, y), va="center", fontsize=style.SMALL_PT, annotation_clip=False, **beside)
    axes.axvline(0, color=palette.INK, linewidth=0.5)
    axes.set_yticks(range(len(motifs)), motifs["kmer"])
    axes.set(xlim=(low * 1.1, high * 1.06), ylim=(len(motifs) - 0.4, -0.6))
    axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    return False


def _number(value: float) -> str:
    if value >= 0.001 or value == 0:
        return f"{value:.2g}"
    return f"{value:.0e}".replace("e-0", "e-").replace("-", palette.MINUS)
