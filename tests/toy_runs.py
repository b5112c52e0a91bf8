"""Predictions of whole small genomes, unrounded or as levels, with toy models or small real ones."""

import jax
import numpy as np

from dnalm.segmentation.predict import Predictor, track_list
from dnalm.stitching import find_pieces, make_chunks
from dnalm.tracks import MISSING_LEVEL


def predict(
    genome,
    layout,
    config,
    params=None,
    function=None,
    resolution=None,
    max_filled_n=0,
    chunk_bp=1 << 19,
    batch_size=4,
):
    """Returns contig -> values (S, T) of all bases: float32 with NaN, or levels if there is a resolution."""
    predictor = Predictor(
        genome,
        {} if params is None else params,
        config,
        layout,
        resolution,
        jax.local_devices(),
        batch_size,
        function,
        max_filled_n=max_filled_n,
    )
    tracks = len(track_list(config, layout.reverse))
    empty = np.float32(np.nan) if resolution is None else np.uint16(MISSING_LEVEL)
    found = {contig: np.full((length, tracks), empty) for contig, length in genome.lengths.items()}
    pieces = {contig: find_pieces(genome.sequence(contig), max_filled_n) for contig in found}
    regions = {contig: [(0, length)] for contig, length in genome.lengths.items()}
    for chunk in make_chunks(pieces, regions, chunk_bp):
        found[chunk.contig][chunk.start : chunk.end] = predictor.levels(chunk)
    return found
