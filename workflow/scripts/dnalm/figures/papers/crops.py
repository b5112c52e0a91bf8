"""Gene expression of crops: observed against predicted, tissue by tissue, and beside published scores.

The crops are the five of the Plant Genomic Benchmark that AgroNT's paper predicts expression in
(Mendoza-Revilla et al. 2024). The same figure draws a run on one's own expression table.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from dnalm.figures import style
from dnalm.figures.expression import SCALES
from dnalm.figures.papers import predicted_scores, score_groups, score_legend, squares, words
from dnalm.figures.papers.crops_plan import HEAD_MM, TOP_MM, Plan, make_plan
from dnalm.figures.papers.panels import write_title
from dnalm.figures.papers.predictions import EXPRESSION_KIND, Predicted
from dnalm.figures.papers.published import rows_beside
from dnalm.figures.papers.tissues import draw_tissues, short_species

CROPS = ("arabidopsis_thaliana", "glycine_max", "oryza_sativa", "solanum_lycopersicum", "zea_mays")
POINT = "a gene in a tissue"


def places_of(found: Sequence[Predicted], with_crops: bool) -> list[str]:
    """Returns the species to draw: all crops where tasks of the benchmark are drawn, then the others."""
    own = dict.fromkeys(one.place for one in found)
    return list(dict.fromkeys((*(CROPS if with_crops else ()), *own))) or list(CROPS)


def gather(found: Sequence[Predicted], published: pd.DataFrame) -> pd.DataFrame:
    """Returns predicted_scores.SCORE_COLUMNS: ours, of each tissue too, shuffles, and published scores.

    Args:
        published: published.PUBLISHED_COLUMNS; left out where the test genes are not the published ones.
    """
    rows = [row for one in found for row in predicted_scores.score_rows(one, each_output=True)]
    for place in dict.fromkeys(one.place for one in found):
        one = squares.shown(found, place)
        if one is None:
            continue
        rows.append(predicted_scores.shuffle_scores(one))
        if not one.unlike:
            rows += rows_beside(published, f"{EXPRESSION_KIND}.{place}", ["all"], place)
    return predicted_scores.as_table(rows)


def note_of(found: Sequence[Predicted], scores: pd.DataFrame) -> str:
    """Says models, genes, folds, what bars mean, and where published numbers are from."""
    drawn = list(
        filter(None, (squares.shown(found, place) for place in dict.fromkeys(o.place for o in found)))
    )
    if not drawn:
        return "Nothing has been run: no predictions of expression were given."
    pooled = ", all tissues pooled" if any(len(one.outputs) > 1 for one in drawn) else ""
    parts = [
        f"a: {words.models(drawn)}{pooled}; {words.protocol(drawn, 'genes')}",
        squares.legend(drawn, POINT),
        "b: R² (filled) and r² (hollow) of each tissue, in ascending order of R²; n: tissues.",
        f"c: {words.WHISKERS}", words.shuffle("genes", drawn), score_groups.arrow_note(scores),
        words.published(scores), words.left_out(drawn, _name), words.cautions(drawn, _name),
    ]  # fmt: skip
    return " ".join(filter(None, parts))


def _name(species: str) -> str:
    return " ".join(filter(None, short_species(species)))


def plot_crops(
    found: Sequence[Predicted],
    scores: pd.DataFrame,
    places: Sequence[str],
    note: str,
    width_mm: float = style.PAGE_MM,
) -> Figure:
    """Draws squares (a), scores per tissue (b) and scores beside baselines and published ones (c).

    Args:
        scores: predicted_scores.SCORE_COLUMNS, see `gather`.
        places: species, in order; one without predictions is `not run`.
        note: see `note_of`.
    """
    slots = score_groups.slots_of(scores)
    with style.applied():
        plan = make_plan(slots, [_name(place) for place in places], width_mm)
        figure = style.new_figure(width_mm, plan.height_mm + style.note_height_mm(note, width_mm))
        drawn = [squares.shown(found, place) for place in places]
        missing = [
            _draw_place(figure, plan.grid, *each, scores)
            for each in enumerate(zip(places, drawn, strict=True))
        ]
        _letters(figure, plan)
        pairs = [(place, one.pair if one else None) for place, one in zip(places, drawn, strict=True)]
        colours = score_groups.colours_of(scores)
        missing.append(draw_tissues(style.add_axes(figure, *plan.tissues), scores, pairs, colours) > 0)
        axes = style.add_axes(figure, *plan.groups)
        labels = [(place, "all", _name(place)) for place in places]
        missing.append(score_groups.draw_groups(axes, scores, labels, slots) > 0)
        axes.set_xlabel("r² and R²")
        for label in axes.get_yticklabels():
            label.set_fontstyle("italic")
        if slots:
            score_legend.draw_legend(figure, scores, slots, plan.legend)
        absent = [place for place, one in zip(places, drawn, strict=True) if one is None]
        words.warn("expression of crops", absent, any(missing))
        style.add_note(figure, note)
    return figure


def _letters(figure: Figure, plan: Plan) -> None:
    style.panel_letter(figure, 1, TOP_MM, "a")
    for letter, box in (("b", plan.tissues), ("c", plan.groups)):
        left_mm = 1.0 if box[0] < squares.LEFT_MM + 20 else box[0] - 10
        title = "Each tissue: R² filled, r² hollow" if letter == "b" else "All tissues pooled"
        write_title(figure, left_mm, box[1] - HEAD_MM + 0.5, letter, title)


def _draw_place(
    figure: Figure, grid: squares.Grid, number: int, each: tuple[str, Predicted | None], scores: pd.DataFrame
) -> bool:
    """Draws one species' square; returns whether a score is missing."""
    place, one = each
    row, column = divmod(number, grid.columns)
    left_mm, top_mm = grid.left_mm(column), TOP_MM + row * grid.row_mm
    about = _name(place), SCALES.get(one.unit, one.unit) if one else ""
    return squares.draw_place(figure, grid, (left_mm, top_mm), one, scores, about, "genes", style="italic")
