"""A v2 encoder in plain PyTorch, straight from the equations: transformers has no class for it.

It works on a dictionary of tensors under the hub's names and is built otherwise than the library's model:
no modules, rotary positions as complex numbers, attention as einsums, and float64 throughout.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, linear, silu

Tensors = dict[str, Tensor]
ROTARY_BASE = 10_000.0


def rotary_frequencies(key_size: int) -> Tensor:
    """Returns the angle per position of each pair of coordinates."""
    return ROTARY_BASE ** (-torch.arange(0, key_size, 2, dtype=torch.float64) / key_size)


def shapes(vocabulary: int, dim: int, layers: int, heads: int, ffn: int, rows: int) -> dict[str, tuple]:
    """Returns the shape of every tensor of the hub's files, those that nothing uses included."""
    found: dict[str, tuple] = {
        "esm.embeddings.word_embeddings.weight": (vocabulary, dim),
        "esm.embeddings.position_embeddings.weight": (rows, dim),  # unused
        "lm_head.bias": (vocabulary,),
        "lm_head.decoder.weight": (vocabulary, dim),
        "esm.contact_head.regression.weight": (1, layers * heads),  # unused
        "esm.contact_head.regression.bias": (1,),  # unused
    }
    matrices, norms = (
        {"lm_head.dense": (dim, dim)},
        ["esm.encoder.emb_layer_norm_after", "lm_head.layer_norm"],
    )
    for number in range(layers):
        layer = f"esm.encoder.layer.{number}"
        for name in ("self.query", "self.key", "self.value", "output.dense"):
            matrices[f"{layer}.attention.{name}"] = (dim, dim)
        norms += [f"{layer}.attention.LayerNorm", f"{layer}.LayerNorm"]
        found[f"{layer}.intermediate.dense.weight"] = (2 * ffn, dim)  # gate above, linear half below
        found[f"{layer}.output.dense.weight"] = (dim, ffn)
    for name, shape in matrices.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        found |= {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}
    return found


def encode(
    tensors: Tensors, tokens: Tensor, mask: Tensor, layers: int, heads: int, eps: float
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Returns the embeddings (B,T,D) after each layer, the attention maps (B,H,T,T) and the logits (B,T,V).

    Args:
        mask: (B,1,T,T), true where a query may see a key.
    """
    weights = {name: tensor.double() for name, tensor in tensors.items()}
    x = embedding(tokens, weights["esm.embeddings.word_embeddings.weight"])
    dim, key_size = x.shape[-1], x.shape[-1] // heads
    angles = torch.outer(torch.arange(tokens.shape[1]).double(), rotary_frequencies(key_size))
    turns = torch.polar(torch.ones_like(angles), angles)[None, :, None]

    def dense(name: str, x: Tensor) -> Tensor:
        return linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def norm(name: str, x: Tensor) -> Tensor:
        return layer_norm(x, (dim,), weights[f"{name}.weight"], weights[f"{name}.bias"], eps)

    def turn(x: Tensor) -> Tensor:
        turned = torch.complex(x[..., : key_size // 2], x[..., key_size // 2 :]) * turns
        return torch.cat([turned.real, turned.imag], dim=-1)

    embeddings, attentions = [], []
    for number in range(layers):
        layer = f"esm.encoder.layer.{number}"
        normed = norm(f"{layer}.attention.LayerNorm", x)
        query, key, value = (
            dense(f"{layer}.attention.self.{name}", normed).unflatten(-1, (heads, key_size))
            for name in ("query", "key", "value")
        )
        scores = torch.einsum("bqhk,bmhk->bhqm", turn(query), turn(key)) / key_size**0.5
        attentions.append(torch.softmax(scores.masked_fill(~mask, float("-inf")), dim=-1))
        mixed = torch.einsum("bhqm,bmhk->bqhk", attentions[-1], value).flatten(-2)
        x = x + dense(f"{layer}.attention.output.dense", mixed)
        gate, straight = dense(f"{layer}.intermediate.dense", norm(f"{layer}.LayerNorm", x)).chunk(2, dim=-1)
        x = x + dense(f"{layer}.output.dense", silu(gate) * straight)
        embeddings.append(x)
    embeddings[-1] = norm("esm.encoder.emb_layer_norm_after", x)
    hidden = norm("lm_head.layer_norm", gelu(dense("lm_head.dense", embeddings[-1])))
    return embeddings, attentions, dense("lm_head.decoder", hidden) + weights["lm_head.bias"]
