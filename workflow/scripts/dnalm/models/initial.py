"""Random weights, drawn with numpy: the same on every device, and without compiling anything."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float32

from dnalm.models.config import ModelConfig

Params = dict[str, dict[str, np.ndarray]]
BERT_SD = np.float32(0.02)  # initializer_range of every published config.json


def init_params(config: ModelConfig, seed: int) -> Params:
    """Returns random float32 weights by the published initialisers.

    BERT's: truncated normals of deviation 0.02; norms 1 and 0; biases 0. The others', haiku's defaults:
    truncated normals, of deviation 1 for embeddings and fan_in ** -0.5 for weights; attention weights
    uniform with variance 2 / fan_in; norms 1 and 0; biases 0.
    """
    from dnalm.models.apply import parameter_shapes

    generator = np.random.default_rng(seed)
    draw = _draw_bert if config.architecture == "bert" else _draw
    return {
        module: {name: draw(generator, module, name, shape) for name, shape in sorted(leaves.items())}
        for module, leaves in sorted(parameter_shapes(config).items())
    }


def _draw(
    generator: np.random.Generator, module: str, name: str, shape: tuple[int, ...]
) -> Float32[np.ndarray, "..."]:
    if name == "scale":
        return np.ones(shape, np.float32)
    if name == "embeddings":
        return truncated_normal(generator, shape)
    if name != "w":
        return np.zeros(shape, np.float32)
    fan_in = math.prod(shape[:-1])
    if "conv_transpose" in module:  # their shape is (kernel, out, in)
        fan_in = shape[0] * shape[2]
    if "/self_attention/" in module:
        limit = np.float32(math.sqrt(3 * 2 / fan_in))
        return limit * (2 * generator.random(shape, np.float32) - 1)
    return truncated_normal(generator, shape) / np.float32(math.sqrt(fan_in))


def _draw_bert(
    generator: np.random.Generator, module: str, name: str, shape: tuple[int, ...]
) -> Float32[np.ndarray, "..."]:
    if name == "scale":
        return np.ones(shape, np.float32)
    if name not in ("embeddings", "w"):
        return np.zeros(shape, np.float32)
    return BERT_SD * truncated_normal(generator, shape)


def truncated_normal(generator: np.random.Generator, shape: tuple[int, ...]) -> Float32[np.ndarray, "..."]:
    """Returns standard normal values, drawn again where they lie beyond 2."""
    values = generator.standard_normal(shape, np.float32)
    while (beyond := np.abs(values) > 2).any():
        values[beyond] = generator.standard_normal(int(beyond.sum()), np.float32)
    return values
