"""A run's weights: in the type that it computes in, with the sha256 that names them in its manifest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dnalm.checkpoints import Checkpoint, load_checkpoint
from dnalm.checkpoints.adapter_file import with_adapter
from dnalm.checkpoints.load import Source
from dnalm.engine.memory import weights_fit
from dnalm.engine.preflight import inputs_unchanged
from dnalm.engine.shards import weights_sha256
from dnalm.models import cast_params, init_params


def open_checkpoint(
    source: Source, adapter: str | Path | None = None, layer_norm_eps: float | None = None
) -> Checkpoint:
    """Opens a checkpoint (see `load_checkpoint`), with an adapter merged into its weights where one is given.

    The adapter's file is among the checkpoint's, and so in keys and manifests.

    Raises:
        UserError: see `load_checkpoint` and `with_adapter`.
    """
    checkpoint = load_checkpoint(source, layer_norm_eps)
    if adapter is None:
        return checkpoint
    return with_adapter(checkpoint, adapter, weights_name(load_checkpoint(source)))


def weights_name(checkpoint: Checkpoint, random_seed: int | None = None) -> str:
    """Returns the sha256 of a model (see `weights_sha256`) without its weights on a device."""
    config = checkpoint.config
    weights = checkpoint.tensors if random_seed is None else init_params(config, random_seed)
    return weights_sha256(weights, config)


def load_weights(
    checkpoint: Checkpoint, precision: str, devices: Sequence[Any], random_seed: int | None = None
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Returns the sha256 of a model (see `weights_sha256`) and its weights in a precision.

    Args:
        random_seed: random weights instead of the checkpoint's.

    Raises:
        UserError: no room on the device, weights that cannot be read, or files that change meanwhile.
    """
    config = checkpoint.config
    if random_seed is not None:
        params = init_params(config, random_seed)
        return weights_sha256(params, config), cast_params(params, precision)
    # The files are read twice, so that the float32 weights are never in memory as a whole.
    with weights_fit(devices), inputs_unchanged(list(checkpoint.files.values())):
        return weights_sha256(checkpoint.tensors, config), checkpoint.load(precision)
