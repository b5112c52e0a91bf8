"""The figure of an attention landscape: a region's attention, its genes, and the motifs where it is high."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from dnalm.attention.motifs import SHORTEST_BP, find_stretches
from dnalm.errors import UserError
from dnalm.figures import gene_models, palette, style
from dnalm.figures.genes import Region
from dnalm.figures.track_data import MAX_BINS, bin_values
from dnalm.files import require_file

LIMIT_Q = 0.05
MOST_MOTIFS = 10
PEAKED, ROOT_TICKS = 15.0, (0, 1, 5, 20, 50, 100, 200, 400, 800)
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


def read_rows(path: str | Path, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Reads a TSV that may have no rows.

    Raises:
        UserError: missing, unreadable, or lacking a column.
    """
    path = require_file(path, what)
    try:
        table = pd.read_csv(path, sep="\t", keep_default_na=False, na_values=["NA"])
    except ValueError as fault:
        raise UserError(path, f"is no readable {what} ({fault})", "Run its step again.") from fault
    if missing := [column for column in columns if column not in table.columns]:
        raise UserError(path, f"{what} lacks the columns {', '.join(missing)}", "Run its step again.")
    return table


def region_of(landscape: pd.DataFrame) -> Region:
    """Returns the contig, start and end that a landscape's rows cover; an empty one has no place."""
    if landscape.empty:
        return "", 0, 1
    return str(landscape["contig"].iloc[0]), int(landscape["start"].min()), int(landscape["end"].max())


def bin_landscape(landscape: pd.DataFrame) -> pd.DataFrame:
    """Returns at most 1,000 bins (means) of a landscape; `in_stretch` is the share of bases in stretches."""
    size = max(1, -(-len(landscape) // MAX_BINS))
    marked = np.zeros(len(landscape))
    for start, end in find_stretches(landscape["attention"].to_numpy(float)):
        marked[start:end] = 1.0
    own = landscape.assign(in_stretch=marked)
    ends = own["end"].iloc[np.minimum(np.arange(0, len(own), size) + size, len(own)) - 1].to_numpy()
    table = own.iloc[::size][["contig", "start"]].assign(end=ends).reset_index(drop=True)
    for column in ("attention", "attention_random", "in_stretch"):
        table[column] = bin_values(own[column].to_numpy(float), size)
    return table


def choose_motifs(motifs: pd.DataFrame) -> pd.DataFrame:
    """Returns the ten k-mers with the smallest p; of equal ones the more enriched, then by name."""
    order = motifs.assign(more=-motifs["log2_enrichment"].astype(float))
    chosen = order.sort_values(["p", "more", "kmer"]).head(MOST_MOTIFS)
    return chosen.drop(columns="more").reset_index(drop=True)


def drawn_table(landscape: pd.DataFrame, motifs: pd.DataFrame) -> pd.DataFrame:
    """Returns what both panels draw: rows of panel a are bins, those of panel b k-mers."""
    bins, kmers = bin_landscape(landscape).assign(panel="a"), choose_motifs(motifs).assign(panel="b")
    columns = ["panel", *bins.columns.drop("panel"), *kmers.columns.drop("panel")]
    parts = [part for part in (bins, kmers) if len(part)]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else bins[["panel"]]


def _say(axes: Axes, text: str, height: float = 0.5) -> None:
    place = {"transform": axes.transAxes, "ha": "center", "va": "center"}
    axes.text(0.5, height, text, color=palette.MUTED, fontsize=style.SMALL_PT, **place)


def _draw_line(axes: Axes, table: pd.DataFrame, column: str, **line: object) -> None:
    """Draws a column as steps; bins without a value are gaps."""
    edges = np.append(table["start"], table["end"].iloc[-1])
    values = table[column].to_numpy(float)
    axes.step(edges, np.append(values, values[-1]), where="post", solid_joinstyle="round", **line)


def _is_peaked(table: pd.DataFrame) -> bool:
    """Says whether the highest bin would flatten the rest: the axis is then that of square roots."""
    return bool(table[["attention", "attention_random"]].max(axis=None) > PEAKED)


def _draw_landscape(axes: Axes, landscape: pd.DataFrame) -> bool:
    """Draws stretches, both lines and gaps; returns whether there is nothing."""
    _, start, end = region_of(landscape)
    axes.set_xlim(start, end)
    axes.set_ylabel("Attention (mean = 1)")
    if landscape.empty or landscape["attention"].isna().all():
        axes.set(ylim=(0, 1), yticks=[])
        _say(axes, "no value")
        return True
    table, values = bin_landscape(landscape), landscape["attention"].to_numpy(float)
    top = float(np.nanmax([table["attention"].max(), table["attention_random"].max(), 1.0])) * 1.06
    for low, high in find_stretches(values):
        axes.add_patch(
            Rectangle((start + low, 0), high - low, top, color=STRETCH_COLOUR, linewidth=0, zorder=0)
        )
    for low, high in find_stretches(np.where(np.isnan(values), 2.0, 0.0), 1):
        face = {"facecolor": "#F4F4F4", "edgecolor": "#BBBBBB", "hatch": "////", "linewidth": 0}
        axes.add_patch(Rectangle((start + low, 0), high - low, top, zorder=1, **face))
    axes.axhline(1, color=palette.PALE, linewidth=0.5, zorder=2)
    _draw_line(axes, table, "attention_random", color=RANDOM_COLOUR, linewidth=0.8, zorder=3)
    _draw_line(axes, table, "attention", color=MODEL_COLOUR, linewidth=0.7, zorder=4)
    if _is_peaked(table):
        axes.set_yscale("function", functions=(np.sqrt, np.square))
        axes.set_yticks([tick for tick in ROOT_TICKS if tick <= top])
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(0, top)
    return False


def _draw_key(figure: Figure, left_mm: float, top_mm: float) -> None:
    across, down = style.size_mm(figure)
    handles = [
        Line2D([], [], color=MODEL_COLOUR, linewidth=0.9, label="model"),
        Line2D([], [], color=RANDOM_COLOUR, linewidth=0.9, label=RANDOM_LABEL.lower()),
        Patch(color=STRETCH_COLOUR, linewidth=0, label="stretch"),
    ]
    place = {"loc": "upper left", "bbox_to_anchor": (left_mm / across, 1 - top_mm / down)}
    figure.legend(handles=handles, ncols=3, columnspacing=1.4, handletextpad=0.5, **place)


def _position_axis(axes: Axes, region: Region, mm_wide: float) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(3, int(mm_wide / 18)), steps=[1, 2, 5, 10]))
    span = region[2] - region[1]
    digits = 1 if span >= 500 else 2 if span >= 50 else 3
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.{digits}f}")
    axes.set_xlabel(f"Position on {region[0]} (kb)")


