"""The command line of segment.py as a job."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from dnalm.engine.weights import open_checkpoint
from dnalm.errors import UserError
from dnalm.genome import Genome, read_bed
from dnalm.genome.regions import read_regions
from dnalm.segmentation.plan import CENTRED, make_layout
from dnalm.segmentation.run import Job
from dnalm.stitching import Span
from dnalm.tracks import parse_resolution

if TYPE_CHECKING:
    import pandas as pd

LAYOUT = ("window_bp", "overlap", "frames", "reverse_complement", "stitch")


def make_job(arguments: argparse.Namespace, genome: Genome) -> Job:
    """Returns what segment.py was asked for.

    Raises:
        UserError: options that exclude each other, or that do not fit the checkpoint or the genome.
    """
    checkpoint = open_checkpoint(arguments.checkpoint, arguments.adapter)
    layout = make_layout(checkpoint.config, **{name: getattr(arguments, name) for name in LAYOUT})
    context_bp, bed = arguments.context_bp, None
    if arguments.bed is None:
        if context_bp is not None:
            raise UserError("--context-bp", "needs --bed", "Regions of --regions take the whole contig.")
        regions = read_regions(arguments.regions, genome.lengths)
    else:
        if arguments.regions:
            raise UserError("--bed", "found --regions too, expected one of them", "Leave one out.")
        bed = read_bed(arguments.bed, genome.lengths)
        regions = _spans(bed, genome)
        if not regions:
            raise UserError(arguments.bed, "holds no regions", "Write at least one.")
        context_bp = CENTRED if context_bp is None else context_bp
        if context_bp < 0 and arguments.context_bp is not None:
            raise UserError("--context-bp", f"found {context_bp}, expected 0 or more", "Mend it.")
    inputs = {"genome": arguments.genome} | ({"bed": arguments.bed} if bed is not None else {})
    return Job(
        genome,
        inputs,
        checkpoint,
        layout,
        regions,
        parse_resolution(arguments.resolution),
        arguments.precision,
        arguments.max_filled_n,
        context_bp,
        bed,
    )


def _spans(bed: pd.DataFrame, genome: Genome) -> dict[str, list[Span]]:
    """Returns contig -> spans in the genome's order."""
    found: dict[str, list[Span]] = {}
    for row in bed.itertuples():
        found.setdefault(row.contig, []).append((int(row.start), int(row.end)))
    return {contig: found[contig] for contig in genome.lengths if contig in found}
