"""The small probe with one hidden layer: all folds trained at once, stopped by an inner fold."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from dnalm.probe.linear import Candidate
from dnalm.probe.scaling import Scales, scales_of
from dnalm.probe.sets import Sets
from dnalm.probe.targets import Design, Targets

HIDDEN = 128
BATCH = 128  # rows of a step; a quarter of the training rows where they are few
LEAST_STEPS = 16  # between two looks at the stopping fold; few rows are gone through several times
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 1e-2
MOST_EPOCHS = 100  # looks at the stopping fold
PATIENCE = 8  # looks without a lower loss
SEED = 0


def mlp_candidates(design: Design, targets: Targets, sets: Sets) -> Iterator[Candidate]:
    """Yields one candidate: per fold a network trained on the other folds but one, which stops it.

    With an official test set the fold itself stops its network; else the next fold does, and the fold is
    predicted. The loss by which layers are compared is that of the fold that stops.
    """
    count = len(sets.numbers)
    stop = np.stack([sets.fold == sets.numbers[place] for place in sets.stopping_folds])
    train = ~stop & np.stack([sets.tested | (sets.fold != number) for number in sets.numbers])
    matrix, centre, unit = _scaled_targets(targets, train)
    scales = scales_of(design.values, train)
    params, losses = _train(design.values, matrix, scales, train, stop, targets)

    def output(place: int, values: Float32[np.ndarray, "M D"]) -> Float[np.ndarray, "M C"]:
        inputs = (values - scales.mean[place]) * scales.inverse[place]
        own = _forward([np.asarray(array[place], np.float64) for array in params], inputs)
        return own * unit[place] + centre[place]

    outputs, stopping = [], []
    for place in range(count):
        outputs.append(output(place, design.test if sets.tested else design.values[sets.rows(place)]))
        stopping.append(targets.loss(targets.labels[stop[place]], output(place, design.values[stop[place]])))
    yield Candidate(float("nan"), losses, outputs, np.array(stopping))


def _scaled_targets(
    targets: Targets, train: Bool[np.ndarray, "K N"]
) -> tuple[Float32[np.ndarray, "K N C"], np.ndarray, np.ndarray]:
    """Returns each fold's targets, values standardised by its training rows, with their mean and SD."""
    matrix = targets.matrix
    centre, unit = np.zeros((len(train), matrix.shape[1])), np.ones((len(train), matrix.shape[1]))
    if targets.is_regression:
        centre = np.stack([matrix[rows].mean(axis=0) for rows in train])
        unit = np.stack([matrix[rows].std(axis=0) for rows in train])
        unit[unit == 0] = 1.0
    return ((matrix - centre[:, None]) / unit[:, None]).astype(np.float32), centre, unit


def _forward(params: Any, inputs: Any) -> Any:
    """Returns the output of one network, of numpy's or JAX's arrays."""
    first, bias, second, offset = params
    hidden = inputs @ first + bias
    return (hidden * (hidden > 0)) @ second + offset


def _loss(targets: Targets, output: Any, wanted: Any) -> Any:
    """Returns the loss of each row; for values half the mean squared error."""
    import jax
    import jax.numpy as jnp

    if targets.is_regression:
        return ((output - wanted) ** 2).mean(-1) / 2
    if targets.is_softmax:
        return jax.nn.logsumexp(output, axis=-1) - (output * wanted).sum(-1)
    return (jnp.logaddexp(0, output) - output * wanted).mean(-1)


