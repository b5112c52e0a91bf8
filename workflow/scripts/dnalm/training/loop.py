"""The training loop: one optimiser step per batch, resumable at any step with the same result.

The state (parameters, their running average, the optimiser's moments, the loss of every step) is one
file, replaced atomically. Batches are a function of the step, so nothing else needs to be kept.
On several devices each takes its share of a batch; gradients are summed over them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dnalm.engine.interrupt import StopSignal
from dnalm.training.parallel import Placement
from dnalm.training.prefetch import prefetch
from dnalm.training.recipe import CONSTANT, COSINE, Recipe
from dnalm.training.report import Block, Pace, bases_per_step
from dnalm.training.state import Progress, load_state, save_state
from dnalm.training.validation import Best, Validation

Params = Any  # dict[str, dict[str, jax.Array]]
Batch = Any
AVERAGE = "average"  # of the parameters over steps; none where ema_decay is 0
UNROLLED = 4  # more micro-batches are one program each, not parts of one
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Trained:
    """The parameters, averaged or, with a validation, as of the best look; and how the run went."""

    params: Params
    progress: Progress


def learning_rate_schedule(recipe: Recipe) -> Callable[[Any], Any]:
    """Returns step -> learning rate: linear warm-up to the peak, then the recipe's schedule.

    inverse_sqrt: peak * sqrt(warm-up / step), as in the published pretraining (Dalla-Torre et al. 2025,
    Methods); cosine: to zero at the last step.
    """
    warmup = max(1, round(recipe.steps * recipe.warmup_fraction))
    first, peak = recipe.warmup_from, recipe.learning_rate
    if recipe.schedule == COSINE:
        return optax.warmup_cosine_decay_schedule(first, peak, warmup, max(recipe.steps, warmup + 1))
    rising = optax.linear_schedule(first, peak, warmup)
    if recipe.schedule == CONSTANT:
        return optax.join_schedules([rising, optax.constant_schedule(peak)], [warmup])
    falling = lambda after: peak * jnp.sqrt(warmup / (warmup + jnp.maximum(after, 0)))  # noqa: E731
    return optax.join_schedules([rising, falling], [warmup])


def make_optimiser(recipe: Recipe) -> optax.GradientTransformation:
    """Returns AdamW after clipping; the decay spares biases and norms."""
    return optax.chain(
        optax.clip_by_global_norm(recipe.clip_norm),
        optax.adamw(
            learning_rate_schedule(recipe),
            b1=recipe.beta1,
            b2=recipe.beta2,
            weight_decay=recipe.weight_decay,
            mask=lambda params: jax.tree.map(lambda leaf: leaf.ndim > 1, params),
        ),
    )


@lru_cache(maxsize=1)  # folds of one task share the compiled step
def make_step(
    loss: Callable[..., jax.Array], optimiser: optax.GradientTransformation, ema_decay: float
) -> Callable[..., tuple[dict[str, Any], jax.Array, jax.Array]]:
    """Returns (state, batches, *fixed) -> (state, loss, gradient norm), compiled.

    The batches' leading axis is the micro-batches, whose gradients are averaged. `fixed` is passed on to the
    loss: weights that are not trained, as an argument, not as constants of the program.
    """

    def step(
        state: dict[str, Any], batches: Batch, *fixed: Any
    ) -> tuple[dict[str, Any], jax.Array, jax.Array]:
        # Unrolled: inside lax.scan, XLA's CPU code takes five times as long for a step.
        micro = [
            jax.value_and_grad(loss)(
                state["params"], jax.tree.map(lambda leaf, i=i: leaf[i], batches), *fixed
            )
            for i in range(jax.tree.leaves(batches)[0].shape[0])
        ]
        value, gradient = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *micro)
        return _apply(state, value, gradient, optimiser, ema_decay)

    return jax.jit(step, donate_argnums=0)


def _apply(
    state: dict[str, Any],
    value: jax.Array,
    gradient: Any,
    optimiser: optax.GradientTransformation,
    ema_decay: float,
) -> tuple[dict[str, Any], jax.Array, jax.Array]:
    """Returns the state after one update, the loss and the gradient's norm."""
    updates, moments = optimiser.update(gradient, state["optimiser"], state["params"])
    params = optax.apply_updates(state["params"], updates)
    after = {"params": params, "optimiser": moments, "step": state["step"] + 1}
    if AVERAGE in state:
        # A young average forgets its start faster.
        decay = jnp.minimum(ema_decay, (1.0 + state["step"]) / (10.0 + state["step"]))
        after[AVERAGE] = optax.incremental_update(params, state[AVERAGE], 1 - decay)
    return after, value, optax.tree.norm(gradient)


