"""Where the panels of the expression figure stand, on a page and in a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnalm.figures import layout, style
from dnalm.figures.papers import squares
from dnalm.figures.papers.score_groups import Slot, height_mm
from dnalm.figures.papers.score_legend import legend_height_mm

TOP_MM, GAP_MM, HEAD_MM = 1.5, 6.5, 6.0
TISSUE_MM, TISSUE_AXIS_MM, GROUP_AXIS_MM = 32.0, 11.0, 9.0
TISSUE_LEFT_MM = 12.0

Box = tuple[float, float, float, float]  # left, top, width, height in mm


@dataclass(frozen=True)
class Plan:
    """Where the panels stand, in mm."""

    grid: squares.Grid
    tissues: Box
    groups: Box
    legend: tuple[float, float, float]
    height_mm: float


def make_plan(slots: Sequence[Slot], names: Sequence[str], width_mm: float) -> Plan:
    """Returns the places of squares, tissues, groups of scores and legend on a page or column.

    Args:
        slots: rows of each group of scores, see `score_groups.slots_of`.
        names: of the species, as they are written.
    """
    count = len(names)
    wide = not layout.is_narrow(width_mm)
    grid = squares.make_grid(count, 5 if wide else 2, width_mm, GAP_MM)
    bottom_mm = TOP_MM + -(-count // grid.columns) * grid.row_mm
    label_mm = 3 + max(style.text_width_mm(name, style="italic") for name in names)
    tall_mm = max(12.0, height_mm(slots, count))
    right_mm = width_mm - squares.RIGHT_MM
    if wide:
        start_mm, top_mm = (
            (grid.left_mm(1) + 7.0, TOP_MM) if count == 1 else (TISSUE_LEFT_MM, bottom_mm + 1.0)
        )
        broad_mm = 34.0 if count == 1 else 0.5 * (right_mm - start_mm)
        tissues = (start_mm, top_mm + HEAD_MM, broad_mm, max(TISSUE_MM, min(tall_mm, 70.0)))
        left_mm = start_mm + broad_mm + label_mm + 5
        groups = (left_mm, top_mm + HEAD_MM, right_mm - left_mm, tall_mm)
    else:
        tissues = (TISSUE_LEFT_MM, bottom_mm + HEAD_MM, right_mm - TISSUE_LEFT_MM, TISSUE_MM)
        top_mm = tissues[1] + TISSUE_MM + TISSUE_AXIS_MM + HEAD_MM
        groups = (label_mm, top_mm, right_mm - label_mm, tall_mm)
    below_mm = groups[1] + tall_mm + GROUP_AXIS_MM
    if wide and count == 1:
        legend = (groups[0] - label_mm, below_mm, right_mm - groups[0] + label_mm)
    else:
        below_mm = max(below_mm, tissues[1] + tissues[3] + TISSUE_AXIS_MM)
        legend = (4.0, below_mm, width_mm - 8.0)
    ends = (bottom_mm, below_mm + legend_height_mm(slots, legend[2]))
    return Plan(grid, tissues, groups, legend, max(*ends, tissues[1] + tissues[3] + TISSUE_AXIS_MM))