def _draw_motifs(axes: Axes, motifs: pd.DataFrame) -> bool:
    """Draws one bar per motif with its test, and the random weights' mark; returns whether there is none."""
    axes.set_xlabel("log2 enrichment")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    if motifs.empty:
        axes.set(yticks=[], xticks=[])
        _say(axes, "no value")
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


def describe(landscape: pd.DataFrame, motifs: pd.DataFrame) -> str:
    """Says n, how much lies in stretches, bins, windows and marks, as far as they are drawn."""
    size = max(1, -(-len(landscape) // MAX_BINS))
    lines = [f"n = {len(landscape):,} bases"]
    for column, name in (("attention", "model"), ("attention_random", "random weights")):
        found = find_stretches(landscape[column].to_numpy(float))
        lines.append(f"{name}: {len(found):,} stretches, {sum(end - start for start, end in found):,} bases")
    text = "; ".join(lines) + "."
    if size > 1:
        text += f" Lines: means of {size} bases."
    if len(landscape) and _is_peaked(bin_landscape(landscape)):
        text += " Attention on a square-root scale."
    if len(landscape) and landscape["n_windows"].max() > 1:
        text += " The model read overlapping windows; each base is taken from the one where it lies deeper."
    if landscape["attention"].isna().any():
        text += " Hatched: no known bases."
    if len(motifs):
        text += " Right of the bars: k-mers in stretches, of all in the region. Diamonds: random weights"
        missing = choose_motifs(motifs)["log2_enrichment_random"].isna().any()
        text += " (no mark: none in their stretches)." if missing else "."
    return text


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
    beside = width_mm >= 150
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
    style.panel_letter(figure, 1, 1.5, "a")
    style.write_at(figure, 5, 1.7, "Attention along the region")
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
            _say(lowest, "no genes here")
    if landscape.empty:
        lowest.set_xticks([])
    else:
        _position_axis(lowest, region, wide_mm)
    return missing


def _draw_second(
    figure: Figure, motifs: pd.DataFrame, left_mm: float, top_mm: float, width_mm: float, bars_mm: float
) -> bool:
    style.panel_letter(figure, left_mm + 1, top_mm + 1.5, "b")
    style.write_at(figure, left_mm + 5, top_mm + 1.7, "Motifs in stretches of high attention")
    if not (motifs["q"] < LIMIT_Q).any():
        text = f"no k-mer has q < {LIMIT_Q:g}"
        style.write_at(
            figure, left_mm + 5, top_mm + TOP_MM, text, fontsize=style.SMALL_PT, color=palette.MUTED
        )
    wide_mm = width_mm - left_mm - LABEL_MM - 1.0 - TEXT_MM
    axes = style.add_axes(figure, left_mm + LABEL_MM + 1.0, top_mm + TOP_MM + KEY_MM, wide_mm, bars_mm)
    return _draw_motifs(axes, motifs)
