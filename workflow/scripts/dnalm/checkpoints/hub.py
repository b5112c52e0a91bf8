"""Folders in the hub's layout: jax_model/ (joblib) or the torch-side files (safetensors or .bin)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from dnalm.checkpoints.bert_config import bert_config
from dnalm.checkpoints.bert_names import rename_bert
from dnalm.checkpoints.hub_config import jax_config, read_record, torch_config, with_own_settings
from dnalm.checkpoints.joblib_file import read_joblib
from dnalm.checkpoints.names import rename_jax, rename_torch
from dnalm.checkpoints.safetensors_file import read_safetensors
from dnalm.checkpoints.tensors import Tensor
from dnalm.checkpoints.torch_file import read_torch
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig

HYPERPARAMS, PYTREE, CONFIG = "hyperparams.json", "pytree_ckpt.joblib", "config.json"
TORCH_WEIGHTS = ("model.safetensors", "pytorch_model.bin")
VOCABULARIES = ("tokenizer.json", "vocab.txt")  # the first says how to merge, the second only what


@dataclass(frozen=True)
class HubFiles:
    """The files of a published checkpoint: its settings, its weights in one or more files, its vocabulary."""

    config: Path
    weights: tuple[Path, ...]
    is_jax: bool
    vocabulary: Path | None = None


def find_files(folder: Path, only: Collection[str] | None = None) -> HubFiles:
    """Returns the files of a folder that holds jax_model/ or is one, else of one with the torch-side files.

    Args:
        only: names below the folder that may be used; others are as if they were not there.

    Raises:
        UserError: neither is there.
    """

    def is_there(path: Path) -> bool:
        return path.exists() and (only is None or str(path.relative_to(folder)) in only)

    for jax_folder in (folder / "jax_model", folder):
        if is_there(jax_folder / PYTREE) or is_there(jax_folder / HYPERPARAMS):
            return HubFiles(jax_folder / HYPERPARAMS, (jax_folder / PYTREE,), is_jax=True)
    if is_there(folder / CONFIG):
        vocabulary = next((folder / name for name in VOCABULARIES if is_there(folder / name)), None)
        return HubFiles(folder / CONFIG, _torch_weights(folder, is_there), False, vocabulary)
    raise UserError(
        folder,
        "no checkpoint in this folder (expected jax_model/, config.json with model.safetensors or "
        "pytorch_model.bin, or params.safetensors)",
        "Name the folder that holds these files.",
    )


def _torch_weights(folder: Path, is_there: Callable[[Path], bool]) -> tuple[Path, ...]:
    for name in TORCH_WEIGHTS:
        if is_there(folder / name):
            return (folder / name,)
        index = folder / f"{name}.index.json"  # the weights lie in several files
        if is_there(index):
            parts = shard_names(index)
            if missing := [part for part in parts if not is_there(folder / part)]:
                raise UserError(folder / missing[0], f"not found, but {index.name} names it", "Fetch it too.")
            return tuple(folder / part for part in parts)
    raise UserError(folder, f"no weights (expected {' or '.join(TORCH_WEIGHTS)})", "Fetch the weights too.")


def shard_names(index: Path, where: object = "") -> list[str]:
    """Returns the files that an index of sharded weights names, all of its own folder.

    Raises:
        UserError: no such index, or a name that leads elsewhere; says so of `where`, by default the file.
    """
    weight_map = read_record(index).get("weight_map")
    parts = sorted({str(part) for part in weight_map.values()}) if isinstance(weight_map, dict) else []
    kind = ".safetensors" if ".safetensors" in index.name else ".bin"
    plain = re.compile(rf"\w[\w.-]*{re.escape(kind)}", re.ASCII)
    if not parts or any(not plain.fullmatch(part) for part in parts):
        found = next((part for part in parts if not plain.fullmatch(part)), "none")
        raise UserError(
            where or index,
            f"names no {kind} files of its own folder (found {found!r:.80})",
            "Fetch it again.",
        )
    return parts


def read_hub_config(files: HubFiles) -> ModelConfig:
    """Reads the settings of a published checkpoint.

    Raises:
        UserError: missing, damaged or of another model.
    """
    try:
        record = read_record(files.config)
        if not files.is_jax and record.get("model_type") == "bert":
            config = bert_config(record, files.config, files.vocabulary)
        else:
            config = (jax_config if files.is_jax else torch_config)(record, files.config)
        return with_own_settings(config, record)
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
    if config.architecture == "bert":
        return rename_bert(tensors, files.config.parent)
    return rename_torch(tensors, config.positional_embedding == "rotary", files.config.parent)
