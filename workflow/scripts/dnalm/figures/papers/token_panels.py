"""Panels of the vocabulary figure: each draws one table into axes, or says why there is nothing to draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from dnalm.figures import embedding_map, palette, projection, style, vocabulary

FEWEST = 100  # occurrences below which a token's share in repeats says little
NAMED = 6  # tokens named at each end
LONGEST_NAME = 9  # letters of a token that are written out
UPRIGHT_MM = 2.6  # that an upright number takes along its axis
MANY = 2000  # dots from which on an SVG holds them as an image
DASHED = (0, (3, 2))
LENGTH_COLOURS = LinearSegmentedColormap.from_list(
    "length", ["#B9DDF3", palette.SKY, palette.BLUE, "#3B2F6B", "#1B0F2E"]
)
PERCENT = FuncFormatter(lambda value, _: f"{value:.0%}")


def gap(axes: Axes, text: str) -> None:
    """Leaves a panel empty but for the reason."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set(visible=True, color=palette.PALE)
    place = {"ha": "center", "va": "center", "transform": axes.transAxes}
    axes.text(0.5, 0.5, text, fontsize=style.SMALL_PT, color=palette.MUTED, **place)


def overall(tokens: pd.DataFrame, column: str) -> float:
    """Returns the share of all counted bases (gc, soft_masked), from the shares of the tokens."""
    used = tokens[tokens["count"] > 0]
    bases = used["count"] * used["length_bp"]
    return float((used[column] * bases).sum() / bases.sum())


def _lengths(tokens: pd.DataFrame) -> Normalize:
    """Returns how lengths become colours; the longest 2 % of the tokens share one."""
    low, high = float(tokens["length_bp"].min()), float(np.quantile(tokens["length_bp"], 0.98))
    return Normalize(low, max(high, low + 1), clip=True)


def _coloured(axes: Axes, x: pd.Series | np.ndarray, tokens: pd.DataFrame) -> None:
    area = float(np.clip(2400 / len(tokens), 1.5, 10))
    axes.scatter(
        x, tokens["count"], s=area, c=tokens["length_bp"], cmap=LENGTH_COLOURS, norm=_lengths(tokens),
        linewidths=0, rasterized=len(tokens) > MANY,
    )  # fmt: skip
    axes.set(yscale="log", ylabel="Occurrences")
    axes.yaxis.set_minor_locator(NullLocator())


