"""The SegmentNT paper's track figure: two elements a panel, probabilities along a region, genes below."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import AutoMinorLocator

from dnalm.figures import gene_models, palette, style
from dnalm.figures.papers import gaps
from dnalm.figures.papers.panels import show_positions
from dnalm.figures.papers.segment_data import PEAKED, Block, Element, find_element, pair_up
from dnalm.figures.papers.segment_panel import LINE_MM, SWATCH_MM, TEXT_MM, draw_legend, draw_panel

ONE_SIDED_MM, TWO_SIDED_MM = 8.5, 13.0  # heights of a panel
TITLE_MM, GAP_MM, STRIP_MM, SLOT_MM, AXIS_MM, RIGHT_MM = 6.0, 2.0, 3.4, 2.4, 9.5, 5.0
TICKS_MM = 7.0  # room for the ticks
LETTERS = "abcdefghijkl"


def plot_segments(
    blocks: Sequence[Block], model: str, note: str = "", width_mm: float = style.PAGE_MM
) -> Figure:
    """Draws one block per region: seven panels of two elements each in the paper's order, then the genes.

    Elements that the model has not leave a note; a region without a prediction is a gap with a note.

    Args:
        model: name of the tracks' model.
        note: put before what the figure itself says in the line below it.
    """
    note = " ".join(filter(None, [f"Model: {model}." if model else "", note, _legend(blocks)]))
    with style.applied():
        drawn = [element for block in blocks for pair in pair_up(block.features) for element in pair]
        left_mm = TEXT_MM + max(style.text_width_mm(element.label) for element in drawn) + TICKS_MM
        mm_wide = width_mm - left_mm - RIGHT_MM
        heights = [
            TITLE_MM + sum(_panel_mm(pair, block) for pair in pair_up(block.features)) + AXIS_MM
            + gene_models.height_mm(block.models, block.region, mm_wide)
            for block in blocks
        ]  # fmt: skip
        figure = style.new_figure(width_mm, 1.5 + sum(heights) + style.note_height_mm(note, width_mm))
        top_mm = 1.5
        for letter, block, tall_mm in zip(LETTERS, blocks, heights, strict=False):
            contig, start, end = block.region
            style.panel_letter(figure, 1.0, top_mm, letter if len(blocks) > 1 else "")
            place = f"{contig}:{start + 1:,}{palette.DASH}{end:,} ({end - start:,} bp)"
            style.write_at(figure, 5.0 if len(blocks) > 1 else 2.0, top_mm + 0.2, place)
            _draw_block(figure, top_mm + TITLE_MM, block, model, left_mm, mm_wide)
            top_mm += tall_mm
        style.add_note(figure, note)
    return figure


def _panel_mm(pair: Sequence[Element], block: Block) -> float:
    """Returns the height of a panel with the gap below it: a strip where the model has neither element."""
    known = [element.feature in block.features for element in pair]
    if not any(known):
        return STRIP_MM
    tall_mm = TWO_SIDED_MM if (block.tracks["strand"] == "-").any() else ONE_SIDED_MM
    return tall_mm + GAP_MM + (0 if all(known) else SLOT_MM)


def _draw_block(
    figure: Figure, top_mm: float, block: Block, model: str, left_mm: float, mm_wide: float
) -> None:
    two_sided, gap = bool((block.tracks["strand"] == "-").any()), block.empty
    tall_mm = TWO_SIDED_MM if two_sided else ONE_SIDED_MM
    faint = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
    for pair in pair_up(block.features):
        need_mm = _panel_mm(pair, block)
        if need_mm == STRIP_MM:
            text = _absent(pair, block.features, model, left_mm + mm_wide - SWATCH_MM)
            style.write_at(figure, SWATCH_MM, top_mm, text, **faint)
        else:
            panel_mm = top_mm + need_mm - GAP_MM - tall_mm
            if panel_mm > top_mm:
                text, end_mm = _absent(pair, block.features, model, mm_wide), left_mm + mm_wide
                style.write_at(figure, end_mm, top_mm - 0.2, text, ha="right", **faint)
            axes = style.add_axes(figure, left_mm, panel_mm, mm_wide, tall_mm)
            draw_panel(axes, block, pair, two_sided)
            draw_legend(figure, panel_mm + (tall_mm - 2 * LINE_MM) / 2, pair, block.features)
            if gap:
                _write_gap(axes, "no prediction in this region")
                gap = False
        top_mm += need_mm
    tall_mm = gene_models.height_mm(block.models, block.region, mm_wide)
    style.write_at(figure, TEXT_MM, top_mm + tall_mm / 2, "Genes", va="center", fontsize=style.SMALL_PT)
    _draw_genes(style.add_axes(figure, left_mm, top_mm, mm_wide, tall_mm), block, mm_wide)


def _draw_genes(axes: Axes, block: Block, mm_wide: float) -> None:
    gene_models.draw_models(axes, block.models, block.region, "", mm_wide)
    for label in axes.texts:
        label.set_color(palette.INK)
    if block.models.empty:
        _write_gap(axes, "no annotated gene")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    show_positions(axes, block.region, mm_wide)
    axes.xaxis.set_minor_locator(AutoMinorLocator(5))


def _write_gap(axes: Axes, text: str) -> None:
    gaps.write_gap(axes, text, bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5}, zorder=6)


def _absent(pair: Sequence[Element], features: set[str], model: str, room_mm: float) -> str:
    """Says which elements of a panel the model has not; leaves its name out where it does not fit."""
    missing = [element.label for element in pair if element.feature not in features]
    text = f"{'; '.join(missing)}: not predicted by {model}"
    return text if model and style.text_width_mm(text) <= room_mm else text.split(" by ")[0]


def _legend(blocks: Sequence[Block]) -> str:
    """Says what areas, lines, bins and gaps mean, as far as the blocks show them."""
    tracks, models = (pd.concat([getattr(block, name) for block in blocks]) for name in ("tracks", "models"))
    lines = [
        "Probability per base, two elements a panel, the first an area, the second a line with dark edges "
        "(splice acceptors: square tips), so that they differ without colour."
    ]
    if (tracks["strand"] == "-").any():
        lines.append("Plus strand above the line, minus strand mirrored below.")
    if tracks["feature"].str.contains("Tissue").any():
        lines.append("Specific, invariant: tissue-specific, tissue-invariant.")
    sizes = sorted({block.bin_bp for block in blocks} - {1})
    if sizes:
        labels = [find_element(name).label for name in PEAKED if name in set(tracks["feature"])]
        peaked = ", ".join(labels).replace("Splice", "splice")
        text = f"Bins of {', '.join(map(str, sizes))} bp".replace(", ", " or ")
        lines.append(f"{text}: mean{f'; maximum of {peaked}' if peaked else ''}.")
    if tracks["probability"].isna().any():
        lines.append("Hatched: no prediction.")
    lines.append("Genes, transcripts merged: thick, CDS; thin, other exon parts.")
    if (models["part"] == "cds_unverified").any():
        lines.append("Outlined: CDS not verified.")
    return " ".join(lines)
