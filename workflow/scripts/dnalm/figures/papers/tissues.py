"""R2 and r2 of each tissue, species by species."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dnalm.figures import palette, style
from dnalm.figures.papers.predicted_scores import HERE, POOLED

SPREAD = 0.74  # of a species' slot that its tissues fill
LOWEST = -1.0  # what lies lower is an arrowhead at the edge


def short_species(species: str) -> tuple[str, str]:
    """Returns a species' two names, the first one abbreviated: zea_mays -> Z., mays."""
    first, _, rest = species.partition("_")
    return (f"{first[:1].upper()}.", rest.replace("_", " ")) if rest else (species, "")


def _places(count: int) -> np.ndarray:
    """Returns where a species' tissues stand within its slot, left to right."""
    return np.linspace(-SPREAD / 2, SPREAD / 2, count) if count > 1 else np.zeros(1)


def tissue_rows(scores: pd.DataFrame, species: str, pair: tuple[str, str] | None) -> pd.DataFrame:
    """Returns the tissues of a species and set of features, by ascending R2."""
    if pair is None:
        return scores.iloc[:0]
    own = scores[(scores["place"] == species) & (scores["origin"] == HERE) & (scores["output"] != POOLED)]
    own = own[(own["features"] == pair[0]) & (own["layer"] == pair[1])]
    return own.sort_values(["R2", "output"], kind="stable")


def draw_tissues(
    axes: Axes,
    scores: pd.DataFrame,
    drawn: Sequence[tuple[str, tuple[str, str] | None]],
    colours: dict[tuple[str, str], str],
) -> int:
    """Draws a filled dot (R2) and a hollow one (r2) per tissue; returns how many tissues have no value.

    Args:
        scores: predicted_scores.SCORE_COLUMNS.
        drawn: species, and the features and layer that are shown of it (None: not run).
        colours: features and layer -> colour.
    """
    missing, labels, lowest, highest = 0, [], 0.0, 0.5
    for slot, (species, pair) in enumerate(drawn):
        rows = tissue_rows(scores, species, pair)
        kept = rows[np.isfinite(rows["R2"]) & np.isfinite(rows["r2"])]
        missing += len(rows) - len(kept)
        labels.append(
            "\n".join(filter(None, (*short_species(species), f"n = {len(kept)}" if len(kept) else "")))
        )
        if kept.empty:
            text = "not run" if pair is None else "no value"
            axes.text(
                slot, 0.02, text, fontsize=style.SMALL_PT, color=palette.MUTED, ha="center", va="bottom"
            )
            continue
        x, colour = slot + _places(len(kept)), colours[pair] if pair else palette.MUTED
        hollow = {"markerfacecolor": "white", "markeredgewidth": 0.5, "markersize": 2.4}
        axes.plot(x, kept["r2"], "o", color=colour, **hollow)
        _draw_filled(axes, x, kept["R2"].to_numpy(float), colour)
        lowest, highest = min(lowest, kept["R2"].min()), max(highest, kept["r2"].max())
    lowest = max(lowest, LOWEST)
    axes.axhline(0, color=palette.PALE, linewidth=0.6, zorder=0)
    axes.set(xlim=(-0.5, len(drawn) - 0.5), ylim=(lowest - 0.04 * (highest - lowest), 1.08 * highest))
    axes.set_xticks(range(len(drawn)), labels)
    axes.tick_params(axis="x", length=0)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.set_ylabel("Score per tissue")
    return missing


def _draw_filled(axes: Axes, x: np.ndarray, values: np.ndarray, colour: str) -> None:
    inside = values >= LOWEST
    axes.plot(x[inside], values[inside], "o", color=colour, markersize=2.4, markeredgewidth=0)
    if not inside.all():
        low = np.full((~inside).sum(), LOWEST)
        axes.plot(x[~inside], low, "v", color=colour, markersize=2.4, markeredgewidth=0)
