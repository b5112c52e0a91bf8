"""An embedding table that shares what k-mers have in common while it is trained.

The table is trained as E = free + C W. C is fixed and says which base, and which pair of neighbours,
stands where in a k-mer; W is shared by all k-mers. Splice sites, which few k-mers spell out in full,
are learned many times sooner than with a free table alone. After training the sum is stored as an
ordinary table, so that the model's form is unchanged.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from dnalm.tokens import ALPHABET, Kmers

Params = dict[str, Any]  # module -> name -> array
MODULE = "composition"  # in the trained parameters alone, beside the model's own modules
PAIR_WEIGHT = 0.5
FREE_SD, SHARED_SD = 0.05, 0.25  # of the initial values


def kmer_features(tokenizer: Kmers) -> Float32[np.ndarray, "V C"]:
    """Returns C: 4 columns per position and 16 per pair of neighbours (104 for k = 6).

    Rows of special tokens and single letters are zero: these have a free embedding.
    """
    k, base = tokenizer.k, len(ALPHABET)
    kmers = np.arange(base**k)
    digits = np.stack([kmers // base ** (k - 1 - position) % base for position in range(k)], axis=1)
    pairs = digits[:, :-1] * base + digits[:, 1:]
    single = np.eye(base, dtype=np.float32)[digits].reshape(len(kmers), -1)
    double = PAIR_WEIGHT * np.eye(base * base, dtype=np.float32)[pairs].reshape(len(kmers), -1)
    table = np.zeros((tokenizer.embedded, single.shape[1] + double.shape[1]), np.float32)
    first = tokenizer.first_kmer_id
    table[first : first + len(kmers)] = np.concatenate([single, double], axis=1)
    return table


def embedding_module(params: Params) -> str:
    """Returns the name of the module that holds the token embeddings."""
    return next(
        name for name, arrays in params.items() if "embeddings" in arrays and "positional" not in name
    )


def add_composition(params: Params, tokenizer: Kmers, seed: int, keep_table: bool = False) -> Params:
    """Returns the parameters to train: the model's own, with a free table and W.

    Args:
        keep_table: start from the model's table (with W zero) and not from small random values.
    """
    random = np.random.default_rng([seed, 104])
    name = embedding_module(params)
    table = params[name]["embeddings"]
    shape = (kmer_features(tokenizer).shape[1], table.shape[1])
    shared = np.zeros(shape) if keep_table else random.normal(0, SHARED_SD, shape)
    free = table if keep_table else random.normal(0, FREE_SD, table.shape)
    return {
        **params,
        name: {"embeddings": jnp.asarray(free, jnp.float32)},
        MODULE: {"w": jnp.asarray(shared, jnp.float32)},
    }


def fold(params: Params, features: Float[Array, "V C"] | Float[np.ndarray, "V C"]) -> Params:
    """Returns the model's own parameters: the table summed, W gone; as they are where there is no W."""
    if MODULE not in params:
        return params
    name = embedding_module(params)
    table = params[name]["embeddings"] + features @ params[MODULE]["w"]
    rest = {module: arrays for module, arrays in params.items() if module != MODULE}
    return {**rest, name: {"embeddings": table}}
