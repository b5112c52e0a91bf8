"""R2 of every set of features, one facet per subset of genes, in every kind of folds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dnalm.figures import layout, palette, style
from dnalm.figures.tables import feature_colours, feature_label, feature_order, layer_text

SUBSETS = {"all": "All genes", "expressed": "Expressed genes", "held_out": "Held-out region"}
RIGHT_MM, FACET_GAP_MM, TOP_MM, AXIS_MM, KEY_MM = 4.0, 4.5, 12.0, 11.0, 10.0
ROW_MM, MOST_MM = 9.5, 60.0  # per set of features, and of a facet
STACK_ROW_MM, STACK_MM = 5.5, 90.0  # facets below each other: of a row, and of all rows together
STACK_TOP_MM, STACK_TITLE_MM, LABEL_LEFT_MM = 4.5, 5.5, 4.0
TICK_MM = 7.0  # at least from tick to tick: room for a label such as 0.25
STACK_LABEL_SHARE, LABEL_SHARE = 0.45, 0.4  # of the panel's width, that labels may take
LOWEST_R2 = -1.0  # what lies further left is an arrowhead at the edge
MARKS = {
    "mean": {"marker": "o", "markersize": 3.6},
    "pooled": {"marker": "|", "markersize": 7.0, "markeredgewidth": 1.0},
    "random": {"marker": "o", "markersize": 3.6, "markerfacecolor": "white", "markeredgewidth": 0.6},
}


@dataclass(frozen=True)
class Plan:
    """Where panel b's parts lie, in mm from the figure's top left corner."""

    labels: list[str]
    facets: dict[str, tuple[float, float, float, float]]  # subset -> left, top, width, height
    key: tuple[float, float]
    end_mm: float


def plan(metrics: pd.DataFrame, start_mm: float, width_mm: float, top_mm: float = 0.0) -> Plan:
    """Plans panel b: facets beside each other, below each other in a narrow figure."""
    subsets = [subset for subset in SUBSETS if (metrics["subset"] == subset).any()]
    if not subsets:
        return Plan([], {}, (start_mm, top_mm), top_mm + TOP_MM)
    stacked = layout.is_narrow(width_mm)
    room_mm = (width_mm - start_mm) * (STACK_LABEL_SHARE if stacked else LABEL_SHARE)
    labels = [layout.break_label(feature_label(*pair), room_mm) for pair in feature_order(metrics)]
    left_mm = start_mm + LABEL_LEFT_MM + layout.widest_mm(labels)
    if stacked:
        return _stack(labels, subsets, left_mm, top_mm, width_mm - RIGHT_MM - left_mm)
    wide_mm = (width_mm - RIGHT_MM - left_mm - FACET_GAP_MM * (len(subsets) - 1)) / len(subsets)
    tall_mm = max(min(MOST_MM, ROW_MM * len(labels)), layout.label_height_mm(labels) * len(labels))
    top_mm += TOP_MM
    places = [left_mm + place * (wide_mm + FACET_GAP_MM) for place in range(len(subsets))]
    facets = {name: (x, top_mm, wide_mm, tall_mm) for name, x in zip(subsets, places, strict=True)}
    key_mm = top_mm + tall_mm + AXIS_MM
    return Plan(labels, facets, (left_mm, key_mm), key_mm + KEY_MM)


def _stack(labels: list[str], subsets: list[str], left_mm: float, top_mm: float, wide_mm: float) -> Plan:
    row_mm = min(STACK_ROW_MM, STACK_MM / (len(labels) * len(subsets)))
    tall_mm = len(labels) * max(row_mm, layout.label_height_mm(labels))
    facets = {}
    for place, subset in enumerate(subsets):
        down_mm = top_mm + STACK_TOP_MM + place * tall_mm + (place + 1) * STACK_TITLE_MM
        facets[subset] = (left_mm, down_mm, wide_mm, tall_mm)
    key_mm = down_mm + tall_mm + AXIS_MM
    return Plan(labels, facets, (LABEL_LEFT_MM, key_mm), key_mm + KEY_MM)


def find_row(metrics: pd.DataFrame, pair: tuple[str, str], subset: str, folds: str) -> pd.Series | None:
    """Returns the scores of a set of features on a subset of genes, None where there are none."""
    rows = metrics[
        (metrics["features"] == pair[0])
        & (metrics["layer"].map(layer_text) == pair[1])
        & (metrics["subset"] == subset)
        & (metrics["folds"] == folds)
    ]
    return None if rows.empty else rows.iloc[0]


def _draw_mark(axes: Axes, value: float, y: float, colour: str, kind: str) -> None:
    mark = MARKS[kind] if value >= LOWEST_R2 else {**MARKS[kind], "marker": "<", "markersize": 3.6}
    axes.plot(max(value, LOWEST_R2), y, color=colour, linestyle="", **mark)


def _draw_cell(
    axes: Axes, metrics: pd.DataFrame, pair: tuple[str, str], subset: str, y: int, colour: str
) -> bool:
    """Draws one set of features' R2; returns whether a value is missing."""
    grouped, random = (find_row(metrics, pair, subset, folds) for folds in ("grouped", "random"))
    if random is not None and np.isfinite(random["R2_mean"]):
        _draw_mark(axes, float(random["R2_mean"]), y + 0.24, colour, "random")
    if grouped is None or not np.isfinite(grouped["R2_pooled"]):
        axes.text(0.02, y, "no value", fontsize=style.SMALL_PT, color=palette.MUTED, va="center", ha="left")
        return True
    _draw_mark(axes, float(grouped["R2_pooled"]), float(y), colour, "pooled")
    if not np.isfinite(grouped["R2_mean"]):
        return True
    spread = grouped["R2_2sd"] if np.isfinite(grouped["R2_2sd"]) else 0.0
    ends = [max(grouped["R2_mean"] + side * spread, LOWEST_R2) for side in (-1, 1)]
    axes.plot(ends, [y, y], color=colour, linewidth=0.9, solid_capstyle="butt")
    _draw_mark(axes, float(grouped["R2_mean"]), float(y), colour, "mean")
    return False


