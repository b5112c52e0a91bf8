"""Embeddings of windows: a language model's layers, pooled over tokens on the device, shard by shard."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int32

from dnalm.embeddings.pieces import SPLIT, Piece, cut, join_pooled, join_tokens
from dnalm.embeddings.settings import Settings, check_token_limit
from dnalm.embeddings.sources import Source
from dnalm.engine.memory import batch_rows
from dnalm.engine.runner import Runner, check_finite
from dnalm.engine.shards import Shards
from dnalm.models import ModelConfig

BATCHES_PER_SHARD = 4  # at least: the devices wait while one shard is kept and the next is read
FEWEST_SHARDS, SMALL_SHARD_TOKENS = 16, 1 << 13  # so that a small job, too, goes on where it stopped
SHARD_TOKENS = 1 << 18  # a few seconds on two cores for the demo's model; an hour's work has ~1,000 shards
Progress = Callable[[Iterable[Any], str, int], Iterable[Any]]
log = logging.getLogger("dnalm")


def shard_rows(counts: Int32[np.ndarray, " N"], at_least: int = 0) -> list[tuple[int, int]]:
    """Cuts rows into consecutive shards of about SHARD_TOKENS tokens; small jobs get smaller ones.

    Args:
        at_least: tokens below which a shard would not keep the devices busy.
    """
    total = np.cumsum(counts, dtype=np.int64)
    size = min(SHARD_TOKENS, max(SMALL_SHARD_TOKENS, int(total[-1]) // FEWEST_SHARDS)) if len(total) else 1
    number = total // max(size, at_least)
    borders = [0, *(np.flatnonzero(np.diff(number)) + 1).tolist(), len(counts)]
    return [(first, last) for first, last in pairwise(borders) if first < last]


def pooled_function(config: ModelConfig, settings: Settings) -> Callable[[Any, Any], Any]:
    """Returns (params, tokens) -> float32 (B, layers, D); with pooling none (B, layers, L, D) as computed."""
    import jax.numpy as jnp

    from dnalm.models import forward

    pooling = None if settings.pooling == "none" else settings.pooling
    apply = forward(config, layers=settings.layers, pooling=pooling, precision=settings.precision)

    def function(params: Any, tokens: Any) -> Any:
        outputs = apply(params, tokens)
        return jnp.stack([outputs[f"embeddings_{layer}"] for layer in settings.layers], axis=1)

    return function


class Embedder:
    """One model, one set of rows, one set of settings."""

    def __init__(
        self,
        source: Source,
        counts: Int32[np.ndarray, " N"],
        params: Any,
        config: ModelConfig,
        settings: Settings,
        devices: Sequence[Any],
        batch_size: int | None = None,
        fixed_shards: bool = False,
    ) -> None:
        """Args:
        fixed_shards: the same on every device; else large enough to keep these devices busy.
        """
        self._source, self._config, self._settings = source, config, settings
        values, times = np.unique(counts, return_counts=True)
        nominal = min(int(values[np.argmax(times)]), config.max_tokens)
        rows = batch_size or batch_rows(config, nominal, devices, len(counts), settings.precision)
        busy = BATCHES_PER_SHARD * rows * len(devices) * nominal
        self.shards = shard_rows(counts, 0 if fixed_shards else busy)
        self.batch_size = rows
        self.key = {
            "counts": hashlib.sha256(counts.tobytes()).hexdigest(),
            "shard_tokens": SHARD_TOKENS,
            **({"shards": "fixed"} if fixed_shards else {}),
            "batch": rows,
            "platform": devices[0].platform,
            **settings.entries(),
        }
        self._runner = Runner(
            pooled_function(config, settings),
            params,
            devices,
            rows,
            nominal,
            config.max_tokens,
            config.tokens.pad_id,
        )

    def arrays(
        self, shards: Shards, progress: Progress, numbers: range | None = None
    ) -> Iterator[dict[str, np.ndarray]]:
        """Yields the shards' arrays, of all or of these numbers, from `shards` where they are kept.

        Yields:
            values (B, layers, D) of consecutive rows; with pooling none values (layers, T, D) of their tokens
            and spans (T, 2), each token's place in its window.

        Raises:
            UserError: the model gives NaN or infinity for a window that has known bases.
        """
        numbers = range(len(self.shards)) if numbers is None else numbers
        compute = self._token_shard if self._settings.pooling == "none" else self._shard
        if kept := shards.finished():
            log.info("going on with %d of %d shards", min(kept, len(numbers)), len(numbers))
        for number in progress(numbers, "shards", len(numbers)):
            first, last = self.shards[number]
            yield shards.get(number, f"rows {first}-{last}", partial(compute, first, last))

    def _shard(self, first: int, last: int) -> dict[str, np.ndarray]:
        values, known = self._strand(first, last, minus=False)
        if self._settings.reverse_complement:
            values = (values + self._strand(first, last, minus=True)[0]) / 2
        with np.errstate(over="ignore"):
            values = values.astype(self._settings.dtype)
        names = self._source.obs.index[first:last][known]
        check_finite(values[known], [str(name) for name in names])
        return {"values": values}

    def _strand(
        self, first: int, last: int, minus: bool
    ) -> tuple[Float[np.ndarray, "B K D"], Bool[np.ndarray, " B"]]:
        """Returns one strand's embeddings, and which rows have tokens to average."""
        pieces = self._cut(self._encode(first, last, minus))
        values = np.empty((len(pieces), len(self._settings.layers), self._config.embed_dim), np.float32)
        for places, results in self._runner.run([piece.ids for piece in pieces]):
            values[places] = results
        pooling = self._settings.pooling
        ignored = self._config.tokens.ignored(pooling)
        weights = np.array([int((~np.isin(piece.ids, ignored)).sum()) for piece in pieces])
        rows = np.array([piece.row for piece in pieces])
        if len(pieces) > last - first:
            values = join_pooled(values, rows, weights, pooling)
        return values, np.bincount(rows, weights=weights, minlength=last - first) > 0

    def _encode(self, first: int, last: int, minus: bool = False) -> list[Int32[np.ndarray, " _"]]:
        """Returns the rows' token ids.

        Raises:
            UserError: too many for the model where they are not split; byte pairs make another number of
                tokens of the other strand.
        """
        rows = self._source.encode(first, last, self._config.tokens, minus)
        if self._settings.long_inputs != SPLIT:
            counts = np.array([len(row) for row in rows], np.int32)
            strand = ", other strand" if minus else ""
            names = [f"{name}{strand}" for name in self._source.obs.index[first:last]]
            check_token_limit(counts, names, self._config)
        return rows

    def _cut(self, rows: list[Int32[np.ndarray, " _"]]) -> list[Piece]:
        """Returns the rows as the model reads them: one piece each, unless they are too long."""
        return cut(rows, self._config.tokens, self._config.max_tokens, self._settings.split_overlap)

    def _token_shard(self, first: int, last: int) -> dict[str, np.ndarray]:
        tokenizer, rows = self._config.tokens, self._encode(first, last)
        pieces = self._cut(rows)
        found: list[Any] = [None] * len(pieces)
        for places, results in self._runner.run([piece.ids for piece in pieces]):
            for place, result in zip(places, results, strict=True):
                found[place] = result[:, : len(pieces[place].ids)].astype(self._settings.dtype)
        for place, result in enumerate(found):
            check_finite(result[None], [str(self._source.obs.index[first + pieces[place].row])])
        if len(pieces) > last - first:
            grouped: dict[int, list[int]] = {}
            for place, piece in enumerate(pieces):
                grouped.setdefault(piece.row, []).append(place)
            found = [
                join_tokens([found[i] for i in places], [pieces[i] for i in places], tokenizer.end_tokens)
                for places in grouped.values()
            ]
        spans = np.concatenate([tokenizer.spans(row) for row in rows])
        return {"values": np.concatenate(found, axis=1), "spans": spans}
