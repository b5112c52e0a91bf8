"""The types that a model can compute in. They are an argument of each call: nothing is set for a process."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

import numpy as np

from dnalm.errors import UserError

PRECISIONS = ("float32", "bfloat16", "float16")
DEFAULT_PRECISION = "float32"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Adds `--precision`, which says what a model computes in."""
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default=DEFAULT_PRECISION,
        help="what the model computes in; the smaller types take half the memory for weights",
    )


def check_precision(name: str) -> str:
    """Returns a precision's name.

    Raises:
        UserError: none of PRECISIONS.
    """
    if name not in PRECISIONS:
        raise UserError(
            "precision", f"{name!r} not known (expected one of {', '.join(PRECISIONS)})", "Name one of these."
        )
    return name


def precision_bytes(name: str) -> int:
    """Returns the bytes of one number."""
    return 4 if check_precision(name) == "float32" else 2


def precision_entry(name: str) -> dict[str, str]:
    """Returns the entry that tells a run from those in the default precision, which have none.

    So runs of the default keep the bytes and the resume key that they had before there was a choice.
    """
    return {} if check_precision(name) == DEFAULT_PRECISION else {"precision": name}


def cast_params(params: Mapping[str, Mapping[str, Any]], precision: str) -> dict[str, dict[str, Any]]:
    """Returns weights in a precision; arrays that have it already are not copied.

    Args:
        params: module -> name -> numpy array, JAX array or tracer; numpy arrays stay on the host.
    """
    import jax.numpy as jnp

    dtype: np.dtype = jnp.dtype(check_precision(precision))
    return {
        module: {name: leaf if leaf.dtype == dtype else leaf.astype(dtype) for name, leaf in leaves.items()}
        for module, leaves in params.items()
    }
