"""Runs a model on a region of a genome for its attention: per base, and as maps of heads.

The landscape is that of DNABERT (Ji et al. 2021, Fig. 3): the attention that the CLS token of the last
layer pays to each token, summed over heads; a base has the mean over the tokens that cover it. Other models
are read in the same way. Tokens of unknown bases (N) have no value, and neither has a base that only they
cover. With ALiBi (DNABERT-2) attention falls with the distance from CLS, whatever the weights: see the
landscape of random weights.

`windows` says how a region that is longer than the model's input is read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Float32, Int32

from dnalm.attention import LANDSCAPE_COLUMNS
from dnalm.attention.maps import AttentionMaps, Head
from dnalm.attention.windows import Window, count_windows, known_tokens, overlapping_pieces, share_onto_bases
from dnalm.checkpoints import Checkpoint
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
RULE = "CLS of the last layer, heads summed, mean over a base's tokens; windows share half, deeper token kept"


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
