"""One door to every checkpoint: a converted folder, a folder in the hub's layout, or a registered name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints import registry, store
from dnalm.checkpoints.expected import check_row
from dnalm.checkpoints.hub import find_files, read_hub_config, read_hub_params
from dnalm.checkpoints.hub_config import read_record
from dnalm.checkpoints.pins import compare_with_pins
from dnalm.checkpoints.safetensors_file import cast_finite
from dnalm.checkpoints.tensors import Params, Tensors, check_shapes, iterate, read_finite
from dnalm.errors import UserError
from dnalm.files import sha256_of
from dnalm.models.config import ModelConfig


@dataclass(frozen=True)
class Checkpoint:
    """Weights, on disk until they are asked for, with their config.

    Args:
        tensors: module -> name -> tensor, in the published JAX naming, one root for the encoder.
        source: the folder they are read from.
        files: role -> file that holds them, for manifests.
        details: what the writer of one of our folders said about it.
    """

    tensors: Tensors
    config: ModelConfig
    source: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(tensor.size for _, _, tensor in iterate(self.tensors))

    @cached_property
    def params(self) -> Params:
        """All weights as float32, in this process's memory.

        Raises:
            UserError: NaN or infinite values.
        """
        return self._read(lambda array, _: array)

    def load(self, dtype: str = "float32") -> dict[str, dict[str, Any]]:
        """Returns all weights as JAX arrays of one type on the default device, each cast before it moves.

        Beside the result, memory holds one tensor at a time.

        Raises:
            UserError: NaN or infinite values, in the file or in that type.
        """
        import jax

        def move(array: np.ndarray, name: str) -> Any:
            # Waiting keeps a second tensor from being read while the first is still copied.
            return jax.block_until_ready(jax.device_put(cast_finite(array, dtype, name)))

        return self._read(move)

    def _read(self, change: Callable[[np.ndarray, str], Any]) -> dict[str, dict[str, Any]]:
        tree: dict[str, dict[str, Any]] = {}
        for module, name, tensor in iterate(self.tensors):
            where = f"{self.source}, {module}/{name}"
            tree.setdefault(module, {})[name] = change(read_finite(tensor, where), where)
        return tree


@dataclass(frozen=True)
class Found:
    """Where a checkpoint is.

    Args:
        row: of models.tsv, where it was named by one or fetched for one.
        fetched: file below the folder -> sha256, as a download's record says; others are not looked at.
    """

    folder: Path
    row: dict[str, str] | None = None
    fetched: Mapping[str, str] | None = None


Source = str | Path | Mapping[str, Any]  # a folder, a registered name, or the record of a download


def find(source: Source) -> Found:
    """Finds a checkpoint by its folder, the record of its download (or its file), or its registered name.

    Raises:
        UserError: neither a folder, a record nor a registered name whose files are here.
    """
    if isinstance(source, Mapping):
        return _fetched(source, "record of fetch_checkpoint")
    path = Path(source)
    if path.is_dir():
        return Found(path)
    if path.suffix == ".json" and path.exists():
        return _fetched(read_record(path), path)
    if path.exists():
        raise UserError(path, "is a file, expected a checkpoint's folder", "Name the folder that holds it.")
    row = registry.model_row(str(source))
    return Found(registry.local_folder(row), row)


def _fetched(record: Mapping[str, Any], where: object) -> Found:
    """Takes what `fetch_checkpoint` wrote down; the files that it brought must still be there."""
    folder, files = Path(str(record.get("folder"))), record.get("files")
    if not isinstance(files, dict) or "folder" not in record:
        raise UserError(where, "is no record of fetch_checkpoint.py", "Write it again.")
    for name, entry in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise UserError(
                path,
                f"no longer as fetched (expected {entry['bytes']} bytes)",
                f"Delete {where} and fetch again.",
            )
    row = registry.model_row(str(record.get("model")))
    return Found(folder, row, {name: str(entry["sha256"]) for name, entry in files.items()})


def read_config(source: Source) -> ModelConfig:
    """Reads the config of a checkpoint without its weights (see `load_checkpoint`)."""
    found = find(source)
    if store.is_stored(found.folder):
        config = store.read_stored_config(found.folder)[0]
    else:
        config = read_hub_config(find_files(found.folder, found.fetched))
    return check_row(config, found.row, found.folder) if found.row else config


def load_checkpoint(source: Source, layer_norm_eps: float | None = None) -> Checkpoint:
    """Opens a checkpoint and checks every parameter's shape against its config; values are read later.

    Args:
        source: our converted folder, a folder in the hub's layout (jax_model/ or the torch-side
            files), the record of a download, or a name or alias of resources/models.tsv. Named by the last
            two, it must also be what its row says.
        layer_norm_eps: overrides 1e-5 (1e-12 only to reproduce the hub's torch outputs).

    Raises:
        UserError: not found, not readable, or weights that do not fit the configuration.
    """
    from dnalm.models import parameter_shapes

    found, details = find(source), {}
    folder = found.folder
    if store.is_stored(folder):
        config, details = store.read_stored_config(folder)
        tensors: Tensors = store.read_stored_params(folder)
        files = {"config": folder / store.CONFIG, "weights": folder / store.PARAMS}
    else:
        published = find_files(folder, found.fetched)
        if not found.fetched:
            compare_with_pins(published.weights)
        _check_sha256(folder, found.fetched or {})
        config = read_hub_config(published)
        tensors = read_hub_params(published, config)
        files = {"config": published.config, **_roles(published.weights)}
    if found.row:
        config = check_row(config, found.row, folder)
    check_shapes(tensors, parameter_shapes(config), folder)
    if layer_norm_eps is not None:
        config = dataclasses.replace(config, layer_norm_eps=layer_norm_eps)
    return Checkpoint(tensors, config, folder, files, details)


def _check_sha256(folder: Path, fetched: Mapping[str, str]) -> None:
    for name, expected in fetched.items():
        if (sha256 := sha256_of(folder / name)) != expected:
            raise UserError(
                folder / name,
                f"changed since it was fetched (found sha256 {sha256[:12]}, expected {expected[:12]})",
                "Fetch it again.",
            )


def _roles(weights: tuple[Path, ...]) -> dict[str, Path]:
    if len(weights) == 1:
        return {"weights": weights[0]}
    return {f"weights_{number}": path for number, path in enumerate(weights, start=1)}
