"""Observed against predicted values of many genes: density, contours, identity line, outer genes as dots."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.ticker import MaxNLocator

from dnalm.figures import palette

FEWEST = 150  # genes below which dots say more than a density
CONTOUR = "#24506E"
GRID = 200  # cells along each axis
SMOOTH_CELLS = 4.0  # standard deviation of the smoothing, in cells
SHADE_POWER = 0.6  # below 1: a pile of silent genes does not make all others pale
SHARES = (0.9, 0.75, 0.5, 0.25)  # of the genes inside each contour
COLOURS = LinearSegmentedColormap.from_list(
    "density", ["#FFFFFF", "#D3E5F3", "#8FBFE0", palette.BLUE, "#003A5C"]
)


def density(
    predicted: Float[np.ndarray, " N"], observed: Float[np.ndarray, " N"], low: float, high: float
) -> Float[np.ndarray, "G G"]:
    """Returns the smoothed density of genes; rows go with observed, columns with predicted, the sum is 1."""
    from scipy.ndimage import gaussian_filter

    edges = np.linspace(low, high, GRID + 1)
    counts, _, _ = np.histogram2d(observed, predicted, bins=(edges, edges))
    smooth = gaussian_filter(counts, SMOOTH_CELLS, mode="nearest")
    return smooth / smooth.sum()


def contour_levels(values: Float[np.ndarray, "G G"]) -> list[float]:
    """Returns the density levels whose regions hold each of `SHARES` of the genes, ascending."""
    falling = np.sort(values.ravel())[::-1]
    inside = np.cumsum(falling)
    levels = [float(falling[min(np.searchsorted(inside, share), falling.size - 1)]) for share in SHARES]
    return sorted(set(levels))


def shared_limits(*values: Float[np.ndarray, " N"]) -> tuple[float, float]:
    """Returns limits that hold all values with a margin, so that the identity line is the diagonal."""
    low, high = (float(pick([pick(one) for one in values])) for pick in (np.min, np.max))
    margin = 0.04 * (high - low) or 1.0
    return low - margin, high + margin


def legend(genes: int) -> str:
    """Says what the density's lines and dots mean."""
    if genes < FEWEST:
        return "Dots are genes; dotted line: identity."
    shares = ", ".join(f"{share:.0%}" for share in sorted(SHARES))
    return f"Contours hold {shares} of genes, dots are genes outside; dotted line: identity."


def draw_density(axes: Axes, predicted: Float[np.ndarray, " N"], observed: Float[np.ndarray, " N"]) -> None:
    """Draws the density with contours, the genes outside the widest contour, and the identity line.

    Few genes have no density: they are dots.
    """
    low, high = shared_limits(predicted, observed)
    outside = np.ones(len(predicted), bool)
    if len(predicted) >= FEWEST:
        outside = _draw_contours(axes, predicted, observed, low, high)
    size = 1.2 if len(predicted) >= FEWEST else 3.0
    axes.plot(predicted[outside], observed[outside], ".", color=palette.BLUE, markersize=size, mew=0)
    axes.plot([low, high], [low, high], linestyle=(0, (1, 2)), color=palette.INK, linewidth=0.7)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(6, integer=True))


def _draw_contours(
    axes: Axes, predicted: Float[np.ndarray, " N"], observed: Float[np.ndarray, " N"], low: float, high: float
) -> Bool[np.ndarray, " N"]:
    """Draws density and contours; returns which genes lie outside the widest one."""
    values = density(predicted, observed, low, high)
    levels = contour_levels(values)
    shades = PowerNorm(SHADE_POWER, vmin=0.0)
    extent = (low, high, low, high)
    axes.imshow(values, origin="lower", extent=extent, cmap=COLOURS, norm=shades, interpolation="bilinear")
    centres = low + (np.arange(GRID) + 0.5) * (high - low) / GRID
    axes.contour(centres, centres, values, levels=levels, colors=CONTOUR, linewidths=0.4)
    scaled = ((one - low) / (high - low) * GRID for one in (observed, predicted))
    row, column = (np.clip(one.astype(int), 0, GRID - 1) for one in scaled)
    return values[row, column] < levels[0]
