"""How much fits on a device, and what to say when it did not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dnalm.errors import UserError
from dnalm.models.precision import DEFAULT_PRECISION, precision_bytes

if TYPE_CHECKING:
    from dnalm.models import ModelConfig

CPU_BATCH_TOKENS = 2500  # on two cores 4 windows of 513 tokens ran fastest; larger batches leave the caches
ACCELERATOR_BATCH_TOKENS = 1 << 17  # enough to keep a large GPU busy
FREE_SHARE = 0.7  # of the free memory that one batch may take: the estimate below is rough
FLOAT_BYTES = 4


def describe(devices: Sequence[Any]) -> dict[str, Any]:
    """Returns the devices' kind and number, for a manifest's `run`."""
    return {"device": devices[0].platform, "kind": devices[0].device_kind, "devices": len(devices)}


def row_bytes(config: ModelConfig, tokens: int, precision: str = DEFAULT_PRECISION) -> int:
    """Estimates the device memory of one window's activations in one layer, outputs included.

    Attention's scores and the segmentation head's outputs are float32 in every precision.
    """
    width = 8 * config.embed_dim + 4 * config.ffn_embed_dim
    scores = 3 * config.attention_heads * tokens  # logits, weights and their masked copy
    outputs = 4 * len(config.features) * config.kmers.k if config.features else 0
    return tokens * (precision_bytes(precision) * width + FLOAT_BYTES * (scores + outputs))


def batch_rows(
    config: ModelConfig,
    tokens: int,
    devices: Sequence[Any],
    rows: int,
    precision: str = DEFAULT_PRECISION,
) -> int:
    """Returns how many windows of so many tokens one device takes at once.

    Args:
        rows: windows in the whole run; a batch is not larger than a device's share of them.
    """
    share = max(1, -(-rows // len(devices)))
    if devices[0].platform == "cpu":
        return min(share, max(1, CPU_BATCH_TOKENS // tokens))
    memory = devices[0].memory_stats() or {}
    free = memory.get("bytes_limit", 8 << 30) - memory.get("bytes_in_use", 0)
    fitting = int(FREE_SHARE * free) // row_bytes(config, tokens, precision)
    return min(share, max(1, min(fitting, ACCELERATOR_BATCH_TOKENS // tokens)))


def parse_batch_size(text: str) -> int | None:
    """Returns the rows per device and call, None for "auto".

    Raises:
        UserError: neither "auto" nor a positive number.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError("--batch-size", f"found {text!r}, expected auto or a number from 1", "Mend it.")
    return int(text)


def is_out_of_memory(fault: BaseException) -> bool:
    """Says whether JAX ran out of device memory."""
    return any(mark in str(fault) for mark in ("RESOURCE_EXHAUSTED", "Out of memory", "out of memory"))


def memory_fault(devices: Sequence[Any], what: str, fault: BaseException) -> UserError:
    """Returns the user's error for memory that does not suffice, with what is free and what to do."""
    memory = devices[0].memory_stats() or {}
    limit = memory.get("bytes_limit")
    size = f"{limit / 2**30:.1f} GiB usable" if limit else "size unknown"
    return UserError(
        f"{devices[0].platform} device",
        f"out of memory for {what} ({size}; {_first_line(fault)})",
        "Use shorter windows or a larger device; if another process holds its memory, stop it or set "
        "XLA_PYTHON_CLIENT_MEM_FRACTION.",
    )


@contextmanager
def weights_fit(devices: Sequence[Any]) -> Iterator[None]:
    """Tells the user, when the block ends, that a model's weights found no room on a device.

    Raises:
        UserError: out of memory.
    """
    import jax

    try:
        yield
    except jax.errors.JaxRuntimeError as fault:
        if is_out_of_memory(fault):
            raise memory_fault(devices, "the model's weights", fault) from fault
        raise


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [""])[0][:160]
