"""Pure functions of parameters and tokens: forward passes, shapes of the weights, pooling."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int32

from dnalm.models.bert_encoder import BertEncoder
from dnalm.models.config import ModelConfig
from dnalm.models.esm_encoder import Encoder
from dnalm.models.precision import DEFAULT_PRECISION, cast_params, check_precision
from dnalm.models.unet_head import SegmentationHead
from dnalm.tokens import Tokenizer

POOLINGS = ("mean", "mean_published", "max", "cls")


def untransformed(
    config: ModelConfig,
    layers: Collection[int],
    attention_layers: Collection[int],
    logits: bool,
    segmentation: bool,
    pooling: str | None,
    rescaling_factor: float | None,
    mapped: bool | None,
    remat: bool = False,
) -> Callable[..., dict[str, Array]]:
    """Returns the function of tokens alone that `forward` transforms; for use inside haiku."""
    scale = config.rescaling_factor if rescaling_factor is None else rescaling_factor
    needed = {*layers, config.num_layers} if segmentation else set(layers)

    def run(tokens: Array | np.ndarray, attention_mask: Array | np.ndarray | None = None) -> dict[str, Array]:
        with jax.default_matmul_precision("highest"):  # float32 means it: GPUs round products otherwise
            return compute(tokens, attention_mask)

    def compute(tokens: Array | np.ndarray, attention_mask: Array | np.ndarray | None) -> dict[str, Array]:
        encoder = (BertEncoder if config.architecture == "bert" else Encoder)(config, mapped, remat)
        tokens = jnp.asarray(tokens)
        mask = None if attention_mask is None else jnp.asarray(attention_mask)
        outputs = encoder(tokens, mask, needed, attention_layers, logits, scale)
        if segmentation:
            last = outputs[f"embeddings_{config.num_layers}"]
            head = SegmentationHead(config.embed_dim, len(config.features), config.kmers.k)
            scores = head(last[:, 1:], tokens[:, 1:] != config.kmers.pad_id)
            outputs["segment_logits"] = scores.astype(last.dtype)
            outputs["segment_probabilities"] = jax.nn.softmax(scores, axis=-1)[..., 1]
        for number in needed:
            embeddings = outputs.pop(f"embeddings_{number}")
            if number in layers:
                pooled = pool(embeddings, tokens, config.tokens, pooling) if pooling else embeddings
                outputs[f"embeddings_{number}"] = pooled
        return outputs

    return run


def _transform(*arguments: Any, **named: Any) -> hk.Transformed:
    return hk.without_apply_rng(hk.transform(untransformed(*arguments, **named)))


def forward(
    config: ModelConfig,
    layers: Collection[int] = (),
    attention_layers: Collection[int] = (),
    logits: bool = False,
    segmentation: bool = False,
    pooling: str | None = None,
    rescaling_factor: float | None = None,
    mapped: bool | None = None,
    precision: str = DEFAULT_PRECISION,
    remat: bool = False,
) -> Callable[..., dict[str, Array]]:
    """Returns apply(params, tokens, attention_mask=None) -> outputs, to be jitted or differentiated.

    Outputs: embeddings_{layer} (B, L, D), or (B, D) with `pooling`; attention_{layer} (B, H, L, L);
    logits (B, L, V), 0 at pads; segment_logits (B, S, F, 2) and segment_probabilities (B, S, F) with
    S = k * (L - 1). Nothing beyond the deepest layer asked for is computed.

    Args:
        layers: numbered from 1; the last one is taken after the encoder's last layer norm, as published.
        attention_layers: numbered from 1.
        rescaling_factor: overrides the config's.
        mapped: heads one by one (see `attention.attend`); None: on a CPU, for long windows.
        precision: float32, bfloat16 or float16, of the weights, all activations and the outputs. Always
            float32 are rotary angles, attention scores and weights, layer norms, pooling, and the last
            product of the segmentation head with its softmax; so are the outputs attention,
            segment_probabilities and pooled embeddings.
        remat: in gradients, compute each block again instead of keeping what is inside it: less memory, a
            third more time.

    `tokens` is Int32 (B, L), `attention_mask` Bool (B, 1, L, L): which key (last axis) each query may
    see; by default every token that is no pad. Padding never changes a valid position's value. `params`
    may have any type; a tree that has the precision's already costs no second copy.

    Raises:
        UserError: unknown precision.
    """
    check_precision(precision)
    transformed = _transform(
        config, layers, attention_layers, logits, segmentation, pooling, rescaling_factor, mapped, remat
    )

    def apply(params: Any, *inputs: Any, **named: Any) -> dict[str, Array]:
        # Activations have the type of the weights: nothing else needs to know of it.
        return transformed.apply(cast_params(params, precision), *inputs, **named)

    return apply


def parameter_shapes(config: ModelConfig) -> dict[str, dict[str, tuple[int, ...]]]:
    """Returns the shape of every parameter that a config's model has."""
    last, segmentation = (config.num_layers,), bool(config.features)
    transformed = _transform(config, last, (), config.lm_head, segmentation, None, None, mapped=False)
    tokens = jax.ShapeDtypeStruct((1, 5), jnp.int32)
    key = jax.ShapeDtypeStruct((2,), jnp.uint32)  # of a shape only: no device is started
    params = jax.eval_shape(transformed.init, key, tokens)
    return {module: {name: leaf.shape for name, leaf in leaves.items()} for module, leaves in params.items()}


def pool(
    embeddings: Float[Array, "B L D"],
    tokens: Int32[Array | np.ndarray, "B L"],
    tokenizer: Tokenizer,
    kind: str,
) -> Float[Array, "B D"]:
    """Returns one float32 vector per window.

    Args:
        kind: `mean` over all tokens that stand for known bases (no special token, no N; single letters
            count like k-mers), `mean_published` (N too), `max` over the tokens of `mean`, or `cls`. A
            window without such a token is NaN.
    """
    if kind == "cls":
        return embeddings[:, 0].astype(jnp.float32)
    weights = (~jnp.isin(tokens, np.asarray(tokenizer.ignored(kind)))).astype(jnp.float32)
    count = weights.sum(axis=1)[:, None]
    if kind == "max":
        values = jnp.where(weights[..., None] > 0, embeddings.astype(jnp.float32), -jnp.inf)
        return jnp.where(count > 0, values.max(axis=1), jnp.nan)
    total = jnp.einsum("bl,bld->bd", weights, embeddings.astype(jnp.float32))
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)
