"""L-BFGS over many logistic regressions at once that share one design matrix, in JAX.

A training set is a row of 0/1 weights, its standardisation is folded into the parameters, and the logits
are kept: a line search touches no features, and an iteration costs two products with the matrix. An
approximate inverse Hessian starts every step, so that the number of iterations hardly depends on the
features' conditioning.

Source: Liu and Nocedal 1989, Mathematical Programming 45 (L-BFGS).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

MEMORY = 8  # pairs of steps and changes of the gradient that are kept
ESTIMATE = 1e-8  # of the objective: how far above its optimum a finished fit is, as the Hessian tells
BOUND = 1e-6  # of the objective: how far above it a fit of more features than half the rows can be at most
MOST_ITERATIONS = 1000
PATIENCE = 60  # iterations without progress, after which a fit is as good as float32 allows
SEARCHES = 12  # evaluations of one line search
SLOPE_KEPT = 0.25  # a step is long enough when it leaves at most this share of the slope
TINY = 1e-30


class Problem(NamedTuple):
    """F training sets of N rows and D features, with C classes or C labels of their own.

    The approximate Hessian of the weights is `weight` R'R + penalty: `inverse` is its inverse where `rows`
    is absent, else the inverse of the small matrix of Woodbury's identity.
    """

    values: Float[Array, "N D"]
    targets: Float[Array, "C N"]
    used: Float[Array, "F 1 N"]
    mean: Float[Array, "F 1 D"]
    scale: Float[Array, "F 1 D"]  # 1 / SD, 0 for constant columns
    count: Float[Array, "F 1 1"]
    penalty: Float[Array, ""]
    weight: Float[Array, ""]  # p (1 - p), about the mean over rows
    inverse: Float[Array, "R R"]
    rows: Float[Array, "R D"] | None


class State(NamedTuple):
    """Where the fits are; G is C, or 1 where the classes of a softmax are one problem."""

    iteration: Int[Array, ""]
    params: Float[Array, "F C W"]  # W = D + 1: weights of standardised features, then the intercept
    logits: Float[Array, "F C N"]
    gradient: Float[Array, "F C W"]
    steps: Float[Array, "M F C W"]
    changes: Float[Array, "M F C W"]
    products: Float[Array, "M F G 1"]  # step . change; a pair counts where it is positive
    gap: Float[Array, "F G 1"]  # at most 1 when finished
    best: Float[Array, "F G 1"]
    improved: Int[Array, "F G 1"]  # the iteration of the best


def _total(values: Array, softmax: bool) -> Array:
    return values.sum((1, 2) if softmax else 2, keepdims=True)


def _chance(logits: Array, softmax: bool) -> Array:
    return jax.nn.softmax(logits, axis=1) if softmax else jax.nn.sigmoid(logits)


def linear(problem: Problem, params: Float[Array, "F C W"]) -> Float[Array, "F C N"]:
    """Returns the logits of parameters, or the change of the logits along a direction."""
    scaled = params[..., :-1] * problem.scale
    shift = params[..., -1] - (scaled * problem.mean).sum(-1)
    return jnp.einsum("fcd,nd->fcn", scaled, problem.values) + shift[..., None]


def precondition(problem: Problem, vector: Float[Array, "F C W"]) -> Float[Array, "F C W"]:
    """Multiplies by the approximate inverse Hessian."""
    slope = vector[..., :-1]
    if problem.rows is None:
        slope = slope @ problem.inverse
    else:
        slope = (slope - ((slope @ problem.rows.T) @ problem.inverse) @ problem.rows) / problem.penalty
    slope = jnp.where(problem.scale > 0, slope, 0.0)
    return jnp.concatenate([slope, vector[..., -1:] / (problem.weight * problem.count)], axis=-1)


def slope_and_gap(
    problem: Problem, logits: Array, params: Array, softmax: bool
) -> tuple[Float[Array, "F C W"], Float[Array, "F G 1"]]:
    """Returns the gradient, and how far the objective is above its optimum, in units of what is allowed.

    Half the gradient's squared length in the metric of the inverse Hessian is the estimate, the Hessian
    scaled down where rows weigh less than the preconditioner has it. With many features rows can lose their
    weight one by one, and the bound is asked for: 1 / penalty for the inverse, since no curvature is less.
    """
    chance = _chance(logits, softmax)
    wrong = problem.used * (chance - problem.targets)
    total = wrong.sum(-1, keepdims=True)
    slope = problem.scale * (jnp.einsum("fcn,nd->fcd", wrong, problem.values) - total * problem.mean)
    gradient = jnp.concatenate([slope + problem.penalty * params[..., :-1], total], axis=-1)
    if softmax:
        loss = jax.nn.logsumexp(logits, axis=1, keepdims=True)
        loss = loss - (problem.targets * logits).sum(1, keepdims=True)
    else:
        loss = jax.nn.softplus(logits) - problem.targets * logits
    objective = _total(problem.used * loss, softmax)
    objective = objective + problem.penalty / 2 * _total(params[..., :-1] ** 2, softmax)
    weight = _total(problem.used * chance * (1 - chance), softmax) / problem.count
    weight = weight / problem.targets.shape[0] if softmax else weight
    gap = _total(gradient * precondition(problem, gradient), softmax) / ESTIMATE
    gap = gap * jnp.maximum(1, problem.weight / (weight + TINY))
    if 2 * problem.values.shape[1] > problem.values.shape[0]:
        gap = jnp.maximum(gap, _total(gradient[..., :-1] ** 2, softmax) / problem.penalty / BOUND)
    return gradient, gap / (2 * objective + TINY)


def _curve(problem: Problem, logits: Array, ahead: Array, softmax: bool) -> tuple[Array, Array]:
    """Returns first and second derivative of the loss along a change of the logits."""
    chance = _chance(logits, softmax)
    first = _total(problem.used * (chance - problem.targets) * ahead, softmax)
    around = (chance * ahead).sum(1, keepdims=True) if softmax else chance * ahead
    return first, _total(problem.used * chance * ahead * (ahead - around), softmax)


def _search(problem: Problem, state: State, direction: Array, ahead: Array, softmax: bool) -> Array:
    """Returns the step along a direction that leaves little of the slope: Newton's, kept in a bracket."""
    own = direction[..., :-1]
    offset = problem.penalty * _total(own * state.params[..., :-1], softmax)
    square = problem.penalty * _total(own**2, softmax)
    start = _total(direction * state.gradient, softmax)

    def improve(search: tuple[Array, ...]) -> tuple[Array, ...]:
        number, step, low, high, done = search
        first, second = _curve(problem, state.logits + step * ahead, ahead, softmax)
        first, second = first + offset + step * square, second + square
        done = done | (jnp.abs(first) <= SLOPE_KEPT * jnp.abs(start))
        low, high = jnp.where(first < 0, step, low), jnp.where(first < 0, high, step)
        newton = step - first / jnp.maximum(second, TINY)
        middle = jnp.where(jnp.isinf(high), 4 * step, (low + high) / 2)
        inside = (newton > low) & (newton < jnp.minimum(high, 10 * step))
        return number + 1, jnp.where(done, step, jnp.where(inside, newton, middle)), low, high, done

    ones = jnp.ones_like(start)
    search = (jnp.array(0), ones, 0 * ones, jnp.inf * ones, start >= 0)
    search = jax.lax.while_loop(lambda s: (s[0] < SEARCHES) & ~s[-1].all(), improve, search)
    return jnp.where(start < 0, search[1], 0.0)


