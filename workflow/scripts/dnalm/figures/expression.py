"""The expression figure: observed against predicted as a density, and R2 of every set of features."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from dnalm.errors import UserError
from dnalm.figures import palette, style
from dnalm.figures.density import SHARES, draw_density
from dnalm.figures.tables import feature_colours, feature_label, feature_order, layer_text

# unit of the table -> what its values have become, for the axes
SCALES = {"log2": "log2", "counts": "log2(CPM + 1)", "cpm": "log2(CPM + 1)", "tpm": "log2(TPM + 1)"}
SUBSETS = {"all": "All genes", "expressed": "Expressed genes", "held_out": "Held-out region"}
SQUARE_MM, LEFT_MM, TOP_MM, BOTTOM_MM = 56.0, 12.0, 8.0, 11.0
SECOND_MM, RIGHT_MM, FACET_GAP_MM, FACET_TOP_MM, LEGEND_MM = 76.0, 4.0, 4.5, 12.0, 15.0
ROW_MM, MAX_FACET_MM = 9.5, 60.0
LOWEST_R2 = -1.0  # marks further left stand at the edge, with their value
MARKS = {
    "mean": {"marker": "o", "markersize": 3.6},
    "pooled": {"marker": "|", "markersize": 7.0, "markeredgewidth": 1.0},
    "random": {"marker": "o", "markersize": 3.6, "markerfacecolor": "white", "markeredgewidth": 0.6},
}


def choose(
    predictions: pd.DataFrame,
    value_column: str | None = None,
    features: str | None = None,
    layer: str | None = None,
) -> pd.DataFrame:
    """Returns the predictions of one value column, set of features and layer.

    By default the first value column, the first model (not a baseline) and its deepest layer: none of these
    looks at how well anything predicts.

    Raises:
        UserError: what was asked for is not in the table.
    """
    layers = predictions["layer"].map(layer_text)
    pairs = feature_order(predictions)
    features = features or pairs[0][0]
    if layer is None:
        layer = next((pair[1] for pair in reversed(pairs) if pair[0] == features), "")
    value_column = value_column or str(predictions["value_column"].iloc[0])
    chosen = predictions[
        (predictions["value_column"] == value_column)
        & (predictions["features"] == features)
        & (layers == layer)
    ]
    if chosen.empty:
        known = ", ".join(feature_label(*pair) for pair in pairs)
        raise UserError(
            f"{value_column}, {feature_label(features, layer)}", f"no predictions (the table has {known})",
            "Name features and layer as in the table.",
        )  # fmt: skip
    chosen = chosen.dropna(subset=["observed", "predicted"])
    if chosen.empty:
        raise UserError(
            f"{value_column}, {feature_label(features, layer)}",
            "no gene has both an observed and a predicted value",
            "Check the expression table's column.",
        )
    return chosen


def _cell(metrics: pd.DataFrame, pair: tuple[str, str], subset: str, folds: str) -> pd.Series | None:
    rows = metrics[
        (metrics["features"] == pair[0])
        & (metrics["layer"].map(layer_text) == pair[1])
        & (metrics["subset"] == subset)
        & (metrics["folds"] == folds)
    ]
    return None if rows.empty else rows.iloc[0]


def _draw_cell(
    axes: Axes, metrics: pd.DataFrame, pair: tuple[str, str], subset: str, y: int, colour: str
) -> bool:
    """Draws one set of features' R2; returns whether a value is missing or could not be drawn."""
    grouped, random = (_cell(metrics, pair, subset, folds) for folds in ("grouped", "random"))
    if random is not None and np.isfinite(random["R2_mean"]):
        axes.plot(max(random["R2_mean"], LOWEST_R2), y + 0.24, color=colour, linestyle="", **MARKS["random"])
    if grouped is None or not np.isfinite(grouped["R2_pooled"]):
        axes.text(0.02, y, "no value", fontsize=style.SMALL_PT, color=palette.MUTED, va="center", ha="left")
        return True
    axes.plot(max(grouped["R2_pooled"], LOWEST_R2), y, color=colour, linestyle="", **MARKS["pooled"])
    if not np.isfinite(grouped["R2_mean"]):
        return True
    spread = grouped["R2_2sd"] if np.isfinite(grouped["R2_2sd"]) else 0.0
    left, right = (max(grouped["R2_mean"] + side * spread, LOWEST_R2) for side in (-1, 1))
    axes.plot([left, right], [y, y], color=colour, linewidth=0.9, solid_capstyle="butt")
    axes.plot(max(grouped["R2_mean"], LOWEST_R2), y, color=colour, linestyle="", **MARKS["mean"])
    return False


def _facet_title(metrics: pd.DataFrame, subset: str) -> str:
    rows = metrics[(metrics["subset"] == subset) & (metrics["folds"] == "grouped")]
    count = f"n = {int(rows['n'].iloc[0]):,}" if len(rows) else "no genes"
    return f"{SUBSETS.get(subset, subset)}\n{count}"


