"""Panels of repeats: in what share of their occurrences tokens lie there, and which most and least."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dnalm.figures import embedding_map, palette, style
from dnalm.figures.papers.token_usage import DASHED, PERCENT, overall

FEWEST = 100  # occurrences below which a token's share in repeats says little
NAMED = 6  # tokens named at each end
LONGEST_NAME = 9  # letters of a token that are written out


def frequent(tokens: pd.DataFrame) -> pd.DataFrame:
    """Returns the tokens with FEWEST or more occurrences, those most in repeats first; ties by count, id."""
    often = tokens[(tokens["count"] >= FEWEST) & tokens["in_repeats"].notna()]
    return often.sort_values(["in_repeats", "count", "id"], ascending=[False, False, True])


def draw_repeats(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws how many tokens have which share of their occurrences in repeats, beside the genome's share."""
    shares, whole = frequent(tokens)["in_repeats"], overall(tokens, "soft_masked")
    top = min(1.0, np.ceil(max(float(shares.max()), whole) * 20 + 1e-9) / 20)
    edges, colour = np.linspace(0, top, 21).tolist(), embedding_map.COLOURS["repeat"]
    axes.hist(shares, bins=edges, color=colour, linewidth=0)
    axes.axvline(whole, color=palette.INK, linewidth=0.8, linestyle=DASHED)
    axes.set(xlabel="Occurrences in repeats", ylabel="Tokens", xlim=(0, top))
    axes.margins(y=0.18)
    right = whole > 0.5 * top
    axes.annotate(
        f"genome {whole:.1%}", (whole, 1), xycoords=("data", "axes fraction"), xytext=(-2 if right else 2, 0),
        textcoords="offset points", ha="right" if right else "left", va="top", fontsize=style.SMALL_PT,
    )  # fmt: skip
    axes.xaxis.set_major_formatter(PERCENT)
    axes.xaxis.set_major_locator(MaxNLocator(4))


def short_name(token: str) -> str:
    """Returns a token, of a long one its first letters and length."""
    return token if len(token) <= LONGEST_NAME + 3 else f"{token[:LONGEST_NAME]}\u2026 {len(token)} bp"


def draw_named(axes: Axes, tokens: pd.DataFrame) -> None:
    """Names the tokens most and least in repeats; stems start at the genome's soft-masked share."""
    often, whole = frequent(tokens), overall(tokens, "soft_masked")
    most = often.head(NAMED if len(often) >= 2 * NAMED else (len(often) + 1) // 2)
    least = often.tail(min(NAMED, len(often) - len(most)))
    for rows, first, colour in (
        (most, 0, embedding_map.COLOURS["repeat"]),
        (least, len(most) + 1, palette.MUTED),
    ):
        places = np.arange(first, first + len(rows))
        axes.hlines(places, whole, rows["in_repeats"], color=colour, linewidth=0.8)
        axes.plot(rows["in_repeats"], places, "o", color=colour, markersize=3, mew=0)
    axes.axvline(whole, color=palette.INK, linewidth=0.8, linestyle=DASHED, zorder=0)
    places = [*range(len(most)), *range(len(most) + 1, len(most) + 1 + len(least))]
    axes.set_yticks(places, [short_name(token) for token in [*most["token"], *least["token"]]])
    axes.tick_params(axis="y", length=0)
    axes.set(ylim=(len(most) + len(least) + 0.6, -0.6), xlabel="In repeats")
    axes.margins(x=0.08)
    axes.xaxis.set_major_formatter(PERCENT)
    axes.xaxis.set_major_locator(MaxNLocator(3))
