"""A whole embedding run: checks, shards, the output file and its manifest."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32

from dnalm import cli, files
from dnalm.checkpoints import Checkpoint
from dnalm.embeddings.embedder import Embedder, shard_rows
from dnalm.embeddings.pieces import SPLIT, check_overlap
from dnalm.embeddings.settings import Settings, about, check_token_limit
from dnalm.embeddings.sources import Source
from dnalm.engine import parts
from dnalm.engine.h5ad import EmbeddingWriter
from dnalm.engine.interrupt import StopSignal
from dnalm.engine.memory import describe
from dnalm.engine.preflight import GIB, check_output, inputs_unchanged
from dnalm.engine.shards import Shards, run_key
from dnalm.engine.token_store import TokenWriter
from dnalm.engine.weights import load_weights, weights_name
from dnalm.errors import UserError
from dnalm.versions import VERSIONS

STEP = "embed"
UNPOOLED = "none"  # the pooling that keeps every token
LARGEST_TOKEN_OUTPUT = 20 * GIB  # beyond, only with --force
OVERHEAD_BYTES = 1 << 20  # of a file around its values
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Job:
    """Everything that decides a run's result.

    Args:
        inputs: role -> file, as the manifest names them, without the checkpoint's.
        random_seed: random weights instead of the checkpoint's.
        force: write per-token output of any size.
    """

    source: Source
    inputs: Mapping[str, Path]
    checkpoint: Checkpoint
    settings: Settings
    random_seed: int | None = None
    force: bool = False

    @property
    def all_inputs(self) -> dict[str, Path]:
        """role -> file."""
        return {**self.checkpoint.files, **self.inputs}

    @cached_property
    def counts(self) -> Int32[np.ndarray, " N"]:
        """Tokens of each row.

        Raises:
            UserError: no rows, or more tokens than the model takes where they are not split.
        """
        if not len(self.source.obs):
            raise UserError(list(self.inputs.values())[-1], "holds no rows to embed", "Make windows first.")
        counts = self.source.token_counts(self.checkpoint.config.tokens)
        names = [str(name) for name in self.source.obs.index]
        config = self.checkpoint.config
        if self.settings.long_inputs == SPLIT:
            check_overlap(self.settings.split_overlap, config.max_tokens)
        else:
            check_token_limit(counts, names, config)
        return counts

    def about(self, weights: str) -> dict[str, Any]:
        """Returns the settings, for the file, the manifest and the key of the shards."""
        return about(self.checkpoint.config, self.settings, weights, self.random_seed)

    @property
    def prints(self) -> dict[str, str]:
        """role -> what tells this file from others."""
        return files.fingerprints(self.all_inputs)


def embed_source(
    job: Job,
    output: Path,
    devices: Sequence[Any],
    work_dir: Path | None = None,
    batch_size: int | None = None,
) -> None:
    """Embeds all rows of a source into `output`, its manifest last.

    Args:
        work_dir: folder of the shards (default: .work beside the output).
        batch_size: rows per device and call (default: from the device).
    """
    _check_size(job, output)
    facts, embedder, shards = _prepare(job, devices, work_dir or output.parent / ".work", batch_size)
    run = {**describe(devices), "batch_size": embedder.batch_size}
    _write(job, output, facts, embedder.arrays(shards, cli.progress), len(embedder.shards), run)
    shards.remove()


def embed_part(
    job: Job,
    part: tuple[int, int],
    output: Path,
    devices: Sequence[Any],
    work_dir: Path,
    batch_size: int | None = None,
) -> None:
    """Computes one part's shards into `work_dir` and writes down which they are, for `gather_parts`."""
    facts, embedder, shards = _prepare(job, devices, work_dir, batch_size, fixed_shards=True)
    mine = parts.share(_costs(job, embedder.shards), part)
    with inputs_unchanged(list(job.all_inputs.values())), StopSignal("shard") as stop:
        for _ in stop.watch(embedder.arrays(shards, cli.progress, mine), len(mine)):
            pass
    parts.write_part(output, STEP, part, parts.identity(STEP, facts, job.all_inputs), shards, mine)


def gather_parts(job: Job, output: Path, part_files: Sequence[Path]) -> None:
    """Writes the output from the shards of all parts, in order; computes nothing.

    Raises:
        UserError: a part is missing, of another run, or its shards are no longer whole.
    """
    _check_size(job, output)
    facts = job.about(weights_name(job.checkpoint, job.random_seed))
    found = parts.read_parts(part_files, parts.identity(STEP, facts, job.all_inputs))
    numbers = range(len(shard_rows(job.counts)))
    arrays = map(found.load, cli.progress(numbers, "shards", len(numbers)))
    _write(job, output, facts, arrays, len(numbers), {"parts": len(part_files)})
    found.remove()


