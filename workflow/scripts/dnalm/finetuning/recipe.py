"""The numbers that define a fine-tuning."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optax

from dnalm.errors import UserError
from dnalm.models.adapters import AdapterConfig
from dnalm.models.precision import DEFAULT_PRECISION

SCHEDULES = ("constant", "cosine")
AT_LEAST_ONE = ("steps", "batch_size", "accumulation", "validate_every", "checkpoint_every", "log_every")
NO_SCIENCE = ("checkpoint_every", "log_every")


@dataclass(frozen=True)
class FineTuneRecipe:
    """How each fold is trained.

    Args:
        adapter: what of the encoder is trained, beside the head.
        pooling: of the last layer's tokens, before the head (see `models.pool`).
        batch_size: rows per step and micro-batch. accumulation: micro-batches per step.
        schedule: of the learning rate after the warm-up.
        validate_every: steps between two looks at the validation fold.
        patience: looks without a lower loss that end a fold; 0: none does.
        precision: that the encoder computes in; what is trained stays float32.
        window_bp: of the longest row, by which the speed is told; filled in by `fine_tune`.

    Source: 10,000 steps of 8 rows, Adam at 3e-3: Dalla-Torre et al. 2025, supplementary section A.1.4, as two
    independent implementations cite it. Pooling, schedule and early stopping are ours.

    Raises:
        UserError: a number out of its range.
    """

    adapter: AdapterConfig
    pooling: str = "mean"
    steps: int = 10_000
    batch_size: int = 8
    accumulation: int = 1
    learning_rate: float = 3e-3
    schedule: str = "constant"
    warmup_fraction: float = 0.0
    weight_decay: float = 0.0
    clip_norm: float = 1.0
    validate_every: int = 500
    patience: int = 6
    seed: int = 1
    precision: str = DEFAULT_PRECISION
    checkpoint_every: int = 500
    log_every: int = 100
    ema_decay: float = 0.0  # the parameters themselves are validated and kept
    window_bp: int = 1

    def __post_init__(self) -> None:
        for name in AT_LEAST_ONE:
            if getattr(self, name) < 1:
                raise UserError(name, f"found {getattr(self, name)}, expected 1 or more", "Raise it.")
        if not (self.learning_rate > 0 and self.clip_norm > 0):
            found = f"{self.learning_rate} and {self.clip_norm}"
            raise UserError("learning_rate, clip_norm", f"found {found}, expected more than 0", "Raise it.")
        if not 0 <= self.warmup_fraction < 1 or self.patience < 0 or self.weight_decay < 0:
            raise UserError(
                "warmup_fraction, patience, weight_decay",
                f"found {self.warmup_fraction}, {self.patience}, {self.weight_decay}, expected 0 or more, "
                "the first below 1",
                "Mend it.",
            )
        if self.schedule not in SCHEDULES:
            raise UserError("schedule", f"found {self.schedule!r}, expected {' or '.join(SCHEDULES)}")

    def science(self) -> dict[str, Any]:
        """Returns what decides the result, for keys and manifests."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in NO_SCIENCE}


def learning_rates(recipe: FineTuneRecipe) -> Callable[[Any], Any]:
    """Returns step -> learning rate."""
    warmup = round(recipe.steps * recipe.warmup_fraction)
    rest = max(recipe.steps - warmup, 1)
    after = (
        optax.constant_schedule(recipe.learning_rate)
        if recipe.schedule == "constant"
        else optax.cosine_decay_schedule(recipe.learning_rate, rest)
    )
    if not warmup:
        return after
    return optax.join_schedules([optax.linear_schedule(0.0, recipe.learning_rate, warmup), after], [warmup])


def make_optimiser(recipe: FineTuneRecipe) -> optax.GradientTransformation:
    """Returns Adam (0.9, 0.999), with decoupled decay of matrices, after clipping."""
    return optax.chain(
        optax.clip_by_global_norm(recipe.clip_norm),
        optax.adamw(
            learning_rates(recipe), weight_decay=recipe.weight_decay, mask=lambda tree: _matrices(tree)
        ),
    )


def _matrices(tree: Any) -> Any:
    import jax

    return jax.tree.map(lambda leaf: leaf.ndim > 1, tree)
