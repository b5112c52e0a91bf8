"""The state of a training run in one safetensors file, replaced atomically."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from dnalm.errors import UserError
from dnalm.files import atomic_path

State = dict[str, Any]  # pytree of arrays


@dataclass
class Progress:
    """What a run has done so far.

    `losses` and `gradient_norms` have one value per step, `validation` has [step, loss] per look, and a table
    of other scores where there are some.
    """

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    gradient_norms: list[float] = field(default_factory=list)
    validation: list[Any] = field(default_factory=list)


def save_state(path: str | Path, state: State, key: str, progress: Progress) -> None:
    """Writes the state; `key` says which run it belongs to."""
    arrays = {jax.tree_util.keystr(name): np.asarray(leaf) for name, leaf in _leaves(state)}
    metadata = {"key": key, "progress": json.dumps(vars(progress))}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata)


def load_state(path: str | Path, template: State, key: str) -> tuple[State, Progress]:
    """Returns the saved state, in the shape of `template`, and the progress.

    Raises:
        UserError: damaged, or of a run with another recipe, genome, annotation or held-out region.
    """
    try:
        with safe_open(path, "numpy") as handle:
            metadata = handle.metadata() or {}
            if metadata.get("key") != key:
                raise UserError(
                    path,
                    "belongs to a run with another recipe or other inputs",
                    "Remove it to start anew, or use another --work-dir.",
                )
            leaves = [
                jax.numpy.asarray(handle.get_tensor(jax.tree_util.keystr(name)))
                for name, _ in _leaves(template)
            ]
    except SafetensorError as fault:
        raise UserError(path, f"is damaged ({fault})", "Remove it to start anew.") from fault
    state = jax.tree.unflatten(jax.tree.structure(template), leaves)
    return state, Progress(**json.loads(metadata["progress"]))


def _leaves(tree: State) -> list[tuple[Any, Any]]:
    return jax.tree_util.tree_flatten_with_path(tree)[0]
