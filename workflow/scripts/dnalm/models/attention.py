"""Multi-head self-attention, with or without rotary positions."""

from __future__ import annotations

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

MASKED = -1e30  # an added logit's value where attention is not allowed; finite in float32
ROTARY_BASE = 10_000.0
# Scores of one window (heads x tokens x tokens) from which a CPU takes one head after the other: below
# it both forms are equally fast and the batched one compiles sooner; above it saves memory and time.
MAPPED_FROM = 1 << 21


def rotary_tables(
    length: int, key_size: int, rescaling_factor: float | None
) -> tuple[Float[Array, "L K"], Float[Array, "L K"]]:
    """Returns cosines and sines of the rotary angles, always float32.

    Angles rounded to bfloat16 before cos and sin are useless after some hundred tokens.
    A rescaling factor s turns the base into 10000 * s ** (key_size / (key_size - 2)).
    """
    scale = 1.0 if rescaling_factor is None else rescaling_factor
    base = ROTARY_BASE * scale ** (key_size / (key_size - 2))
    frequencies = base ** (-jnp.arange(0, key_size, 2, dtype=jnp.float32) / key_size)
    angles = jnp.outer(jnp.arange(length, dtype=jnp.float32), frequencies)
    angles = jnp.concatenate([angles, angles], axis=-1)
    return jnp.cos(angles), jnp.sin(angles)


def rotate(
    x: Float[Array, "*B L K"], tables: tuple[Float[Array, "L K"], Float[Array, "L K"]]
) -> Float[Array, "*B L K"]:
    """Rotates each pair (i, i + K/2) of a vector by its position's angle."""
    cosines, sines = tables
    first, second = jnp.split(x, 2, axis=-1)
    turned = jnp.concatenate([-second, first], axis=-1)
    return (x * cosines + turned * sines).astype(x.dtype)


def choose_mapped(heads: int, length: int) -> bool:
    """Says whether heads should be computed one after the other on the device in use."""
    return jax.default_backend() == "cpu" and heads * length**2 >= MAPPED_FROM


def attend_head(
    query: Float[Array, "L K"],
    key: Float[Array, "M K"],
    value: Float[Array, "M K"],
    mask: Bool[Array, "_ M"],
    slope: Float[Array, ""] | None = None,
) -> tuple[Float[Array, "L K"], Float[Array, "L M"]]:
    """Returns one head's output and weights; scores and softmax in float32.

    Args:
        mask: which keys each query (or, with one row, every query) may see.
        slope: what a score loses with each token of distance (Press et al. 2022, both directions alike).
    """
    scores = jnp.matmul(query * query.shape[-1] ** -0.5, key.T, preferred_element_type=jnp.float32)
    if slope is not None:
        distances = jnp.abs(jnp.arange(len(query))[:, None] - jnp.arange(len(key)))
        scores = scores - slope * distances
    weights = jax.nn.softmax(jnp.where(mask, scores, MASKED), axis=-1)
    return jnp.matmul(weights.astype(value.dtype), value), weights


def attend(
    query: Float[Array, "B H L K"],
    key: Float[Array, "B H M K"],
    value: Float[Array, "B H M K"],
    mask: Bool[Array, "B _ M"],
    mapped: bool,
    weights: bool,
    slopes: Float[Array, " H"] | None = None,
) -> tuple[Float[Array, "B H L K"], Float[Array, "B H L M"] | None]:
    """Returns the heads' outputs and, if asked for, their weights.

    Args:
        slopes: each head's (see `attend_head`).
        mapped: one head after the other (on a CPU up to 1.5 times as fast for long windows, with only
            one head's L x M scores in memory); False computes all at once.
    """

    def head(q: Array, k: Array, v: Array, slope: Array | None, m: Array) -> tuple[Array, Array | None]:
        output, attention = attend_head(q, k, v, m, slope)
        return output, attention if weights else None

    if not mapped:
        over_heads = jax.vmap(head, in_axes=(0, 0, 0, None if slopes is None else 0, None))
        return jax.vmap(over_heads, in_axes=(0, 0, 0, None, 0))(query, key, value, slopes, mask)

    def sequence(arguments: tuple[Array, ...]) -> tuple[Array, Array | None]:
        q, k, v, m = arguments
        return jax.lax.map(lambda heads: head(*heads, m), (q, k, v, slopes))

    return jax.lax.map(sequence, (query, key, value, mask))


class SelfAttention(hk.Module):
    """Projects, attends and projects back; optionally with one learned key and value that all may see."""

    def __init__(
        self, heads: int, key_size: int, add_bias_kv: bool, mapped: bool, name: str = "self_attention"
    ) -> None:
        super().__init__(name=name)
        self.heads, self.key_size, self.add_bias_kv, self.mapped = heads, key_size, add_bias_kv, mapped

    def _append(self, x: Float[Array, "B H L K"], name: str) -> Float[Array, "B H M K"]:
        bias = hk.get_parameter(name, (1, 1, self.heads, self.key_size), x.dtype, init=jnp.zeros)
        row = jnp.broadcast_to(jnp.swapaxes(bias, 1, 2), (len(x), self.heads, 1, self.key_size))
        return jnp.concatenate([x, row], axis=2)

    def __call__(
        self,
        x: Float[Array, "B L D"],
        mask: Bool[Array, "B _ L"],
        tables: tuple[Float[Array, "L K"], Float[Array, "L K"]] | None,
        weights: bool,
        slopes: Float[np.ndarray, " H"] | None = None,
    ) -> tuple[Float[Array, "B L D"], Float[Array, "B H L M"] | None]:
        width = self.heads * self.key_size
        query, key, value = (
            jnp.swapaxes(
                hk.Linear(width, name=name)(x).reshape(*x.shape[:-1], self.heads, self.key_size), 1, 2
            )
            for name in ("query", "key", "value")
        )
        if tables is not None:
            query, key = rotate(query, tables), rotate(key, tables)
        if self.add_bias_kv:
            key, value = self._append(key, "bias_k"), self._append(value, "bias_v")
            mask = jnp.pad(mask, ((0, 0), (0, 0), (0, 1)), constant_values=True)
        output, attention = attend(
            query, key, value, mask, self.mapped, weights, None if slopes is None else jnp.asarray(slopes)
        )
        output = jnp.swapaxes(output, 1, 2).reshape(*x.shape[:-1], width)
        return hk.Linear(x.shape[-1], name="mha_output")(output), attention
