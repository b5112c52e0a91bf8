"""The lock file: what every source was when it was first used, enforced afterwards."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dnalm.errors import UserError
from dnalm.files import read_json, sha256_of, write_json

LONGEST_WAIT_S = 10.0  # for another job that writes the lock file


def verify(
    path: str | Path, key: str, lock_file: str | Path | None, quarantine: bool = False
) -> dict[str, Any]:
    """Returns a file's bytes and sha256, after comparing them with what the lock file has under `key`.

    Args:
        key: the source's name in the lock file.
        lock_file: JSON, key -> {bytes, sha256}; None compares nothing.
        quarantine: moves a file that differs to `<path>.bad`.

    Raises:
        UserError: the file differs from the record.
    """
    path = Path(path)
    found = {"bytes": path.stat().st_size, "sha256": sha256_of(path)}
    pinned = read_pins(lock_file).get(key, found)
    if pinned != found:
        kept = ""
        if quarantine:
            bad = path.with_name(path.name + ".bad")
            os.replace(path, bad)
            kept = f" The file is kept as {bad}."
        raise UserError(
            key,
            f"differs from {lock_file} (found {_text(found)}, expected {_text(pinned)})",
            f"Run again to fetch it anew; if the source changed on purpose, delete its entry there.{kept}",
        )
    return found


def record(about: Mapping[str, Any], lock_file: str | Path | None) -> None:
    """Adds sources that proved right to the lock file; entries that are there stay as they are."""
    if lock_file is None:
        return
    with _alone(Path(lock_file)):
        pins = read_pins(lock_file)
        if new := {key: entry for key, entry in about.items() if key not in pins}:
            write_json(lock_file, dict(sorted({**pins, **new}.items())))


def read_pins(lock_file: str | Path | None) -> dict[str, Any]:
    """Returns the lock file's entries, none where there is no such file."""
    if lock_file is None or not Path(lock_file).exists():
        return {}
    pins = read_json(lock_file)
    if not isinstance(pins, dict):
        raise UserError(lock_file, "is no lock file (expected a JSON object)", "Restore or delete it.")
    return pins


def _text(entry: Any) -> str:
    return f"{entry['bytes']} bytes, sha256 {entry['sha256']}" if isinstance(entry, dict) else repr(entry)


@contextmanager
def _alone(lock_file: Path) -> Iterator[None]:
    """Keeps other jobs out while the lock file is rewritten.

    Where the file system has no locks, or a job holds one too long, goes on without: at worst an
    entry is lost and recorded at the next use.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    folder = os.open(lock_file.parent, os.O_RDONLY)
    deadline = time.monotonic() + LONGEST_WAIT_S
    try:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.05)
            except OSError:
                break
        yield
    finally:
        os.close(folder)
