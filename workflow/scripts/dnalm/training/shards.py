"""Arrays as long as a genome, in files that are mapped into memory: written once per run, read in windows.

So a training's memory does not grow with its genomes, processes of one machine share the pages, and a run
that is taken up again tokenizes nothing anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.errors import UserError
from dnalm.files import atomic_path


class Shards:
    """A folder of mapped arrays; without a folder, arrays in memory.

    Args:
        folder: of the run (`--work-dir`).
        about: what the arrays were made from, as JSON can hold it; other data have other files.
    """

    def __init__(self, folder: str | Path | None = None, about: Mapping[str, Any] | None = None) -> None:
        digest = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
        self.folder = None if folder is None else Path(folder) / "shards" / digest

    def array(self, name: str, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Returns `make()`, read-only and mapped from its file, which is written where there is none.

        Raises:
            UserError: the file is damaged.
        """
        if self.folder is None:
            return make()
        path = self.folder / f"{name}.npy"
        if not path.exists():
            with atomic_path(path) as temporary, open(temporary, "wb") as handle:
                np.save(handle, make(), allow_pickle=False)
        try:
            return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
        except (ValueError, EOFError) as fault:
            raise UserError(path, f"is damaged ({fault})", "Remove it; it is written anew.") from fault

    def discard(self) -> None:
        """Removes the files of a run that has ended."""
        if self.folder is not None:
            shutil.rmtree(self.folder.parent, ignore_errors=True)
