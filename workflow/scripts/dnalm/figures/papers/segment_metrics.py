"""Scores per element beside the SegmentNT paper's: MCC with the published models, auPRC with base rates."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from dnalm.figures import palette, style
from dnalm.figures.papers.segment_data import PUBLISHED, find_element
from dnalm.figures.tables import METRIC_COLUMNS, PUBLISHED_COLUMNS, read_table
from dnalm.files import require_file
from dnalm.segmentation.published import TABLE, read_published

# Models of the SegmentNT paper (de Almeida et al. 2025, Supplementary Table 2) and their marks.
MARKERS = {
    "SegmentNT-10kb": "v", "SegmentNT-20kb": "s", "SegmentNT-30kb": "o",
    "SegmentEnformer-30kb": "D", "SegmentEnformer-196kb": "^",
}  # fmt: skip
SOURCE_COLUMNS = ("species", "test_set", "source")
SCORES, COUNTS = ("mcc", "mcc_sd", "auprc", "base_rate"), ("positives", "n_bases", "samplings")
OWN_COLUMNS = ("feature", *SCORES, *COUNTS, "labels", "threshold")
DRAWN_COLUMNS = (*OWN_COLUMNS, "scored", "published_model", "comparable", "reason", *MARKERS)
COMPARABLE, OTHERWISE = palette.INK, "#A3A3A3"  # edges of published marks
TOP_MM, HEAD_MM, AXIS_MM, LEGEND_MM, LABEL_MM = 1.5, 7.0, 9.5, 3.6, 26.0
BAR_MM, LANE_MM, PAD_MM, MARK_MM = 2.0, 1.25, 0.8, 1.15  # of a row: bar, lanes of marks, rims; a mark's width
LEAST_ROW_MM, BASE_MM, COUNT_MM, BETWEEN_MM = 4.2, 14.0, 14.0, 6.0
MARK_PT = 2.8


def _read(path: str | Path, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Reads a table as `read_table` does, but one of a head alone is an empty table."""
    with open(require_file(path, what), encoding="utf-8") as handle:
        lines = list(islice(handle, 2))
    return read_table(path, columns, what) if len(lines) > 1 else pd.DataFrame(columns=list(columns))


def gather(metrics: str | Path, beside: str | Path) -> pd.DataFrame:
    """Returns DRAWN_COLUMNS, one row per scored or published element, in the paper's order; warns of gaps.

    Args:
        metrics: R.metrics.tsv.
        beside: R.beside_published.tsv.

    Raises:
        UserError: a table is missing or lacks a column.
    """
    own = _read(metrics, METRIC_COLUMNS, "table of metrics")[list(OWN_COLUMNS)].assign(scored=True)
    claims = _read(beside, PUBLISHED_COLUMNS, "table of published scores")
    order = [element.feature for element in PUBLISHED]
    order += [feature for feature in own["feature"] if feature not in order]
    table = own.set_index("feature").reindex(order).rename_axis("feature").reset_index()
    table = table.astype(dict.fromkeys(SCORES, float) | dict.fromkeys(COUNTS, "Int64"))
    table["scored"] = table["feature"].isin(own["feature"])
    claims = claims.drop_duplicates("feature").set_index("feature")[
        ["published_model", "comparable", "reason"]
    ]
    table = table.join(claims, on="feature")
    table["comparable"] = table["scored"] & table["comparable"].eq("yes")
    numbers = read_published()
    for model in MARKERS:
        table[model] = [numbers.get((model, feature), np.nan) for feature in order]
    if own.empty:
        style.log.warning("segmentnt_metrics: no element was scored")
    gone = int(table.loc[table["scored"], ["mcc", "auprc"]].isna().any(axis=1).sum())
    if gone:
        style.log.warning("segmentnt_metrics: a value of %d elements is missing and drawn as a gap", gone)
    return table[list(DRAWN_COLUMNS)]


def place_marks(values: Sequence[float], apart: float) -> list[int]:
    """Gives each value the first lane where it is at least `apart` from the values before it."""
    lanes: list[list[float]] = []
    places = []
    for value in values:
        free = (place for place, lane in enumerate(lanes) if all(abs(value - x) >= apart for x in lane))
        place = next(free, len(lanes))
        lanes[place:] = [[*(lanes[place] if place < len(lanes) else []), value], *lanes[place + 1 :]]
        places.append(place)
    return places


