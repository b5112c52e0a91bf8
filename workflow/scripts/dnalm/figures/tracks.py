"""The track figure: predicted probabilities along genes, with the annotated gene models below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import AutoMinorLocator, MaxNLocator

from dnalm.figures import gene_models, layout, palette, style
from dnalm.figures.genes import Gene
from dnalm.figures.track_data import STRANDS, Panel, missing_spans

# slug, label, colour
ROWS = (
    ("exon", "Exon", palette.BLUE),
    ("intron", "Intron", palette.ORANGE),
    ("splice_donor", "Donor", palette.VERMILLION),
    ("splice_acceptor", "Acceptor", palette.GREEN),
)
NEEDLES = ("splice_donor", "splice_acceptor")  # one base each
NEEDLE_FLOOR = 0.02  # needles below this are no ink
ROW_MM, GAP_MM, LEFT_MM, RIGHT_MM, TITLE_MM, AXIS_MM = 8.0, 2.0, 23.0, 5.0, 6.5, 9.5
TEXT_LEFT_MM, TITLE_LINE_MM = 5.0, 3.0  # of titles, which may have several lines
LETTERS = "abcdefghijkl"
EXON_BAND = "#ECECEC"
LABEL_GAP_MM = 5.5  # between row labels and the axis, where the tick labels stand


def _draw_gaps(axes: Axes, track: pd.DataFrame, low: int, high: int) -> None:
    for left, right in missing_spans(track):
        axes.add_patch(Rectangle((left, low), right - left, high - low, zorder=0, **style.HATCHED))


def _draw_feature(axes: Axes, track: pd.DataFrame, slug: str, colour: str, sign: int) -> None:
    left, right = track["bin_start"].to_numpy(), track["bin_end"].to_numpy()
    height = sign * track["probability"].to_numpy()
    if slug in NEEDLES:
        ink = np.abs(np.nan_to_num(height)) >= NEEDLE_FLOOR
        middle = (left + right)[ink] / 2
        needles = [((x, 0.0), (x, y)) for x, y in zip(middle, height[ink], strict=True)]
        axes.add_collection(LineCollection(needles, colors=colour, linewidths=0.7, zorder=3))
    else:
        edges = np.append(left, right[-1])
        axes.stairs(np.nan_to_num(height), edges, fill=True, color=colour, linewidth=0, zorder=3)


def _shade_exons(axes: Axes, models: pd.DataFrame, two_sided: bool) -> None:
    """Marks the annotated exons behind the tracks, each on its own strand's half."""
    for part in models[models["part"] == "exon"].itertuples():
        low = -1.0 if two_sided and part.strand == "-" else 0.0
        band = Rectangle(
            (part.start, low), part.end - part.start, 1.0, color=EXON_BAND, linewidth=0, zorder=1
        )
        axes.add_patch(band)


def _write_beside(axes: Axes, mm_wide: float, text: str, off_mm: float, height: float = 0.5) -> None:
    """Writes beside the axes: left of them for a positive distance, right for a negative one."""
    side = (
        {"ha": "right", "x": -off_mm / mm_wide} if off_mm > 0 else {"ha": "left", "x": 1 - off_mm / mm_wide}
    )
    axes.text(y=height, s=text, va="center", transform=axes.transAxes, **side)  # type: ignore[arg-type]


def _draw_row(axes: Axes, panel: Panel, row: tuple[str, str, str], mm_wide: float) -> None:
    slug, label, colour = row
    track = panel.tracks[panel.tracks["feature"] == slug]
    strands = [strand for strand in STRANDS if (track["strand"] == strand).any()]
    two_sided = "-" in strands
    _shade_exons(axes, panel.models, two_sided)
    for strand in strands:
        sign = -1 if strand == "-" else 1
        own = track[track["strand"] == strand]
        _draw_feature(axes, own, slug, colour, sign)
        _draw_gaps(axes, own, min(0, sign), max(0, sign))
        if strand != ".":
            _write_beside(axes, mm_wide, "+" if sign > 0 else palette.MINUS, -1.2, 0.5 + sign * 0.25)
    axes.axhline(0, color=palette.INK, linewidth=0.4, zorder=4)
    axes.set_xlim(panel.region[1], panel.region[2])
    axes.set_ylim(-1.05 if two_sided else 0, 1.05)
    axes.set_yticks([-1, 0, 1] if two_sided else [0, 1], ["1", "0", "1"] if two_sided else ["0", "1"])
    axes.tick_params(axis="x", length=0, labelbottom=False)
    axes.spines["bottom"].set_visible(False)
    _write_beside(axes, mm_wide, label, LABEL_GAP_MM)