@lru_cache(maxsize=1)
def make_long_step(
    loss: Callable[..., jax.Array], optimiser: optax.GradientTransformation, ema_decay: float
) -> Callable[..., tuple[dict[str, Any], jax.Array, jax.Array]]:
    """Returns what `make_step` returns, for many micro-batches: a program for each, and one for the update.

    Beside the state, memory holds one micro-batch's activations and two gradients.
    """

    def add(params: Any, total: Any, share: Any, batch: Batch, *fixed: Any) -> Any:
        found = jax.value_and_grad(loss)(params, batch, *fixed)
        return jax.tree.map(lambda sum_, one: sum_ + share * one, total, found)

    add_one = jax.jit(add, donate_argnums=1)
    update = jax.jit(lambda state, total: _apply(state, *total, optimiser, ema_decay), donate_argnums=0)

    def step(
        state: dict[str, Any], batches: Batch, *fixed: Any
    ) -> tuple[dict[str, Any], jax.Array, jax.Array]:
        number = jax.tree.leaves(batches)[0].shape[0]
        total = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, state["params"]))
        for place in range(number):
            one = jax.tree.map(lambda leaf, i=place: leaf[i], batches)
            total = add_one(state["params"], total, 1 / number, one, *fixed)
        return update(state, total)

    return step


def train(
    params: Params,
    loss: Callable[..., jax.Array],
    make_batch: Callable[[int], Batch],
    recipe: Pace,
    work_dir: str | Path,
    key: str,
    optimiser: optax.GradientTransformation | None = None,
    fixed: tuple[Any, ...] = (),
    validation: Validation | None = None,
    report: Callable[[Progress], None] | None = None,
) -> Trained:
    """Trains to `recipe.steps`, from the state in `work_dir` where there is one.

    Args:
        loss: (params, one micro-batch, *fixed) -> mean loss of its rows.
        make_batch: step -> pytree of arrays (micro-batches, windows, ...).
        key: identifies the run (`recipe.run_key`).
        optimiser: instead of `make_optimiser`'s.
        fixed: weights that are not trained.
        validation: chooses among the parameters on the way, and may end the run before its last step.
        report: called with the progress when it has grown: for a log or a figure that follows the run.

    Raises:
        UserError: the loss is no longer finite, or the state belongs to another run.
        SystemExit: SIGTERM or SIGINT came; the state is saved.
    """
    path = Path(work_dir) / "state.safetensors"
    optimiser = optimiser or make_optimiser(recipe)
    state = {
        "params": jax.tree.map(jnp.array, params),
        "optimiser": optimiser.init(params),
        "step": jnp.zeros((), jnp.int32),
    }
    state |= {AVERAGE: jax.tree.map(jnp.array, params)} if recipe.ema_decay else {}
    progress, best = Progress(), Best(validation, params)
    if path.exists():
        state, progress = load_state(path, {**state, **best.state()}, key)
        state = best.resume(state, progress)
        log.info("resuming at step %d of %d", progress.step, recipe.steps)
    place = Placement(recipe.batch_size)
    state, fixed = place.everywhere((state, fixed))
    make = make_step if recipe.accumulation <= UNROLLED else make_long_step
    advance = make(loss, optimiser, recipe.ema_decay)
    block = Block(progress, recipe, path)
    batches = prefetch(make_batch, range(progress.step, 0 if best.is_over else recipe.steps))
    with StopSignal() as stop, closing(batches):
        for batch in block.timed(batches):
            state, *values = advance(state, place.shared(batch), *fixed)
            done = block.add(values)
            last, look = done == recipe.steps, best.is_due(done, recipe.steps)
            save = bool(stop.number) or last or done % recipe.checkpoint_every == 0
            if save or look or done % recipe.log_every == 0:
                block.settle()
            if look:
                best.look(done, state.get(AVERAGE, state["params"]), progress)
            if save or best.is_over:
                save_state(path, {**state, **best.state()}, key, progress)
                block.saved = done
            if report and (save or look or done % recipe.log_every == 0):
                report(progress)
            if best.is_over:
                break
            stop.raise_if_set(f"stopped after step {done}; the same command goes on from there")
    return Trained(best.params if validation else state.get(AVERAGE, state["params"]), progress)


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
