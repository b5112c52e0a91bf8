"""Less context: the middle of each sequence, with the folds of the whole ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from jaxtyping import Int

from dnalm import folds
from dnalm.errors import UserError


def centre(length_bp: int, context_bp: int) -> tuple[int, int]:
    """Returns start and end (0-based, half-open) of the middle of a sequence: all of a shorter one.

    A site at index length_bp // 2 comes to lie at context_bp // 2.
    """
    start = max(0, length_bp // 2 - context_bp // 2)
    return start, min(length_bp, start + context_bp)


def check_context(context_bp: int | None) -> None:
    """Raises a UserError for a length that keeps nothing."""
    if context_bp is not None and context_bp < 1:
        raise UserError("--context-bp", f"found {context_bp}, expected at least 1", "Leave it out for all.")


def join_alike(
    group: Int[np.ndarray, " B"], sequences: Sequence[str], context_bp: int | None
) -> Int[np.ndarray, " B"]:
    """Joins the groups of rows whose middles are the same on either strand, though the wholes differ."""
    if context_bp is None:
        return group
    middles = [folds.canonical(text[slice(*centre(len(text), context_bp))]) for text in sequences]
    return folds.join_groups(len(group), [group, pd.factorize(pd.Series(middles, dtype=str))[0]])


def keep_centre(table: pd.DataFrame, context_bp: int | None) -> pd.DataFrame:
    """Returns a task's table with the middle `context_bp` bases of each sequence; positions follow."""
    if context_bp is None:
        return table
    spans = [centre(len(text), context_bp) for text in table["sequence"]]
    pairs = zip(table["sequence"], spans, strict=True)
    result = table.assign(sequence=[text[start:end] for text, (start, end) in pairs])
    if {"start", "end", "strand"} <= set(table.columns):
        before, after = np.array(spans).T
        lost_after = table["sequence"].str.len().to_numpy() - after
        minus = (table["strand"] == "-").to_numpy()
        result["start"] = table["start"] + np.where(minus, lost_after, before)
        result["end"] = table["end"] - np.where(minus, before, lost_after)
    return result
