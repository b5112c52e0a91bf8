"""Early stopping: looks at rows that are not trained on, and what was best on them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from dnalm.training.state import Progress

BEST = "best"
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Validation:
    """How a run is judged on the way.

    Args:
        loss: of the parameters, on rows that are not trained on; or the loss with a table of other scores.
        every: steps between two looks; the last step is always looked at.
        patience: looks without a lower loss that end the run; 0: none does.
    """

    loss: Callable[[Any], Any]
    every: int
    patience: int


class Best:
    """The parameters of the lowest validation loss so far; without a validation, nothing."""

    def __init__(self, validation: Validation | None, params: Any) -> None:
        self._validation, self.params = validation, jax.tree.map(jnp.array, params)
        self._loss, self._stale = math.inf, 0

    @property
    def is_over(self) -> bool:
        """Whether patience is at its end."""
        return self._validation is not None and 0 < self._validation.patience <= self._stale

    def is_due(self, done: int, steps: int) -> bool:
        """Says whether to look after so many steps."""
        return self._validation is not None and (done % self._validation.every == 0 or done == steps)

    def state(self) -> dict[str, Any]:
        """Returns what belongs into the run's state."""
        return {} if self._validation is None else {BEST: self.params}

    def resume(self, state: dict[str, Any], progress: Progress) -> dict[str, Any]:
        """Takes up a saved run; returns the rest of its state."""
        self.params = state.get(BEST, self.params)
        for _, loss, *_ in progress.validation:
            self._note(loss)
        return {name: value for name, value in state.items() if name != BEST}

    def look(self, done: int, params: Any, progress: Progress) -> None:
        """Judges the parameters and keeps a copy of them where they are the best."""
        if self._validation is None:
            return
        found = self._validation.loss(params)
        loss, *scores = found if isinstance(found, tuple) else (found,)
        progress.validation.append([done, loss, *scores])
        if better := self._note(loss):
            self.params = jax.tree.map(jnp.array, params)  # a copy: the next step overwrites them
        told = "".join(f"  {name} {value:.4f}" for table in scores for name, value in table.items())
        log.info("step %d  validation loss %.4f%s%s", done, loss, told, "  (best)" if better else "")

    def _note(self, loss: float) -> bool:
        better = loss < self._loss
        self._loss, self._stale = (loss, 0) if better else (self._loss, self._stale + 1)
        return better
