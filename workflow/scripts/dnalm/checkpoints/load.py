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
from dnalm.checkpoints.hub import find_files, read_hub_config, read_hub_params
from dnalm.checkpoints.hub_config import read_record
from dnalm.checkpoints.pins import check_pins
from dnalm.checkpoints.safetensors_file import cast
from dnalm.checkpoints.tensors import Params, Tensors, check_shapes, iterate, read_finite
from dnalm.errors import UserError
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
        return self._read(lambda array: array)

    def load(self, dtype: str = "float32") -> dict[str, dict[str, Any]]:
        """Returns all weights as JAX arrays of one type on the default device, each cast before it moves.

        Beside the result, memory holds one tensor at a time.

        Raises:
            UserError: NaN or infinite values, in the file or in that type.
        """
        import jax

        def move(array: np.ndarray) -> Any:
            # Waiting keeps a second tensor from being read while the first is still copied.
            return jax.block_until_ready(jax.device_put(cast(array, dtype)))

        return self._read(move)

    def _read(self, change: Callable[[np.ndarray], Any]) -> dict[str, dict[str, Any]]:
        tree: dict[str, dict[str, Any]] = {}
        for module, name, tensor in iterate(self.tensors):
            array = read_finite(tensor, f"{self.source}, {module}/{name}")
            tree.setdefault(module, {})[name] = change(array)
        return tree


def find_folder(path_or_name: str | Path) -> Path:
    """Returns the folder of a checkpoint: itself, a registered model's, or what a download's record names.

    Raises:
        UserError: neither a folder, a record nor a registered name whose files are here.
    """
    path = Path(path_or_name)
    if path.is_dir():
        return path
    if path.suffix == ".json" and path.exists():
        return _fetched_folder(path)
    if path.exists():
        raise UserError(path, "is a file, expected a checkpoint's folder", "Name the folder that holds it.")
    return registry.local_folder(str(path_or_name))


def _fetched_folder(record_path: Path) -> Path:
    """Returns the folder that fetch_checkpoint.py wrote down, with the files that it brought."""
    record = read_record(record_path)
    folder, files = Path(str(record.get("folder"))), record.get("files")
    if not isinstance(files, dict) or "folder" not in record:
        raise UserError(record_path, "is no record of fetch_checkpoint.py", "Write it again.")
    for name, entry in files.items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["bytes"]:
            raise UserError(
                path,
                f"no longer as fetched (expected {entry['bytes']} bytes)",
                f"Delete {record_path} and fetch again.",
            )
    return folder


def read_config(path_or_name: str | Path) -> ModelConfig:
    """Reads the config of a checkpoint without its weights (see `load_checkpoint`)."""
    folder = find_folder(path_or_name)
    if store.is_stored(folder):
        return store.read_stored_config(folder)[0]
    return read_hub_config(find_files(folder))


def load_checkpoint(path_or_name: str | Path, layer_norm_eps: float | None = None) -> Checkpoint:
    """Opens a checkpoint and checks every parameter's shape against its config; values are read later.

    Args:
        path_or_name: our converted folder, a folder in the hub's layout (jax_model/ or the torch-side
            files), or a name or alias of resources/models.tsv.
        layer_norm_eps: overrides 1e-5 (1e-12 only to reproduce the hub's torch outputs).

    Raises:
        UserError: not found, not readable, or weights that do not fit the configuration.
    """
    from dnalm.models import parameter_shapes

    folder, details = find_folder(path_or_name), {}
    if store.is_stored(folder):
        config, details = store.read_stored_config(folder)
        tensors: Tensors = store.read_stored_params(folder)
        files = {"config": folder / store.CONFIG, "weights": folder / store.PARAMS}
    else:
        found = find_files(folder)
        check_pins(found.weights)
        config = read_hub_config(found)
        tensors = read_hub_params(found, config)
        files = {"config": found.config, **_roles(found.weights)}
    check_shapes(tensors, parameter_shapes(config), folder)
    if layer_norm_eps is not None:
        config = dataclasses.replace(config, layer_norm_eps=layer_norm_eps)
    return Checkpoint(tensors, config, folder, files, details)


def _roles(weights: tuple[Path, ...]) -> dict[str, Path]:
    if len(weights) == 1:
        return {"weights": weights[0]}
    return {f"weights_{number}": path for number, path in enumerate(weights, start=1)}
