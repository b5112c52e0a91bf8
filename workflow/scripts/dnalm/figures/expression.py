"""The expression figure: observed against predicted as a density, and R2 of every set of features."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dnalm.errors import UserError
from dnalm.figures import density, layout, score_panel, style
from dnalm.figures.palette import MINUS
from dnalm.figures.tables import feature_label, feature_order, layer_text

# unit of the table -> what its values have become, for the axes
SCALES = {"log2": "log2", "counts": "log2(CPM + 1)", "cpm": "log2(CPM + 1)", "tpm": "log2(TPM + 1)"}
SQUARE_MM, LEFT_MM, TOP_MM, BOTTOM_MM = 56.0, 12.0, 8.0, 11.0
SECOND_MM = 76.0  # where panel b begins
STACKED_SQUARE_MM = 62.0  # at most, where panel b is below


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


def _draw_genes(axes: Axes, predictions: pd.DataFrame, score: pd.Series | None, scale: str) -> None:
    """Draws panel a: the genes, n and both scores."""
    density.draw_density(
        axes, predictions["predicted"].to_numpy(float), predictions["observed"].to_numpy(float)
    )
    axes.set(xlabel=f"Predicted expression ({scale})", ylabel=f"Observed expression ({scale})")
    lines = [f"n = {len(predictions):,}"]
    if score is not None:
        lines += [f"r² = {score['r2_pearson']:.3f}", f"R² = {score['R2_pooled']:.3f}"]
    text = "\n".join(lines).replace("-", MINUS)
    axes.text(0.04, 0.97, text, transform=axes.transAxes, va="top", linespacing=1.35)


def _write_title(figure: Figure, left_mm: style.Length, top_mm: style.Length, letter: str, text: str) -> None:
    style.panel_letter(figure, left_mm, top_mm + 1.5, letter)
    style.write_at(figure, left_mm + 4, top_mm + 1.7, text)


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
    pair = (str(predictions["features"].iloc[0]), layer_text(predictions["layer"].iloc[0]))
    metrics = metrics[metrics["value_column"] == predictions["value_column"].iloc[0]]
    note += f" {score_panel.legend(metrics)} {density.legend(len(predictions))}"
    stacked = layout.is_narrow(width_mm)
    side_mm = min(STACKED_SQUARE_MM, width_mm - LEFT_MM - 4) if stacked else SQUARE_MM
    first_mm = TOP_MM + side_mm + BOTTOM_MM
    across_mm, down_mm = (0.0, first_mm) if stacked else (SECOND_MM, 0.0)  # where panel b begins
    with style.applied():
        panels_mm = max(first_mm, score_panel.plan(metrics, across_mm, width_mm, down_mm).end_mm)
        figure = style.new_figure(width_mm, panels_mm + style.note_height_mm(note, width_mm))
        axes = style.add_axes(figure, LEFT_MM, TOP_MM, side_mm, side_mm)
        score = score_panel.find_row(metrics, pair, "all", "grouped")
        _draw_genes(axes, predictions, score, SCALES.get(unit, unit))
        _write_title(figure, 1, 0, "a", feature_label(*pair))
        _write_title(figure, max(across_mm, 1), down_mm, "b", "Variance explained out of fold")
        if score_panel.draw_scores(figure, metrics, across_mm, width_mm, down_mm):
            style.log.warning("expression: a value is missing and drawn as a gap")
        style.add_note(figure, note)
    return figure
