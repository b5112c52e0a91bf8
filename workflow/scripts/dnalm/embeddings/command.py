"""The command line of embed.py as a job."""

from __future__ import annotations

import argparse
from pathlib import Path

from dnalm.embeddings.run import Job
from dnalm.embeddings.settings import Settings, parse_layers
from dnalm.embeddings.sources import Source, WindowSource, read_source
from dnalm.engine.weights import open_checkpoint
from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.windows import read_windows

SETTINGS = ("pooling", "reverse_complement", "dtype", "precision", "long_inputs", "split_overlap")


def make_job(arguments: argparse.Namespace) -> Job:
    """Returns what embed.py was asked for.

    Raises:
        UserError: a file that cannot be read, layers that the model has not.
    """
    checkpoint = open_checkpoint(arguments.checkpoint, arguments.adapter)
    if arguments.adapter and arguments.random_weights is not None:
        raise UserError("--adapter", "found --random-weights too, expected one of them", "Leave one out.")
    layers = parse_layers(arguments.layers, checkpoint.config.num_layers)
    settings = Settings(layers, **{name: getattr(arguments, name) for name in SETTINGS})
    source, inputs = _read_source(arguments)
    return Job(source, inputs, checkpoint, settings, arguments.random_weights, arguments.force)


def _read_source(arguments: argparse.Namespace) -> tuple[Source, dict[str, Path]]:
    """Returns what is embedded, and the files that it comes from by their role."""
    if arguments.sequences:
        return read_source(arguments.sequences), {"sequences": arguments.sequences}
    if not arguments.genome:
        raise UserError("--windows", "needs the genome that they lie on", "Give --genome.")
    table = read_windows(arguments.windows)
    inputs = {"genome": arguments.genome, "windows": arguments.windows}
    return WindowSource(Genome(arguments.genome), table), inputs
