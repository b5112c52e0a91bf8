"""Inputs longer than a model takes: cut into pieces that overlap, their embeddings put together again.

The rule, recorded with every result that used it: a piece is [CLS], as many of the input's own tokens as
fit, and the end token where the model has one; the last piece is what is left. Neighbours share `overlap`
tokens. A mean is that of all pieces' tokens (a shared token counts in both), a maximum that over all pieces,
CLS the mean of the pieces' CLS. Single tokens are taken from the piece in which they lie farther from an end.
Source: with overlap 0, what DNABERT's authors did with inputs above 512 tokens (Ji et al. 2021).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Int32

from dnalm.errors import UserError
from dnalm.tokens import Tokenizer

REFUSE, SPLIT = "refuse", "split"
RULE = "pieces of the model's length; means over the tokens of all pieces"


@dataclass(frozen=True)
class Piece:
    """A part of a row.

    Args:
        row: which one.
        first: number of its first own token among those of the row.
        ids: with special tokens.
    """

    row: int
    first: int
    ids: Int32[np.ndarray, " L"]


def check_overlap(overlap: int, max_tokens: int) -> None:
    """Refuses an overlap that leaves pieces nothing of their own.

    Raises:
        UserError: more than half of a model's tokens, or below 0.
    """
    if not 0 <= overlap <= max_tokens // 2:
        raise UserError(
            "--split-overlap",
            f"found {overlap} tokens, expected 0 to {max_tokens // 2} (half of the model's)",
            "Change it.",
        )


def cut(
    rows: list[Int32[np.ndarray, " _"]], tokenizer: Tokenizer, max_tokens: int, overlap: int
) -> list[Piece]:
    """Returns the pieces of rows of token ids, in order; a row that fits is one piece."""
    ends = tokenizer.end_tokens
    size = max_tokens - 1 - ends
    pieces = []
    for number, row in enumerate(rows):
        if len(row) <= max_tokens:
            pieces.append(Piece(number, 0, row))
            continue
        own = row[1 : len(row) - ends]
        first = 0
        while True:
            part = own[first : first + size]
            pieces.append(Piece(number, first, np.concatenate([row[:1], part, row[len(row) - ends :]])))
            if first + size >= len(own):
                break
            first += size - overlap
    return pieces


def join_pooled(
    values: Float[np.ndarray, "P K D"],
    rows: Int[np.ndarray, " P"],
    weights: Int[np.ndarray, " P"],
    pooling: str,
) -> Float[np.ndarray, "N K D"]:
    """Returns the rows' embeddings from their pieces'; NaN where no piece has one.

    Args:
        rows: the row of each piece, ascending from 0 without gaps.
        weights: the tokens that each piece's embedding stands for.
    """
    count = int(rows[-1]) + 1 if len(rows) else 0
    known = weights > 0
    if pooling == "max":
        result = np.full((count, *values.shape[1:]), -np.inf, np.float32)
        np.maximum.at(result, rows[known], values[known])
        result[np.isneginf(result)] = np.nan
        return result
    shares = np.where(pooling == "cls", 1, weights)[:, None, None]
    total = np.zeros((count, *values.shape[1:]))
    np.add.at(total, rows[known], (values * shares)[known])
    parts = np.bincount(rows[known], weights=shares[known].ravel(), minlength=count)[:, None, None]
    with np.errstate(invalid="ignore"):
        return (total / np.where(parts > 0, parts, np.nan)).astype(np.float32)


def join_tokens(
    found: list[Float[np.ndarray, "K _ D"]], pieces: list[Piece], ends: int
) -> Float[np.ndarray, "K T D"]:
    """Returns one row's token embeddings from its pieces', in order; special tokens of the first and last."""
    kept = []
    for place, (values, piece) in enumerate(zip(found, pieces, strict=True)):
        left, right = 0, values.shape[1]
        if place:
            left = 1 + (piece.first + _end(pieces[place - 1], ends)) // 2 - piece.first
        if place < len(pieces) - 1:
            right = 1 + (pieces[place + 1].first + _end(piece, ends)) // 2 - piece.first
        kept.append(values[:, left:right])
    return np.concatenate(kept, axis=1)


def _end(piece: Piece, ends: int) -> int:
    return piece.first + len(piece.ids) - 1 - ends
