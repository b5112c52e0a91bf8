"""A segmentation run: its shards computed, here or in parts elsewhere, then written as tracks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnalm import cli, files
from dnalm.checkpoints import Checkpoint
from dnalm.engine import parts
from dnalm.engine.interrupt import StopSignal
from dnalm.engine.memory import batch_rows, describe
from dnalm.engine.preflight import check_output, inputs_unchanged, remove_stale
from dnalm.engine.shards import Shards, run_key, weights_sha256
from dnalm.engine.weights import load_weights
from dnalm.genome import Genome
from dnalm.models.precision import DEFAULT_PRECISION, precision_entry
from dnalm.segmentation.plan import (
    CHUNK_BP,
    MAX_FILLED_N,
    Pieces,
    filled_within,
    find_genome_pieces,
    plan_groups,
    rescaling_factor,
    windows_of,
)
from dnalm.segmentation.predict import Predictor, Track, track_list
from dnalm.segmentation.region_table import write_region_table
from dnalm.stitching import Chunk, Layout, Span, merge_spans
from dnalm.tracks import write_tracks
from dnalm.versions import VERSIONS

if TYPE_CHECKING:
    import pandas as pd

STEP = "segment"
CHUNK_WINDOWS = 32  # at least: windows on a chunk's border are predicted twice
BATCHES_PER_CHUNK = 4  # at least: the devices wait while one chunk is kept and the next is read
PART_CHUNK_BP = 1 << 21  # of runs in parts: the same whatever the machines of the parts can hold
TRACK_BYTES = 3  # per base and track, at most: an upper estimate for the disk
FILLED, REGIONS = "filled_n.bed", "regions.tsv"
Levels = Callable[[int, Sequence[Chunk]], list[np.ndarray]]
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Job:
    """Everything that decides a run's result.

    Args:
        inputs: role -> file, as the manifest names them, without the checkpoint's.
        regions: contig -> spans to predict; only they are reported.
        resolution: step between two probabilities of a track; None: float32.
        precision: that the model computes in (see `models.forward`).
        max_filled_n: longest run of N that is filled for the input and does not end a piece.
        context_bp: see `plan.plan_groups`.
        bed: the regions' own table, for regions.tsv.
    """

    genome: Genome
    inputs: Mapping[str, Path]
    checkpoint: Checkpoint
    layout: Layout
    regions: Mapping[str, Sequence[Span]]
    resolution: float | None
    precision: str = DEFAULT_PRECISION
    max_filled_n: int = MAX_FILLED_N
    context_bp: int | None = None
    bed: pd.DataFrame | None = None

    @property
    def tracks(self) -> list[Track]:
        """The files of the result."""
        return track_list(self.checkpoint.config, self.layout.reverse)

    @property
    def all_inputs(self) -> dict[str, Path]:
        """role -> file."""
        return {**self.checkpoint.files, **self.inputs}

    @property
    def bases(self) -> int:
        """Bases asked for."""
        return sum(end - start for spans in self.regions.values() for start, end in merge_spans(spans))

    def describe(self, weights: str) -> dict[str, Any]:
        """Returns the settings, for the manifest and for the key of the shards."""
        config, layout = self.checkpoint.config, self.layout
        named = {"context_bp": self.context_bp} if self.context_bp is not None else {}
        return {
            "weights_sha256": weights,
            "labels": config.labels,
            "tracks": {
                track.file: {"feature": track.feature, "strand": track.strand} for track in self.tracks
            },
            "window_bp": layout.window_tokens * layout.k,
            **asdict(layout),
            "rescaling_factor": rescaling_factor(config, layout),
            "resolution": self.resolution if self.resolution is not None else "float32",
            "max_filled_n": self.max_filled_n,
            **named,
            "regions": [
                f"{contig}:{start}-{end}"
                for contig, spans in self.regions.items()
                for start, end in merge_spans(spans)
            ],
            **precision_entry(self.precision),
        }


def segment_genome(
    job: Job,
    output_dir: Path,
    devices: Sequence[Any],
    work_dir: Path | None = None,
    batch_size: int | None = None,
) -> None:
    """Writes one bigWig per feature and strand into `output_dir`, and the manifest last.

    Args:
        work_dir: folder of the shards (default: .work beside the output folder).
    """
    _check_room(job, output_dir)
    computing = _Computing(job, devices, work_dir or output_dir.parent / ".work", batch_size)
    run = {**describe(devices), "batch_size": computing.predictor.batch_size}
    _write(job, output_dir, computing.about, computing.pieces, computing.groups, computing.levels, run)
    computing.shards.remove()


def segment_part(
    job: Job,
    part: tuple[int, int],
    output: Path,
    devices: Sequence[Any],
    work_dir: Path,
    batch_size: int | None = None,
) -> None:
    """Computes one part's shards into `work_dir` and writes down which they are, for `gather_parts`."""
    computing = _Computing(job, devices, work_dir, batch_size, PART_CHUNK_BP)
    mine = parts.share([windows_of(group, job.layout) for group in computing.groups], part)
    with inputs_unchanged(list(job.all_inputs.values())), StopSignal("chunk") as stop:
        for number in stop.watch(cli.progress(mine, "chunks", len(mine)), len(mine)):
            computing.levels(number, computing.groups[number])
    identity = parts.identity(STEP, computing.about, job.all_inputs)
    parts.write_part(output, STEP, part, identity, computing.shards, mine)


