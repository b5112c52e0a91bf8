"""Where models run."""

from __future__ import annotations

import logging

from dnalm.errors import UserError

log = logging.getLogger("dnalm")
PLATFORMS = {"cpu": "cpu", "cuda": "gpu", "tpu": "tpu"}  # our name -> JAX's name of the backend


def select_device(device: str) -> str:
    """Makes JAX run on a device, before any array is made, and returns its platform (cpu, gpu or tpu).

    `auto` takes an accelerator where one is seen, else the CPU with one warning line.

    Raises:
        UserError: the device asked for is not there (it never falls back to the CPU silently).
    """
    import jax

    logging.getLogger("jax").setLevel(logging.WARNING)  # else it lists every device type it did not find
    if device != "auto":
        jax.config.update("jax_platforms", device)
    try:
        platform = jax.default_backend()
    except RuntimeError as fault:
        raise _missing(device, str(fault).splitlines()[0]) from fault
    if device == "auto" and platform == "cpu":
        log.warning("no accelerator seen: running on the CPU")
    if device != "auto" and platform != PLATFORMS[device]:
        raise _missing(device, f"found {platform}")
    return platform


def _missing(device: str, detail: str) -> UserError:
    return UserError(
        f"device {device}", f"not available ({detail})", "Choose another --device or install JAX for it."
    )
