"""A whole segmentation run: pieces, chunks, bigWigs and their manifest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dnalm import cli, files
from dnalm.checkpoints import Checkpoint
from dnalm.engine.memory import batch_rows, describe
from dnalm.engine.preflight import check_output, inputs_unchanged, remove_stale
from dnalm.engine.shards import Shards, run_key
from dnalm.engine.weights import load_weights
from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.models import ModelConfig
from dnalm.models.precision import DEFAULT_PRECISION, precision_entry
from dnalm.segmentation.predict import OWN_STRAND, Predictor, track_list
from dnalm.stitching import HEAD_TOKENS, Chunk, Layout, Span, Stitch, find_pieces, make_chunks, merge_spans
from dnalm.tracks import check_resolution, write_tracks
from dnalm.versions import VERSIONS

STEP = "segment"
CHUNK_BP = 1 << 19  # a few seconds on two cores for the demo's model, under 150 MB for 14 features
CHUNK_WINDOWS = 32  # at least: windows on a chunk's border are predicted twice
BATCHES_PER_CHUNK = 4  # at least: the devices wait while one chunk is kept and the next is read
TRACK_BYTES = 3  # per base and track, at most: an upper estimate for the disk
log = logging.getLogger("dnalm")


def make_layout(
    config: ModelConfig,
    window_bp: int | None = None,
    overlap: float = 0.25,
    frames: int = 1,
    reverse_complement: bool = False,
    stitch: Stitch = "centre",
) -> Layout:
    """Returns how a checkpoint tiles a genome; its window is by default that of its training.

    Args:
        reverse_complement: average both strands; a model of one strand's labels always reads both.

    Raises:
        UserError: a window that is too long or no multiple of four tokens; a language model.
    """
    if not config.features:
        raise UserError(
            "checkpoint", "is a language model, it predicts no features", "Name a segmentation model."
        )
    k, longest = config.kmers.k, (config.max_tokens - 1) // HEAD_TOKENS * HEAD_TOKENS
    tokens = longest if window_bp is None else window_bp // k
    if window_bp is not None and window_bp % (k * HEAD_TOKENS):
        raise UserError("--window-bp", f"{window_bp} is no multiple of {k * HEAD_TOKENS}", "Round it.")
    if tokens > longest:
        raise UserError(
            "--window-bp",
            f"{window_bp} bp are {tokens + 1} tokens, the model takes at most {config.max_tokens}",
            f"Give at most {longest * k}.",
        )
    both = reverse_complement or config.labels == OWN_STRAND
    return Layout(tokens, k, overlap, frames, both, stitch)


def segment_genome(
    output_dir: Path,
    genome: Genome,
    inputs: Mapping[str, Path],
    checkpoint: Checkpoint,
    layout: Layout,
    regions: Mapping[str, Sequence[Span]],
    resolution: float,
    devices: Sequence[Any],
    work_dir: Path | None = None,
    batch_size: int | None = None,
    precision: str = DEFAULT_PRECISION,
) -> None:
    """Writes one bigWig per feature and strand into `output_dir`, and the manifest last.

    Windows take context outside the regions where the contig has it; only the regions are reported, with
    the values that a run over the whole contigs gives.

    Args:
        inputs: role -> file, as the manifest names them.
        regions: contig -> spans to predict.
        work_dir: folder of the shards (default: .work beside the output folder).
        precision: that the model computes in (see `models.forward`).
    """
    check_resolution(resolution)
    config = checkpoint.config
    tracks = track_list(config, layout.reverse)
    bases = sum(end - start for spans in regions.values() for start, end in merge_spans(spans))
    paths = [output_dir / track.file for track in tracks]
    check_output(paths[0], bases * len(tracks) * TRACK_BYTES)
    for path in paths:
        remove_stale(path)
    pieces = {contig: find_pieces(genome.sequence(contig)) for contig in regions}
    windows = layout.expected_windows(bases)
    weights, params = load_weights(checkpoint, precision, devices)  # first: a batch gets what they leave free
    batch_size = batch_size or batch_rows(config, layout.window_tokens + 1, devices, windows, precision)
    smallest = max(CHUNK_WINDOWS, BATCHES_PER_CHUNK * batch_size * len(devices) // layout.passes)
    chunk_bp = max(CHUNK_BP, smallest * layout.window_tokens * layout.k)
    chunks = list(make_chunks(pieces, regions, chunk_bp))
    predictor = Predictor(
        genome,
        params,
        config,
        layout,
        resolution,
        devices,
        batch_size,
        precision=precision,
    )
    inputs = {**checkpoint.files, **inputs}
    about = {
        "weights_sha256": weights,
        "labels": config.labels,
        "tracks": {track.file: {"feature": track.feature, "strand": track.strand} for track in tracks},
        "window_bp": layout.window_tokens * layout.k,
        **asdict(layout),
        "rescaling_factor": config.rescaling_factor,
        "resolution": resolution,
        "regions": [
            f"{contig}:{start}-{end}" for contig in regions for start, end in merge_spans(regions[contig])
        ],
        **precision_entry(precision),
    }
    shards = _shards(work_dir or output_dir.parent / ".work", about, inputs, predictor.batch_size, devices)
    with inputs_unchanged(list(inputs.values())):
        covered = _write(paths, genome, chunks, predictor, shards, resolution)
    counts = {"bases": bases, "predicted_bases": covered, "pieces": sum(map(len, pieces.values()))}
    details = {**about, "precision": precision, **counts}
    run = {**describe(devices), "batch_size": predictor.batch_size}
    files.write_manifest(output_dir, STEP, inputs, details, files=list(paths), run=run)
    shards.remove()


def _shards(
    work_dir: Path, about: Mapping[str, Any], inputs: Mapping[str, Path], batch: int, devices: Sequence[Any]
) -> Shards:
    prints = {role: files.fingerprint(path) for role, path in inputs.items()}
    machine = {"batch": batch, "platform": devices[0].platform}
    return Shards(work_dir, run_key({"step": STEP, "version": VERSIONS[STEP], **about, **prints, **machine}))


def _write(
    paths: Sequence[Path],
    genome: Genome,
    chunks: Sequence[Chunk],
    predictor: Predictor,
    shards: Shards,
    resolution: float,
) -> int:
    """Writes all chunks and returns how many bases have a prediction."""
    if kept := shards.finished():
        log.info("going on with %d of %d chunks", min(kept, len(chunks)), len(chunks))
    with write_tracks(paths, genome.lengths, resolution) as writer:
        for number, chunk in enumerate(cli.progress(chunks, "chunks", len(chunks))):
            part = f"{chunk.contig}:{chunk.start}-{chunk.end} of {chunk.piece}"
            levels = shards.get(number, part, partial(_compute, predictor, chunk))["levels"]
            writer.add(chunk.contig, chunk.start, levels)
        files.manifest_path(paths[0].parent).unlink(missing_ok=True)  # of an earlier result, replaced now
    return min(writer.covered_bp)


def _compute(predictor: Predictor, chunk: Chunk) -> dict[str, np.ndarray]:
    return {"levels": predictor.levels(chunk)}
