"""The zoom levels of a bigWig: statistics of ever larger bins, made while the values pass by."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from dnalm.bigwig.layout import MOST_ZOOMS, STATISTICS

FIRST_BIN_BP, FACTOR = 32, 4  # bases per bin of the first level; of each next one, times this
ZOOM_ITEMS = 1024  # bins that share a block
BIN = np.dtype([("bin", "<i8"), ("count", "<i8"), *((name, "<f8") for name in STATISTICS)])

Bins = Shaped[np.ndarray, " B"]  # rows of BIN


def summarise(
    start: int, values: Float32[np.ndarray, " S"], known: Bool[np.ndarray, " S"]
) -> Shaped[np.ndarray, " B"]:
    """Returns the statistics of the first level's bins that have a value in [start, start + S)."""
    lead = start % FIRST_BIN_BP
    padding = (lead, -(lead + len(values)) % FIRST_BIN_BP)
    grid = np.pad(values, padding).reshape(-1, FIRST_BIN_BP)
    inside = np.pad(known, padding).reshape(-1, FIRST_BIN_BP)
    exact = np.where(inside, grid, 0).astype(np.float64)
    rows = np.empty(len(grid), BIN)
    rows["bin"] = start // FIRST_BIN_BP + np.arange(len(grid))
    rows["count"] = inside.sum(1)
    rows["min"] = np.where(inside, grid, np.inf).min(1)
    rows["max"] = np.where(inside, grid, -np.inf).max(1)
    rows["sum"] = exact.sum(1)
    rows["squares"] = np.square(exact).sum(1)
    return rows[rows["count"] > 0]


def merge(rows: Shaped[np.ndarray, " N"]) -> Shaped[np.ndarray, " B"]:
    """Merges neighbouring rows of the same bin."""
    firsts = np.flatnonzero(np.diff(rows["bin"], prepend=-1))
    if len(firsts) == len(rows):
        return rows
    merged = rows[firsts]
    for name, function in (
        ("count", np.add),
        ("min", np.minimum),
        ("max", np.maximum),
        ("sum", np.add),
        ("squares", np.add),
    ):
        merged[name] = function.reduceat(rows[name], firsts)
    return merged


class ZoomLevel:
    """One level: takes rows of its bins in order, hands full blocks to `write`, each bin to the next level.

    A bin is merged once all its rows are there, so that the sums do not depend on how the values came.
    """

    def __init__(self, bin_bp: int, write: Callable[[ZoomLevel, Bins], None]) -> None:
        self.bin_bp, self.coarser = bin_bp, None
        self._write = write
        self._open = np.zeros(0, BIN)  # rows of a bin that may get more
        self._block = np.zeros(0, BIN)

    coarser: ZoomLevel | None

    def add(self, rows: Bins) -> None:
        """Takes rows, sorted by bin."""
        rows = np.concatenate([self._open, rows])
        if len(rows):
            whole = int(np.searchsorted(rows["bin"], rows["bin"][-1]))
            self._open = rows[whole:]
            self._pass_on(merge(rows[:whole]))

    def _pass_on(self, bins: Bins) -> None:
        if self.coarser is not None and len(bins):
            rows = bins.copy()
            rows["bin"] //= FACTOR
            self.coarser.add(rows)
        self._block = np.concatenate([self._block, bins])
        while len(self._block) >= ZOOM_ITEMS:
            self._write(self, self._block[:ZOOM_ITEMS])
            self._block = self._block[ZOOM_ITEMS:]

    def finish(self) -> None:
        """Hands on what is held back, at a contig's end; the finer level finishes first."""
        self._pass_on(merge(self._open))
        self._open = self._open[:0]
        if len(self._block):
            self._write(self, self._block)
            self._block = self._block[:0]


def zoom_levels(longest_bp: int, write: Callable[[ZoomLevel, Bins], None]) -> list[ZoomLevel]:
    """Returns the levels for contigs of up to so many bases, the finest first."""
    sizes = [FIRST_BIN_BP * FACTOR**level for level in range(MOST_ZOOMS)]
    levels = [ZoomLevel(bin_bp, write) for bin_bp in sizes if bin_bp < longest_bp]
    for finer, coarser in pairwise(levels):
        finer.coarser = coarser
    return levels