def _marks(row: pd.Series, apart: float) -> list[tuple[str, float, int]]:
    """Returns the published marks of a row: model, MCC, lane."""
    known = [(model, float(row[model])) for model in MARKERS if np.isfinite(row[model])]
    lanes = place_marks([value for _, value in known], apart)
    return [(*mark, lane) for mark, lane in zip(known, lanes, strict=True)]


def _lanes(marks: Sequence[tuple[str, float, int]]) -> int:
    return max((lane + 1 for *_, lane in marks), default=0)


def _draw_published(axes: Axes, x: float, y: float, model: str, comparable: bool) -> None:
    axes.plot(
        [x], [y], marker=MARKERS[model], markersize=MARK_PT, markerfacecolor="none", linestyle="none",
        markeredgecolor=COMPARABLE if comparable else OTHERWISE,
        markeredgewidth=0.8 if comparable else 0.5, clip_on=False, zorder=4,
    )  # fmt: skip


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
    for place, (_, row) in enumerate(table.iterrows()):
        marks = _marks(row, MARK_MM * (1 - low) / mm_wide)
        y = (place + 0.5) * row_mm - LANE_MM * _lanes(marks) / 2
        _draw_bar(axes, y, row, "mcc", float(row["mcc_sd"]))
        for model, value, lane in marks:
            down = BAR_MM / 2 + (lane + 0.75) * LANE_MM
            _draw_published(
                axes, value, y + down, model, row["comparable"] and row["published_model"] == model
            )
    _finish(axes, table, row_mm, "MCC", low)


def _lowest(table: pd.DataFrame) -> float:
    """Returns where the axis of MCC begins: 0, or lower where a whisker is."""
    least = (table["mcc"] - 2 * table["mcc_sd"].fillna(0)).min() if len(table) else 0.0
    return max(min(0.0, float(np.floor(10 * least) / 10)), -1.0) if np.isfinite(least) else 0.0


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


def _legend_lines(model: str, table: pd.DataFrame, room_mm: float) -> list[list[tuple[str, str]]]:
    """Returns the entries of each line of the legend: the published model ("" for ours), and its name."""
    entries = [("", model or "this run")]
    entries += [(name, name) for name in MARKERS if table[name].notna().any()]
    lines: list[list[tuple[str, str]]] = [[]]
    used = 0.0
    for entry in entries:
        need = 7.0 + style.text_width_mm(entry[1])
        if used + need > room_mm and lines[-1]:
            lines.append([])
            used = 0.0
        lines[-1].append(entry)
        used += need
    return lines


def _draw_legend(figure: Figure, lines: list[list[tuple[str, str]]], width_mm: float, dark: set[str]) -> None:
    tall_mm = LEGEND_MM * len(lines)
    axes = style.add_axes(figure, 0, TOP_MM, width_mm, tall_mm)
    axes.set(xlim=(0, width_mm), ylim=(tall_mm, 0))
    axes.axis("off")
    for number, line in enumerate(lines):
        x, y = 2.0, LEGEND_MM * (number + 0.5)
        for name, text in line:
            if name:
                _draw_published(axes, x + 1.2, y, name, name in dark)
            else:
                axes.barh(y, 2.8, left=x, height=BAR_MM, color=palette.BLUE, linewidth=0)
            axes.text(x + 3.6, y, text, fontsize=style.SMALL_PT, va="center_baseline")
            x += 7.0 + style.text_width_mm(text)


def describe(table: pd.DataFrame, model: str) -> str:
    """Returns the line below the figure: model, bases, whiskers, where published numbers are from."""
    own = table[table["scored"]]
    text = [f"Model: {model}."] if model else []
    if len(own):
        kinds = " and ".join(str(kind).replace("_", " ") for kind in dict.fromkeys(own["labels"]))
        sizes = " to ".join(f"{size:,}" for size in sorted({own["n_bases"].min(), own["n_bases"].max()}))
        text.append(f"Bars: all scored bases (n = {sizes}), labels of {kinds};")
        text.append(f"MCC of bases called from {own['threshold'].iloc[0]:g} on.")
    if own["mcc_sd"].notna().any():
        text.append(
            f"Whiskers: \u00b1 2 s.d. of {int(own['samplings'].max())} samplings with shifted window starts "
            f"(s.d. at most {own['mcc_sd'].max():.1g}); they measure the choice of bases, neither "
            "training nor sampling error."
        )
    text.append("Vermilion ticks: base rate, the auPRC of a random score.")
    if not table["scored"].all():
        text.append("Not scored: not predicted by the model, or without labels in the annotation.")
    return " ".join([*text, _published_text(table)])


