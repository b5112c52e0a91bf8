"""What expression is predicted from, joined to the genes by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from dnalm.baselines import SHUFFLED, kmer_counts
from dnalm.engine import embedding_layers, read_embeddings
from dnalm.errors import UserError


@dataclass(frozen=True)
class FeatureSet:
    """One row of features per gene; a row that is not finite is missing.

    Attributes:
        name: the model, or kmer.
        layer: its number as text, "" for a baseline.
    """

    name: str
    layer: str
    values: Float[np.ndarray, "B D"]


def kmer_features(sequences: Sequence[str], k: int) -> FeatureSet:
    """Returns the baseline: counts of the windows' k-mers as they read on the gene's strand."""
    return FeatureSet("kmer", "", kmer_counts(sequences, (k,)).astype(np.float64))


def shuffled_features(features: FeatureSet, seed: int) -> FeatureSet:
    """Returns the control: the same features dealt anew among the genes that have them.

    A regression that finds anything in them has found a leak, or chance.
    """
    values, known = features.values.copy(), np.flatnonzero(np.isfinite(features.values).all(axis=1))
    values[known] = values[np.random.default_rng([seed, len(known)]).permutation(known)]
    return FeatureSet(f"{features.name}.{SHUFFLED}", features.layer, values)


def read_embedding_sets(text: str, genes: Sequence[str]) -> list[FeatureSet]:
    """Reads every layer of `NAME=FILE.h5ad`, its rows put in the genes' order; absent genes are missing.

    Raises:
        UserError: no such form or file, a name twice, or not one gene among the rows.
    """
    name, _, path = text.partition("=")
    if not name or not path:
        raise UserError(f"--embeddings {text}", "is not NAME=FILE.h5ad", "For example demo_nt=tss.h5ad.")
    return [
        FeatureSet(name, str(layer), align(*read_embeddings(path, layer), genes, path))
        for layer in embedding_layers(path)
    ]


def align(
    names: Sequence[str], rows: Float[np.ndarray, "N D"], wanted: Sequence[str], where: str | Path
) -> Float[np.ndarray, "B D"]:
    """Returns the rows of the names wanted, in that order; missing (NaN) where there is none.

    Raises:
        UserError: a name occurs twice, or none of those wanted does.
    """
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        repeated = next(name for row, name in enumerate(names) if place[name] != row)
        raise UserError(where, f"holds the name {repeated!r} more than once", "Embed the windows again.")
    found = [(row, place[name]) for row, name in enumerate(wanted) if name in place]
    if not found:
        raise UserError(
            where,
            f"no name matches a window (here: {', '.join(names[:3])}; windows: {', '.join(wanted[:3])})",
            "Embed the windows that --windows names.",
        )
    values = np.full((len(wanted), rows.shape[1]), np.nan)
    targets, sources = np.array(found).T
    values[targets] = rows[sources]
    return values
