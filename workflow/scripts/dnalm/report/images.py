"""Figures as the page carries them: the SVG and its table as data URIs, nothing fetched from elsewhere."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Collection
from pathlib import Path

from dnalm.errors import UserError
from dnalm.files import require_file
from dnalm.report.sources import Sources
from dnalm.report.text import Figure, of_species, species_name

PIXELS_PER_POINT = 96 / 72
MOST_TABLE_BYTES = 400_000  # larger tables stay beside the figure's files

CAPTIONS = {
    "tracks": (
        "Predicted probability of each element along genes, the annotated gene models below. "
        "Splice sites are single bases, drawn as needles."
    ),
    "tasks": (
        "Each bar is a probe trained on one set of features: a model's embeddings, the same network "
        "with random weights, counts of k-mers, the one-hot sequence, GC and length, or the majority. "
        "Many tasks are lines, with marks for bars. Read a model's bar against the grey ones."
    ),
    "expression": (
        "Left: one value per gene, predicted by the fold that did not see it. Right: the same regression "
        "on each set of features. Hollow marks show random folds, which let similar genes straddle folds "
        "and flatter all."
    ),
    "map": (
        "Each dot is a window of the genome; windows with similar embeddings lie close together. "
        "In t-SNE, distances between far groups mean little. Where a map follows GC content, so would a "
        "count of letters."
    ),
    "nt_benchmark": "Hollow marks are published scores of the same test rows; grey bars are baselines.",
    "agront_expression": (
        "Each value is predicted by a fold that did not see its gene. The paper prints r² under the name of "
        "R²; both are given."
    ),
    "agront_strength": "Published values stand beside r², which is what they are.",
    "segmentnt_tracks": "An element that the model does not predict keeps its place, with a note.",
    "segmentnt_metrics": "Base rates stand beside auPRC. Read hollow marks with the note below the figure.",
    "grover_tokens": "What the tokens of a vocabulary are, and where along the genome they occur.",
    "dnabert_attention": "Grey: the same network with random weights, which finds patterns too.",
    "layers": "One penalty is fixed for all layers: for a look at layers, no score to report.",
    "context": "The same examples in the same folds, with more or fewer bases around the middle.",
    "attention": "A row is the token that reads, a column the token that is read.",
}


def data_uri(kind: str, data: bytes) -> str:
    """Returns bytes as a data URI of a media type."""
    return f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"


def _described(svg: str, element: str) -> str:
    found = re.search(rf"<dc:{element}>(.*?)</dc:{element}>", svg, re.DOTALL)
    return " ".join(html.unescape(found[1]).split()) if found else ""


def load_figure(stem: str | Path, all_species: Collection[str] = ()) -> Figure:
    """Reads a figure that `style.save` wrote.

    Args:
        all_species: where the page has several, the title names the figure's own (the stem's second word).

    Raises:
        UserError: the SVG or its table is missing, or the SVG is no drawing.
    """
    stem = Path(stem)
    path = require_file(stem.with_name(stem.name + ".svg"), "figure")
    svg = path.read_text(encoding="utf-8")
    width = re.search(r'<svg[^>]*\swidth="([\d.]+)pt"', svg)
    if not width or not svg.rstrip().endswith("</svg>"):
        raise UserError(path, "is no whole SVG drawing", "Draw the figure again.")
    table = require_file(stem.with_name(stem.name + ".tsv"), "figure's table").read_bytes()
    title = _described(svg, "title") or stem.name
    own = stem.name.split(".")[1:2]
    if own and own[0] in all_species and species_name(own[0]) not in title:
        title = of_species(title, own[0], all_species)
    return Figure(
        stem=stem.name,
        title=title,
        description=_described(svg, "description"),
        caption=CAPTIONS[stem.name.split(".")[0]],
        image=data_uri("image/svg+xml", svg.encode("utf-8")),
        width_px=round(float(width[1]) * PIXELS_PER_POINT),
        table=data_uri("text/tab-separated-values", table) if len(table) <= MOST_TABLE_BYTES else "",
    )


def load_figures(sources: Sources, kind: str, *words: str) -> list[Figure]:
    """Reads the figures of a kind whose stems hold the words given."""
    return [load_figure(stem, sources.config["species"]) for stem in sources.figures_of(kind, *words)]
