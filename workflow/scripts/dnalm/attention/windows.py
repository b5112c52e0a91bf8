"""A stretch of a genome as tokens: in the parts that a model reads, and from these back onto bases.

A region of more tokens than the model takes is read in windows of its most tokens, of which neighbours share
half; each token is taken from the window in which it lies deeper. CLS shares its attention among the tokens
of one window only, so each window is first divided by its mean over bases. The whole is then divided by the
region's mean, which becomes 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Int32

from dnalm.embeddings.bases import per_base
from dnalm.embeddings.pieces import Piece, cut, join_tokens
from dnalm.models import ModelConfig
from dnalm.tokens import Tokenizer

DECIMALS = 5  # of a landscape's values, so that a table of 6 digits tells the same bases above 1


@dataclass(frozen=True)
class Window:
    """A stretch of a genome as tokens.

    Args:
        bases: upper-case letters A, C, G, T and N.
        spans: each token's bases counted from `start`.
    """

    contig: str
    start: int
    end: int
    bases: bytes
    ids: Int32[np.ndarray, " L"]
    spans: Int32[np.ndarray, "L 2"]

    @property
    def name(self) -> str:
        """As a command line writes it."""
        return f"{self.contig}:{self.start}-{self.end}"


def known_tokens(ids: Int32[np.ndarray, " L"], tokenizer: Tokenizer) -> Bool[np.ndarray, " L"]:
    """Says which tokens stand for known bases."""
    return ~np.isin(ids, tokenizer.ignored("mean"))


def overlapping_pieces(window: Window, config: ModelConfig) -> list[Piece]:
    """Returns the parts of a window that the model reads: one if it fits, else parts that share half."""
    return cut([window.ids], config.tokens, config.max_tokens, config.max_tokens // 2)


def share_onto_bases(
    scores: Sequence[Float[np.ndarray, " _"]], pieces: Sequence[Piece], window: Window, tokenizer: Tokenizer
) -> Float[np.ndarray, " S"]:
    """Returns the landscape of a region from its pieces' scores, one per token (and pad)."""
    levelled = []
    for score, piece in zip(scores, pieces, strict=True):
        own = score[: len(piece.ids)].astype(np.float64)
        spans = tokenizer.spans(piece.ids)
        widths = (spans[:, 1] - spans[:, 0]) * known_tokens(piece.ids, tokenizer)
        mean = (own * widths).sum() / widths.sum() if widths.any() else np.nan
        levelled.append((own / mean)[None, :, None])
    values = join_tokens(levelled, list(pieces), tokenizer.end_tokens)[0, :, 0]
    known = known_tokens(window.ids, tokenizer)
    bases = per_base(values[known], window.spans[known], len(window.bases), "mean")
    return np.round(bases / np.nanmean(bases), DECIMALS)


def count_windows(window: Window, pieces: Sequence[Piece], tokenizer: Tokenizer) -> Int[np.ndarray, " S"]:
    """Returns how many of the model's windows hold each base."""
    count = np.zeros(len(window.bases), np.int64)
    for piece in pieces:
        own = len(piece.ids) - 1 - tokenizer.end_tokens
        spans = window.spans[1 + piece.first : 1 + piece.first + own]
        count[spans[:, 0].min() : spans[:, 1].max()] += 1
    return count
