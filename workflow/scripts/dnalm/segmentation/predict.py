"""Predicted levels per base, strand and feature, chunk by chunk of a genome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32, UInt8, UInt16

from dnalm.engine import Runner, check_finite
from dnalm.genome import Genome, reverse_complement
from dnalm.genome.letters import TO_ACGTN
from dnalm.labels import slug
from dnalm.models import ModelConfig
from dnalm.models.precision import DEFAULT_PRECISION
from dnalm.stitching import Chunk, Layout, Tiling, base_weights, fill, fill_margin, known_bases, tile
from dnalm.tracks import MISSING_LEVEL

OWN_STRAND = "own_strand"
Values = UInt16[np.ndarray, "S T"] | Float32[np.ndarray, "S T"]  # levels, or float32 with NaN


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
    config: ModelConfig, precision: str = DEFAULT_PRECISION, rescaling_factor: float | None = None
) -> Callable[[Any, Any], Any]:
    """Returns (params, tokens) -> float32 probabilities (B, S, F)."""
    from dnalm.models import forward

    apply = forward(config, segmentation=True, precision=precision, rescaling_factor=rescaling_factor)
    return lambda params, tokens: apply(params, tokens)["segment_probabilities"]


class Predictor:
    """One segmentation model on one genome.

    Args:
        layout: how pieces are tiled; its `reverse` adds the other strand's windows.
        resolution: step between two probabilities of a track; None keeps them as float32.
        batch_size: windows per device and call.
        function: (params, tokens) -> probabilities, instead of the model's own.
        precision: that the model computes in (see `models.forward`).
        rescaling_factor: of the rotary positions; None: the config's.
        max_filled_n: longest run of N that pieces may hold.
    """

    def __init__(
        self,
        genome: Genome,
        params: Any,
        config: ModelConfig,
        layout: Layout,
        resolution: float | None,
        devices: Sequence[Any],
        batch_size: int,
        function: Callable[[Any, Any], Any] | None = None,
        precision: str = DEFAULT_PRECISION,
        rescaling_factor: float | None = None,
        max_filled_n: int = 0,
    ) -> None:
        self._genome, self._config, self._layout = genome, config, layout
        self._resolution, self._max_filled_n = resolution, max_filled_n
        self._two_sets = layout.reverse and config.labels == OWN_STRAND
        nominal = layout.window_tokens + 1
        self.batch_size = batch_size
        self._runner = Runner(
            function or probability_function(config, precision, rescaling_factor),
            params,
            devices,
            batch_size,
            nominal,
            max(config.max_tokens, nominal),
            config.kmers.pad_id,
        )
        self._tile = lru_cache(maxsize=2)(tile)

    def levels(self, chunk: Chunk) -> Values:
        """Returns one chunk's levels (see `levels_of`)."""
        return self.levels_of([chunk])[0]

    def levels_of(self, chunks: Sequence[Chunk]) -> list[Values]:
        """Returns the levels of each chunk's bases (S, T) for all tracks, in the order of `track_list`.

        Several short chunks share batches. Without a resolution the probabilities themselves are given, NaN
        where there is none.
        """
        jobs = [
            (place, tiling, int(number))
            for place, chunk in enumerate(chunks)
            for tiling in self._tile(self._layout, chunk.piece)
            for number in tiling.touching(chunk.start, chunk.end)
        ]
        features = len(self._config.features)
        sums = [_Sums(chunk, 2 if self._two_sets else 1, features) for chunk in chunks]
        weights = {
            width: base_weights(width, self._layout.stitch)
            for width in {tiling.window_bp for _, tiling, _ in jobs}
        }
        for rows, probabilities in self._runner.run(self._tokens(chunks, jobs)):
            here = [jobs[row] for row in rows]
            names = [f"{chunks[c].contig}:{t.starts[n]}-{t.starts[n] + t.window_bp}" for c, t, n in here]
            check_finite(probabilities, names)
            for (place, tiling, number), values in zip(here, probabilities, strict=True):
                sums[place].add(tiling, number, values, weights[tiling.window_bp], self._two_sets)
        found = [total.levels(self._resolution) for total in sums]
        if self._max_filled_n:
            for chunk, levels in zip(chunks, found, strict=True):
                letters = self._genome.read(chunk.contig, chunk.start, chunk.end, TO_ACGTN)
                levels[~known_bases(letters)] = np.nan if self._resolution is None else MISSING_LEVEL
        return found

    def _tokens(
        self, chunks: Sequence[Chunk], jobs: Sequence[tuple[int, Tiling, int]]
    ) -> list[Int32[np.ndarray, " L"]]:
        """Returns the token ids of windows, each in its reading direction."""
        rows: list[Int32[np.ndarray, " L"]] = []
        for place, group in groupby(jobs, key=lambda job: job[0]):
            windows = [(tiling, number) for _, tiling, number in group]
            rows += list(self._window_tokens(chunks[place], windows))
        return rows

    def _window_tokens(self, chunk: Chunk, windows: Sequence[tuple[Tiling, int]]) -> Int32[np.ndarray, "N L"]:
        """Returns the token ids of a chunk's windows, which are equally long."""
        width = windows[0][0].window_bp
        starts = np.array([tiling.starts[number] for tiling, number in windows])
        minus = np.array([tiling.minus for tiling, _ in windows])
        margin = fill_margin(self._max_filled_n)
        first = max(chunk.piece[0], int(starts.min()) - margin)
        last = min(chunk.piece[1], int(starts.max()) + width + margin)
        bases: UInt8[np.ndarray, " S"] = np.frombuffer(
            self._genome.read(chunk.contig, first, last, TO_ACGTN), np.uint8
        )
        bases = fill(bases) if self._max_filled_n else bases
        selected = np.lib.stride_tricks.sliding_window_view(bases, width)[starts - first]
        for place in np.flatnonzero(minus):
            selected[place] = reverse_complement(selected[place])
        return self._config.kmers.encode_windows(selected)


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

    def levels(self, resolution: float | None) -> Values:
        """Returns the weighted means as levels, or as they are, one column per set and feature."""
        missing = self._weights == 0
        known = np.where(missing, 1, self._weights)
        if resolution is None:
            values = self._sums / known[..., None]
            values[missing] = np.nan
            return values.reshape(len(values), -1)
        scale = 1 / (known * np.float32(resolution))
        levels = np.rint(self._sums * scale[..., None]).astype(np.uint16)
        levels[missing] = MISSING_LEVEL
        return levels.reshape(len(levels), -1)
