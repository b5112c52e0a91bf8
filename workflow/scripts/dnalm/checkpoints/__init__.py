"""Checkpoints: which models exist, safe readers of the published files, one format of our own."""

from dnalm.checkpoints.load import Checkpoint, load_checkpoint
from dnalm.checkpoints.store import write_checkpoint

__all__ = ["Checkpoint", "load_checkpoint", "write_checkpoint"]
