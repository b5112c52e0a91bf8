"""The vocabulary of a DNA language model: how tokens are used, mapped, chosen, and where they occur.

Source: Sanabria et al. 2024 (GROVER) show these panels for the human genome and 600 merge cycles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.figures import layout, style, vocabulary, window_classes
from dnalm.figures.papers import merge_cycles, token_maps, token_repeats, token_usage
from dnalm.figures.papers.gaps import draw_gap
from dnalm.figures.papers.panels import write_title

Table = pd.DataFrame

# As dnalm.vocabulary.occurrences writes them; of a model also MAP_COLUMNS.
TOKEN_COLUMNS = ("token", "id", "count", "length_bp", "gc", "soft_masked", "in_repeats")
MAP_COLUMNS = ("x", "y", "projection")
REGION_COLUMNS = ("x", "y", "overlaps")
NO_TABLE, NO_VALUE, NO_REPEATS = "no table given", "no value", "no soft-masked\nbases"
TITLES = {
    "a": "Occurrences by rank", "b": "Length of tokens", "c": "GC content of tokens",
    "d": "Map of input embeddings", "e": "Next-k-mer accuracy", "f": "Tokens in repeats",
    "g": "Most and least in repeats", "h": "Regions by class",
}  # fmt: skip


class Box(NamedTuple):
    """A panel's axes: place and size in mm from the figure's top left corner."""

    left: float
    top: float
    width: float
    height: float


PAGE = {
    "a": Box(14, 7, 43, 36), "b": Box(74, 7, 43, 36), "c": Box(133, 7, 43, 36),
    "d": Box(8, 62, 66, 44), "e": Box(109, 62, 59, 44),
    "f": Box(14, 122, 38, 44), "g": Box(83, 122, 28, 44), "h": Box(121, 122, 39, 44),
}  # fmt: skip
COLUMN = {
    "a": Box(12, 7, 29, 30), "b": Box(54, 7, 29, 30),
    "c": Box(12, 55, 29, 30), "d": Box(47, 55, 26, 30),
    "e": Box(12, 103, 24, 30), "f": Box(54, 103, 29, 30),
    "g": Box(24, 153, 18, 42), "h": Box(50, 153, 33, 30),
}  # fmt: skip
PAGE_HEIGHT_MM, COLUMN_HEIGHT_MM = 176.0, 205.0
TITLE_MM = 5.5  # of a panel's title above its axes
# How far left of its axes a panel's letter stands: where tick labels begin.
TITLE_LEFT_MM = {"a": 11, "b": 11, "c": 11, "d": 5, "e": 11, "f": 11, "g": 22, "h": 4}


def note(tokens: Table, cycles: Table, regions: Table, name: str, species: str, map_model: str = "") -> str:
    """Returns the line below the figure: tokenizer, species, numbers, methods, what a repeat is.

    Args:
        map_model: that embedded the windows of `regions`, where it is known; not always that of the tokens.
    """
    used, gaps = tokens[tokens["count"] > 0], missing(tokens, cycles, regions)
    bases, unused = int((used["count"] * used["length_bp"]).sum()), len(tokens) - len(used)
    said = [
        f"Tokenizer: {name}; {species}. n = {len(tokens):,} tokens, {int(used['count'].sum()):,} occurrences "
        f"({bases:,} bases, forward strand){f'; {unused:,} tokens never occur' if unused else ''}. "
        "Colours in c as in a; dashed: GC content of these bases."
    ]
    if "d" not in gaps:
        tsne = tokens["projection"].iloc[0] == "t-SNE"
        method = "t-SNE of 30 principal components" if tsne else "principal components"
        said.append(f"d: {method} of the model's input embeddings; dots' areas go with length.")
    if "e" not in gaps:
        said.append(_cycles_note(cycles))
    if "f" not in gaps:
        said.append(
            f"f, g: n = {len(token_repeats.frequent(tokens)):,} tokens with {token_repeats.FEWEST} or more "
            "occurrences. Repeats are the soft-masked (lower-case) letters of the genome file; an occurrence "
            "lies in repeats where at least half of its bases do. Dashed: soft-masked share of the bases."
        )
    if "h" not in gaps:
        rule = window_classes.REPEAT_RULE if "repeat" in set(regions["overlaps"]) else window_classes.RULE
        by = f", embedded by {map_model}" if map_model else ""
        said.append(f"h: n = {len(regions):,} windows of the genome{by}. {rule}.")
    return " ".join(said)


def _cycles_note(cycles: pd.DataFrame) -> str:
    own, split = merge_cycles.measured(cycles), merge_cycles.split_of(cycles)
    part = "held-out region" if split == vocabulary.HELD_OUT else "validation part"
    return (
        "e: the next k bases, told from the tokens before them by one small network per vocabulary; "
        f"{part}, n = {int(own['positions'].iloc[0]):,} places; bars: 2 s.e.; dotted: the commonest k-mer "
        "after 6 bases; grey: the vocabulary that is taken."
    )


def _has_map(tokens: pd.DataFrame) -> bool:
    return set(MAP_COLUMNS) <= set(tokens.columns) and bool(tokens[["x", "y"]].notna().all(axis=1).any())


def missing(tokens: Table, cycles: Table, regions: Table) -> dict[str, str]:
    """Returns panel -> why it is empty."""
    found: dict[str, str] = {}
    if not (tokens["count"] > 0).any():
        found |= dict.fromkeys(("a", "b", "c", "d", "f", "g"), "no tokens")
    elif not (tokens["soft_masked"] > 0).any():
        found |= dict.fromkeys(("f", "g"), NO_REPEATS)
    elif token_repeats.frequent(tokens).empty:
        found |= dict.fromkeys(("f", "g"), f"no token with\n{token_repeats.FEWEST} occurrences")
    if "d" not in found and not _has_map(tokens):
        found["d"] = NO_VALUE if set(MAP_COLUMNS) <= set(tokens.columns) else NO_TABLE
    if cycles.empty or merge_cycles.measured(cycles).empty:
        found["e"] = NO_TABLE if cycles.empty else NO_VALUE
    if regions.empty:
        found["h"] = NO_TABLE
    elif "overlaps" not in regions or regions.dropna(subset=list(REGION_COLUMNS)).empty:
        found["h"] = "no classes\nin the table"
    return found


def warn_of_gaps(tokens: Table, cycles: Table, regions: Table) -> None:
    """Logs one line that says which panels are empty and why."""
    gaps = missing(tokens, cycles, regions)
    if "e" not in gaps and (lost := merge_cycles.lost_values(cycles)):
        gaps["e"] = f"partly, no value: {lost}"
    if gaps:
        reasons = ", ".join(f"{letter} ({gaps[letter]})" for letter in sorted(gaps)).replace("\n", " ")
        style.log.warning("vocabulary: empty panels: %s", reasons)


def plot_tokens(
    tokens: Table, cycles: Table, regions: Table, note: str, width_mm: float = style.PAGE_MM
) -> Figure:
    """Draws the panels a to h; what is missing is a gap with the reason (see `warn_of_gaps`).

    Args:
        tokens: TOKEN_COLUMNS, and MAP_COLUMNS of a model.
        cycles: as `dnalm.figures.vocabulary` reads them, or no row.
        regions: windows of an embedding map (REGION_COLUMNS), or no row.
    """
    narrow = layout.is_narrow(width_mm)
    boxes, height_mm = (COLUMN, COLUMN_HEIGHT_MM) if narrow else (PAGE, PAGE_HEIGHT_MM)
    gaps = missing(tokens, cycles, regions)
    with style.applied():
        figure = style.new_figure(width_mm, height_mm + style.note_height_mm(note, width_mm))
        draws = _draws(figure, boxes, tokens, cycles, regions, narrow)
        for letter, box in boxes.items():
            axes = style.add_axes(figure, *box)
            if letter in gaps:
                draw_gap(axes, gaps[letter])
            else:
                draws[letter](axes)
            left_mm = max(1.0, box.left - TITLE_LEFT_MM[letter])
            write_title(figure, left_mm, box.top - TITLE_MM, letter, TITLES[letter])
        style.add_note(figure, note)
    return figure


def _draws(
    figure: Figure, boxes: dict[str, Box], tokens: Table, cycles: Table, regions: Table, narrow: bool
) -> dict[str, Callable[[Axes], None]]:
    """Returns panel -> what draws it; keys of colours lie beside their panels, h's below it where narrow."""
    d, h = boxes["d"], boxes["h"]
    place = (h.left - 1, h.top + h.height + 4.5) if narrow else (h.left + h.width + 1, h.top)

    def draw_map(axes: Axes) -> None:
        key = style.add_axes(figure, d.left + d.width + 1.5, d.top + 4, 2, 12)
        token_maps.draw_map(axes, tokens, key, d.width)

    return {
        "a": lambda axes: token_usage.draw_ranks(axes, tokens),
        "b": lambda axes: token_usage.draw_lengths(axes, tokens),
        "c": lambda axes: token_usage.draw_gc(axes, tokens),
        "d": draw_map,
        "e": lambda axes: merge_cycles.draw_cycles(axes, cycles, upright=narrow),
        "f": lambda axes: token_repeats.draw_repeats(axes, tokens),
        "g": lambda axes: token_repeats.draw_named(axes, tokens),
        "h": lambda axes: token_maps.draw_regions(figure, axes, regions, place, 2 if narrow else 1),
    }
