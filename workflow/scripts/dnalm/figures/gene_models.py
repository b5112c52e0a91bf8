"""Gene models below tracks: their parts, their rows, and how they are drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dnalm.figures import layout, palette, style
from dnalm.figures.genes import Region

MODEL_COLUMNS = ("gene_id", "name", "strand", "part", "start", "end")
ROW_MM = 4.6  # a gene's label and, below it, its model
LABEL_GAP_MM, LONGEST_MM, SLANT = 1.5, 60.0, "italic"  # of labels: space after, most of a name
ARROW_EVERY_MM, ARROW_ROOM_MM = 3.0, 1.2
THIN, THICK = 0.2, 0.42  # heights of exon and CDS boxes, in rows
OTHER_GENE = "#8C8C8C"


def _merged(rows: pd.DataFrame) -> list[tuple[int, int]]:
    """Returns the union of intervals as sorted, disjoint (start, end) pairs."""
    merged: list[list[int]] = []
    for start, end in sorted(zip(rows["start"].tolist(), rows["end"].tolist(), strict=True)):
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return [(start, end) for start, end in merged]


def model_parts(annotation: pd.DataFrame, region: Region) -> pd.DataFrame:
    """Returns the parts to draw of each gene that touches a region, transcripts merged.

    `part` is gene (whole extent), exon (union over transcripts), cds (verified) or cds_unverified.
    """
    contig, start, end = region
    here = annotation[annotation["contig"] == contig]
    touching = (
        here[(here["type"] == "exon")]
        .groupby("gene_id", observed=True)
        .agg(start=("start", "min"), end=("end", "max"))
    )
    ids = touching.index[(touching["start"] < end) & (touching["end"] > start)]
    rows: list[tuple[object, ...]] = []
    for gene_id, gene in here[here["gene_id"].isin(ids)].groupby("gene_id", observed=True, sort=True):
        name = next((str(name) for name in gene["gene_name"].dropna() if str(name)), str(gene_id))
        head = (str(gene_id), name, str(gene["strand"].iloc[0]))
        exons, cds = gene[gene["type"] == "exon"], gene[gene["type"] == "CDS"]
        verified = cds["cds_verified"].astype(bool)
        rows.append((*head, "gene", int(exons["start"].min()), int(exons["end"].max())))
        for part, table in (("exon", exons), ("cds_unverified", cds[~verified]), ("cds", cds[verified])):
            rows += [(*head, part, *span) for span in _merged(table)]
    return pd.DataFrame(rows, columns=list(MODEL_COLUMNS))


def pack_rows(
    models: pd.DataFrame, region: Region, label_bp: Callable[[str], float]
) -> dict[str, tuple[int, float]]:
    """Gives each gene the first row where it and the label above it touch no other gene.

    Args:
        label_bp: width of a gene's label in bp of the axis, with the space after it.

    Returns:
        gene_id -> (row, where its label starts in bp).
    """
    _, start, end = region
    row_ends: list[float] = []
    places: dict[str, tuple[int, float]] = {}
    genes = models[models["part"] == "gene"].sort_values(["start", "gene_id"])
    for gene in genes.itertuples():
        label_start = max(min(max(gene.start, start), end - label_bp(gene.name)), start)
        left, right = (
            min(max(gene.start, start), label_start),
            max(gene.end, label_start + label_bp(gene.name)),
        )
        row = next((row for row, taken in enumerate(row_ends) if taken <= left), len(row_ends))
        row_ends[row:] = [right] if row == len(row_ends) else [right, *row_ends[row + 1 :]]
        places[str(gene.gene_id)] = (row, float(label_start))
    return places


def places_of(models: pd.DataFrame, region: Region, mm_wide: float) -> dict[str, tuple[int, float]]:
    """Packs the genes of a region that is drawn `mm_wide` wide."""
    bp_per_mm = (region[2] - region[1]) / mm_wide

    def label_bp(name: str) -> float:
        return bp_per_mm * (style.text_width_mm(_label(name, mm_wide), style=SLANT) + LABEL_GAP_MM)

    return pack_rows(models, region, label_bp)


def _label(name: str, mm_wide: float) -> str:
    """Returns what stands above a gene: its name, of a long one both ends."""
    return layout.shorten(name, min(mm_wide / layout.HINTED, LONGEST_MM), slant=SLANT)


def height_mm(models: pd.DataFrame, region: Region, mm_wide: float) -> float:
    """Returns the height that the gene models of a region need."""
    places = places_of(models, region, mm_wide)
    return ROW_MM * (1 + max((row for row, _ in places.values()), default=0))


def draw_models(axes: Axes, models: pd.DataFrame, region: Region, gene_id: str, mm_wide: float) -> None:
    """Draws gene models: thin exons, thick CDS (outlined where not verified), arrowed lines between.

    Args:
        gene_id: the gene drawn dark; its neighbours are grey.
    """
    places = places_of(models, region, mm_wide)
    deepest = max((row for row, _ in places.values()), default=0)
    for other, parts in models.groupby("gene_id", sort=True):
        row, label_start = places[str(other)]
        colour = palette.INK if other == gene_id else OTHER_GENE
        _draw_gene(axes, parts, deepest - row + 0.25, colour, (region[2] - region[1]) / mm_wide)
        look = {"style": SLANT, "color": colour, "fontsize": style.SMALL_PT, "va": "bottom"}
        label = _label(parts["name"].iloc[0], mm_wide)
        axes.text(label_start, deepest - row + 0.5, label, clip_on=False, **look)
    axes.set_xlim(region[1], region[2])
    axes.set_ylim(-0.1, deepest + 1.0)


def _draw_gene(axes: Axes, parts: pd.DataFrame, middle: float, colour: str, bp_per_mm: float) -> None:
    whole = parts[parts["part"] == "gene"].iloc[0]
    axes.plot([whole["start"], whole["end"]], [middle, middle], color=colour, linewidth=0.5, zorder=2)
    exons = parts[parts["part"] == "exon"].sort_values("start")
    for left, right in zip(exons["end"].iloc[:-1], exons["start"].iloc[1:], strict=True):
        room_mm = (right - left) / bp_per_mm
        count = int(room_mm / ARROW_EVERY_MM) or int(room_mm > ARROW_ROOM_MM)
        for spot in left + (np.arange(count) + 0.5) * (right - left) / max(count, 1):
            _draw_arrow(axes, spot, middle, whole["strand"], colour, bp_per_mm)
    for part in parts[parts["part"] != "gene"].itertuples():
        tall = THIN if part.part == "exon" else THICK
        face = "white" if part.part == "cds_unverified" else colour
        box = Rectangle((part.start, middle - tall / 2), part.end - part.start, tall)
        box.set(facecolor=face, edgecolor=colour, linewidth=0.4, zorder=4 if part.part == "cds" else 3)
        axes.add_patch(box)


def _draw_arrow(axes: Axes, spot: float, middle: float, strand: str, colour: str, bp_per_mm: float) -> None:
    back = (-0.45 if strand == "+" else 0.45) * bp_per_mm
    axes.plot(
        [spot + back, spot, spot + back], [middle + 0.1, middle, middle - 0.1], color=colour, linewidth=0.5
    )
