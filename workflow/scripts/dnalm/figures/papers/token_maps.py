"""Panels of maps: a vocabulary's input embeddings, and windows of a genome by class."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.figures import embedding_map, palette, projection, style
from dnalm.figures.papers import panels
from dnalm.figures.papers.token_usage import MANY, PERCENT


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
    look = {"labelspacing": 0.7, "handletextpad": 0.2, "columnspacing": 0.8}
    panels.add_key(figure, handles, *at_mm, ncols=columns, **look)