def _published_text(table: pd.DataFrame) -> str:
    """Says where the hollow marks are from, and which can be compared or why not."""
    origin = read_table(TABLE, SOURCE_COLUMNS, "table of published scores").iloc[0]
    text = [f"Hollow marks: MCC in {origin['source']}; {origin['species']}, {origin['test_set']}."]
    beside = table[table["scored"] & table[list(MARKERS)].notna().any(axis=1)]
    for comparable, name in ((True, "Dark: comparable"), (False, "Pale, thin: not comparable")):
        own = beside[beside["comparable"] == comparable]
        for reason, rows in own.groupby(own["reason"].fillna("no reason given"), sort=False):
            labels = ", ".join(find_element(feature).label for feature in rows["feature"])
            text.append(f"{name}{'' if len(rows) == len(beside) else f' ({labels})'}: {reason}.")
    if beside["comparable"].any():
        text.append("Pale, too: the paper's other models, and elements not scored.")
    return " ".join(text)


def _row_mm(table: pd.DataFrame, mm_wide: float) -> float:
    """Returns the height of a row of the panel of MCC: a bar, and below it as many lanes as marks need."""
    apart = MARK_MM * (1 - _lowest(table)) / mm_wide
    lanes = [_lanes(_marks(row, apart)) for _, row in table.iterrows()]
    return BAR_MM + LANE_MM * max(lanes, default=1) + 2 * PAD_MM


def plot_metrics(table: pd.DataFrame, model: str, note: str = "", width_mm: float = style.PAGE_MM) -> Figure:
    """Draws MCC per element with the published models (a), and auPRC beside its base rate (b).

    Side by side as wide as a page; in a column (b) stands below, for the scored elements alone.

    Args:
        table: DRAWN_COLUMNS (see `gather`).
        model: name of the scored model.
        note: put before what the figure itself says in the line below it.
    """
    note = " ".join(filter(None, [note, describe(table, model)]))
    stacked = width_mm < (style.COLUMN_MM + style.PAGE_MM) / 2
    with style.applied():
        room_mm = width_mm - LABEL_MM - BASE_MM - COUNT_MM - 2
        a_mm = width_mm - LABEL_MM - 6 if stacked else (room_mm - BETWEEN_MM) * 0.66
        second = table[table["scored"]] if stacked else table
        row_mm = _row_mm(table, a_mm)
        lower_mm = LEAST_ROW_MM if stacked else row_mm
        lines = _legend_lines(model, table, width_mm - 4)
        first_mm = TOP_MM + LEGEND_MM * len(lines) + 1.5 + HEAD_MM
        tall_mm, low_mm = row_mm * max(len(table), 1), lower_mm * max(len(second), 1)
        end_mm = first_mm + tall_mm + AXIS_MM
        total_mm = end_mm + (HEAD_MM + low_mm + AXIS_MM if stacked else 0.0)
        figure = style.new_figure(width_mm, total_mm + style.note_height_mm(note, width_mm))
        _draw_legend(figure, lines, width_mm, set(table.loc[table["comparable"], "published_model"]))
        axes = style.add_axes(figure, LABEL_MM, first_mm, a_mm, tall_mm)
        _draw_mcc(axes, table, row_mm, a_mm)
        _title(figure, 1.0, first_mm, "a", "MCC, published values below the bar")
        if stacked:
            axes = style.add_axes(figure, LABEL_MM, end_mm + HEAD_MM, room_mm, low_mm)
            _title(figure, 1.0, end_mm + HEAD_MM, "b", "auPRC and base rate")
        else:
            left_mm = LABEL_MM + a_mm + BETWEEN_MM
            axes = style.add_axes(figure, left_mm, first_mm, room_mm - BETWEEN_MM - a_mm, low_mm)
            _title(figure, left_mm - 4, first_mm, "b", "auPRC and base rate")
        _draw_auprc(axes, second, lower_mm)
        if not stacked:
            axes.set_yticklabels([])
        style.add_note(figure, note)
    return figure


def _title(figure: Figure, left_mm: float, top_mm: float, letter: str, text: str) -> None:
    style.panel_letter(figure, left_mm, top_mm - HEAD_MM + 1, letter)
    style.write_at(figure, left_mm + 4, top_mm - HEAD_MM + 1.2, text)
