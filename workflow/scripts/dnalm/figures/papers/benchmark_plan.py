"""Where the facets of the benchmark bars stand, on a page and in a column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dnalm.figures import layout, style
from dnalm.figures.benchmark_rows import lowest
from dnalm.figures.papers import hollow
from dnalm.figures.papers.benchmark_scores import TASK, rows_of
from dnalm.figures.tables import METRIC_NAMES
from dnalm.leaderboard import ELSEWHERE, HERE

Row = list[tuple[int, str]]  # (column, task) of each facet
BAR_MM, LANE_MM, MARKS_APART_MM = 2.8, 1.6, 1.7
HEAD_MM, AXIS_MM, GAP_MM = 4.6, 5.5, 6.5
LINE_MM, LETTER_MM = 2.7, 3.5
MOST_FACET_MM, MOST_HEIGHT_MM = 60.0, 240.0  # the latter is a printed page without its margins


@dataclass(frozen=True)
class Plan:
    """Where things are, in mm."""

    table: pd.DataFrame
    labels: dict[str, str]
    marks: dict[str, hollow.Mark]
    low: float
    width_mm: float
    label_mm: float
    facet_mm: float
    rows: list[Row]

    def own(self, task: str) -> pd.DataFrame:
        return self.table[self.table[TASK] == task]

    def title(self, task: str) -> list[str]:
        return hollow.wrap(str(self.own(task)["name"].iloc[0]), self.facet_mm + GAP_MM - 2)

    def left_mm(self, column: int) -> float:
        return self.label_mm + column * (self.facet_mm + GAP_MM)

    def title_mm(self, row: Row) -> float:
        return LINE_MM * (1 + max(len(self.title(task)) for _, task in row)) + 0.8

    def head_mm(self, row: Row) -> float:
        return HEAD_MM if any(self.begins(task) for _, task in row) else 0.0

    def begins(self, task: str) -> bool:
        category = self.own(task)["category"].iloc[0]
        return bool(self.table.loc[self.table["category"] == category, TASK].iloc[0] == task)

    def places(self, task: str) -> tuple[pd.DataFrame, np.ndarray]:
        """Returns a task's published rows and their lanes."""
        own = self.own(task)
        theirs = own[(own["origin"] == ELSEWHERE) & np.isfinite(own["mean"].astype(float))]
        places = (theirs["mean"].to_numpy(np.float64) - self.low) / (1 - self.low) * self.facet_mm
        return theirs, hollow.lanes(places, MARKS_APART_MM)

    def strip_mm(self, row: Row) -> float:
        """Returns the height of the strip of published marks below a row's bars."""
        most = max((int(found.max()) + 1 for _, task in row if len(found := self.places(task)[1])), default=0)
        return LANE_MM * most + 1.0 if most else 0.0

    def height_mm(self, row: Row) -> float:
        bars = BAR_MM * len(self.labels)
        return self.head_mm(row) + self.title_mm(row) + bars + self.strip_mm(row) + AXIS_MM


def published_label(row: pd.Series, methods: int) -> str:
    """Returns what a published row's mark is called; with its method where there are several."""
    return f"{row['features']}, {row['method']}" if methods > 1 else str(row["features"])


def make_plan(table: pd.DataFrame, width_mm: float) -> Plan:
    """Returns the plan of a table of DRAWN_COLUMNS: of more columns where fewer are too high for a page."""
    theirs, ours = table[table["origin"] == ELSEWHERE], table[table["origin"] == HERE]
    labels = rows_of(ours)
    names = dict.fromkeys(published_label(row, theirs["method"].nunique()) for _, row in theirs.iterrows())
    marks = hollow.published_marks(sorted(names))
    shown = {key: hollow.shorten(label, width_mm * 0.36) for key, label in labels.items()}
    texts = [*shown.values(), *(["published"] if marks else [])]
    label_mm = max(style.text_width_mm(text) for text in texts) + 3.5
    tasks = table[TASK].nunique()
    found = []
    for columns in (2, 3) if layout.is_narrow(width_mm) else (5, 6):
        rows = _flow(table, min(columns, tasks), (width_mm - label_mm) / min(columns, tasks))
        facet_mm = min((width_mm - label_mm) / max(map(len, rows)) - GAP_MM, MOST_FACET_MM)
        found.append(Plan(table, shown, marks, lowest(ours), width_mm, label_mm, facet_mm, rows))
        if sum(map(found[-1].height_mm, rows)) <= MOST_HEIGHT_MM:
            return found[-1]
    return found[-1]


def _flow(table: pd.DataFrame, columns: int, pitch_mm: float) -> list[Row]:
    """Returns rows of (column, task); a category begins a row, or follows another where all of it fits."""
    rows: list[Row] = []
    for category, own in table.groupby("category", sort=False):
        tasks = list(dict.fromkeys(own[TASK]))
        room = columns - len(rows[-1]) if rows else 0
        head_mm = style.text_width_mm(heading(str(category), own), style.TEXT_PT, "bold") + 2 * LETTER_MM
        if len(tasks) > room or head_mm > len(tasks) * pitch_mm:
            rows.append([])
        for task in tasks:
            if len(rows[-1]) == columns:
                rows.append([])
            rows[-1].append((len(rows[-1]), task))
    return rows


def heading(category: str, own: pd.DataFrame) -> str:
    """Returns what stands above a category: its name and metrics."""
    metrics = dict.fromkeys(METRIC_NAMES.get(str(metric), str(metric)) for metric in own["metric"])
    return f"{category}: {', '.join(metrics)}"
