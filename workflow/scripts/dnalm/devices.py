"""Where models run: choosing the device before JAX starts, and how much fits on it."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dnalm.errors import UserError

if TYPE_CHECKING:
    from dnalm.models import ModelConfig

CPU_BATCH_TOKENS = 2048  # on two cores 4 windows of 513 tokens ran fastest, larger batches leave the caches
ACCELERATOR_BATCH_TOKENS = 1 << 17  # enough to keep a large GPU busy
FREE_SHARE = 0.7  # of the free memory that one batch may take: the estimate below is rough
FLOAT_BYTES = 4
log = logging.getLogger("dnalm")


def select_devices(choice: str) -> list[Any]:
    """Returns this process's JAX devices of a kind; call it before anything else touches JAX.

    Args:
        choice: auto, cpu, cuda or tpu; auto takes an accelerator where one is seen, else the CPU.

    Raises:
        UserError: there is no such device, or another process holds its memory.
    """
    if choice == "cpu":
        os.environ["JAX_PLATFORMS"] = "cpu"  # else JAX would take most of a GPU's memory all the same
        if "jax" in sys.modules:
            sys.modules["jax"].config.update("jax_platforms", "cpu")
    import jax

    try:
        devices = jax.local_devices(backend=None if choice == "auto" else choice)
    except RuntimeError as fault:
        if choice == "auto":
            raise UserError(
                "--device auto", f"JAX could not start ({_first_line(fault)})", "Use --device cpu."
            ) from fault
        raise UserError(
            f"--device {choice}",
            f"JAX sees no such device ({_first_line(fault)})",
            "Install jax for it (make setup DEVICE=cuda), look at nvidia-smi, or use --device cpu.",
        ) from fault
    if choice == "auto" and devices[0].platform == "cpu":
        log.warning("no accelerator seen: running on the CPU")
    return list(devices)


def describe(devices: Sequence[Any]) -> dict[str, Any]:
    """Returns the devices' kind and number, for a manifest's `run`."""
    return {"device": devices[0].platform, "kind": devices[0].device_kind, "devices": len(devices)}


def row_bytes(config: ModelConfig, tokens: int) -> int:
    """Estimates the device memory of one window's activations in one layer, outputs included."""
    width = 8 * config.embed_dim + 4 * config.ffn_embed_dim
    scores = 3 * config.attention_heads * tokens  # logits, weights and their masked copy
    outputs = 4 * len(config.features) * config.kmers.k
    return FLOAT_BYTES * tokens * (width + scores + outputs)


def batch_rows(config: ModelConfig, tokens: int, devices: Sequence[Any], rows: int) -> int:
    """Returns how many windows of so many tokens one device takes at once.

    Args:
        rows: windows in the whole run; a batch is not larger than a device's share of them.
    """
    share = max(1, -(-rows // len(devices)))
    if devices[0].platform == "cpu":
        return min(share, max(1, CPU_BATCH_TOKENS // tokens))
    memory = devices[0].memory_stats() or {}
    free = memory.get("bytes_limit", 8 << 30) - memory.get("bytes_in_use", 0)
    fitting = int(FREE_SHARE * free) // row_bytes(config, tokens)
    return min(share, max(1, min(fitting, ACCELERATOR_BATCH_TOKENS // tokens)))


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


def _first_line(fault: BaseException) -> str:
    return (str(fault).splitlines() or [""])[0][:160]