def draw_ranks(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws occurrences by rank on logarithmic axes, coloured by length; equal counts by id."""
    used = tokens[tokens["count"] > 0].sort_values(["count", "id"], ascending=[False, True])
    _coloured(axes, np.arange(1, len(used) + 1), used)
    axes.set(xscale="log", xlabel="Rank")
    axes.xaxis.set_minor_locator(NullLocator())
    if used["length_bp"].nunique() > 1:
        _length_key(axes.inset_axes((0.08, 0.2, 0.42, 0.055)), _lengths(used), used)


def _length_key(axes: Axes, norm: Normalize, tokens: pd.DataFrame) -> None:
    figure = axes.get_figure()
    shades = ScalarMappable(norm, LENGTH_COLOURS)
    bar = figure.colorbar(shades, cax=axes, orientation="horizontal")  # type: ignore[union-attr]
    bar.outline.set_visible(False)  # type: ignore[operator]
    ends = sorted({int(norm.vmin or 0), int(norm.vmax or 0)})
    more = "+" if tokens["length_bp"].max() > ends[-1] else ""
    bar.set_ticks([float(end) for end in ends], labels=[str(ends[0]), f"{ends[-1]}{more}"])
    bar.ax.tick_params(length=1.5)
    axes.set_title("Length (bp)", fontsize=style.SMALL_PT, pad=2)


def draw_lengths(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws per length the share of the tokens and of the counted bases that such tokens cover."""
    bases = (tokens["count"] * tokens["length_bp"]).groupby(tokens["length_bp"]).sum()
    number = tokens["length_bp"].value_counts().sort_index()
    draws = ((number, palette.ORANGE, "tokens"), (bases, palette.BLUE, "bases"))
    for shift, (sizes, colour, label) in zip((-0.2, 0.2), draws, strict=True):
        share = sizes / sizes.sum()
        axes.bar(share.index + shift, share, width=0.4, color=colour, linewidth=0, label=label)
    axes.set_ylim(0, 1.18 * axes.dataLim.y1)  # room for the key
    axes.legend(loc="upper right", ncols=2, handlelength=0.8, columnspacing=1.2, handletextpad=0.4)
    axes.set(xlabel="Length (bp)", ylabel="Share of", xlim=(0.4, float(tokens["length_bp"].max()) + 0.6))
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(PERCENT)


def draw_gc(axes: Axes, tokens: pd.DataFrame) -> None:
    """Draws occurrences against GC content; dashed the GC content of all counted bases."""
    used = tokens[tokens["count"] > 0].sort_values("length_bp")
    axes.axvline(overall(tokens, "gc"), color=palette.MUTED, linewidth=0.6, linestyle=DASHED, zorder=0)
    _coloured(axes, used["gc"], used)
    axes.set(xlabel="GC content", xlim=(-0.04, 1.04), xticks=(0, 0.5, 1))
    axes.xaxis.set_major_formatter(PERCENT)


def _areas(lengths: pd.Series, scale: float) -> Float[np.ndarray, " V"]:
    return scale * (1 + np.minimum(lengths.to_numpy(float), 16))


def draw_map(axes: Axes, tokens: pd.DataFrame, key: Axes, width_mm: style.Length) -> None:
    """Draws the vocabulary's map, coloured by GC content, area by length; short tokens lie on long ones."""
    known = tokens.dropna(subset=["x", "y"]).sort_values(["length_bp", "id"], ascending=[False, True])
    scale = float(np.clip(700 / len(known), 0.15, 1.2)) * width_mm / 66
    dots = axes.scatter(
        known["x"], known["y"], s=_areas(known["length_bp"], scale), c=known["gc"], cmap="cividis",
        vmin=0, vmax=1, linewidths=0, alpha=0.9, rasterized=len(known) > MANY,
    )  # fmt: skip
    axes.set(xticks=[], yticks=[])
    axes.margins(0.04)
    name = {"PCA": "PC", "t-SNE": "t-SNE "}[str(known["projection"].iloc[0])]
    axes.set(xlabel=f"{name}1", ylabel=f"{name}2")
    bar = axes.get_figure().colorbar(dots, cax=key, ticks=(0, 0.5, 1))  # type: ignore[union-attr]
    bar.outline.set_visible(False)  # type: ignore[operator]
    bar.solids.set(alpha=1)  # type: ignore[union-attr]
    key.yaxis.set_major_formatter(PERCENT)
    key.tick_params(length=1.5)
    key.set_title("GC", fontsize=style.SMALL_PT, pad=4)
    some = sorted({int(known["length_bp"].quantile(q, interpolation="nearest")) for q in (0, 0.5, 1)})
    handles = []
    for length in some:
        size = _areas(pd.Series([length]), scale)
        handles.append(axes.scatter([], [], s=size, color=palette.MUTED, linewidths=0, label=f"{length} bp"))
    place = {"bbox_to_anchor": (-1.0, -0.15), "bbox_transform": key.transAxes, "loc": "upper left"}
    axes.legend(handles=handles, handletextpad=0, handlelength=1.2, **place)


def measured(cycles: pd.DataFrame) -> pd.DataFrame:
    """Returns the rows of vocabularies with an accuracy that a logarithmic axis can show."""
    return cycles[(cycles["cycles"] != vocabulary.MARKOV) & (cycles["accuracy"] > 0)]


def split_of(cycles: pd.DataFrame) -> str:
    """Returns the part of the genome that is drawn: the held-out regions where they were measured."""
    held_out = (measured(cycles)["split"] == vocabulary.HELD_OUT).any()
    return vocabulary.HELD_OUT if held_out else vocabulary.VALIDATION


def lost_values(cycles: pd.DataFrame) -> int:
    """Returns how many vocabularies' accuracies are missing in the part that is drawn."""
    shown = cycles[(cycles["split"] == split_of(cycles)) & (cycles["cycles"] != vocabulary.MARKOV)]
    return len(shown) - len(measured(shown))


def _thinned(axes: Axes, numbers: list[int], upright: bool) -> list[str]:
    """Returns the labels of ascending ticks, empty where the next one leaves no room; the last one stays."""
    low, high = np.log(axes.get_xlim())
    wide_mm = axes.get_position().width * style.size_mm(axes.get_figure())[0]  # type: ignore[arg-type]
    labels, free_mm = [], np.inf
    for number in reversed(numbers):
        half_mm = (UPRIGHT_MM if upright else style.text_width_mm(f"{number:,}") + 1.2) / 2
        place_mm = float(np.log(number)) * wide_mm / (high - low)
        fits = place_mm + half_mm <= free_mm
        free_mm = place_mm - half_mm if fits else free_mm
        labels.append(f"{number:,}" if fits else "")
    return labels[::-1]


def draw_cycles(axes: Axes, table: pd.DataFrame, upright: bool) -> None:
    """Draws next-k-mer accuracy against merge cycles, the chosen number marked; counts of bases dotted."""
    known, split = measured(table), split_of(table)
    own = known[known["split"] == split]
    counts = (table["split"] == split) & (table["cycles"] == vocabulary.MARKOV) & (table["accuracy"] > 0)
    vocabulary.draw_accuracies(axes, own, table[counts])
    if (known["split"] == vocabulary.VALIDATION).any():
        axes.axvline(vocabulary.chosen_cycles(known), color=palette.PALE, linewidth=3, zorder=0)
    numbers = sorted({int(number) for number in own["cycles"]})
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(numbers))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(_thinned(axes, numbers, upright), rotation=90 if upright else 0)
    axes.set(xlabel="Merge cycles", ylabel="Accuracy")
    if lost := lost_values(table):
        place = {"ha": "right", "va": "bottom", "transform": axes.transAxes}
        axes.text(1, 1.01, f"no value: {lost}", fontsize=style.SMALL_PT, color=palette.MUTED, **place)


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