def gather_parts(job: Job, output_dir: Path, part_files: Sequence[Path]) -> None:
    """Writes the tracks from the shards of all parts, in order; computes nothing.

    Raises:
        UserError: a part is missing, of another run, or its shards are no longer whole.
    """
    _check_room(job, output_dir)
    about = job.describe(weights_sha256(job.checkpoint.tensors, job.checkpoint.config))
    found = parts.read_parts(part_files, parts.identity(STEP, about, job.all_inputs))
    pieces = find_genome_pieces(job.genome, list(job.regions), job.max_filled_n)
    groups = plan_groups(pieces, job.regions, job.layout, PART_CHUNK_BP, job.context_bp)

    def levels(number: int, group: Sequence[Chunk]) -> list[np.ndarray]:
        return _split(found.load(number)["levels"], group)

    _write(job, output_dir, about, pieces, groups, levels, {"parts": len(part_files)})
    found.remove()


class _Computing:
    """The model on its devices, and the shards of a run that it makes or finds made."""

    def __init__(
        self,
        job: Job,
        devices: Sequence[Any],
        work_dir: Path,
        batch_size: int | None,
        chunk_bp: int | None = None,
    ) -> None:
        config, layout = job.checkpoint.config, job.layout
        self.pieces = find_genome_pieces(job.genome, list(job.regions), job.max_filled_n)
        windows = layout.expected_windows(job.bases)
        weights, params = load_weights(job.checkpoint, job.precision, devices)  # first: they leave less free
        size = batch_size or batch_rows(config, layout.window_tokens + 1, devices, windows, job.precision)
        self.about = job.describe(weights)
        smallest = max(CHUNK_WINDOWS, BATCHES_PER_CHUNK * size * len(devices) // layout.passes)
        chunk_bp = chunk_bp or max(CHUNK_BP, smallest * layout.window_tokens * layout.k)
        self.groups = plan_groups(self.pieces, job.regions, layout, chunk_bp, job.context_bp)
        self.predictor = Predictor(
            job.genome,
            params,
            config,
            layout,
            job.resolution,
            devices,
            size,
            precision=job.precision,
            rescaling_factor=self.about["rescaling_factor"],
            max_filled_n=job.max_filled_n,
        )
        prints = files.fingerprints(job.all_inputs)
        machine = {"batch": size, "platform": devices[0].platform, "chunk_bp": chunk_bp}
        key = run_key({"step": STEP, "version": VERSIONS[STEP], **self.about, **prints, **machine})
        self.shards = Shards(work_dir, key)
        if kept := self.shards.finished():
            log.info("going on with %d of %d chunks", min(kept, len(self.groups)), len(self.groups))

    def levels(self, number: int, group: Sequence[Chunk]) -> list[np.ndarray]:
        """Returns what a group's chunks are predicted to be, from its shard where there is one."""

        def compute() -> dict[str, np.ndarray]:
            return {"levels": np.concatenate(self.predictor.levels_of(group))}

        name = "; ".join(f"{chunk.contig}:{chunk.start}-{chunk.end} of {chunk.piece}" for chunk in group)
        return _split(self.shards.get(number, name, compute)["levels"], group)


def _split(levels: np.ndarray, group: Sequence[Chunk]) -> list[np.ndarray]:
    lengths = [chunk.end - chunk.start for chunk in group]
    return np.split(levels, np.cumsum(lengths)[:-1])


def _check_room(job: Job, output_dir: Path) -> None:
    """Checks the place of the result before anything is computed."""
    paths = [output_dir / track.file for track in job.tracks]
    check_output(paths[0], job.bases * len(paths) * (TRACK_BYTES if job.resolution is not None else 4))
    for path in paths:
        remove_stale(path)


def _write(
    job: Job,
    output_dir: Path,
    about: Mapping[str, Any],
    pieces: Pieces,
    groups: Sequence[Sequence[Chunk]],
    levels: Levels,
    run: Mapping[str, Any],
) -> None:
    """Writes tracks, the list of filled Ns and the manifest."""
    paths = [output_dir / track.file for track in job.tracks]
    filled = output_dir / FILLED
    with (
        inputs_unchanged(list(job.all_inputs.values())),
        write_tracks(paths, job.genome.lengths, job.resolution) as writer,
    ):
        with StopSignal("chunk") as stop:
            shown = cli.progress(groups, "chunks", len(groups))
            for number, group in enumerate(stop.watch(shown, len(groups))):
                for chunk, values in zip(group, levels(number, group), strict=True):
                    writer.add(chunk.contig, chunk.start, values)
        files.manifest_path(output_dir).unlink(missing_ok=True)  # of an earlier result, replaced now
    rows = list(filled_within(pieces, job.regions))
    outputs = [*paths, filled]
    if job.bed is not None:
        outputs.append(output_dir / REGIONS)
        write_region_table(outputs[-1], output_dir, about["tracks"], job.bed)
    files.write_text(filled, "".join(f"{contig}\t{start}\t{end}\n" for contig, start, end in rows))
    counts = {
        "bases": job.bases,
        "predicted_bases": min(writer.covered_bp),
        "pieces": sum(map(len, pieces.spans.values())),
        "filled_n": sum(end - start for _, start, end in rows),
    }
    details = {**about, "precision": job.precision, **counts}
    files.write_manifest(output_dir, STEP, job.all_inputs, details, files=outputs, run=run)