def _limits(metrics: pd.DataFrame) -> tuple[float, float]:
    spread = metrics["R2_2sd"].where(metrics["folds"] == "grouped", 0.0).fillna(0.0)
    ends = pd.concat([metrics["R2_mean"] - spread, metrics["R2_mean"] + spread, metrics["R2_pooled"]])
    low, high = min(0.0, ends.min(skipna=True)), max(0.1, ends.max(skipna=True))
    low = max(low, LOWEST_R2)
    return low - 0.04 * (high - low), high + 0.06 * (high - low)


def _draw_scores(figure: Figure, metrics: pd.DataFrame, width_mm: float) -> bool:
    """Draws panel b, one facet per subset of genes; returns whether a value is missing."""
    pairs = feature_order(metrics)
    colours = feature_colours(pairs)
    subsets = [subset for subset in SUBSETS if (metrics["subset"] == subset).any()]
    labels = [feature_label(*pair) for pair in pairs]
    left_mm = SECOND_MM + 4.0 + max(style.text_width_mm(label) for label in labels)
    facet_mm = (width_mm - RIGHT_MM - left_mm - FACET_GAP_MM * (len(subsets) - 1)) / len(subsets)
    tall_mm = min(MAX_FACET_MM, ROW_MM * len(pairs))
    missing = False
    for place, subset in enumerate(subsets):
        axes = style.add_axes(
            figure, left_mm + place * (facet_mm + FACET_GAP_MM), FACET_TOP_MM, facet_mm, tall_mm
        )
        axes.axvline(0, color=palette.PALE, linewidth=0.6, zorder=0)
        for y, pair in enumerate(pairs):
            missing |= _draw_cell(axes, metrics, pair, subset, y, colours[pair])
        axes.set(xlim=_limits(metrics), ylim=(len(pairs) - 0.5, -0.5))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_title(_facet_title(metrics, subset), fontsize=style.SMALL_PT)
        axes.set_yticks(range(len(pairs)), labels if place == 0 else [""] * len(pairs))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel("R²")
    _draw_key(figure, left_mm, FACET_TOP_MM + tall_mm + LEGEND_MM - 4.0)
    return missing


def _draw_key(figure: Figure, left_mm: float, top_mm: float) -> None:
    across, down = style.size_mm(figure)
    names = {
        "mean": "mean over folds ± 2 s.d.",
        "pooled": "all folds pooled",
        "random": "mean over random folds (comparison only)",
    }
    handles = [
        Line2D(
            [],
            [],
            color=palette.MUTED,
            linestyle="-" if name == "mean" else "",
            linewidth=0.9,
            label=label,
            **MARKS[name],
        )
        for name, label in names.items()
    ]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(left_mm / across, 1 - top_mm / down), ncols=1,
        labelspacing=0.5,
    )  # fmt: skip


def plot_expression(
    predictions: pd.DataFrame,
    metrics: pd.DataFrame,
    note: str,
    unit: str = "log2",
    width_mm: float = style.PAGE_MM,
) -> Figure:
    """Draws observed against predicted expression (a) and R2 per set of features (b).

    Args:
        predictions: of one value column, set of features and layer (see `choose`).
        metrics: tables.EXPRESSION_COLUMNS; rows of other value columns are left out.
        note: model, regression and folds, for the line below the figure.
        unit: of the expression table (counts, cpm, tpm, log2), or a label of its own, for the axes.
    """
    scale = SCALES.get(unit, unit)
    pair = (str(predictions["features"].iloc[0]), layer_text(predictions["layer"].iloc[0]))
    metrics = metrics[metrics["value_column"] == predictions["value_column"].iloc[0]]
    shares = ", ".join(f"{share:.0%}" for share in sorted(SHARES))
    note += " Whiskers: ± 2 s.d. over folds. "
    note += f"Contours hold {shares} of genes, dots are genes outside; dotted line: identity."
    with style.applied():
        rows_mm = FACET_TOP_MM + min(MAX_FACET_MM, ROW_MM * len(feature_order(metrics))) + LEGEND_MM + 6
        note_mm = style.note_height_mm(note, width_mm)
        height_mm = max(TOP_MM + SQUARE_MM + BOTTOM_MM, rows_mm) + note_mm
        figure = style.new_figure(width_mm, height_mm)
        axes = style.add_axes(figure, LEFT_MM, TOP_MM, SQUARE_MM, SQUARE_MM)
        draw_density(axes, predictions["predicted"].to_numpy(float), predictions["observed"].to_numpy(float))
        axes.set(xlabel=f"Predicted expression ({scale})", ylabel=f"Observed expression ({scale})")
        score = _cell(metrics, pair, "all", "grouped")
        lines = [f"n = {len(predictions):,}"]
        if score is not None:
            lines += [f"r² = {score['r2_pearson']:.3f}", f"R² = {score['R2_pooled']:.3f}"]
        axes.text(0.04, 0.97, "\n".join(lines), transform=axes.transAxes, va="top", linespacing=1.35)
        style.panel_letter(figure, 1, 1.5, "a")
        style.write_at(figure, 5, 1.7, feature_label(*pair))
        style.panel_letter(figure, SECOND_MM, 1.5, "b")
        style.write_at(figure, SECOND_MM + 4, 1.7, "Variance explained out of fold")
        if _draw_scores(figure, metrics, width_mm):
            style.log.warning("expression: a value is missing and drawn as a gap")
        style.add_note(figure, note)
    return figure
