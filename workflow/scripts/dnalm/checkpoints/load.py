"""One door to every checkpoint: a converted folder, a folder in the hub's layout, or a registered name."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dnalm.checkpoints import registry
from dnalm.checkpoints.store import is_stored, read_stored
from dnalm.checkpoints.tensors import Params, check_shapes
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig


@dataclass(frozen=True)
class Checkpoint:
    """Weights with their config.

    Args:
        params: module -> name -> float32 array, in the published JAX naming, one root for the encoder.
        source: the folder they were read from.
    """

    params: Params
    config: ModelConfig
    source: Path


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

    folder = find_folder(path_or_name)
    if is_stored(folder):
        params, config = read_stored(folder)
    else:
        from dnalm.checkpoints.hub import read_hub

        params, config = read_hub(folder)
    check_shapes(params, parameter_shapes(config), folder)
    if layer_norm_eps is not None:
        config = dataclasses.replace(config, layer_norm_eps=layer_norm_eps)
    ordered = {
        module: {name: np.asarray(leaf, np.float32) for name, leaf in sorted(leaves.items())}
        for module, leaves in sorted(params.items())
    }
    return Checkpoint(ordered, config, folder)
