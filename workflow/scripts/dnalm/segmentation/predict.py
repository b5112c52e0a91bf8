"""Predicted levels per base, strand and feature, chunk by chunk of a genome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16

from dnalm.engine import Runner, check_finite
from dnalm.genome import Genome, reverse_complement
from dnalm.genome.letters import TO_ACGTN
from dnalm.labels import slug
from dnalm.models import ModelConfig
from dnalm.models.precision import DEFAULT_PRECISION
from dnalm.stitching import Chunk, Layout, Tiling, base_weights, tile
from dnalm.tracks import MISSING_LEVEL

OWN_STRAND = "own_strand"


@dataclass(frozen=True)
class Track:
    """One file of the result."""

    file: str
    feature: str
    strand: str  # "+", "-", or "either"


def track_list(config: ModelConfig, both_strands: bool) -> list[Track]:
    """Returns the tracks of a checkpoint: its features on each strand, or once for either strand."""
    strands = {"either": ""}
    if config.labels == OWN_STRAND:
        strands = {"+": ".plus", "-": ".minus"} if both_strands else {"+": ".plus"}
    return [
        Track(f"{slug(feature)}{suffix}.bw", feature, strand)
        for strand, suffix in strands.items()
        for feature in config.features
    ]


def probability_function(
    config: ModelConfig, precision: str = DEFAULT_PRECISION
) -> Callable[[Any, Any], Any]:
    """Returns (params, tokens) -> float32 probabilities (B, S, F)."""
    from dnalm.models import forward

    apply = forward(config, segmentation=True, precision=precision)
    return lambda params, tokens: apply(params, tokens)["segment_probabilities"]


class Predictor:
    """One segmentation model on one genome.

    Args:
        layout: how pieces are tiled; its `reverse` adds the other strand's windows.
        resolution: step between two probabilities of a track.
        batch_size: windows per device and call.
        function: (params, tokens) -> probabilities, instead of the model's own.
        precision: that the model computes in (see `models.forward`).
    """

    def __init__(
        self,
        genome: Genome,
        params: Any,
        config: ModelConfig,
        layout: Layout,
        resolution: float,
        devices: Sequence[Any],
        batch_size: int,
        function: Callable[[Any, Any], Any] | None = None,
        precision: str = DEFAULT_PRECISION,
    ) -> None:
        self._genome, self._config, self._layout = genome, config, layout
        self._resolution = resolution
        self._two_sets = layout.reverse and config.labels == OWN_STRAND
        nominal = layout.window_tokens + 1
        self.batch_size = batch_size
        self._runner = Runner(
            function or probability_function(config, precision),
            params,
            devices,
            batch_size,
            nominal,
            max(config.max_tokens, nominal),
            config.kmers.pad_id,
        )
        self._tile = lru_cache(maxsize=2)(tile)

    def levels(self, chunk: Chunk) -> UInt16[np.ndarray, "S T"]:
        """Returns the levels of a chunk's bases for all tracks, in the order of `track_list`."""
        jobs = [
            (tiling, int(number))
            for tiling in self._tile(self._layout, chunk.piece)
            for number in tiling.touching(chunk.start, chunk.end)
        ]
        sums = _Sums(chunk, 2 if self._two_sets else 1, len(self._config.features))
        if jobs:
            weights = base_weights(jobs[0][0].window_bp, self._layout.stitch)
            for places, probabilities in self._runner.run(list(self._tokens(chunk.contig, jobs))):
                here = [jobs[place] for place in places]
                names = [f"{chunk.contig}:{t.starts[n]}-{t.starts[n] + t.window_bp}" for t, n in here]
                check_finite(probabilities, names)
                for (tiling, number), values in zip(here, probabilities, strict=True):
                    sums.add(tiling, number, values, weights, self._two_sets)
        return sums.levels(self._resolution)

    def _tokens(self, contig: str, jobs: Sequence[tuple[Tiling, int]]) -> Int32[np.ndarray, "N L"]:
        """Returns the token ids of windows of one length, each in its reading direction."""
        width = jobs[0][0].window_bp
        starts = np.array([tiling.starts[number] for tiling, number in jobs])
        minus = np.array([tiling.minus for tiling, _ in jobs])
        first = int(starts.min())
        bases: UInt8[np.ndarray, " S"] = np.frombuffer(
            self._genome.read(contig, first, int(starts.max()) + width, TO_ACGTN), np.uint8
        )
        windows = np.lib.stride_tricks.sliding_window_view(bases, width)[starts - first]
        for place in np.flatnonzero(minus):
            windows[place] = reverse_complement(windows[place])
        return self._config.kmers.encode_windows(windows)


class _Sums:
    """Weighted sums of predictions over the bases of a chunk."""

    def __init__(self, chunk: Chunk, sets: int, features: int) -> None:
        self._start, self._end = chunk.start, chunk.end
        self._sums = np.zeros((chunk.end - chunk.start, sets, features), np.float32)
        self._weights = np.zeros((chunk.end - chunk.start, sets), np.float32)

    def add(
        self,
        tiling: Tiling,
        number: int,
        values: Float32[np.ndarray, "S F"],
        weights: Float32[np.ndarray, " W"],
        two_sets: bool,
    ) -> None:
        """Adds what a window gives to the chunk; `values` run in the window's reading direction."""
        start = int(tiling.starts[number])
        values = values[: tiling.window_bp]
        values = values[::-1] if tiling.minus else values
        low = max(self._start, int(tiling.keep_from[number]))
        high = min(self._end, int(tiling.keep_to[number]))
        here, inside = slice(low - self._start, high - self._start), slice(low - start, high - start)
        row = int(tiling.minus and two_sets)
        self._sums[here, row] += values[inside] * weights[inside, None]
        self._weights[here, row] += weights[inside]

    def levels(self, resolution: float) -> UInt16[np.ndarray, "S T"]:
        """Returns the weighted means as levels, one column per set and feature."""
        missing = self._weights == 0
        scale = 1 / (np.where(missing, 1, self._weights) * np.float32(resolution))
        levels = np.rint(self._sums * scale[..., None]).astype(np.uint16)
        levels[missing] = MISSING_LEVEL
        return levels.reshape(len(levels), -1)
