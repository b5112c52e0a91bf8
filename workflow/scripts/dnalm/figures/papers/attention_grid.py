"""Where the panels of attention maps lie, and whether their axes name tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dnalm.figures import style

MOST_NAMED = 40  # tokens whose names are written
NAME_MM = 2.3  # room that a token's name of SMALL_PT needs
COLUMNS = {style.COLUMN_MM: 2, style.PAGE_MM: 4}
LARGEST_MM, TALLEST_MM = 62.0, 235.0  # of a panel, and of a figure whose tokens are named
TOP_MM, TITLE_MM, AXIS_MM, GAP_MM, RIGHT_MM, SCALE_MM = 1.5, 4.5, 8.5, 5.0, 4.0, 11.5


@dataclass(frozen=True)
class Grid:
    """Where the panels lie.

    Args:
        named: the axes name tokens, not positions.
        left_mm: room for the labels of the first column (of every column where tokens are named).
    """

    columns: int
    rows: int
    panel_mm: float
    left_mm: float
    named: bool

    @property
    def step_mm(self) -> tuple[float, float]:
        """From one panel to the next, across and down."""
        across = self.panel_mm + (self.left_mm if self.named else GAP_MM)
        down = self.panel_mm + TITLE_MM + (self.left_mm if self.named else GAP_MM)
        return across, down

    @property
    def height_mm(self) -> float:
        """All panels with their labels, and the scale below."""
        below = self.left_mm if self.named else AXIS_MM
        return (
            TOP_MM
            + self.rows * self.step_mm[1]
            - (self.step_mm[1] - self.panel_mm - TITLE_MM)
            + below
            + SCALE_MM
        )


def plan_grid(count: int, tokens: Sequence[str], width_mm: float) -> Grid:
    """Returns as many columns as the width holds; fewer where that leaves room to name up to 40 tokens."""
    most = min(max(count, 1), COLUMNS.get(width_mm, int(width_mm // 42)))
    left_mm = 6.0 + max((style.text_width_mm(token) for token in tokens), default=0.0)
    if len(tokens) <= MOST_NAMED:
        for columns in range(most, 0, -1):
            panel_mm = min((width_mm - RIGHT_MM) / columns - left_mm, LARGEST_MM)
            panel_mm = max(panel_mm, min((width_mm - RIGHT_MM) / columns - left_mm, NAME_MM * len(tokens)))
            grid = Grid(columns, -(-count // columns), panel_mm, left_mm, named=True)
            if panel_mm >= NAME_MM * len(tokens) and grid.height_mm <= TALLEST_MM:
                return grid
    panel_mm = min((width_mm - 15.0 - RIGHT_MM - GAP_MM * (most - 1)) / most, LARGEST_MM)
    return Grid(most, -(-max(count, 1) // most), panel_mm, 15.0, named=False)
