"""Shards: finished parts of a long run, kept in a working folder so that a killed run goes on from there.

A shard is written under a unique temporary name and moved into place, so it is whole or absent, and
two copies of a run cannot mix. It says which run and part it belongs to; one that is damaged or
another run's is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints.tensors import Tensor, Tensors
from dnalm.files import atomic_path
from dnalm.models import ModelConfig, Params

Arrays = dict[str, np.ndarray]
STAMP = "stamp"  # entry of a shard's file that says whose it is
log = logging.getLogger("dnalm")


def run_key(settings: Mapping[str, Any]) -> str:
    """Returns a name for everything that decides a run's results."""
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def weights_sha256(weights: Tensors | Params, config: ModelConfig) -> str:
    """Returns the sha256 of a model: its config and float32 weights, whatever files they came from.

    Args:
        weights: arrays, or a checkpoint's tensors, which are read one after the other.
    """
    digest = hashlib.sha256(config.to_json().encode())
    for module, leaves in sorted(weights.items()):
        for name, leaf in sorted(leaves.items()):
            digest.update(f"{module}/{name}{np.shape(leaf)}".encode())
            digest.update(np.ascontiguousarray(leaf.read() if isinstance(leaf, Tensor) else leaf))
    return digest.hexdigest()


class Shards:
    """The shards of one run.

    Args:
        work_dir: folder for the shards of all runs.
        key: of `run_key`.
    """

    def __init__(self, work_dir: str | Path, key: str) -> None:
        self.folder, self._key = Path(work_dir) / key[:16], key

    @staticmethod
    def file_name(number: int) -> str:
        """Returns the name of a shard's file."""
        return f"shard_{number:06d}.npz"

    def path(self, number: int) -> Path:
        """Returns where a shard lies, or will."""
        return self.folder / self.file_name(number)

    def get(self, number: int, part: str, compute: Callable[[], Arrays]) -> Arrays:
        """Returns a shard's arrays: from its file where that is sound, else computed and kept.

        Args:
            number: place in the run.
            part: what the shard covers, for example its rows.
        """
        path = self.path(number)
        stamp = f"{self._key} {number} {part}"
        arrays = _load(path, stamp)
        if arrays is None:
            arrays = compute()
            with atomic_path(path) as temporary, open(temporary, "wb") as handle:
                np.savez(handle, **{STAMP: np.array(stamp)}, **arrays)
        return arrays

    def finished(self) -> int:
        """Returns how many shards lie in the folder."""
        return len(list(self.folder.glob("shard_*.npz")))

    def remove(self) -> None:
        """Deletes the run's shards, and the working folder when nothing else is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(OSError):
            self.folder.parent.rmdir()


def _load(path: Path, stamp: str) -> Arrays | None:
    """Returns a shard's arrays, or None where it is absent, damaged (zip's CRC) or foreign."""
    if not path.exists():
        return None
    try:
        with open(path, "rb") as handle, np.load(handle, allow_pickle=False) as file:
            if str(file[STAMP]) == stamp:
                return {name: file[name] for name in file.files if name != STAMP}
        log.warning("%s: belongs to another run; computed again", path.name)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as fault:
        log.warning("%s: damaged (%s); computed again", path.name, fault)
    return None
