"""Strength of promoters and terminators in two assays, beside the published scores of AgroNT and CNNs."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnalm.figures import layout, style
from dnalm.figures.papers import predicted_scores, score_groups, score_legend, squares, words
from dnalm.figures.papers.predictions import Predicted
from dnalm.figures.papers.published import GROUPS, rows_beside

KINDS = ("promoter_strength", "terminator_strength")
# task -> title; assays: source Mendoza-Revilla et al. 2024, Fig. 3
TASKS = {
    "promoter_strength.leaf": "Promoters, tobacco",
    "promoter_strength.protoplast": "Promoters, maize",
    "terminator_strength.leaf": "Terminators, tobacco",
    "terminator_strength.protoplast": "Terminators, maize",
}
SOURCES = ("At", "Sb", "Zm", "GC")
# Headers of the promoters end the gene's name with its species: `_At`, `_Sb`, `_Zm`.
SOURCE = re.compile(r"_(At|Sb|Zm|GC)(?![A-Za-z0-9])")
TOP_MM, GAP_MM, HEAD_MM, AXIS_MM = 1.5, 9.0, 6.0, 9.0


def source_of(name: str) -> str:
    """Returns what a sequence comes from, as its name says it; empty where it does not."""
    found = SOURCE.findall(name)
    return found[-1] if found else ""


def sources_of(one: Predicted) -> np.ndarray | None:
    """Returns the source of every sequence, None unless all names tell theirs."""
    found = np.array([source_of(name) for name in one.names])
    return found if len(found) and (found != "").all() else None


def gather(found: Sequence[Predicted], published: pd.DataFrame) -> pd.DataFrame:
    """Returns predicted_scores.SCORE_COLUMNS: ours of all sequences and of each source, and published ones.

    Args:
        published: published.PUBLISHED_COLUMNS; left out where the test rows are not the published ones.
    """
    rows: list[dict[str, object]] = []
    for one in found:
        first = next(predicted_scores.score_rows(one))
        rows.append(first)
        sources = sources_of(one)
        for source in () if sources is None else [name for name in SOURCES if (sources == name).any()]:
            scores = predicted_scores.score(one, sources == source, [0])
            rows.append({**first, "group": source, **scores})
    for place in dict.fromkeys(one.place for one in found):
        one = squares.shown(found, place)
        if one is not None:
            rows.append(predicted_scores.shuffle_scores(one))
        if one is not None and not one.unlike:
            groups = list(dict.fromkeys(str(row["group"]) for row in rows if row["place"] == place))
            rows += rows_beside(published, place, groups, place)
    return predicted_scores.as_table(rows)


def note_of(found: Sequence[Predicted], scores: pd.DataFrame) -> str:
    """Says models, sequences, folds, what bars mean, and where published numbers are from."""
    drawn = list(filter(None, (squares.shown(found, place) for place in TASKS)))
    if not drawn:
        return "Nothing has been run: no predictions of promoter or terminator strength were given."
    parts = [
        "Assays: tobacco leaves and maize protoplasts.",
        f"a: {words.models(drawn)}; {words.protocol(drawn, 'sequences')}",
        squares.legend(drawn, "a sequence"), f"b: {words.WHISKERS}", _sources(drawn, scores),
        words.shuffle("sequences", drawn), score_groups.arrow_note(scores), words.published(scores),
        _recomputed(scores), words.left_out(drawn, TASKS.__getitem__),
        words.cautions(drawn, TASKS.__getitem__),
    ]  # fmt: skip
    return " ".join(filter(None, parts))


def _sources(drawn: Sequence[Predicted], scores: pd.DataFrame) -> str:
    known = [group for group in SOURCES if (scores["group"] == group).any()]
    text = "; ".join(f"{group}, {GROUPS[group]}" for group in known)
    silent = [TASKS[one.place] for one in drawn if sources_of(one) is None]
    texts = [f"Sources of the sequences: {text}."] if text else []
    if silent:
        texts.append(
            f"{'; '.join(silent)}: names do not tell all sequences' sources, which are scored together alone."
        )
    if any(one.place.startswith("terminator") and not one.unlike for one in drawn):
        texts.append("No score of all terminators together is published.")
    return " ".join(texts)


def _recomputed(scores: pd.DataFrame) -> str:
    drawn = scores[(scores["origin"] == predicted_scores.PUBLISHED) & scores["R2"].notna()]
    return "Thin ticks: R² recomputed from the released predictions." if len(drawn) else ""


def plot_strength(
    found: Sequence[Predicted], scores: pd.DataFrame, note: str, width_mm: float = style.PAGE_MM
) -> Figure:
    """Draws observed against predicted strength (a) and scores beside baselines and published ones (b).

    Args:
        scores: predicted_scores.SCORE_COLUMNS, see `gather`.
        note: see `note_of`.
    """
    slots = score_groups.slots_of(scores)
    drawn = {place: squares.shown(found, place) for place in TASKS}
    groups = {place: _groups(scores, place) for place in TASKS}
    with style.applied():
        grid = squares.make_grid(len(TASKS), 2 if layout.is_narrow(width_mm) else 4, width_mm, GAP_MM)
        rows = -(-len(TASKS) // grid.columns)
        start_mm = TOP_MM + rows * grid.row_mm + 1.0
        row_mm = HEAD_MM + AXIS_MM + score_groups.height_mm(slots, max(map(len, groups.values())))
        legend = (4.0, start_mm + rows * row_mm + 1.0, width_mm - 8.0)
        end_mm = legend[1] + score_legend.legend_height_mm(slots, legend[2])
        figure = style.new_figure(width_mm, end_mm + style.note_height_mm(note, width_mm))
        missing = False
        for number, (place, one) in enumerate(drawn.items()):
            row, column = divmod(number, grid.columns)
            left_mm = grid.left_mm(column)
            corner_mm, about = (left_mm, TOP_MM + row * grid.row_mm), (TASKS[place], "log2")
            missing |= squares.draw_place(figure, grid, corner_mm, one, scores, about, "sequences")
            top_mm = start_mm + row * row_mm + HEAD_MM
            tall_mm = score_groups.height_mm(slots, len(groups[place]))
            axes = style.add_axes(figure, left_mm, top_mm, grid.side_mm, tall_mm)
            missing |= score_groups.draw_groups(axes, scores, groups[place], slots) > 0
            axes.set_xlabel("r² and R²")
            style.write_at(figure, left_mm, top_mm - HEAD_MM + 1.2, TASKS[place])
        for letter, top_mm in (("a", TOP_MM), ("b", start_mm)):
            style.panel_letter(figure, 1, top_mm + 0.6, letter)
        if slots:
            score_legend.draw_legend(figure, scores, slots, legend)
        absent = [TASKS[place] for place, one in drawn.items() if one is None]
        words.warn("strength of promoters and terminators", absent, missing)
        style.add_note(figure, note)
    return figure


def _groups(scores: pd.DataFrame, place: str) -> list[tuple[str, str, str]]:
    own = set(scores.loc[scores["place"] == place, "group"])
    return [(place, "all", "All"), *((place, group, group) for group in SOURCES if group in own)]
