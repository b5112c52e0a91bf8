"""Feature sets of a task's rows: baselines of the sequences, or layers of files of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
import pandas as pd
from jaxtyping import Float32

from dnalm import baselines
from dnalm.engine.h5ad import embedding_layers, read_embeddings
from dnalm.errors import UserError


class Source(NamedTuple):
    """Where a feature set comes from.

    Attributes:
        path: file of embeddings, or the name of a baseline.
        layer: None for a baseline.
        pooling: as the file says; empty where it does not, and for a baseline.
    """

    path: str
    layer: int | None
    pooling: str


def find_sources(features: Sequence[str]) -> list[Source]:
    """Returns the feature sets that are named, every layer of a file being one.

    Args:
        features: kmer, one_hot, gc_length, constant, or embeddings `FILE.h5ad` or `FILE.h5ad:LAYER`.

    Raises:
        UserError: no such file or layer.
    """
    found: list[Source] = []
    for text in features:
        if text in baselines.BASELINES:
            found.append(Source(text, None, ""))
            continue
        path, _, layer = text.rpartition(":") if not Path(text).exists() else (text, "", "")
        if not path:
            known = ", ".join(baselines.BASELINES)
            raise UserError(text, "file of embeddings not found", f"Give a .h5ad file, or one of {known}.")
        if layer and not layer.isdecimal():
            raise UserError(text, f"layer {layer!r} is no number", "Write FILE.h5ad:12.")
        layers = [int(layer)] if layer else embedding_layers(path)
        found += [Source(path, number, _pooling(path)) for number in layers]
    return found


def read_features(source: Source, task: pd.DataFrame) -> Float32[np.ndarray, "B D"]:
    """Returns a feature set for the rows of a task, in their order.

    Raises:
        UserError: names that do not match; values that are not finite.
    """
    if source.layer is None:
        return baselines.baseline_features(source.path, task["sequence"].tolist())
    return embedding_rows(source.path, source.layer, task["name"].tolist())


def embedding_rows(path: str | Path, layer: int, names: Sequence[str]) -> Float32[np.ndarray, "B D"]:
    """Returns one layer's rows for these names, in their order.

    Raises:
        UserError: a name has no row (with examples of both sides), or a value is not finite.
    """
    found, values = read_embeddings(path, layer)
    place = pd.Index(found).get_indexer(pd.Index(names))
    if (place < 0).any():
        missing = [name for name, row in zip(names, place, strict=True) if row < 0]
        raise UserError(
            path,
            f"{len(missing)} of {len(names)} names have no row (missing: {', '.join(missing[:3])}; "
            f"the file has: {', '.join(found[:3])})",
            "Embed these sequences.",
        )
    rows = values[place].astype(np.float32)
    if not np.isfinite(rows).all():
        name = names[int(np.flatnonzero(~np.isfinite(rows).all(axis=1))[0])]
        raise UserError(path, f"layer {layer} of {name} is missing (NaN or Inf)", "Embed again in float32.")
    return rows


def _pooling(path: str) -> str:
    """Returns how a file's embeddings were pooled, empty where it does not say."""
    with h5py.File(path, "r") as file:
        entry = file.get("uns/dnalm/pooling")
        return "" if entry is None else entry.asstr()[()]
