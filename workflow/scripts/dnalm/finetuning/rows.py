"""A task's rows as token ids, and which of them a step trains on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Float32, Int, Int32

from dnalm.embeddings.settings import check_token_limit
from dnalm.engine.runner import bucket_length
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig

Batch = tuple[Int32[np.ndarray, "A B L"], Float32[np.ndarray, "A B C"]]


class Rows:
    """Token ids of each row, without padding; in batches padded to one of few lengths."""

    def __init__(
        self, sequences: Sequence[str], names: Sequence[str], config: ModelConfig, pooling: str
    ) -> None:
        """Raises a UserError for a row with more tokens than the model takes, or with none to pool."""
        self._config = config
        self.tokens = [config.tokens.encode(text, name) for text, name in zip(sequences, names, strict=True)]
        self.lengths = np.array([len(row) for row in self.tokens], np.int32)
        check_token_limit(self.lengths, list(names), config)
        ignored = config.tokens.ignored(pooling)
        for name, row in zip(names, self.tokens, strict=True):
            if np.isin(row, ignored).all():
                raise UserError(name, "holds no known base", "Leave this row out of the task.")
        values, times = np.unique(self.lengths, return_counts=True)
        self.nominal = int(values[np.argmax(times)])

    def padded(self, numbers: Int[np.ndarray, " B"]) -> Int32[np.ndarray, "B L"]:
        """Returns rows as one array, its length of a coarse series so that few programs are compiled."""
        longest = int(self.lengths[numbers].max())
        length = bucket_length(longest, self.nominal, self._config.max_tokens)
        return self._config.tokens.pad([self.tokens[number] for number in numbers], length)


def make_batches(
    rows: Rows,
    wanted: Float32[np.ndarray, "N C"],
    training: Int[np.ndarray, " T"],
    shape: tuple[int, int],
    seed: Sequence[int],
) -> Callable[[int], Batch]:
    """Returns step -> (tokens, targets), a function of seed and step alone: every epoch in another order.

    Args:
        wanted: targets of all rows.
        training: the rows to train on.
        shape: micro-batches per step, rows per micro-batch.
    """
    count = shape[0] * shape[1]

    @lru_cache(maxsize=2)
    def order(epoch: int) -> Int[np.ndarray, " T"]:
        return np.random.default_rng([*seed, epoch]).permutation(training)

    def make_batch(step: int) -> Batch:
        places = range(step * count, (step + 1) * count)
        numbers = np.array([order(place // len(training))[place % len(training)] for place in places])
        tokens = rows.padded(numbers)
        return tokens.reshape(*shape, -1), wanted[numbers].reshape(*shape, -1)

    return make_batch
