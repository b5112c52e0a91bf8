"""One door to every checkpoint: a converted folder, a folder in the hub's layout, or a registered name."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints import registry, store
from dnalm.checkpoints.hub import find_files, read_hub_config, read_hub_params
from dnalm.checkpoints.pins import check_pins
from dnalm.checkpoints.tensors import Params, check_shapes
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their config.

    Args:
        params: module -> name -> float32 array, in the published JAX naming, one root for the encoder.
        source: the folder they were read from.
        files: role -> file that was read, for manifests.
        details: what the writer of one of our folders said about it.
    """

    params: Params
    config: ModelConfig
    source: Path
    files: Mapping[str, Path] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of weights."""
        return sum(leaf.size for leaves in self.params.values() for leaf in leaves.values())


def find_folder(path_or_name: str | Path) -> Path:
    """Returns the folder of a checkpoint.

    Raises:
        UserError: neither a folder nor a registered name whose files are here.
    """
    path = Path(path_or_name)
    if path.is_dir():
        return path
    if path.exists():
        raise UserError(path, "is a file, expected a checkpoint's folder", "Name the folder that holds it.")
    return registry.local_folder(str(path_or_name))


def read_config(path_or_name: str | Path) -> ModelConfig:
    """Reads the config of a checkpoint without its weights (see `load_checkpoint`)."""
    folder = find_folder(path_or_name)
    if store.is_stored(folder):
        return store.read_stored_config(folder)[0]
    return read_hub_config(find_files(folder))


def load_checkpoint(path_or_name: str | Path, layer_norm_eps: float | None = None) -> Checkpoint:
    """Loads a checkpoint as float32 and checks every parameter against its config.

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
        params = store.read_stored_params(folder)
        files = {"config": folder / store.CONFIG, "weights": folder / store.PARAMS}
    else:
        found = find_files(folder)
        check_pins(found.weights)
        config = read_hub_config(found)
        params = read_hub_params(found, config)
        files = {"config": found.config, **_roles(found.weights)}
    check_shapes(params, parameter_shapes(config), folder)
    if layer_norm_eps is not None:
        config = dataclasses.replace(config, layer_norm_eps=layer_norm_eps)
    ordered = {
        module: {name: np.asarray(leaf, np.float32) for name, leaf in sorted(leaves.items())}
        for module, leaves in sorted(params.items())
    }
    return Checkpoint(ordered, config, folder, files, details)


def _roles(weights: tuple[Path, ...]) -> dict[str, Path]:
    if len(weights) == 1:
        return {"weights": weights[0]}
    return {f"weights_{number}": path for number, path in enumerate(weights, start=1)}
