"""Runs a model on a region of a genome for its attention: per base, and as maps of heads.

The landscape is that of DNABERT (Ji et al. 2021, Fig. 3): the attention that the CLS token of the last
layer pays to each token, summed over heads; a base has the mean over the tokens that cover it. Other models
are read in the same way. Tokens of unknown bases (N) have no value, and neither has a base that only they
cover. With ALiBi (DNABERT-2) attention falls with the distance from CLS, whatever the weights: see the
landscape of random weights.

A region of more tokens than the model takes is read in windows of its most tokens, of which neighbours share
half; each token is taken from the window in which it lies deeper. CLS shares its attention among the tokens
of one window only, so each window is first divided by its mean over bases. The whole is then divided by the
region's mean, which becomes 1.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Float32, Int, Int32

from dnalm.attention import LANDSCAPE_COLUMNS
from dnalm.attention.maps import AttentionMaps, Head
from dnalm.checkpoints import Checkpoint
from dnalm.embeddings.bases import per_base
from dnalm.embeddings.pieces import Piece, cut, join_tokens
from dnalm.engine.memory import batch_rows
from dnalm.engine.preflight import GIB
from dnalm.engine.runner import Runner, check_finite
from dnalm.engine.weights import load_weights
from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.genome.letters import TO_ACGTN
from dnalm.genome.regions import read_regions
from dnalm.models import ModelConfig
from dnalm.models.precision import DEFAULT_PRECISION
from dnalm.tokens import Tokenizer

log = logging.getLogger("dnalm")
LARGEST_MAPS = 4 * GIB  # of one file
DECIMALS = 5  # of a landscape's values, so that a table of 6 digits tells the same bases above 1
RULE = "CLS of the last layer, heads summed, mean over a base's tokens; windows share half, deeper token kept"


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


def read_window(genome: Genome, text: str, tokenizer: Tokenizer) -> Window:
    """Reads the region `contig:start-end`, or a whole contig, as a model's tokens.

    Raises:
        UserError: not on the genome, or no token with known bases.
    """
    contig, spans = next(iter(read_regions([text], genome.lengths).items()))
    start, end = spans[0]
    bases = genome.read(contig, start, end, TO_ACGTN)
    ids = tokenizer.encode_rows([np.frombuffer(bases, np.uint8)], [f"region {text}"])[0]
    if not known_tokens(ids, tokenizer).any():
        raise UserError(
            f"region {text}", f"holds no token of known bases ({end - start} bp)", "Take another region."
        )
    return Window(contig, start, end, bases, ids, tokenizer.spans(ids))


def known_tokens(ids: Int32[np.ndarray, " L"], tokenizer: Tokenizer) -> Bool[np.ndarray, " L"]:
    """Says which tokens stand for known bases."""
    return ~np.isin(ids, tokenizer.ignored("mean"))


def overlapping_pieces(window: Window, config: ModelConfig) -> list[Piece]:
    """Returns the parts of a window that the model reads: one if it fits, else parts that share half."""
    return cut([window.ids], config.tokens, config.max_tokens, config.max_tokens // 2)


def map_window(
    genome: Genome, text: str | None, window: Window, config: ModelConfig, shorten: bool
) -> Window:
    """Returns the window of the maps: the one named, else the whole region, else its first part.

    Args:
        text: contig:start-end inside the region.
        shorten: a region that does not fit is no fault where no window is named.

    Raises:
        UserError: not inside the region, or more tokens than the model takes.
    """
    limit, tokenizer = config.max_tokens, config.tokens
    chosen = window if text is None else read_window(genome, text, tokenizer)
    inside = chosen.contig == window.contig and window.start <= chosen.start <= chosen.end <= window.end
    if not inside:
        raise UserError("--map-region", f"found {text}, which leaves {window.name}", "Take a part of it.")
    if len(chosen.ids) <= limit:
        return chosen
    if text is None and shorten:
        last = window.start + int(window.spans[: limit - tokenizer.end_tokens, 1].max())
        return read_window(genome, f"{window.contig}:{window.start}-{last}", tokenizer)
    about = "" if tokenizer.exact else "about "
    raise UserError(
        f"region {chosen.name}",
        f"has {len(chosen.ids)} tokens ({chosen.end - chosen.start} bp), the model takes at most {limit} "
        f"({about}{tokenizer.longest_bp(limit)} bp)",
        "Name a shorter one, or a --map-region inside it.",
    )


class Reader:
    """One set of weights, ready to be asked for its attention.

    Attributes:
        weights: sha256 of the model.
    """

    def __init__(self, checkpoint: Checkpoint, devices: Sequence[Any], random_seed: int | None) -> None:
        self.config, self._devices, self._seed = checkpoint.config, devices, random_seed
        self.weights, self._params = load_weights(checkpoint, DEFAULT_PRECISION, devices, random_seed)

    def _run(
        self, function: Callable[[Any, Any], Any], rows: Sequence[Int32[np.ndarray, " _"]]
    ) -> list[Float32[np.ndarray, "..."]]:
        longest = max(len(row) for row in rows)
        size = batch_rows(self.config, longest, self._devices, len(rows))
        limit, pad_id = self.config.max_tokens, self.config.tokens.pad_id
        runner = Runner(function, self._params, self._devices, size, longest, limit, pad_id)
        found: list[Any] = [None] * len(rows)
        for places, results in runner.run(rows):
            check_finite(results, [f"window {place + 1}" for place in places])
            for place, result in zip(places, results, strict=True):
                found[place] = result
        return found

    def maps(self, window: Window, heads: Sequence[Head]) -> AttentionMaps:
        """Returns the attention of chosen heads in one window (without the added key of `add_bias_kv`).

        Raises:
            UserError: maps too large to keep.
        """
        import jax.numpy as jnp

        from dnalm.models import forward

        length = len(window.ids)
        size = len(heads) * length**2 * np.dtype(np.float32).itemsize
        if size > LARGEST_MAPS:
            raise UserError("--heads", f"{len(heads)} maps take {size / GIB:.1f} GiB", "Name fewer heads.")
        apply = forward(self.config, attention_layers={layer for layer, _ in heads})

        def chosen(params: Any, tokens: Any) -> Any:
            outputs = apply(params, tokens)
            return jnp.stack([outputs[f"attention_{layer}"][:, head] for layer, head in heads], axis=1)

        values = self._run(chosen, [window.ids])[0][:, :length, :length]
        tokens = tuple(self.config.tokens.vocabulary[index] for index in window.ids)
        weights = "checkpoint" if self._seed is None else f"random, seed {self._seed}"
        return AttentionMaps(
            values, tuple(heads), tokens, window.spans + window.start, window.contig, weights
        )

    def landscape(self, window: Window) -> Float[np.ndarray, " S"]:
        """Returns the attention that each base receives; its mean is 1, NaN where no known token lies."""
        from dnalm.models import forward

        if self.config.positional_embedding == "alibi" and self._seed is None:
            log.warning("ALiBi: attention falls with the distance from CLS; compare with random weights")
        last = self.config.num_layers
        apply = forward(self.config, attention_layers=(last,))

        def of_cls(params: Any, tokens: Any) -> Any:
            return apply(params, tokens)[f"attention_{last}"][:, :, 0, : tokens.shape[1]].sum(axis=1)

        pieces = overlapping_pieces(window, self.config)
        scores = self._run(of_cls, [piece.ids for piece in pieces])
        return share_onto_bases(scores, pieces, window, self.config.tokens)


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


def landscape_table(
    window: Window,
    config: ModelConfig,
    attention: Float[np.ndarray, " S"],
    attention_random: Float[np.ndarray, " S"],
) -> pd.DataFrame:
    """Returns LANDSCAPE_COLUMNS, one row per base."""
    starts = np.arange(window.start, window.end)
    windows = count_windows(window, overlapping_pieces(window, config), config.tokens)
    columns = (window.contig, starts, starts + 1, attention, attention_random, windows)
    return pd.DataFrame(dict(zip(LANDSCAPE_COLUMNS, columns, strict=True)))
