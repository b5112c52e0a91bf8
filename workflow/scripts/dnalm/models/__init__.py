"""Models of the Nucleotide Transformer family as pure functions of parameters and tokens."""

from typing import TYPE_CHECKING, Any

from dnalm.models.config import ModelConfig
from dnalm.models.initial import Params, init_params
from dnalm.models.precision import PRECISIONS, cast_params

if TYPE_CHECKING:
    from dnalm.models.apply import POOLINGS, forward, parameter_shapes, pool

__all__ = [
    "POOLINGS",
    "PRECISIONS",
    "ModelConfig",
    "Params",
    "cast_params",
    "forward",
    "init_params",
    "parameter_shapes",
    "pool",
]


def __getattr__(name: str) -> Any:
    """Imports JAX only when something that runs a model is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from dnalm.models import apply

    return getattr(apply, name)
