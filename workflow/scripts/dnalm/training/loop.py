"""The training loop: one optimiser step per batch, resumable at any step with the same result.

The state (parameters, their running average, the optimiser's moments, the loss of every step) is one
file, replaced atomically. Batches are a function of the step, so nothing else needs to be kept.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dnalm.engine.interrupt import StopSignal
from dnalm.errors import UserError
from dnalm.training.prefetch import prefetch
from dnalm.training.recipe import Recipe
from dnalm.training.state import Progress, load_state, save_state

Params = Any  # dict[str, dict[str, jax.Array]]
Batch = Any
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Trained:
    """The running average of the parameters, and how the run went."""

    params: Params
    progress: Progress


def learning_rate_schedule(recipe: Recipe) -> Callable[[Any], Any]:
    """Returns step -> learning rate: linear warm-up to the peak, then a cosine to zero."""
    warmup = max(1, round(recipe.steps * recipe.warmup_fraction))
    return optax.warmup_cosine_decay_schedule(
        0.0, recipe.learning_rate, warmup, max(recipe.steps, warmup + 1)
    )


def make_optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """Returns AdamW (0.9, 0.98) after clipping; the decay spares biases and norms."""
    return optax.chain(
        optax.clip_by_global_norm(recipe.clip_norm),
        optax.adamw(
            learning_rate_schedule(recipe),
            b1=0.9,
            b2=0.98,
            weight_decay=recipe.weight_decay,
            mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
        ),
    )


def make_step(
    loss: Callable[[Params, Batch], jax.Array], optimiser: optax.GradientTransformation, ema_decay: float
) -> Callable[[dict[str, Any], Batch], tuple[dict[str, Any], jax.Array, jax.Array]]:
    """Returns (state, batches) -> (state, loss, gradient norm), compiled.

    The batches' leading axis is the micro-batches, whose gradients are averaged.
    """

    def step(state: dict[str, Any], batches: Batch) -> tuple[dict[str, Any], jax.Array, jax.Array]:
        # Unrolled: inside lax.scan, XLA's CPU code takes five times as long for a step.
        micro = [
            jax.value_and_grad(loss)(state["params"], jax.tree.map(lambda leaf, i=i: leaf[i], batches))
            for i in range(jax.tree.leaves(batches)[0].shape[0])
        ]
        value, gradient = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *micro)
        updates, moments = optimiser.update(gradient, state["optimiser"], state["params"])
        params = optax.apply_updates(state["params"], updates)
        # A young average forgets its start faster.
        decay = jnp.minimum(ema_decay, (1.0 + state["step"]) / (10.0 + state["step"]))
        average = optax.incremental_update(params, state["average"], 1 - decay)
        after = {"params": params, "average": average, "optimiser": moments, "step": state["step"] + 1}
        return after, value, optax.tree.norm(gradient)

    return jax.jit(step, donate_argnums=0)


def train(
    params: Params,
    loss: Callable[[Params, Batch], jax.Array],
    make_batch: Callable[[int], Batch],
    recipe: Recipe,
    work_dir: str | Path,
    key: str,
) -> Trained:
    """Trains to `recipe.steps`, from the state in `work_dir` where there is one.

    Args:
        make_batch: step -> pytree of arrays (micro-batches, windows, ...).
        key: identifies the run (`recipe.run_key`).

    Raises:
        UserError: the loss is no longer finite, or the state belongs to another run.
        SystemExit: SIGTERM or SIGINT came; the state is saved.
    """
    path = Path(work_dir) / "state.safetensors"
    optimiser = make_optimiser(recipe)
    state = {
        "params": jax.tree.map(jnp.array, params),
        "average": jax.tree.map(jnp.array, params),
        "optimiser": optimiser.init(params),
        "step": jnp.zeros((), jnp.int32),
    }
    progress = Progress()
    if path.exists():
        state, progress = load_state(path, state, key)
        log.info("resuming at step %d of %d", progress.step, recipe.steps)
    advance = make_step(loss, optimiser, recipe.ema_decay)
    block = _Block(progress, recipe, path)
    batches = prefetch(make_batch, range(progress.step, recipe.steps))
    with StopSignal() as stop, closing(batches):
        for batch in batches:
            state, *values = advance(state, batch)
            done = block.add(values)
            save = bool(stop.number) or done % recipe.checkpoint_every == 0 or done == recipe.steps
            if save or done % recipe.log_every == 0:
                block.settle()
            if save:
                save_state(path, state, key, progress)
                block.saved = done
            stop.raise_if_set(f"stopped after step {done}; the same command goes on from there")
    return Trained(state["average"], progress)


class _Block:
    """The steps since the last report, whose values may still be on the device."""

    def __init__(self, progress: Progress, recipe: Recipe, path: Path) -> None:
        self._progress, self._recipe, self._path = progress, recipe, path
        self._values: list[list[jax.Array]] = []
        self._started = time.monotonic()
        self.saved = progress.step  # the step of the last checkpoint

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
            "step %d of %d  loss %.4f  %.1f kb/s  %.1f min left",
            progress.step,
            recipe.steps,
            sum(progress.losses[-count:]) / count,
            count * bases_per_step(recipe) / seconds / 1000,
            (recipe.steps - progress.step) * seconds / count / 60,
        )
        self._started, self._values = now, []

    def _stop_at_fault(self) -> None:
        progress = self._progress
        found = f"the loss is {progress.losses[-1]}, its gradient's norm {progress.gradient_norms[-1]}"
        kept = f"the last good checkpoint, of step {self.saved}, is {self._path}"
        raise UserError(
            f"training step {progress.step}",
            f"{found}; {kept if self.saved else 'there is no checkpoint'}",
            "Lower learning_rate and start anew.",
        )


def bases_per_step(recipe: Recipe) -> int:
    """Returns how many bases one step sees."""
    return recipe.window_bp * recipe.batch_size * recipe.accumulation


def log_table(progress: Progress, recipe: Recipe) -> str:
    """Returns the run's log as tab-separated text: a row per `log_every` steps, no wall times."""
    schedule = learning_rate_schedule(recipe)
    lines = ["step\tmegabases\tlearning_rate\tloss\tgradient_norm"]
    for start in range(0, progress.step, recipe.log_every):
        end = min(start + recipe.log_every, progress.step)
        loss = sum(progress.losses[start:end]) / (end - start)
        norm = sum(progress.gradient_norms[start:end]) / (end - start)
        seen = end * bases_per_step(recipe) / 1e6
        lines.append(f"{end}\t{seen:.3f}\t{float(schedule(end - 1)):.3e}\t{loss:.5f}\t{norm:.4f}")
    return "\n".join(lines) + "\n"
