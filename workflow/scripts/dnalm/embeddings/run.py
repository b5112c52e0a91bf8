"""A whole embedding run: checks, shards, the output file and its manifest."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dnalm import cli, files
from dnalm.checkpoints import Checkpoint
from dnalm.embeddings.embedder import Embedder
from dnalm.embeddings.settings import Settings, about, check_token_limit
from dnalm.embeddings.sources import Source
from dnalm.engine.h5ad import EmbeddingWriter
from dnalm.engine.interrupt import StopSignal
from dnalm.engine.memory import describe
from dnalm.engine.preflight import GIB, check_output, inputs_unchanged
from dnalm.engine.shards import Shards, run_key
from dnalm.engine.token_store import TokenWriter
from dnalm.engine.weights import load_weights
from dnalm.errors import UserError
from dnalm.versions import VERSIONS

STEP = "embed"
UNPOOLED = "none"  # the pooling that keeps every token
LARGEST_TOKEN_OUTPUT = 20 * GIB  # beyond, only with --force
OVERHEAD_BYTES = 1 << 20  # of a file around its values
log = logging.getLogger("dnalm")


def embed_source(
    output: Path,
    source: Source,
    inputs: Mapping[str, Path],
    checkpoint: Checkpoint,
    settings: Settings,
    devices: Sequence[Any],
    work_dir: Path | None = None,
    random_seed: int | None = None,
    batch_size: int | None = None,
    force: bool = False,
) -> None:
    """Embeds all rows of a source into `output`, its manifest last.

    Args:
        inputs: role -> file, as the manifest names them.
        work_dir: folder of the shards (default: .work beside the output).
        random_seed: random weights instead of the checkpoint's.
        batch_size: rows per device and call (default: from the device).
        force: write per-token output of any size.
    """
    config = checkpoint.config
    if not len(source.obs):
        raise UserError(list(inputs.values())[-1], "holds no rows to embed", "Make windows first.")
    counts = source.token_counts(config.kmers)
    check_token_limit(counts, [str(name) for name in source.obs.index], config)
    _check_size(output, settings, config.embed_dim, int(counts.sum()), len(counts), force)
    weights, params = load_weights(checkpoint, settings.precision, devices, random_seed)
    embedder = Embedder(source, counts, params, config, settings, devices, batch_size)
    facts = about(config, settings, weights, random_seed)
    inputs = {**checkpoint.files, **inputs}
    prints = {role: files.fingerprint(path) for role, path in inputs.items()}
    key = run_key({"step": STEP, "version": VERSIONS[STEP], **facts, **prints, **embedder.key})
    shards = Shards(work_dir or output.parent / ".work", key)
    frame = source.obs.assign(tokens=counts)
    facts_inside = {"step": STEP, "version": VERSIONS[STEP], "inputs": prints, **facts}
    write = _write_tokens if settings.pooling == UNPOOLED else _write_pooled
    with inputs_unchanged(list(inputs.values())):
        details = write(output, embedder, shards, frame, settings, config, facts_inside)
    run = {**describe(devices), "batch_size": embedder.batch_size}
    details = {
        **facts,
        "precision": settings.precision,
        "windows": len(frame),
        "tokens": int(counts.sum()),
        **details,
    }
    kept = [] if output.is_dir() else [output]
    files.write_manifest(output, STEP, inputs, details, files=kept, run=run)
    shards.remove()


def _check_size(output: Path, settings: Settings, width: int, tokens: int, rows: int, force: bool) -> None:
    """Refuses an output that the disk, or for single tokens good sense, has no room for."""
    per_token = settings.pooling == UNPOOLED
    if per_token and settings.reverse_complement:
        raise UserError(
            "--reverse-complement", "cannot average single tokens of two strands", "Leave it out, or pool."
        )
    item = 2 if settings.dtype == "float16" else 4
    size = (tokens if per_token else rows) * width * len(settings.layers) * item
    if per_token and size > LARGEST_TOKEN_OUTPUT and not force:
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
    output: Path,
    embedder: Embedder,
    shards: Shards,
    frame: Any,
    settings: Settings,
    config: Any,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    widths = {layer: config.embed_dim for layer in settings.layers}
    with (
        files.atomic_path(output) as temporary,
        EmbeddingWriter(temporary, frame, widths, settings.dtype, facts) as writer,
    ):
        with StopSignal("shard") as stop:
            for values in stop.watch(embedder.run(shards, cli.progress), len(embedder.shards)):
                writer.append(values)
        files.manifest_path(output).unlink(missing_ok=True)  # of an earlier result, which is replaced now
    if embedder.missing:
        log.warning("%d windows hold no known base: their embedding is missing (NaN)", embedder.missing)
    return {"missing": embedder.missing}


def _write_tokens(
    output: Path,
    embedder: Embedder,
    shards: Shards,
    frame: Any,
    settings: Settings,
    config: Any,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    with (
        TokenWriter(output, frame, settings.layers, config.embed_dim, settings.dtype, facts) as writer,
        StopSignal("shard") as stop,
    ):
        tokens = embedder.run_tokens(shards, cli.progress)
        for values, spans in stop.watch(tokens, len(embedder.shards)):
            writer.append(values, spans)
    return {"sha256": writer.digests()}
