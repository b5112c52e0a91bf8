"""Folders in the hub's layout: jax_model/ (joblib) or the torch-side files (safetensors or .bin)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnalm.checkpoints.hub_config import jax_config, read_record, torch_config
from dnalm.checkpoints.joblib_file import read_joblib
from dnalm.checkpoints.names import rename_jax, rename_torch
from dnalm.checkpoints.safetensors_file import read_safetensors
from dnalm.checkpoints.tensors import Tensor
from dnalm.checkpoints.torch_file import read_torch
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig

HYPERPARAMS, PYTREE, CONFIG = "hyperparams.json", "pytree_ckpt.joblib", "config.json"
TORCH_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class HubFiles:
    """The files of a published checkpoint: its settings, and its weights in one or more files."""

    config: Path
    weights: tuple[Path, ...]
    is_jax: bool


def find_files(folder: Path) -> HubFiles:
    """Returns the files of a folder that holds jax_model/ or is one, else of one with the torch-side files.

    Raises:
        UserError: neither is there.
    """
    for jax_folder in (folder / "jax_model", folder):
        if (jax_folder / PYTREE).exists() or (jax_folder / HYPERPARAMS).exists():
            return HubFiles(jax_folder / HYPERPARAMS, (jax_folder / PYTREE,), is_jax=True)
    if (folder / CONFIG).exists():
        return HubFiles(folder / CONFIG, _torch_weights(folder), is_jax=False)
    raise UserError(
        folder,
        "no checkpoint in this folder (expected jax_model/, config.json with model.safetensors or "
        "pytorch_model.bin, or params.safetensors)",
        "Name the folder that holds these files.",
    )


def _torch_weights(folder: Path) -> tuple[Path, ...]:
    for name in TORCH_WEIGHTS:
        if (folder / name).exists():
            return (folder / name,)
        index = folder / f"{name}.index.json"  # the weights lie in several files
        if index.exists():
            parts = sorted(set(read_record(index).get("weight_map", {}).values()))
            if not parts or any(Path(part).name != part for part in parts):
                raise UserError(index, "has no weight_map that names files of its folder")
            return tuple(folder / part for part in parts)
    raise UserError(folder, f"no weights (expected {' or '.join(TORCH_WEIGHTS)})", "Fetch the weights too.")


def read_hub_config(files: HubFiles) -> ModelConfig:
    """Reads the settings of a published checkpoint.

    Raises:
        UserError: missing, damaged or of another model.
    """
    translate = jax_config if files.is_jax else torch_config
    try:
        return translate(read_record(files.config), files.config)
    except (TypeError, ValueError) as fault:
        raise UserError(
            files.config, f"an entry is of the wrong kind ({fault})", "Fetch it again."
        ) from fault


def read_hub_params(files: HubFiles, config: ModelConfig) -> dict[str, dict[str, Tensor]]:
    """Returns the weights of a published checkpoint under our names, unread.

    Raises:
        UserError: missing, damaged or of another model.
    """
    if files.is_jax:
        return rename_jax(read_joblib(files.weights[0]))
    tensors: dict[str, Tensor] = {}
    for path in files.weights:
        part = read_safetensors(path) if path.suffix == ".safetensors" else read_torch(path)
        if twice := sorted(set(part) & set(tensors)):
            raise UserError(path, f"tensor {twice[0]} is in an earlier file too", "Fetch the files again.")
        tensors |= part
    return rename_torch(tensors, config.positional_embedding == "rotary", files.config.parent)