def _direction(problem: Problem, state: State, softmax: bool) -> Array:
    order = (state.iteration - 1 - jnp.arange(MEMORY)) % MEMORY

    def share(vectors: Array, place: Array, vector: Array) -> Array:
        product = state.products[place]
        part = _total(vectors[place] * vector, softmax) / jnp.maximum(product, TINY)
        return jnp.where(product > 0, part, 0.0)

    def backward(vector: Array, place: Array) -> tuple[Array, Array]:
        part = share(state.steps, place, vector)
        return vector - part * state.changes[place], part

    def forward(vector: Array, pair: tuple[Array, Array]) -> tuple[Array, None]:
        place, part = pair
        return vector + (part - share(state.changes, place, vector)) * state.steps[place], None

    vector, parts = jax.lax.scan(backward, state.gradient, order)
    vector, _ = jax.lax.scan(forward, precondition(problem, vector), (order[::-1], parts[::-1]))
    return -vector


def _active(state: State) -> Array:
    return (state.gap > 1) & (state.iteration - state.improved < PATIENCE)


@partial(jax.jit, static_argnames="softmax")
def minimise(problem: Problem, params: Float[Array, "F C W"], softmax: bool) -> State:
    """Returns the optimum of each training set, from these parameters on.

    Args:
        softmax: the C targets are classes of which each row has one; else labels fitted one by one.
    """
    groups = 1 if softmax else params.shape[1]
    history, none = jnp.zeros((MEMORY, *params.shape)), jnp.zeros((params.shape[0], groups, 1))
    start = State(  # without a gradient, the first iteration takes no step and finds it
        jnp.array(0),
        params,
        linear(problem, params),
        jnp.zeros(params.shape),
        history,
        history,
        jnp.zeros((MEMORY, *none.shape)),
        none + jnp.inf,
        none + jnp.inf,
        jnp.zeros(none.shape, jnp.int32),
    )

    def advance(state: State) -> State:
        direction = _direction(problem, state, softmax)
        ahead = linear(problem, direction)
        step = jnp.where(_active(state), _search(problem, state, direction, ahead, softmax), 0.0)
        params, logits = state.params + step * direction, state.logits + step * ahead
        gradient, gap = slope_and_gap(problem, logits, params, softmax)
        change, place = gradient - state.gradient, state.iteration % MEMORY
        return State(
            state.iteration + 1,
            params,
            logits,
            gradient,
            state.steps.at[place].set(step * direction),
            state.changes.at[place].set(change),
            state.products.at[place].set(_total(step * direction * change, softmax)),
            gap,
            jnp.minimum(gap, state.best),
            jnp.where(gap < state.best, state.iteration + 1, state.improved),
        )

    return jax.lax.while_loop(
        lambda state: (state.iteration < MOST_ITERATIONS) & _active(state).any(), advance, start
    )
