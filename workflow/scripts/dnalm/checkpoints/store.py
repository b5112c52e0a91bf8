"""Our own checkpoint folder: params.safetensors, config.json, and whatever the writer adds beside them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints.tensors import Params, read_safetensors
from dnalm.errors import UserError
from dnalm.files import atomic_path, read_json, write_json
from dnalm.models.config import ModelConfig

PARAMS, CONFIG = "params.safetensors", "config.json"
DTYPES = ("float32", "float16")


def write_checkpoint(
    folder: str | Path,
    params: Mapping[str, Mapping[str, Any]],
    config: ModelConfig,
    details: Mapping[str, Any] | None = None,
    dtype: str = "float32",
) -> list[Path]:
    """Writes a checkpoint and returns its two files; the same input gives the same bytes.

    Args:
        params: module -> name -> array, as `models.init_params` makes them.
        details: where the weights come from, for config.json.
        dtype: float32 or float16 on disk; they are float32 again when loaded.

    Raises:
        UserError: a weight is not finite in that type.
    """
    from safetensors.numpy import save

    tensors = {}
    for module, leaves in sorted(params.items()):
        for name, leaf in sorted(leaves.items()):
            with np.errstate(over="ignore"):  # told below, by name
                array = np.asarray(leaf).astype(dtype)
            if not np.isfinite(array).all():
                raise UserError(f"{module}/{name}", f"not finite as {dtype}", "Check the weights.")
            tensors[f"{module}/{name}"] = np.ascontiguousarray(array)
    folder = Path(folder)
    with atomic_path(folder / PARAMS) as temporary:
        temporary.write_bytes(save(tensors))
    write_json(folder / CONFIG, {"model": dataclasses.asdict(config), "details": dict(details or {})})
    return [folder / PARAMS, folder / CONFIG]


def is_stored(folder: Path) -> bool:
    """Says whether a folder is one that `write_checkpoint` made."""
    return (folder / PARAMS).exists()


def read_stored_config(folder: Path) -> tuple[ModelConfig, dict[str, Any]]:
    """Reads the config of such a folder, and the details beside it.

    Raises:
        UserError: missing, damaged or of another version.
    """
    record = read_json(folder / CONFIG)
    if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
        raise UserError(folder / CONFIG, "has no entry `model`", "Convert the checkpoint again.")
    return ModelConfig.from_dict(record["model"], folder / CONFIG), dict(record.get("details", {}))


def read_stored_params(folder: Path) -> Params:
    """Reads the weights of such a folder as float32.

    Raises:
        UserError: missing or damaged.
    """
    params: Params = {}
    for path, array in read_safetensors(folder / PARAMS).items():
        module, _, name = path.rpartition("/")
        params.setdefault(module, {})[name] = array
    return params
