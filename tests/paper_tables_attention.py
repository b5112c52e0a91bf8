"""Attention maps, landscapes and motif tables of exactly the form that read_attention.py writes."""

import numpy as np
import pandas as pd

from dnalm.attention import LANDSCAPE_COLUMNS, MOTIF_COLUMNS, motifs
from dnalm.attention.maps import AttentionMaps

CONTIG = "c1"


def toy_maps(length=120, heads=((3, 0), (3, 1), (3, 2), (3, 3)), start=20_000, k=6, weights="checkpoint"):
    """Rows of overlapping k-mers that attend to neighbours, to CLS, and to one k-mer in the middle."""
    draw, place = np.random.default_rng(0), np.arange(length)
    values = []
    for number, _ in enumerate(heads):
        scores = -np.abs(place[:, None] - place) / (2.0 + 3 * number) + draw.normal(0, 0.3, (length, length))
        scores[:, 0] += number
        scores[:, length // 2] += 2.0
        weights_of = np.exp(scores)
        values.append(weights_of / weights_of.sum(axis=1, keepdims=True))
    names = ["".join(draw.choice(list("ACGT"), k)) for _ in range(length - 2)]
    spans = [(start, start), *((start + i, start + i + k) for i in range(length - 2))]
    spans.append((start + length - 2, start + length - 2))
    shape = np.array(values, np.float32).reshape(len(heads), length, length)
    return AttentionMaps(
        shape, tuple(heads), ("[CLS]", *names, "[SEP]"), np.array(spans, np.int32), CONTIG, weights
    )


def toy_bases(length_bp=4000, motif="TATAAA", every_bp=150, seed=0):
    """Random bases with a motif that comes again."""
    letters = np.random.default_rng(seed).choice(list("ACGT"), length_bp)
    for start in range(100, length_bp - len(motif), every_bp):
        letters[start : start + len(motif)] = list(motif)
    return "".join(letters).encode()


def toy_landscape(length_bp=4000, start=20_000, every_bp=150, height=3.0, seed=0):
    """Attention that is high on the motif of `toy_bases` and its neighbours; random weights: noise near 1."""
    draw = np.random.default_rng(seed)
    smooth = np.convolve(draw.normal(0, 1, length_bp + 20), np.ones(21) / 21, "valid")
    values = 0.8 + 0.25 * np.abs(smooth) * 3
    for peak in range(100, length_bp - 6, every_bp):
        values[max(0, peak - 2) : peak + 9] += height * draw.uniform(0.3, 1)
    noise = np.convolve(draw.normal(0, 1, length_bp + 20), np.ones(21) / 21, "valid")
    attention, random = (np.round(one / one.mean(), 5) for one in (values, 1 + 0.05 * noise))
    starts = np.arange(start, start + length_bp)
    windows = np.where((starts - start) % 512 < 256, 1, 2)
    columns = (CONTIG, starts, starts + 1, attention, random, windows)
    return pd.DataFrame(dict(zip(LANDSCAPE_COLUMNS, columns, strict=True)))


def toy_motifs(length_bp=4000, landscape=None):
    table = toy_landscape(length_bp) if landscape is None else landscape
    values = (table[name].to_numpy() for name in ("attention", "attention_random"))
    return motifs.find_motifs(toy_bases(length_bp), *values)


def no_motifs():
    return pd.DataFrame(columns=list(MOTIF_COLUMNS))
