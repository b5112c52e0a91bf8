"""Attention maps of one window: which heads are taken, and the file that holds them.

Layers are numbered from 1. Heads are numbered from 0 in the order of the stored projections: head h of a
layer is made by columns h * key_size to (h + 1) * key_size of its query, key and value matrices. The layers'
numbers are those of the published JAX code, the heads' are not: its `attention_map_layer_L_number_n` is head
n + 1 of layer L. It cannot give head 0, and its n = H - 1 and n = H are both the last head, H - 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int32

from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file

Head = tuple[int, int]  # layer from 1, head from 0
KEYS = ("maps", "layers", "heads", "tokens", "spans", "contig", "weights")


@dataclass(frozen=True)
class AttentionMaps:
    """The attention of one window of a genome: rows are queries, columns keys, each row sums to 1.

    Args:
        values: of each head.
        heads: (layer, head), in the order of `values`.
        tokens: as the tokenizer writes them, special ones included.
        spans: each token's bases on the contig, 0-based half-open; empty for special tokens.
        weights: checkpoint, or random with their seed.
    """

    values: Float32[np.ndarray, "N L L"]
    heads: tuple[Head, ...]
    tokens: tuple[str, ...]
    spans: Int32[np.ndarray, "L 2"]
    contig: str
    weights: str


def parse_heads(texts: Sequence[str], layers: int, heads: int) -> tuple[Head, ...]:
    """Returns the heads that `LAYER:HEAD` texts name; without texts every head of the last layer.

    Args:
        layers: how many the model has. heads: of each layer.

    Raises:
        UserError: another form, or a layer or head that the model does not have.
    """
    found = []
    for text in texts:
        layer, _, head = text.partition(":")
        numbers = layer.isdecimal() and head.isdecimal()
        if not numbers or not 1 <= int(layer) <= layers or not 0 <= int(head) < heads:
            raise UserError(
                "--heads",
                f"found {text!r}, expected LAYER:HEAD with layers 1 to {layers} and heads 0 to {heads - 1}",
                "For example 1:0.",
            )
        found.append((int(layer), int(head)))
    return tuple(dict.fromkeys(found)) or tuple((layers, head) for head in range(heads))


def write_maps(path: str | Path, maps: AttentionMaps) -> None:
    """Writes .npz: maps (N, L, L), layers (N), heads (N), tokens (L), spans (L, 2), contig, weights."""
    layers, heads = (np.array(numbers, np.int32) for numbers in zip(*maps.heads, strict=True))
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(
            handle,
            maps=maps.values,
            layers=layers,
            heads=heads,
            tokens=np.array(maps.tokens),
            spans=maps.spans,
            contig=np.array(maps.contig),
            weights=np.array(maps.weights),
        )


def read_maps(path: str | Path) -> AttentionMaps:
    """Reads what `write_maps` wrote.

    Raises:
        UserError: missing, or no such file.
    """
    path = require_file(path, "attention maps")
    try:
        with np.load(path, allow_pickle=False) as stored:
            found = {key: stored[key] for key in KEYS}
    except (ValueError, KeyError, EOFError, OSError, TypeError, AttributeError) as fault:
        raise UserError(
            path, f"holds no attention maps ({fault})", "Make them with read_attention.py."
        ) from fault
    count, length = len(found["layers"]), len(found["tokens"])
    if found["maps"].shape != (count, length, length) or found["spans"].shape != (length, 2):
        raise UserError(
            path,
            f"maps of shape {found['maps'].shape}, expected {(count, length, length)}",
            "Make them again.",
        )
    return AttentionMaps(
        found["maps"].astype(np.float32),
        tuple(zip(found["layers"].tolist(), found["heads"].tolist(), strict=True)),
        tuple(found["tokens"].tolist()),
        found["spans"].astype(np.int32),
        str(found["contig"]),
        str(found["weights"]),
    )
