"""What a training run reports while it runs: its progress, and a loss that is not finite."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import jax

from dnalm.errors import UserError
from dnalm.training.state import Progress

log = logging.getLogger("dnalm")


@runtime_checkable
class Pace(Protocol):
    """What the loop asks of a recipe."""

    steps: int
    batch_size: int
    accumulation: int
    window_bp: int
    ema_decay: float
    log_every: int
    checkpoint_every: int


class Block:
    """The steps since the last report, whose values may still be on the device.

    Reported per block: tokens and bases per second, and the share of the time in which the loop did not wait
    for a batch (`fed`): below 100 %, the device may have been idle for want of input.
    """

    def __init__(self, progress: Progress, recipe: Pace, path: Path) -> None:
        self._progress, self._recipe, self._path = progress, recipe, path
        self._values: list[list[jax.Array]] = []
        self._started, self._waited, self._tokens = time.monotonic(), 0.0, 0
        self.saved = progress.step  # the step of the last checkpoint

    def timed(self, batches: Iterator[Any]) -> Iterator[Any]:
        """Yields the batches; counts their tokens and the time that they kept the loop waiting."""
        while True:
            asked = time.monotonic()
            batch = next(batches, None)
            self._waited += time.monotonic() - asked
            if batch is None:
                return
            self._tokens += jax.tree.leaves(batch)[0].size
            yield batch

    def add(self, values: list[jax.Array]) -> int:
        """Notes one step's loss and gradient norm; returns the number of steps done."""
        self._values.append(values)
        return self._progress.step + len(self._values)

    def settle(self) -> None:
        """Moves the block into the progress and reports it; a loss that is not finite ends the run."""
        progress, recipe = self._progress, self._recipe
        for loss, norm in self._values:
            progress.losses.append(float(loss))
            progress.gradient_norms.append(float(norm))
            progress.step += 1
            if not (math.isfinite(progress.losses[-1]) and math.isfinite(progress.gradient_norms[-1])):
                self._stop_at_fault()
        now = time.monotonic()
        seconds, count = now - self._started, len(self._values)
        progress.seconds += seconds
        log.info(
            "step %d of %d  loss %.4f  %.0f tokens/s  %.1f kb/s  device fed %.0f %%%s  %.1f min left",
            progress.step,
            recipe.steps,
            sum(progress.losses[-count:]) / count,
            self._tokens / seconds,
            count * bases_per_step(recipe) / seconds / 1000,
            100 * (1 - min(1.0, self._waited / seconds)),
            memory_text(),
            (recipe.steps - progress.step) * seconds / count / 60,
        )
        self._started, self._waited, self._tokens, self._values = now, 0.0, 0, []

    def _stop_at_fault(self) -> None:
        progress = self._progress
        found = f"the loss is {progress.losses[-1]}, its gradient's norm {progress.gradient_norms[-1]}"
        kept = f"the last good checkpoint, of step {self.saved}, is {self._path}"
        raise UserError(
            f"training step {progress.step}",
            f"{found}; {kept if self.saved else 'there is no checkpoint'}",
            "Lower learning_rate and start anew.",
        )


def memory_text() -> str:
    """Returns the most memory that the device has held, for the log; nothing of a CPU."""
    counted = jax.local_devices()[0].memory_stats() or {}
    peak, limit = counted.get("peak_bytes_in_use"), counted.get("bytes_limit")
    return f"  memory {peak / 1e9:.1f} of {limit / 1e9:.1f} GB" if peak and limit else ""


def bases_per_step(recipe: Pace) -> int:
    """Returns how many bases one step sees."""
    return recipe.window_bp * recipe.batch_size * recipe.accumulation
