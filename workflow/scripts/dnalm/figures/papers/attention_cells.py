"""The cells of attention maps as they are drawn: of the first heads, many tokens binned by their maximum."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Float

from dnalm.attention.maps import AttentionMaps
from dnalm.figures import palette

MOST_HEADS = 12
MOST_CELLS = 400  # along each axis; more tokens are binned
TOP_QUANTILE = 0.998  # of all cells, where the scale ends: single cells would make all others pale
SIGNIFICANT = 3  # digits of the table


def bin_maximum(values: Float[np.ndarray, "L L"], size: int) -> Float[np.ndarray, "B B"]:
    """Returns the maximum of each square of `size` x `size` cells."""
    starts = np.arange(0, len(values), size)
    return np.maximum.reduceat(np.maximum.reduceat(values, starts, axis=0), starts, axis=1)


def bin_size(maps: AttentionMaps) -> int:
    """Returns how many tokens one cell stands for."""
    return max(1, -(-len(maps.tokens) // MOST_CELLS))


def map_table(maps: AttentionMaps) -> pd.DataFrame:
    """Returns what is drawn, one row per head and query: its first base and its attention to each key.

    Columns: layer, head, query (number of its first token), start, then `key_N`, N the key's first token.
    """
    size, tables = bin_size(maps), []
    firsts = np.arange(0, len(maps.tokens), size)
    for (layer, head), values in list(zip(maps.heads, maps.values, strict=True))[:MOST_HEADS]:
        place = {"layer": layer, "head": head, "query": firsts, "start": maps.spans[firsts, 0]}
        cells = _rounded(bin_maximum(values, size).astype(np.float64))
        keys = {f"key_{first}": cells[:, column] for column, first in enumerate(firsts)}
        tables.append(pd.DataFrame({**place, **keys}))
    columns = ["layer", "head", "query", "start"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def _rounded(values: Float[np.ndarray, "B B"]) -> Float[np.ndarray, "B B"]:
    """Returns values of three digits, so that the table stays small."""
    scale = 10.0 ** (SIGNIFICANT - 1 - np.floor(np.log10(np.where(values > 0, values, 1.0))))
    return np.round(values * scale) / scale


def top_weight(maps: AttentionMaps) -> float:
    """Returns where the scale of colours ends."""
    size = bin_size(maps)
    cells = [bin_maximum(one, size).ravel() for one in maps.values[:MOST_HEADS] if np.isfinite(one).all()]
    return float(np.quantile(np.concatenate(cells), TOP_QUANTILE)) or 1.0 if cells else 1.0


def describe(maps: AttentionMaps) -> str:
    """Says how many tokens there are, what a cell is, and which heads are left out."""
    stands = maps.spans[maps.spans[:, 1] > maps.spans[:, 0]]
    lines = [f"n = {len(maps.tokens):,} tokens"]
    if len(stands):
        lines[0] += f" of {maps.contig}:{stands[0, 0]:,}{palette.DASH}{stands[:, 1].max():,} (0-based)"
    lines[0] += ". Rows are queries, columns keys; layers count from 1, heads from 0."
    if maps.weights != "checkpoint":
        lines.append(f"Weights: {maps.weights}.")
    if bin_size(maps) > 1:
        lines.append(f"Each cell: the maximum over {bin_size(maps)} by {bin_size(maps)} tokens.")
    if len(maps.heads) > MOST_HEADS:
        lines.append(f"The first {MOST_HEADS} of {len(maps.heads)} heads.")
    return " ".join(lines)