def _draw_genes(axes: Axes, panel: Panel, mm_wide: float) -> None:
    gene_models.draw_models(axes, panel.models, panel.region, panel.gene.gene_id, mm_wide)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=max(4, int(mm_wide / 18)), steps=[1, 2, 5, 10]))
    axes.xaxis.set_minor_locator(AutoMinorLocator(5))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:,.1f}")
    axes.set_xlabel(f"Position on {panel.gene.contig} (kb)")
    _write_beside(axes, mm_wide, "Genes", LABEL_GAP_MM)


def _title(gene: Gene, width_mm: float) -> str:
    name = gene.name if gene.name == gene.gene_id else f"{gene.name} ({gene.gene_id})"
    side = {"+": "plus", "-": "minus"}.get(gene.strand, "unknown")
    place = f"{gene.contig}:{gene.start + 1:,}{palette.DASH}{gene.end:,}"  # as people and browsers write it
    introns = f"{gene.introns} intron" + ("s" if gene.introns != 1 else "")
    parts = [name, place, f"{side} strand", introns]  # a line ends after one of these
    whole = ", ".join(part.replace(" ", layout.NO_BREAK) for part in parts)
    return layout.break_label(whole, width_mm - TEXT_LEFT_MM - 3, style.TEXT_PT)


def _legend(panels: Sequence[Panel]) -> str:
    """Says what bands, boxes, bins and gaps mean, as far as the panels show them."""
    tracks, models = (pd.concat([getattr(panel, name) for panel in panels]) for name in ("tracks", "models"))
    lines = [
        "Grey bands: annotated exons. Gene models, transcripts merged: thick, CDS; thin, other exon parts."
    ]
    if (models["part"] == "cds_unverified").any():
        lines.append("Outlined: CDS not verified.")
    if (tracks["strand"] != ".").any():
        lines.insert(0, "Plus strand above the line, minus strand mirrored below.")
    sizes = sorted({panel.bin_bp for panel in panels} - {1})
    if sizes:
        lines.append(
            f"Bins of {' and '.join(map(str, sizes))} bp: mean (exon, intron), maximum (donor, acceptor)."
        )
    if tracks["probability"].isna().any():
        lines.append("Hatched: no prediction.")
    return " ".join(lines)


def plot_tracks(panels: Sequence[Panel], note: str, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws one block per gene: probabilities of exon, intron, donor and acceptor, then the gene models.

    Args:
        note: model and choice of genes, for the line below the figure.
    """
    with style.applied():
        mm_wide = width_mm - LEFT_MM - RIGHT_MM
        genes_mm = [gene_models.height_mm(panel.models, panel.region, mm_wide) for panel in panels]
        rows_mm = len(ROWS) * (ROW_MM + GAP_MM)
        titles = [_title(panel.gene, width_mm) for panel in panels]
        titles_mm = [TITLE_MM + TITLE_LINE_MM * title.count("\n") for title in titles]
        note = f"{note} {_legend(panels)}"
        panels_mm = sum(genes_mm) + sum(titles_mm) + (rows_mm + AXIS_MM) * len(panels)
        figure = style.new_figure(width_mm, panels_mm + style.note_height_mm(note, width_mm))
        top_mm = 1.5
        for letter, panel, title, title_mm, tall_mm in zip(
            LETTERS, panels, titles, titles_mm, genes_mm, strict=False
        ):
            style.panel_letter(figure, 1.0, top_mm, letter)
            style.write_at(figure, TEXT_LEFT_MM, top_mm + 0.2, title)
            first_mm = top_mm + title_mm
            middle = {"rotation": 90, "va": "center"}
            style.write_at(figure, 1.5, first_mm + (rows_mm - GAP_MM) / 2, "Probability", **middle)
            for place, row in enumerate(ROWS):
                row_mm = first_mm + place * (ROW_MM + GAP_MM)
                _draw_row(style.add_axes(figure, LEFT_MM, row_mm, mm_wide, ROW_MM), panel, row, mm_wide)
            axes = style.add_axes(figure, LEFT_MM, first_mm + rows_mm - 1.0, mm_wide, tall_mm)
            _draw_genes(axes, panel, mm_wide)
            top_mm = first_mm + rows_mm + AXIS_MM + tall_mm
        style.add_note(figure, note)
    return figure