def _costs(job: Job, shards: Sequence[tuple[int, int]]) -> list[int]:
    return [int(job.counts[first:last].sum()) for first, last in shards]


def _prepare(
    job: Job,
    devices: Sequence[Any],
    work_dir: Path,
    batch_size: int | None,
    fixed_shards: bool = False,
) -> tuple[dict[str, Any], Embedder, Shards]:
    """Returns what the run is about, the model on its devices, and the shards that exist or will."""
    checkpoint, settings = job.checkpoint, job.settings
    counts = job.counts  # refuses before the weights are read
    weights, params = load_weights(checkpoint, settings.precision, devices, job.random_seed)
    embedder = Embedder(
        job.source, counts, params, checkpoint.config, settings, devices, batch_size, fixed_shards
    )
    facts = job.about(weights)
    key = run_key({"step": STEP, "version": VERSIONS[STEP], **facts, **job.prints, **embedder.key})
    return facts, embedder, Shards(work_dir, key)


def _write(
    job: Job,
    output: Path,
    facts: Mapping[str, Any],
    arrays: Iterator[dict[str, np.ndarray]],
    shard_count: int,
    run: Mapping[str, Any],
) -> None:
    """Writes the shards' arrays as one result, its manifest last."""
    write = _write_tokens if job.settings.pooling == UNPOOLED else _write_pooled
    with inputs_unchanged(list(job.all_inputs.values())), StopSignal("shard") as stop:
        inside = {"step": STEP, "version": VERSIONS[STEP], "inputs": job.prints, **facts}
        details = write(job, output, inside, stop.watch(arrays, shard_count))
    details = {
        **facts,
        "precision": job.settings.precision,
        "windows": len(job.counts),
        "tokens": int(job.counts.sum()),
        **details,
    }
    kept = [] if output.is_dir() else [output]
    files.write_manifest(output, STEP, job.all_inputs, details, files=kept, run=run)


def _check_size(job: Job, output: Path) -> None:
    """Refuses an output that the disk, or for single tokens good sense, has no room for."""
    settings = job.settings
    per_token = settings.pooling == UNPOOLED
    if per_token and settings.reverse_complement:
        raise UserError(
            "--reverse-complement", "cannot average single tokens of two strands", "Leave it out, or pool."
        )
    item = 2 if settings.dtype == "float16" else 4
    rows = int(job.counts.sum()) if per_token else len(job.counts)
    size = rows * job.checkpoint.config.embed_dim * len(settings.layers) * item
    if per_token and size > LARGEST_TOKEN_OUTPUT and not job.force:
        raise UserError(
            output,
            f"every token's embedding takes {size / GIB:.1f} GiB (expected at most "
            f"{LARGEST_TOKEN_OUTPUT / GIB:.0f})",
            "Take fewer windows or layers, pool, or give --force.",
        )
    expected = ".zarr" if per_token else ".h5ad"
    if output.suffix != expected:
        raise UserError(output, f"expected a name that ends in {expected}", "Change --output.")
    check_output(output, 2 * size + OVERHEAD_BYTES)  # the shards and the file


def _write_pooled(
    job: Job, output: Path, facts: Mapping[str, Any], arrays: Iterator[dict[str, np.ndarray]]
) -> dict[str, Any]:
    layers = job.settings.layers
    widths = {layer: job.checkpoint.config.embed_dim for layer in layers}
    frame, missing = job.source.obs.assign(tokens=job.counts), 0
    with files.atomic_path(output) as temporary:
        with EmbeddingWriter(temporary, frame, widths, job.settings.dtype, facts) as writer:
            for values in (shard["values"] for shard in arrays):
                missing += int(np.isnan(values[:, 0, 0]).sum())
                writer.append({layer: values[:, place] for place, layer in enumerate(layers)})
        files.manifest_path(output).unlink(missing_ok=True)  # of an earlier result, which is replaced now
    if missing:
        log.warning("%d windows hold no known base: their embedding is missing (NaN)", missing)
    return {"missing": missing}


def _write_tokens(
    job: Job, output: Path, facts: Mapping[str, Any], arrays: Iterator[dict[str, np.ndarray]]
) -> dict[str, Any]:
    layers, width = job.settings.layers, job.checkpoint.config.embed_dim
    frame = job.source.obs.assign(tokens=job.counts)
    with TokenWriter(output, frame, layers, width, job.settings.dtype, facts) as writer:
        for shard in arrays:
            values = {layer: shard["values"][place] for place, layer in enumerate(layers)}
            writer.append(values, shard["spans"])
    return {"sha256": writer.digests()}
