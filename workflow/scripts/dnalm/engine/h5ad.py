"""The embeddings' file: AnnData with one obsm array per layer, written in blocks of rows.

obs holds one row per window, its index the window's name; X is empty; uns["dnalm"] says how the file
was made. Memory is that of a block and of obs, whatever the number of rows.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from dnalm.engine.preflight import reserve
from dnalm.errors import UserError
from dnalm.files import require_file

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "layer_"
OBS_BYTES = 200  # of a window's row, generously
FRAME_BYTES = 1 << 20  # of all else


class EmbeddingWriter:
    """Writes rows in order; closing it checks that all have come.

    Args:
        path: a temporary path (see `files.atomic_path`).
        obs: one row per window, indexed by name.
        widths: layer -> D.
        dtype: float16 or float32.
        about: JSON-able content of uns["dnalm"].
    """

    def __init__(
        self,
        path: Path,
        obs: pd.DataFrame,
        widths: Mapping[int, int],
        dtype: str,
        about: Mapping[str, Any],
    ) -> None:
        import h5py

        self._path, self._rows, self._written = path, len(obs), 0
        size = len(obs) * (OBS_BYTES + sum(widths.values()) * np.dtype(dtype).itemsize) + FRAME_BYTES
        reserve(path, size)
        self._file = h5py.File(path, "w", libver=("v108", "v108"))
        self._layers = _write_frame(self._file, obs, widths, dtype, about)
        self._file.flush()
        with open(path, "rb+") as handle:  # holds the space until the file is closed
            os.posix_fallocate(handle.fileno(), 0, size)

    def __enter__(self) -> EmbeddingWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> None:
        self._file.flush()
        size = self._file.id.get_filesize()
        self._file.close()
        os.truncate(self._path, size)
        if kind is None and self._written != self._rows:
            raise UserError("embeddings", f"{self._written} rows came, expected {self._rows}", "Run again.")

    def append(self, values: Mapping[int, Float[np.ndarray, "B D"]]) -> None:
        """Writes the next rows of every layer.

        Raises:
            UserError: more rows than windows, or a value that the file's type cannot hold.
        """
        sizes = {len(rows) for rows in values.values()}
        end = self._written + max(sizes)
        if len(sizes) != 1 or end > self._rows or set(values) != set(self._layers):
            raise UserError("embeddings", f"rows up to {end} came, expected {self._rows}", "Run again.")
        for layer, rows in values.items():
            self._layers[layer][self._written : end] = rows
        self._written = end


def _write_frame(
    file: Any, obs: pd.DataFrame, widths: Mapping[int, int], dtype: str, about: Mapping[str, Any]
) -> dict[int, Any]:
    """Writes all but the values; returns the empty arrays of the layers."""
    import anndata
    import pandas as pd
    from anndata.io import write_elem

    empty = anndata.AnnData(obs=obs[[]], var=pd.DataFrame(index=pd.Index([], dtype=str)))
    write_elem(file, "/", empty)
    del file["obs"]
    write_elem(file, "obs", obs)
    write_elem(file, "uns", {"dnalm": json.loads(json.dumps(about))})
    write_elem(file, "X", np.zeros((len(obs), 0), np.float32))  # a backed file without X breaks on .X
    layers = {}
    for layer, width in sorted(widths.items()):
        array = file["obsm"].create_dataset(f"{PREFIX}{layer}", (len(obs), width), dtype)
        array.attrs.update({"encoding-type": "array", "encoding-version": "0.2.0"})
        layers[layer] = array
    return layers


def embedding_layers(path: str | Path) -> list[int]:
    """Returns the numbers of the layers that a file holds, ascending."""
    with _open(path) as file:
        return sorted(int(name.removeprefix(PREFIX)) for name in file["obsm"] if name.startswith(PREFIX))


def read_embeddings(
    path: str | Path, layer: int | str | None = None
) -> tuple[list[str], Float[np.ndarray, "B D"]]:
    """Returns the windows' names and their embeddings of one layer, as stored.

    Args:
        layer: its number; may be left out where the file holds one layer.

    Raises:
        UserError: no such file or layer, or several to choose from.
    """
    found = embedding_layers(path)
    if layer is None and len(found) == 1:
        layer = found[0]
    if layer is None or int(layer) not in found:
        raise UserError(path, f"layer {layer} (the file holds {found})", "Name one of these layers.")
    with _open(path) as file:
        index = file["obs"].attrs["_index"]
        return file["obs"][index].asstr()[:].tolist(), file["obsm"][f"{PREFIX}{int(layer)}"][:]


def _open(path: str | Path) -> Any:
    import h5py

    try:
        file = h5py.File(require_file(path, "embeddings"), "r")
    except OSError as fault:
        raise UserError(path, "is no HDF5 file", "Run embed.py again.") from fault
    if "obs" not in file or "obsm" not in file:
        file.close()
        raise UserError(path, "holds no embeddings (no obs and obsm)", "Run embed.py again.")
    return file
