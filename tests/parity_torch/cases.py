"""The checkpoints of tests/golden/torch: shapes, random weights, and the tokens they are run on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

PAD, MASK, CLS = 1, 2, 3
ROWS, TOKENS = 4, 20
COMPARED_EPS, PUBLISHED_EPS = 1e-5, 1e-12  # of the JAX code; of most config.json files on the hub


@dataclass(frozen=True)
class Case:
    """One set of weights. The vocabulary says which tokenizer the reader finds: 4105 v1, 75 the 3-mers."""

    name: str
    seed: int
    dim: int
    layers: int
    heads: int
    ffn: int
    vocabulary: int = 75
    switches: dict[str, Any] = field(default_factory=dict)
    eps: tuple[float, ...] = (COMPARED_EPS,)


NT_V1 = {"token_dropout": True, "emb_layer_norm_before": False}
CASES = (
    Case("nt_v1", 1, 16, 2, 4, 40, 4105, NT_V1),
    Case("nt_v1_3mer", 2, 24, 2, 4, 48, 75, NT_V1, (COMPARED_EPS, PUBLISHED_EPS)),
    Case("agro_nt", 3, 30, 3, 2, 70, 75, {"token_dropout": False, "emb_layer_norm_before": False}),
    Case("norm_before", 4, 16, 2, 2, 24, 75, {"token_dropout": True, "emb_layer_norm_before": True}),
)
NT_V2 = Case("nt_v2_3mer", 5, 32, 3, 4, 48, switches={"add_bias_fnn": False, "token_dropout": False})


def randomise(tensors: dict[str, Tensor], seed: int) -> None:
    """Draws every tensor anew: untrained biases are 0 and norms 1, which would hide a wrong map of names."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in sorted(tensors.items()):
        is_norm = "norm" in name.lower() and name.endswith("weight")
        width = tensor.shape[-1] if tensor.ndim == 2 and "embeddings" not in name else 1
        scale = 0.3 if tensor.ndim == 1 else 1.5 / width**0.5
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale + float(is_norm))


def make_tokens(vocabulary: int, seed: int) -> Tensor:
    """Returns rows over the whole vocabulary: full, padded, a third <mask>, letters with both."""
    generator = torch.Generator().manual_seed(1000 + seed)
    tokens = torch.randint(4, vocabulary, (ROWS, TOKENS), generator=generator)
    tokens[:, 0] = CLS
    tokens[0, 1:5] = torch.tensor([4, 5, vocabulary - 1, 0])  # the ends of the vocabulary; <unk>
    tokens[2, 2::3] = MASK
    tokens[3, 3:12] = torch.arange(vocabulary - 9, vocabulary)  # A T C G N are the last five
    tokens[3, [6, 13]] = MASK
    tokens[1, -5:], tokens[3, -3:] = PAD, PAD
    return tokens


def key_mask(tokens: Tensor) -> Tensor:
    """Returns (B,1,T,T): every query may see every key that is no padding."""
    return (tokens != PAD)[:, None, None].expand(-1, 1, tokens.shape[1], -1)
