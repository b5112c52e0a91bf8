"""Adapters of a frozen encoder: a few learned numbers, applied in the call or merged into the weights.

An adapter is a tree like a model's parameters (module -> name -> array), of the adapted modules only:
`ia3_in` (inputs) and `ia3` (outputs) scale a linear layer's vectors; `lora_a` (inputs, R) and `lora_b`
(R, outputs) add scale * x A B to its output. Fresh adapters change nothing, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dnalm.errors import UserError
from dnalm.models.config import ModelConfig

METHODS = ("ia3", "lora", "head")
PROJECTIONS = ("query", "key", "value", "mha_output", "fc1", "fc2")
Adapter = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class AdapterConfig:
    """What is trained of an encoder.

    Args:
        method: ia3 (vectors on keys, values and the inner activations of the feed-forward layer), lora, or
            head (nothing).
        rank: R of lora. alpha: its scale is alpha / rank. projections: the linear layers that it changes.

    Source: Liu et al. 2022 (IA3), which Dalla-Torre et al. 2025 fine-tune with; Hu et al. 2022 (LoRA; query
    and value, its Table 5).

    Raises:
        UserError: an unknown method or projection, or a rank below 1.
    """

    method: str = "ia3"
    rank: int = 8
    alpha: float = 16.0
    projections: tuple[str, ...] = ("query", "value")

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UserError("method", f"found {self.method!r}, expected one of {', '.join(METHODS)}")
        unknown = [name for name in self.projections if name not in PROJECTIONS]
        if unknown or not self.projections:
            raise UserError(
                "projections", f"found {unknown}, expected some of {', '.join(PROJECTIONS)}", "Name these."
            )
        if self.rank < 1:
            raise UserError("rank", f"found {self.rank}, expected 1 or more", "Raise it.")

    @property
    def scale(self) -> float:
        """By which lora's product is multiplied."""
        return self.alpha / self.rank


def _projection(config: ModelConfig, layer: int, name: str) -> tuple[str, int, int]:
    """Returns the module's name, its inputs and its outputs; layers from 0."""
    width, inner = config.attention_heads * config.key_size, config.ffn_embed_dim
    block = f"{config.root}/attention_layer_{layer}/~"
    sizes = {
        "mha_output": (width, config.embed_dim),
        "fc1": (config.embed_dim, inner * (2 if config.use_glu_in_ffn else 1)),
        "fc2": (inner, config.embed_dim),
    }
    inside = "" if name.startswith("fc") else "self_attention/"
    return f"{block}/{inside}{name}", *sizes.get(name, (config.embed_dim, width))


def adapter_shapes(config: ModelConfig, settings: AdapterConfig) -> dict[str, dict[str, tuple[int, ...]]]:
    """Returns the shape of every array of an adapter."""
    shapes: dict[str, dict[str, tuple[int, ...]]] = {}
    for layer in range(config.num_layers):
        if settings.method == "ia3":
            for name in ("key", "value"):
                module, _, outputs = _projection(config, layer, name)
                shapes[module] = {"ia3": (outputs,)}
            module, inputs, _ = _projection(config, layer, "fc2")
            shapes[module] = {"ia3_in": (inputs,)}
        elif settings.method == "lora":
            for name in settings.projections:
                module, inputs, outputs = _projection(config, layer, name)
                shapes[module] = {"lora_a": (inputs, settings.rank), "lora_b": (settings.rank, outputs)}
    return shapes


def init_adapter(config: ModelConfig, settings: AdapterConfig, seed: int) -> Adapter:
    """Returns an adapter that changes nothing: vectors of 1; A normal with variance 1 / inputs, B zero."""
    generator = np.random.default_rng(seed)

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        if name == "lora_a":
            return (generator.standard_normal(shape) / np.sqrt(shape[0])).astype(np.float32)
        return (np.zeros if name == "lora_b" else np.ones)(shape, np.float32)

    return {
        module: {name: draw(name, shape) for name, shape in leaves.items()}
        for module, leaves in adapter_shapes(config, settings).items()
    }


def adapted(apply: Callable[..., Any], settings: AdapterConfig) -> Callable[..., Any]:
    """Returns apply(params, adapter, tokens, ...) of a `forward`: the adapter works on the activations.

    So gradients of the adapter need no gradient of a weight. The adapter's numbers stay float32 and are cast
    to the activations' type.
    """
    import haiku as hk

    def call(params: Any, adapter: Mapping[str, Mapping[str, Any]], *inputs: Any, **named: Any) -> Any:
        def change(layer: Callable[..., Any], given: Any, options: Any, context: Any) -> Any:
            called = context.method_name == "__call__"
            leaves = adapter.get(context.module.module_name) if called else None
            if leaves is None:
                return layer(*given, **options)
            (x,) = given
            leaves = {name: leaf.astype(x.dtype) for name, leaf in leaves.items()}
            output = layer(x * leaves["ia3_in"] if "ia3_in" in leaves else x, **options)
            if "ia3" in leaves:
                output = output * leaves["ia3"]
            if "lora_a" in leaves:
                output = output + (x @ leaves["lora_a"]) @ leaves["lora_b"] * settings.scale
            return output

        with hk.intercept_methods(change):
            return apply(params, *inputs, **named)

    return call


def merge_leaf(name: str, value: Any, leaves: Mapping[str, Any], settings: AdapterConfig) -> Any:
    """Returns a module's weight (w) or bias (b) with the adapter in it."""
    if "ia3" in leaves:
        return value * leaves["ia3"]
    if name != "w":
        return value
    if "ia3_in" in leaves:
        return value * leaves["ia3_in"][:, None]
    return value + (leaves["lora_a"] @ leaves["lora_b"]) * np.float32(settings.scale)


def merge(
    params: Mapping[str, Mapping[str, Any]], adapter: Mapping[str, Mapping[str, Any]], settings: AdapterConfig
) -> dict[str, dict[str, Any]]:
    """Returns the weights of a model that needs no adapter; numpy and JAX arrays alike."""
    return {
        module: {
            name: merge_leaf(name, value, adapter[module], settings) if module in adapter else value
            for name, value in leaves.items()
        }
        for module, leaves in params.items()
    }
