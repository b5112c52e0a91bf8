"""Our own checkpoint folder: params.safetensors, config.json, and whatever the writer adds beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints.safetensors_file import read_safetensors, write_safetensors
from dnalm.checkpoints.tensors import Tensor, in_memory
from dnalm.errors import UserError
from dnalm.files import read_json, write_json
from dnalm.models.config import ModelConfig

PARAMS, CONFIG = "params.safetensors", "config.json"
DTYPES = ("float32", "float16", "bfloat16")


def write_checkpoint(
    folder: str | Path,
    params: Mapping[str, Mapping[str, Any]],
    config: ModelConfig,
    details: Mapping[str, Any] | None = None,
    dtype: str = "float32",
) -> list[Path]:
    """Writes a checkpoint and returns its two files; the same input gives the same bytes.

    Tensors are read, cast and written one at a time: memory holds no more than three times the largest.

    Args:
        params: module -> name -> array, as `models.init_params` makes them, or a tensor not yet read.
        details: where the weights come from, for config.json.
        dtype: one of DTYPES, on disk; they are float32 again when read.

    Raises:
        UserError: a weight is not finite in that type.
    """
    tensors = {
        f"{module}/{name}": leaf if isinstance(leaf, Tensor) else in_memory(np.asarray(leaf))
        for module, leaves in params.items()
        for name, leaf in leaves.items()
    }
    folder = Path(folder)
    write_safetensors(folder / PARAMS, tensors, dtype)
    write_json(folder / CONFIG, {"model": config.to_dict(), "details": dict(details or {})})
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


def read_stored_params(folder: Path) -> dict[str, dict[str, Tensor]]:
    """Returns the weights of such a folder, unread.

    Raises:
        UserError: missing or damaged.
    """
    params: dict[str, dict[str, Tensor]] = {}
    for path, tensor in read_safetensors(folder / PARAMS).items():
        module, _, name = path.rpartition("/")
        params.setdefault(module, {})[name] = tensor
    return params