def draw_regions(
    figure: Figure,
    axes: Axes,
    windows: pd.DataFrame,
    at_mm: tuple[style.Length, style.Length],
    columns: int,
) -> None:
    """Draws windows of the genome by class, in random order; the key's top left corner lies at `at_mm`."""
    method = "t-SNE " if len(windows) >= projection.MIN_TSNE else "PC"
    windows = windows.dropna(subset=["x", "y", "overlaps"])
    order = np.random.default_rng(embedding_map.ORDER_SEED).permutation(len(windows))
    shown, counts = windows.iloc[order], windows["overlaps"].value_counts()
    colours = {name: embedding_map.COLOURS.get(name, palette.INK) for name in counts.index}
    area = float(np.clip(1500 / len(windows), 1.2, 8))
    axes.scatter(
        shown["x"], shown["y"], s=area, c=[colours[name] for name in shown["overlaps"]], linewidths=0,
        alpha=0.8, rasterized=len(shown) > MANY,
    )  # fmt: skip
    axes.set(xticks=[], yticks=[])
    axes.margins(0.04)
    axes.set(xlabel=f"{method}1", ylabel=f"{method}2")
    present = [name for name in embedding_map.COLOURS if name in colours]
    present += sorted(set(colours) - set(present))
    handles = [
        axes.scatter([], [], s=12, color=colours[name], linewidths=0, label=f"{name}\nn = {counts[name]:,}")
        for name in present
    ]
    across, down = style.size_mm(figure)
    place = (at_mm[0] / across, 1 - at_mm[1] / down)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=place, ncols=columns, labelspacing=0.7,
        handletextpad=0.2, columnspacing=0.8,
    )  # fmt: skip