def legend(metrics: pd.DataFrame) -> str:
    """Says what whiskers are, and arrowheads where there are any."""
    low = metrics[["R2_mean", "R2_pooled"]].min(axis=None)
    arrows = (
        f" Arrowheads: R² below {palette.MINUS}{-LOWEST_R2:.0f}, see the table." if low < LOWEST_R2 else ""
    )
    return f"Whiskers: ± 2 s.d. over folds.{arrows}"


def _facet_title(metrics: pd.DataFrame, subset: str, between: str) -> str:
    rows = metrics[(metrics["subset"] == subset) & (metrics["folds"] == "grouped")]
    count = f"n = {int(rows['n'].iloc[0]):,}" if len(rows) else "no genes"
    return f"{SUBSETS.get(subset, subset)}{between}{count}"


def _limits(metrics: pd.DataFrame) -> tuple[float, float]:
    spread = metrics["R2_2sd"].where(metrics["folds"] == "grouped", 0.0).fillna(0.0)
    ends = pd.concat([metrics["R2_mean"] - spread, metrics["R2_mean"] + spread, metrics["R2_pooled"]])
    low, high = min(0.0, ends.min(skipna=True)), max(0.1, ends.max(skipna=True))
    low = max(low, LOWEST_R2)
    return low - 0.04 * (high - low), high + 0.06 * (high - low)


def draw_scores(
    figure: Figure, metrics: pd.DataFrame, start_mm: float, width_mm: float, top_mm: float = 0.0
) -> bool:
    """Draws panel b, one facet per subset of genes; returns whether a value is missing."""
    pairs = feature_order(metrics)
    colours = feature_colours(pairs)
    planned, stacked = plan(metrics, start_mm, width_mm, top_mm), layout.is_narrow(width_mm)
    if not planned.facets:
        nothing = {"fontsize": style.SMALL_PT, "color": palette.MUTED}
        style.write_at(figure, start_mm + LABEL_LEFT_MM, top_mm + TOP_MM / 2, "no value", **nothing)
        return True
    missing = False
    for place, (subset, box) in enumerate(planned.facets.items()):
        axes = style.add_axes(figure, *box)
        axes.axvline(0, color=palette.PALE, linewidth=0.6, zorder=0)
        for y, pair in enumerate(pairs):
            missing |= _draw_cell(axes, metrics, pair, subset, y, colours[pair])
        axes.set(xlim=_limits(metrics), ylim=(len(pairs) - 0.5, -0.5))
        axes.xaxis.set_major_locator(MaxNLocator(max(1, min(5 if stacked else 4, int(box[2] / TICK_MM)))))
        axes.set_title(_facet_title(metrics, subset, ", " if stacked else "\n"), fontsize=style.SMALL_PT)
        axes.set_yticks(range(len(pairs)), planned.labels if stacked or place == 0 else [""] * len(pairs))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        if stacked and place < len(planned.facets) - 1:
            axes.tick_params(axis="x", labelbottom=False)
        else:
            axes.set_xlabel("R²")
    _draw_key(figure, *planned.key)
    return missing


def _draw_key(figure: Figure, left_mm: float, top_mm: float) -> None:
    across, down = style.size_mm(figure)
    names = {
        "mean": "mean over folds ± 2 s.d.",
        "pooled": "all folds pooled",
        "random": "mean over random folds (comparison only)",
    }
    line = {"color": palette.MUTED, "linewidth": 0.9}
    handles = [
        Line2D([], [], linestyle="-" if name == "mean" else "", label=label, **line, **MARKS[name])
        for name, label in names.items()
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(left_mm / across, 1 - top_mm / down), ncols=1,
        labelspacing=0.5,
    )  # fmt: skip
