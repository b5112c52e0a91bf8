"""Scores per element beside the SegmentNT paper's: MCC with the published models, auPRC with base rates."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import layout, palette, style
from dnalm.figures.benchmark_rows import lowest
from dnalm.figures.papers import segment_marks
from dnalm.figures.papers.panels import write_title
from dnalm.figures.papers.segment_data import find_element
from dnalm.figures.papers.segment_marks import BAR_MM, LANE_MM, LEGEND_MM, MARK_MM
from dnalm.figures.papers.segment_scores import describe

TOP_MM, HEAD_MM, AXIS_MM, LABEL_MM = 1.5, 7.0, 9.5, 26.0
LEAST_ROW_MM, BASE_MM, COUNT_MM, BETWEEN_MM = 4.2, 14.0, 14.0, 6.0


def plot_metrics(table: pd.DataFrame, model: str, note: str = "", width_mm: float = style.PAGE_MM) -> Figure:
    """Draws MCC per element with the published models (a), and auPRC beside its base rate (b).

    Side by side as wide as a page; in a column (b) stands below, for the scored elements alone.

    Args:
        table: segment_scores.DRAWN_COLUMNS (see `gather` there).
        model: name of the scored model.
        note: put before what the figure itself says in the line below it.
    """
    note = " ".join(filter(None, [note, describe(table, model)]))
    stacked = layout.is_narrow(width_mm)
    with style.applied():
        room_mm = width_mm - LABEL_MM - BASE_MM - COUNT_MM - 2
        a_mm = width_mm - LABEL_MM - 6 if stacked else (room_mm - BETWEEN_MM) * 0.66
        second = table[table["scored"]] if stacked else table
        row_mm = segment_marks.row_height_mm(table, MARK_MM * (1 - _lowest(table)) / a_mm)
        lower_mm = LEAST_ROW_MM if stacked else row_mm
        lines = segment_marks.legend_lines(model, table, width_mm - 4)
        first_mm = TOP_MM + LEGEND_MM * len(lines) + 1.5 + HEAD_MM
        tall_mm, low_mm = row_mm * max(len(table), 1), lower_mm * max(len(second), 1)
        end_mm = first_mm + tall_mm + AXIS_MM
        total_mm = end_mm + (HEAD_MM + low_mm + AXIS_MM if stacked else 0.0)
        figure = style.new_figure(width_mm, total_mm + style.note_height_mm(note, width_mm))
        segment_marks.draw_legend(
            figure, lines, TOP_MM, set(table.loc[table["comparable"], "published_model"])
        )
        axes = style.add_axes(figure, LABEL_MM, first_mm, a_mm, tall_mm)
        _draw_mcc(axes, table, row_mm, a_mm)
        write_title(figure, 1.0, first_mm - HEAD_MM + 1, "a", "MCC, published values below the bar")
        if stacked:
            axes = style.add_axes(figure, LABEL_MM, end_mm + HEAD_MM, room_mm, low_mm)
            write_title(figure, 1.0, end_mm + 1, "b", "auPRC and base rate")
        else:
            left_mm = LABEL_MM + a_mm + BETWEEN_MM
            axes = style.add_axes(figure, left_mm, first_mm, room_mm - BETWEEN_MM - a_mm, low_mm)
            write_title(figure, left_mm - 4, first_mm - HEAD_MM + 1, "b", "auPRC and base rate")
        _draw_auprc(axes, second, lower_mm)
        if not stacked:
            axes.set_yticklabels([])
        style.add_note(figure, note)
    return figure


def _write(axes: Axes, x: float, y: float, text: str, colour: str = palette.INK) -> None:
    axes.annotate(
        text.replace("-", palette.MINUS), (x, y), xytext=(2.5, 0), textcoords="offset points", va="center",
        fontsize=style.SMALL_PT, color=colour, annotation_clip=False,
    )  # fmt: skip


def _draw_bar(axes: Axes, y: float, row: pd.Series, score: str, sd: float) -> None:
    """Draws our score with whiskers of 2 s.d., or says that there is none."""
    if not row["scored"] or not np.isfinite(row[score]):
        _write(axes, 0.0, y, "no value" if row["scored"] else "not scored", palette.MUTED)
        return
    value = float(row[score])
    axes.barh(y, value, height=BAR_MM, color=palette.BLUE, linewidth=0, zorder=2)
    ends = [value - 2 * sd, value + 2 * sd] if np.isfinite(sd) else [value, value]
    if np.isfinite(sd):
        axes.plot(ends, [y, y], color=palette.INK, linewidth=0.7, solid_capstyle="butt", zorder=3)
        caps = {"marker": "|", "markersize": 3.0, "markeredgewidth": 0.7, "linestyle": "none"}
        axes.plot(ends, [y, y], color=palette.INK, zorder=3, **caps)
    _write(axes, max(ends[1], 0.0), y, f"{value:.2f}")


def _finish(axes: Axes, table: pd.DataFrame, row_mm: float, name: str, low: float) -> None:
    axes.set(xlim=(low, 1), ylim=(max(len(table), 1) * row_mm, 0), xlabel=name)
    axes.set_yticks(
        (np.arange(len(table)) + 0.5) * row_mm, [find_element(feature).label for feature in table["feature"]]
    )
    axes.tick_params(axis="y", length=0, pad=4)  # marks at 0 reach beyond the axis
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=palette.PALE, linewidth=0.4)
    for place in range(1, len(table)):
        axes.axhline(place * row_mm, color=palette.PALE, linewidth=0.4)
    axes.axvline(0, color=palette.INK, linewidth=0.5, zorder=3)


def _draw_mcc(axes: Axes, table: pd.DataFrame, row_mm: float, mm_wide: float) -> None:
    low = _lowest(table)
    apart = MARK_MM * (1 - low) / mm_wide
    for place, (_, row) in enumerate(table.iterrows()):
        marks = segment_marks.find_marks(row, apart)
        y = (place + 0.5) * row_mm - LANE_MM * segment_marks.count_lanes(marks) / 2
        _draw_bar(axes, y, row, "mcc", float(row["mcc_sd"]))
        for model, value, lane in marks:
            down = BAR_MM / 2 + (lane + 0.75) * LANE_MM
            segment_marks.draw_mark(
                axes, value, y + down, model, row["comparable"] and row["published_model"] == model
            )
    _finish(axes, table, row_mm, "MCC", low)


def _lowest(table: pd.DataFrame) -> float:
    """Returns where the axis of MCC begins."""
    return lowest(pd.DataFrame({"mean": table["mcc"], "sd2": 2 * table["mcc_sd"]}))


def _draw_auprc(axes: Axes, table: pd.DataFrame, row_mm: float) -> None:
    """Draws auPRC as bars, the base rate as a tick, and base rates and positives as columns on the right."""
    for place, (_, row) in enumerate(table.iterrows()):
        y = (place + 0.5) * row_mm
        _draw_bar(axes, y, row, "auprc", np.nan)
        if not row["scored"]:
            continue
        if pd.notna(row["base_rate"]):
            rate, span = float(row["base_rate"]), [y - BAR_MM / 2 - 0.5, y + BAR_MM / 2 + 0.5]
            axes.plot([rate, rate], span, color=palette.VERMILLION, linewidth=1.0, zorder=4, clip_on=False)
            _write_column(axes, y, f"{100 * rate:.2g} %", BASE_MM)
        if pd.notna(row["positives"]):
            _write_column(axes, y, f"{row['positives']:,}", BASE_MM + COUNT_MM)
    if table.empty:
        _write(axes, 0.0, row_mm / 2, "no element was scored", palette.MUTED)
    for text, right_mm in (("Base rate", BASE_MM), ("Positives", BASE_MM + COUNT_MM)):
        _write_column(axes, -2.0, text, right_mm, color=palette.MUTED)
    _finish(axes, table, row_mm, "auPRC", 0.0)


def _write_column(axes: Axes, y: float, text: str, right_mm: float, **look: object) -> None:
    axes.annotate(
        text, (1, y), xycoords=("axes fraction", "data"), xytext=(right_mm * style.POINTS_PER_MM, 0),
        textcoords="offset points", ha="right", va="center", fontsize=style.SMALL_PT, annotation_clip=False,
        **look,
    )  # fmt: skip