def _train(
    values: Float32[np.ndarray, "N D"],
    wanted: Float32[np.ndarray, "K N C"],
    scales: Scales,
    train: Bool[np.ndarray, "K N"],
    stop: Bool[np.ndarray, "K N"],
    targets: Targets,
) -> tuple[list[np.ndarray], Float[np.ndarray, " K"]]:
    """Returns the parameters of the best epoch and its loss on the stopping rows, per fold."""
    import jax
    import jax.numpy as jnp
    import optax

    arrays = [jnp.asarray(array, jnp.float32) for array in (values, wanted, scales.mean, scales.inverse)]
    optimiser = optax.adamw(LEARNING_RATE, weight_decay=WEIGHT_DECAY)

    def batch_loss(params: Any, inputs: Any, labels: Any) -> Any:
        return _loss(targets, _forward(params, inputs), labels).mean()

    @partial(jax.jit, donate_argnums=(0, 1))
    def epoch(params: Any, state: Any, values: Any, wanted: Any, mean: Any, inverse: Any, rows: Any) -> Any:
        def fold_step(params: Any, state: Any, inputs: Any, labels: Any) -> tuple[Any, Any]:
            updates, state = optimiser.update(jax.grad(batch_loss)(params, inputs, labels), state, params)
            return optax.apply_updates(params, updates), state

        def step(carry: Any, rows: Any) -> tuple[Any, None]:
            inputs = (values[rows] - mean[:, None]) * inverse[:, None]
            labels = jnp.take_along_axis(wanted, rows[..., None], axis=1)
            return jax.vmap(fold_step)(*carry, inputs, labels), None

        return jax.lax.scan(step, (params, state), rows)[0]

    @jax.jit
    def validate(params: Any, values: Any, wanted: Any, mean: Any, inverse: Any, stop: Any) -> Any:
        def fold_loss(each: Any) -> Any:
            params, wanted, mean, inverse, stop = each
            loss = _loss(targets, _forward(params, (values - mean) * inverse), wanted)
            return (loss * stop).sum() / stop.sum()

        return jax.lax.map(fold_loss, (params, wanted, mean, inverse, stop))

    params = _initial(len(train), values.shape[1], wanted.shape[2])
    state, weights = jax.vmap(optimiser.init)(params), jnp.asarray(stop, jnp.float32)
    best, kept = np.full(len(train), np.inf), [np.asarray(array) for array in params]
    generator, stale = np.random.default_rng(SEED), np.zeros(len(train), int)
    for _ in range(MOST_EPOCHS):
        params, state = epoch(params, state, *arrays, _batches(train, generator))
        losses = np.asarray(validate(params, *arrays, weights), np.float64)
        better = (losses < best) & (stale < PATIENCE)
        kept = [np.where(better.reshape(-1, *[1] * (old.ndim - 1)), new, old)
                for old, new in zip(kept, map(np.asarray, params), strict=True)]  # fmt: skip
        best, stale = np.where(better, losses, best), np.where(better, 0, stale + 1)
        if (stale >= PATIENCE).all():
            break
    return kept, best


def _initial(folds: int, columns: int, outputs: int) -> list[Any]:
    """Returns the same random weights for every fold (He et al. 2015), and a last layer of zeros."""
    import jax.numpy as jnp

    first = np.random.default_rng(SEED).normal(size=(columns, HIDDEN)) * np.sqrt(2 / columns)
    shapes = [(HIDDEN,), (HIDDEN, outputs), (outputs,)]
    arrays = [first, *(np.zeros(shape) for shape in shapes)]
    return [jnp.asarray(np.broadcast_to(array, (folds, *array.shape)), jnp.float32) for array in arrays]


def _batches(train: Bool[np.ndarray, "K N"], generator: np.random.Generator) -> Int[np.ndarray, "S K R"]:
    """Deals each fold's training rows to steps of as many rows; larger folds leave some out in turn."""
    least = int(train.sum(axis=1).min())
    size = min(BATCH, -(-least // 4))
    steps = least // size
    rounds = -(-LEAST_STEPS // steps)
    members = [np.flatnonzero(own) for own in train]
    rows = [[generator.permutation(own)[: steps * size] for own in members] for _ in range(rounds)]
    dealt = np.array(rows, np.int32).reshape(rounds, len(train), steps, size)
    return dealt.transpose(0, 2, 1, 3).reshape(-1, len(train), size)
