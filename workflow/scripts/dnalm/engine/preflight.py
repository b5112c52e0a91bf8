"""What a long run checks before it starts and after it ends: its output's place, and its inputs."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dnalm.errors import UserError

GIB = 1 << 30
STALE_SECONDS = 24 * 3600  # a temporary file that nothing has written to for so long is a killed run's
log = logging.getLogger("dnalm")


def check_output(path: str | Path, needed_bytes: int) -> None:
    """Refuses, before anything is computed, a place where the output cannot be written.

    Raises:
        UserError: a folder on the way is a file or read-only, the path is a folder, or the disk is too full.
    """
    path = Path(path)
    if path.is_dir() and path.suffix != ".zarr":
        raise UserError(path, "is a folder, expected a place for a file", "Name a file.")
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise UserError(folder, "is a file, expected a folder", "Move it away or write elsewhere.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(folder, "is not writable", "Change its permissions or write elsewhere.")
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise UserError(
            folder,
            f"too little space (found {free / GIB:.2f} GiB free, expected {needed_bytes / GIB:.2f} GiB)",
            "Free space or write elsewhere.",
        )
    remove_stale(path)


def reserve(path: Path, size_bytes: int) -> None:
    """Makes sure that a file can grow by so many bytes.

    The library for HDF5 hangs or crashes the process where a write fails, so it must not.

    Raises:
        OSError: the disk, the quota or the limit of a file's size does not allow it.
    """
    probe = path.with_name(path.name + ".probe")
    try:
        with open(probe, "wb") as handle:
            os.posix_fallocate(handle.fileno(), path.stat().st_size if path.exists() else 0, size_bytes)
    except OSError as fault:
        raise OSError(fault.errno, fault.strerror, str(path.parent)) from fault
    finally:
        probe.unlink(missing_ok=True)


def remove_stale(path: str | Path) -> None:
    """Deletes what runs killed long ago left of an output (`.NAME.*.tmp`), not what others write now."""
    path = Path(path)
    for left in path.parent.glob(f".{path.name}.*.tmp*"):
        if time.time() - left.stat().st_mtime > STALE_SECONDS:
            log.info("%s: left by a killed run; deleted", left.name)
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)


@contextmanager
def inputs_unchanged(paths: Sequence[str | Path]) -> Iterator[None]:
    """Refuses, when the block ends, results whose inputs were modified meanwhile.

    Raises:
        UserError: naming the file.
    """
    before = [_state(path) for path in paths]
    yield
    for path, state in zip(paths, before, strict=True):
        if _state(path) != state:
            raise UserError(path, "changed while it was read", "Run again once it is complete.")


def _state(path: str | Path) -> tuple[int, int]:
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return (-1, -1)
    return (found.st_size, found.st_mtime_ns)
