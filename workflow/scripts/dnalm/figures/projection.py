"""Embeddings in two dimensions: principal components, then t-SNE where there are enough windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

SEED = 1
MAX_WINDOWS = 2000  # beyond it a seeded subsample: t-SNE takes about ten seconds on one core
MIN_TSNE = 300  # below it two principal components say as much
COMPONENTS, PERPLEXITY, NEIGHBOURS = 30, 30.0, 15


@dataclass(frozen=True)
class Projection:
    """Coordinates of the windows and how they were made."""

    coordinates: Float[np.ndarray, "B 2"]
    kind: str  # "t-SNE" or "PCA"
    explained: tuple[float, float]  # share of variance of the first two components


def subsample(count: int, most: int = MAX_WINDOWS, seed: int = SEED) -> Int[np.ndarray, " N"]:
    """Returns ascending row numbers: all, or a random `most` of them."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, most, replace=False))


def principal_components(
    embeddings: Float[np.ndarray, "B D"], count: int = COMPONENTS
) -> tuple[Float[np.ndarray, "B C"], Float[np.ndarray, " C"]]:
    """Returns the scores on the first components and each one's share of the variance; signs are fixed."""
    centred = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    left, values, right = np.linalg.svd(centred, full_matrices=False)
    count = min(count, values.size)
    largest = np.argmax(np.abs(right[:count]), axis=1)
    signs = np.sign(right[np.arange(count), largest])
    total = float((values**2).sum()) or 1.0
    return left[:, :count] * values[:count] * signs, values[:count] ** 2 / total


def project(embeddings: Float[np.ndarray, "B D"], seed: int = SEED) -> Projection:
    """Returns a map of the embeddings: t-SNE of the first 30 components, or two components if few windows."""
    scores, shares = principal_components(embeddings)
    scores = np.pad(scores, ((0, 0), (0, max(0, 2 - scores.shape[1]))))
    explained = (float(shares[0]), float(shares[1]) if shares.size > 1 else 0.0)
    if len(embeddings) < MIN_TSNE:
        return Projection(scores[:, :2], "PCA", explained)
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # One thread: the order of a sum over threads would change the map's last digits, then its shape.
    with threadpool_limits(1):
        tsne = TSNE(perplexity=PERPLEXITY, init="pca", random_state=seed, n_jobs=1)
        return Projection(tsne.fit_transform(scores).astype(np.float64), "t-SNE", explained)


def neighbour_agreement(embeddings: Float[np.ndarray, "B D"], classes: np.ndarray) -> tuple[float, float]:
    """Returns the share of each window's 15 nearest neighbours that share its class, and that by chance."""
    scores, _ = principal_components(embeddings)
    count = min(NEIGHBOURS, len(scores) - 1)
    squares = (scores**2).sum(axis=1)
    distances = squares[:, None] + squares[None, :] - 2 * scores @ scores.T
    np.fill_diagonal(distances, np.inf)  # no window is its own neighbour
    near = np.argpartition(distances, count - 1, axis=1)[:, :count]
    same = float((classes[near] == classes[:, None]).mean())
    _, sizes = np.unique(classes, return_counts=True)
    by_chance = float((sizes * (sizes - 1)).sum() / (len(classes) * (len(classes) - 1)))
    return same, by_chance
