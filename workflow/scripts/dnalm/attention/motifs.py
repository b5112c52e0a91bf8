"""Stretches of high attention, and the k-mers that are more frequent in them than elsewhere.

The idea is that of DNABERT-viz (Ji et al. 2021): stretches above the mean, k-mers by a hypergeometric test.
Neighbouring k-mers share bases, so they are no independent draws and p is too small; the same test on the
landscape of random weights says how small it gets without learning.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from dnalm.attention import MOTIF_COLUMNS
from dnalm.genome import reverse_complement_text

SHORTEST_BP = 6  # of a stretch
K = 6
SHARED = ("kmer", "count_in", "count_all", "p", "q", "log2_enrichment")


def find_stretches(
    attention: Float[np.ndarray, " S"], shortest_bp: int = SHORTEST_BP
) -> list[tuple[int, int]]:
    """Returns the longest runs of bases above 1, the region's mean, as (start, end) from the first base.

    Args:
        attention: divided by its mean, so that every run's peak is above 1 too; NaN ends a run.
    """
    above = np.concatenate([[False], attention > 1, [False]])
    edges = np.flatnonzero(above[1:] != above[:-1])
    pairs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return [(start, end) for start, end in pairs if end - start >= shortest_bp]


def canonical_kmers(bases: bytes, k: int = K) -> list[str]:
    """Returns the k-mer at each base or its reverse complement, what comes first; "" with an N inside."""
    text, known = bases.decode("ascii"), {}
    found = []
    for start in range(len(text) - k + 1):
        kmer = text[start : start + k]
        if kmer not in known:
            known[kmer] = "" if "N" in kmer else min(kmer, reverse_complement_text(kmer))
        found.append(known[kmer])
    return found


def _starts_inside(stretches: list[tuple[int, int]], places: int, k: int) -> Bool[np.ndarray, " P"]:
    inside = np.zeros(places, bool)
    for start, end in stretches:
        inside[start : end - k + 1] = True
    return inside


def score_kmers(bases: bytes, stretches: list[tuple[int, int]], k: int = K) -> pd.DataFrame:
    """Returns the k-mers that lie in stretches, with a test of each against the region; most certain first.

    Of M places of k-mers in the region, N lie wholly in stretches; a k-mer has count_all places, count_in of
    them in stretches. p is the chance of at least so many (hypergeometric), q that of Benjamini and Hochberg
    over the k-mers tested, log2_enrichment that of count_in / (count_all N / M), found over expected.
    """
    from scipy import stats

    kmers = canonical_kmers(bases, k)
    inside = _starts_inside(stretches, len(kmers), k)
    everywhere = Counter(kmer for kmer in kmers if kmer)
    within = Counter(kmer for kmer, own in zip(kmers, inside, strict=True) if kmer and own)
    if not within:
        return pd.DataFrame({name: pd.Series(dtype=float) for name in SHARED}).astype({"kmer": str})
    table = pd.DataFrame({"kmer": sorted(within)})
    table["count_in"] = table["kmer"].map(within)
    table["count_all"] = table["kmer"].map(everywhere)
    places, drawn = everywhere.total(), within.total()
    table["p"] = stats.hypergeom.sf(table["count_in"] - 1, places, table["count_all"], drawn)
    table["q"] = stats.false_discovery_control(table["p"].clip(0, 1), method="bh")
    table["log2_enrichment"] = np.log2(table["count_in"] / (table["count_all"] * drawn / places))
    return table.sort_values(["p", "kmer"], ignore_index=True)[list(SHARED)]


def find_motifs(
    bases: bytes, attention: Float[np.ndarray, " S"], attention_random: Float[np.ndarray, " S"]
) -> pd.DataFrame:
    """Returns MOTIF_COLUMNS: the k-mers of a landscape's stretches, beside those of random weights.

    A k-mer that lies in no stretch of the random weights has there count 0, q 1 and no enrichment.
    """
    own = score_kmers(bases, find_stretches(attention))
    control = score_kmers(bases, find_stretches(attention_random)).set_index("kmer")
    for column, missing in (("count_in", 0), ("q", 1.0), ("log2_enrichment", np.nan)):
        found = own["kmer"].map(control[column]).astype(float).fillna(missing)
        own[f"{column}_random"] = found.astype(int) if column == "count_in" else found
    return own[list(MOTIF_COLUMNS)]
