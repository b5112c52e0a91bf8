"""The encoder with an adapter and a linear head: loss and outputs as functions of what is trained."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

from dnalm.engine.runner import plan_batches
from dnalm.finetuning.recipe import FineTuneRecipe
from dnalm.finetuning.rows import Rows
from dnalm.models import forward
from dnalm.models.adapters import adapted, init_adapter
from dnalm.models.config import ModelConfig
from dnalm.probe.targets import Targets
from dnalm.training.parallel import Placement

ADAPTER, HEAD = "adapter", "head"
RAREST = 1e-4  # a class is taken to be at least as frequent


def start(
    config: ModelConfig, recipe: FineTuneRecipe, targets: Targets, matrix: Float[np.ndarray, "N C"]
) -> dict[str, Any]:
    """Returns what is trained: an adapter that changes nothing, and a head that gives the rows' frequencies.

    Args:
        matrix: the training rows' targets (0 or 1, or standardised values).
    """
    share, bias = np.clip(matrix.mean(axis=0), RAREST, 1 - RAREST), np.zeros(matrix.shape[1])
    if targets.is_softmax:
        bias = np.log(share)
    elif not targets.is_regression:
        bias = np.log(share / (1 - share))
    weights = np.zeros((config.embed_dim, matrix.shape[1]), np.float32)
    head = {"w": weights, "b": bias.astype(np.float32)}
    return {ADAPTER: init_adapter(config, recipe.adapter, recipe.seed), HEAD: head}


def loss_of(targets: Targets, output: Float[Array, "B C"], wanted: Float[Array, "B C"]) -> Float[Array, ""]:
    """Mean negative log likelihood of logits, or half the mean squared error of values."""
    if targets.is_regression:
        return jnp.mean((output - wanted) ** 2) / 2
    if targets.is_softmax:
        return jnp.mean(jax.nn.logsumexp(output, axis=-1) - (output * wanted).sum(-1))
    return jnp.mean(jnp.logaddexp(0, output) - output * wanted)


class Tuned:
    """An encoder ready for all folds of a task; every program is compiled once.

    Args:
        params: the frozen weights, in the recipe's precision.
        batch_rows: rows computed at once where nothing is trained.
    """

    def __init__(
        self,
        params: Any,
        config: ModelConfig,
        recipe: FineTuneRecipe,
        targets: Targets,
        rows: Rows,
        batch_rows: int,
    ) -> None:
        layer = config.num_layers
        apply = forward(config, layers=(layer,), pooling=recipe.pooling, precision=recipe.precision)
        call = adapted(apply, recipe.adapter)
        self.rows, self.config = rows, config
        self._place = Placement(batch_rows)
        self.params, self._batch_rows = self._place.everywhere(params), batch_rows

        def embed(adapter: Any, params: Any, tokens: Any) -> Float[Array, "B D"]:
            return call(params, adapter, tokens)[f"embeddings_{layer}"]

        def output(trained: Any, params: Any, scales: Any, tokens: Any) -> Float[Array, "B C"]:
            centre, inverse = scales
            values = (embed(trained[ADAPTER], params, tokens) - centre) * inverse
            product = jnp.matmul(values, trained[HEAD]["w"], precision="highest")
            return product + trained[HEAD]["b"]

        def loss(trained: Any, batch: Any, params: Any, scales: Any) -> Float[Array, ""]:
            tokens, wanted = batch
            return loss_of(targets, output(trained, params, scales, tokens), wanted)

        self.loss: Callable[..., jax.Array] = loss
        self._output = jax.jit(lambda *given: output(*given[:-1], given[-1][0]))
        self._embed = jax.jit(lambda *given: embed(*given[:-1], given[-1][0]))

    def embeddings(self, adapter: Any) -> Float32[np.ndarray, "N D"]:
        """Returns the pooled last layer of all rows."""
        return self._over(np.arange(len(self.rows.lengths)), self._embed, adapter, self.params)

    def outputs(
        self, trained: Any, scales: Any, numbers: Int[np.ndarray, " M"]
    ) -> Float32[np.ndarray, "M C"]:
        """Returns logits, or standardised values, of some rows."""
        return self._over(numbers, self._output, trained, self.params, scales)

    def _over(self, numbers: Int[np.ndarray, " M"], call: Any, *given: Any) -> Float32[np.ndarray, "M _"]:
        found: list[Any] = [None] * len(numbers)
        lengths, pad = self.rows.lengths[numbers], self.config.tokens.pad
        batches = plan_batches(lengths, self._batch_rows, self.rows.nominal, self.config.max_tokens)
        for batch in batches:
            own = numbers[np.resize(batch.rows, self._batch_rows)]  # one shape: filled up by repeats
            tokens = pad([self.rows.tokens[number] for number in own], batch.length)
            values = np.asarray(call(*given, self._place.shared(tokens[None])))
            for place, value in zip(batch.rows, values, strict=False):
                found[place] = value
        return np.stack(found).astype(np.float32)


def scales_of(
    values: Float32[np.ndarray, "T D"],
) -> tuple[Float32[np.ndarray, " D"], Float32[np.ndarray, " D"]]:
    """Returns the columns' means and 1 / SD (1 where they are constant)."""
    deviation = values.std(axis=0, dtype=np.float64)
    inverse = 1 / np.where(deviation > 0, deviation, 1)
    return values.mean(axis=0, dtype=np.float64).astype(np.float32), inverse.astype(np.float32)
