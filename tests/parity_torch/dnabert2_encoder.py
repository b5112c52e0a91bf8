"""DNABERT-2 in plain PyTorch, straight from the papers' equations; no remote code is run.

It works on a dictionary of tensors under the hub's names and is built otherwise than the library's model: no
modules, one product for queries, keys and values, attention as einsums over a matrix of biases, float64.
Source: Zhou et al. 2024; Portes et al. 2023 (MosaicBERT); Press et al. 2022 (ALiBi).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import embedding, gelu, layer_norm, linear

Tensors = dict[str, Tensor]
EPS = 1e-12


def slopes(heads: int) -> list[float]:
    """Returns the slopes of the paper: a geometric series for a power of 2, else two of them."""

    def series(count: int) -> list[float]:
        ratio = 2.0 ** (-8.0 / count)
        return [ratio ** (number + 1) for number in range(count)]

    if heads & (heads - 1) == 0:
        return series(heads)
    closest = 2 ** (heads.bit_length() - 1)
    return series(closest) + series(2 * closest)[0::2][: heads - closest]


def shapes(vocabulary: int, dim: int, layers: int, ffn: int) -> dict[str, tuple[int, ...]]:
    """Returns the shape of every tensor of the hub's file."""
    found: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (vocabulary, dim),
        "bert.embeddings.token_type_embeddings.weight": (2, dim),
        "cls.predictions.decoder.weight": (vocabulary, dim),
        "cls.predictions.decoder.bias": (vocabulary,),
        "cls.predictions.transform.dense.weight": (dim, dim),
        "cls.predictions.transform.dense.bias": (dim,),
    }
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for number in range(layers):
        layer = f"bert.encoder.layer.{number}"
        found |= {
            f"{layer}.attention.self.Wqkv.weight": (3 * dim, dim),
            f"{layer}.attention.self.Wqkv.bias": (3 * dim,),
            f"{layer}.attention.output.dense.weight": (dim, dim),
            f"{layer}.attention.output.dense.bias": (dim,),
            f"{layer}.mlp.gated_layers.weight": (2 * ffn, dim),
            f"{layer}.mlp.wo.weight": (dim, ffn),
            f"{layer}.mlp.wo.bias": (dim,),
        }
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.mlp.layernorm"]
    for name in norms:
        found |= {f"{name}.weight": (dim,), f"{name}.bias": (dim,)}
    return found


def encode(
    tensors: Tensors, tokens: Tensor, pad: int, layers: int, heads: int
) -> tuple[list[Tensor], list[Tensor], Tensor]:
    """Returns the embeddings (B,T,D) after each layer, attention maps (B,H,T,T) and logits (B,T,V)."""
    weights = {name: tensor.double() for name, tensor in tensors.items()}
    length = tokens.shape[1]
    gaps = (torch.arange(length)[None] - torch.arange(length)[:, None]).abs().double()
    bias = -torch.tensor(slopes(heads), dtype=torch.float64)[:, None, None] * gaps
    bias = bias[None] + torch.zeros(tokens.shape[0], 1, 1, length).masked_fill(
        (tokens == pad)[:, None, None], float("-inf")
    )

    def dense(name: str, x: Tensor) -> Tensor:
        return linear(x, weights[f"{name}.weight"], weights.get(f"{name}.bias"))

    def norm(name: str, x: Tensor) -> Tensor:
        return layer_norm(x, x.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], EPS)

    table = weights["bert.embeddings.word_embeddings.weight"]
    first_type = weights["bert.embeddings.token_type_embeddings.weight"][0]
    x = norm("bert.embeddings.LayerNorm", embedding(tokens, table) + first_type)
    embeddings, attentions = [], []
    for number in range(layers):
        layer = f"bert.encoder.layer.{number}"
        fused = dense(f"{layer}.attention.self.Wqkv", x).unflatten(-1, (3, heads, -1))
        query, key, value = fused.unbind(dim=2)
        scores = torch.einsum("bqhk,bmhk->bhqm", query, key) / query.shape[-1] ** 0.5 + bias
        attentions.append(torch.softmax(scores, dim=-1))
        mixed = torch.einsum("bhqm,bmhk->bqhk", attentions[-1], value).flatten(-2)
        x = norm(f"{layer}.attention.output.LayerNorm", dense(f"{layer}.attention.output.dense", mixed) + x)
        gate, straight = dense(f"{layer}.mlp.gated_layers", x).chunk(2, dim=-1)
        x = norm(f"{layer}.mlp.layernorm", dense(f"{layer}.mlp.wo", gelu(gate) * straight) + x)
        embeddings.append(x)
    hidden = norm("cls.predictions.transform.LayerNorm", gelu(dense("cls.predictions.transform.dense", x)))
    return embeddings, attentions, linear(hidden, table, weights["cls.predictions.decoder.bias"])
