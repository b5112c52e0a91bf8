"""Adapters on disk: one small safetensors file that names the weights it belongs to."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints.load import Checkpoint
from dnalm.checkpoints.tensors import Tensor
from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file
from dnalm.models.adapters import Adapter, AdapterConfig, adapter_shapes, merge_leaf

FORMAT, ENCODER = "dnalm_adapter", "encoder/"


@dataclass(frozen=True)
class AdapterFile:
    """What an adapter's file holds.

    Args:
        base: sha256 of the weights that it was trained on (`weights_sha256` of manifests).
        head: further arrays, for those who know what they are.
        about: how it was made.
    """

    adapter: Adapter
    settings: AdapterConfig
    base: str
    head: Mapping[str, np.ndarray] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--adapter`."""
    parser.add_argument(
        "--adapter", type=Path, metavar="FILE", help="of finetune.py; merged into the checkpoint's weights"
    )


def write_adapter(path: str | Path, content: AdapterFile) -> None:
    """Writes an adapter; the same content gives the same bytes."""
    from safetensors.numpy import save_file

    arrays = {
        f"{ENCODER}{module}/{name}": np.asarray(leaf, np.float32)
        for module, leaves in content.adapter.items()
        for name, leaf in leaves.items()
    }
    arrays |= {name: np.asarray(leaf, np.float32) for name, leaf in content.head.items()}
    facts = {
        "base_sha256": content.base,
        "settings": dataclasses.asdict(content.settings),
        "about": dict(content.about),
    }
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, {FORMAT: json.dumps(facts, sort_keys=True)})


def read_adapter(path: str | Path) -> AdapterFile:
    """Reads an adapter.

    Raises:
        UserError: missing, damaged, or another kind of file.
    """
    from safetensors import SafetensorError, safe_open

    path = require_file(path, "adapter")
    try:
        with safe_open(path, "numpy") as handle:
            text = (handle.metadata() or {}).get(FORMAT)
            arrays = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
    except SafetensorError as fault:
        raise UserError(path, f"is damaged ({fault})", "Train it again.") from fault
    if text is None:
        raise UserError(path, "is no adapter", "Give an adapter.safetensors of finetune.py.")
    facts, adapter = json.loads(text), {}
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise UserError(path, f"{name} holds NaN or infinite values", "Train it again.")
        if name.startswith(ENCODER):
            module, _, leaf = name.removeprefix(ENCODER).rpartition("/")
            adapter.setdefault(module, {})[leaf] = array
    settings = facts["settings"]
    settings = AdapterConfig(**{**settings, "projections": tuple(settings["projections"])})
    head = {name: array for name, array in arrays.items() if not name.startswith(ENCODER)}
    return AdapterFile(adapter, settings, facts["base_sha256"], head, facts["about"])


def with_adapter(checkpoint: Checkpoint, path: str | Path, base: str) -> Checkpoint:
    """Returns a checkpoint with an adapter merged into its weights, which are still read one at a time.

    Args:
        base: sha256 of the checkpoint's own weights.

    Raises:
        UserError: the adapter belongs to other weights, or changes none.
    """
    path, found = Path(path), read_adapter(path)
    if found.base != base:
        raise UserError(
            path,
            f"belongs to other weights (found base {found.base[:12]}, expected {base[:12]} of "
            f"{checkpoint.source})",
            "Name the checkpoint that it was trained on.",
        )
    if not found.adapter:
        raise UserError(path, "has a head only and changes no weight of the encoder", "Leave it out.")
    shapes = {
        module: {name: leaf.shape for name, leaf in leaves.items()}
        for module, leaves in found.adapter.items()
    }
    if shapes != adapter_shapes(checkpoint.config, found.settings):
        raise UserError(path, "does not fit the model's layers", "Train it again.")
    tensors = {
        module: {
            name: _merged(tensor, name, found.adapter[module], found.settings)
            if module in found.adapter
            else tensor
            for name, tensor in leaves.items()
        }
        for module, leaves in checkpoint.tensors.items()
    }
    files = {**checkpoint.files, "adapter": path}
    return dataclasses.replace(checkpoint, tensors=tensors, files=files)


def _merged(tensor: Tensor, name: str, leaves: Mapping[str, Any], settings: AdapterConfig) -> Tensor:
    def read(own: Tensor) -> np.ndarray:
        return merge_leaf(name, own.read(), leaves, settings)

    return Tensor(tensor.shape, "float32", partial(read, tensor))
