"""GPUs of one machine, each for one job at a time, where no scheduler hands them out.

A lease is an exclusive lock on one file per GPU. It belongs to an open file, so the kernel ends it with the
process, however that ends; nothing is cleaned up and no stale lock can be left. Other users, and programs
that take no lease, are not seen.
"""

from __future__ import annotations

import fcntl
import logging
import os
import platform
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dnalm.errors import UserError

VISIBLE = "CUDA_VISIBLE_DEVICES"
ORDER = "CUDA_DEVICE_ORDER"  # CUDA numbers the fastest first unless told; nvidia-smi goes by the bus
SCHEDULED = ("SLURM_JOB_ID", "SLURM_STEP_GPUS")
DEVICE_FILES = Path("/dev")
PAUSE_S = 0.5  # between two looks at the locks, a little more or less so that jobs do not keep step
REPEAT_S = 600  # of waiting, after which a job says so again; it waits without limit
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Lease:
    """GPUs that this process holds: name (number, or as CUDA_VISIBLE_DEVICES names it) -> open lock file."""

    locks: dict[str, int]

    def release(self) -> None:
        """Lets others have them."""
        for lock in self.locks.values():
            os.close(lock)


def parse_devices(text: str) -> int | None:
    """Returns how many GPUs are asked for, None for "auto".

    Raises:
        UserError: neither "auto" nor a positive number.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UserError("--devices", f"found {text!r}, expected auto or a number from 1", "Mend it.")
    return int(text)


def count_gpus(device_files: Path = DEVICE_FILES) -> int:
    """Returns how many NVIDIA GPUs this machine has, by its driver's tool, else by the device files."""
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=60)
        if listed := re.findall(r"^GPU \d+:", answer.stdout, re.MULTILINE):
            return len(listed)
    return len(list(device_files.glob("nvidia[0-9]*")))


def lease_gpus(number: int | None) -> Lease | None:
    """Waits until so many GPUs are free and makes them all that CUDA sees; call it before JAX starts.

    Without a number: those that CUDA_VISIBLE_DEVICES or the scheduler gives, as they are and without a lease;
    where neither does, one. A number is leased out of what CUDA_VISIBLE_DEVICES names, or of all.

    Returns:
        None where nothing was leased: given, no GPU here (which JAX will say), or no locks to be had.

    Raises:
        UserError: more GPUs are asked for than there are.
    """
    given = os.environ.get(VISIBLE)
    if number is None and (given is not None or any(name in os.environ for name in SCHEDULED)):
        return None
    numbers = map(str, range(count_gpus())) if given is None else given.split(",")
    names = [name.strip() for name in numbers if name.strip()]
    if not names:
        return None
    number = number or 1
    if number > len(names):
        raise UserError("--devices", f"found {number}, this machine gives {len(names)}", "Ask for fewer.")
    # A scheduler may number each job's GPUs from 0: those numbers mean nothing to other jobs.
    scope = os.environ.get("SLURM_JOB_ID", "") if given is not None else ""
    try:
        lease = wait_for(names, number, lease_folder(), scope)
    except OSError as fault:
        log.warning("GPUs cannot be locked (%s): jobs beside this one may use the same", fault)
        return None
    os.environ.setdefault(ORDER, "PCI_BUS_ID")
    os.environ[VISIBLE] = ",".join(lease.locks)
    log.info("running on GPU %s", os.environ[VISIBLE])
    return lease


def lease_folder() -> Path:
    """Returns this user's folder of locks, the same for all of their processes on this machine.

    Neither TMPDIR, which Snakemake and sites set per job, nor XDG_RUNTIME_DIR, which goes with the login
    session while its background jobs run on, is the same for all.

    Raises:
        OSError: there is none that is this user's own.
    """
    root = "/tmp"  # noqa: S108 (the folder below is checked to be this user's)
    folder = Path(root if os.access(root, os.W_OK) else tempfile.gettempdir()) / f"dnalm-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} belongs to someone else")
    return folder


def wait_for(names: Sequence[str], number: int, folder: Path, scope: str = "") -> Lease:
    """Waits until so many of the named GPUs are free, and takes them.

    What is free is taken in order; when that is too little, all is given back at once, so jobs that ask for
    several never wait for each other. Beside a stream of jobs for one GPU, one for several may wait long.

    Args:
        scope: what else the names are relative to.

    Raises:
        OSError: the file system has no locks.
    """
    paths = {name: folder / _file_name(name, scope) for name in names}
    started = time.monotonic()
    said = 0
    while True:
        lease = _take(paths, number)
        if lease is not None:
            return lease
        waited = time.monotonic() - started
        if waited >= said * REPEAT_S:
            holders = ", ".join(f"{name} by process {_holder(path)}" for name, path in paths.items())
            still = f"still waiting after {waited / 60:.0f} min" if said else "waiting"
            log.info("%s for %d of %d GPUs; in use: %s", still, number, len(names), holders)
            said += 1
        time.sleep(PAUSE_S * random.uniform(0.5, 1.5))  # noqa: S311 (nothing secret)


def _file_name(name: str, scope: str) -> str:
    words = [word for word in (platform.node(), scope, name) if word]  # the folder may be several machines'
    return re.sub(r"[^\w.-]", "_", "+".join(words)) + ".lock"


def _take(paths: dict[str, Path], number: int) -> Lease | None:
    """Takes the first free ones without waiting: so many, or none."""
    lease = Lease({})
    try:
        for name, path in paths.items():
            lock = _lock(path)
            if lock is not None:
                lease.locks[name] = lock
            if len(lease.locks) == number:
                return lease
    except BaseException:
        lease.release()
        raise
    lease.release()
    return None


def _lock(path: Path) -> int | None:
    """Returns the open file that holds a lock, None where another process holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        os.close(handle)
        if isinstance(fault, BlockingIOError):
            return None
        raise
    with suppress(OSError):  # a full disk: others then read an old number in their message
        os.truncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
    return handle


def _holder(path: Path) -> str:
    with suppress(OSError):
        return path.read_text() or "?"
    return "?"
