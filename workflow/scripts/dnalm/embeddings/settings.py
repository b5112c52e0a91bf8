"""What embeddings are taken from a model: layers, pooling, strands, type."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Int32

from dnalm.embeddings.pieces import REFUSE, RULE, SPLIT
from dnalm.errors import UserError
from dnalm.models import ModelConfig
from dnalm.models.precision import DEFAULT_PRECISION, precision_entry


@dataclass(frozen=True)
class Settings:
    """What is taken from the model.

    Args:
        layers: numbered from 1, ascending.
        pooling: mean, mean_published, max or cls (see `models.pool`), or none for every token.
        reverse_complement: average with the embedding of the other strand.
        dtype: float16 or float32, of the output.
        precision: that the model computes in (see `models.forward`).
        long_inputs: refuse, or split (see `pieces`). split_overlap: tokens that neighbouring pieces share.
    """

    layers: tuple[int, ...]
    pooling: str = "mean"
    reverse_complement: bool = False
    dtype: str = "float32"
    precision: str = DEFAULT_PRECISION
    long_inputs: str = REFUSE
    split_overlap: int = 0

    def entries(self) -> dict[str, Any]:
        """Returns what tells these settings from others, for keys and files (see `precision_entry`)."""
        own = ("precision", "long_inputs", "split_overlap")
        shared = {name: value for name, value in asdict(self).items() if name not in own}
        split = {"long_inputs": SPLIT, "split_overlap": self.split_overlap, "split_rule": RULE}
        return {**shared, **precision_entry(self.precision), **(split if self.long_inputs == SPLIT else {})}


def parse_layers(text: str, num_layers: int) -> tuple[int, ...]:
    """Returns layer numbers from "last", "middle" (half of all, rounded up), "all", or "6,12".

    Raises:
        UserError: no such layer.
    """
    named = {"last": [num_layers], "middle": [-(-num_layers // 2)], "all": [*range(1, num_layers + 1)]}
    layers: set[int] = set()
    for word in text.split(","):
        word = word.strip()
        if word not in named and not (word.isdecimal() and 1 <= int(word) <= num_layers):
            raise UserError(
                "--layers",
                f"found {word!r} (expected 1 to {num_layers}, middle, last or all)",
                "Name layers of this model, separated by commas.",
            )
        layers.update(named[word] if word in named else [int(word)])
    return tuple(sorted(layers))


def check_token_limit(counts: Int32[np.ndarray, " N"], names: Sequence[str], config: ModelConfig) -> None:
    """Refuses windows with more tokens than the model was trained for.

    Raises:
        UserError: naming the longest.
    """
    longest = int(np.argmax(counts))
    if counts[longest] > config.max_tokens:
        raise UserError(
            names[longest],
            f"has {counts[longest]} tokens, the model takes at most {config.max_tokens} "
            f"({int((counts > config.max_tokens).sum())} windows are too long)",
            f"Use windows of at most {config.tokens.longest_bp(config.max_tokens)} bp with few N, or "
            "--long-inputs split.",
        )


def about(config: ModelConfig, settings: Settings, weights: str, random_seed: int | None) -> dict[str, Any]:
    """Returns what defines the embeddings, for uns["dnalm"], the manifest and the run's key."""
    return {
        "weights_sha256": weights,
        "weights": "checkpoint" if random_seed is None else f"random, seed {random_seed}",
        "model": config.summary(),
        **settings.entries(),
        "layers": list(settings.layers),
    }
