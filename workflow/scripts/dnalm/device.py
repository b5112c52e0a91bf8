"""Where models run."""

from __future__ import annotations

import importlib.util
import logging
import os
import pkgutil
from importlib.metadata import version
from pathlib import Path

from dnalm import leases
from dnalm.errors import UserError

log = logging.getLogger("dnalm")
PLATFORMS = {"cpu": "cpu", "cuda": "gpu", "tpu": "tpu"}  # our name -> JAX's name of the backend


def select_device(device: str, devices: str = "auto") -> str:
    """Makes JAX run on a device, before any array is made, and returns its platform (cpu, gpu or tpu).

    `auto` takes an accelerator where one is seen, else the CPU with one warning line. GPUs that nothing has
    given to this process are leased until it ends, so that two jobs never use one (see `leases`).

    Args:
        devices: GPUs to lease, a number or "auto"; without meaning elsewhere.

    Raises:
        UserError: the device asked for is not there (it never falls back to the CPU silently).
    """
    number = leases.parse_devices(devices)
    lease = leases.lease_gpus(number) if may_use_cuda(device) else None
    import jax  # after the lease, which decides what CUDA shows to it

    logging.getLogger("jax").setLevel(logging.WARNING)  # else it lists every device type it did not find
    if device != "auto":
        jax.config.update("jax_platforms", device)
    try:
        platform = jax.default_backend()
    except RuntimeError as fault:
        raise _missing(device, str(fault).splitlines()[0]) from fault
    log.info("%s", describe_backend())
    if lease and platform != "gpu":
        lease.release()
    if device == "auto" and platform == "cpu":
        log.warning("no accelerator seen: running on the CPU")
    if device != "auto" and platform != PLATFORMS[device]:
        raise _missing(device, f"found {platform}")
    return platform


def describe_backend() -> str:
    """Returns what runs the models: devices, and the build of JAX."""
    import jax

    found = jax.local_devices()
    build = " ".join(str(found[0].client.platform_version).split())
    kinds = ", ".join(dict.fromkeys(device.device_kind for device in found))
    return f"{len(found)} x {kinds}; jax {jax.__version__}, jaxlib {version('jaxlib')} ({build})"


def keep_compiled(platform: str, work_dir: Path) -> None:
    """Makes JAX keep compiled programs below a folder, so that the jobs of a run compile once.

    On GPUs and TPUs only: programs of one CPU may not run on another that shares the folder. A folder named
    by JAX_COMPILATION_CACHE_DIR is left as it is.
    """
    if platform != "cpu" and "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        import jax

        jax.config.update("jax_compilation_cache_dir", str((work_dir / "compiled").absolute()))


def may_use_cuda(device: str) -> bool:
    """Says whether JAX, which is not imported for it, could run on a GPU."""
    if device != "auto":
        return device == "cuda"
    asked = os.environ.get("JAX_PLATFORMS", "")
    if asked and not {"cuda", "gpu"} & set(asked.split(",")):
        return False
    plugins = importlib.util.find_spec("jax_plugins")
    places = plugins.submodule_search_locations if plugins else None
    return any(module.name.startswith("xla_cuda") for module in pkgutil.iter_modules(places or []))


def _missing(device: str, detail: str) -> UserError:
    return UserError(
        f"device {device}", f"not available ({detail})", "Choose another --device or install JAX for it."
    )
