"""The part of a file that has arrived: kept when a download is cut, taken up by the next run.

A running download owns its part through a unique name (host and process), so that two jobs never
write the same file; no file lock is needed, which shared file systems often do not honour.
"""

from __future__ import annotations

import glob
import json
import os
import platform
import re
import time
import uuid
from pathlib import Path
from typing import Any

OWNER = re.compile(r"(?P<host>.+)-(?P<process>\d+)-[0-9a-f]{8}")
STALE_S = 600  # a part of another host's process that has not grown for so long has no owner any more


class Part:
    """A partial file that this process owns, and what the server said about the whole."""

    def __init__(self, target: Path) -> None:
        self.target = target
        owner = f"{platform.node() or 'host'}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self.path = target.with_name(f"{target.name}.{owner}.part")
        self._take_up()

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def about(self) -> dict[str, Any]:
        """What the server said: url, validator, bytes; empty where unknown."""
        try:
            about = json.loads(_sidecar(self.path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) else {}

    def describe(self, about: dict[str, Any]) -> None:
        """Keeps what the server said beside the part."""
        _sidecar(self.path).write_text(json.dumps(about), encoding="utf-8")

    def discard(self) -> None:
        """Forgets what has arrived."""
        self.path.unlink(missing_ok=True)
        _sidecar(self.path).unlink(missing_ok=True)

    def release(self) -> None:
        """Leaves the part as `<target>.part` for the next run; an empty one is removed."""
        if self.size == 0:
            self.discard()
        else:
            _move(self.path, self.target.with_name(self.target.name + ".part"))

    def publish(self) -> None:
        """Moves the complete file to its final path."""
        with open(self.path, "rb") as handle:
            os.fsync(handle.fileno())
        _sidecar(self.path).unlink(missing_ok=True)
        os.replace(self.path, self.target)

    def _take_up(self) -> None:
        """Takes over the largest part that nobody owns; removes the others."""
        name = glob.escape(self.target.name)
        found = [path for end in (".part", ".*.part") for path in self.target.parent.glob(name + end)]
        free = [path for path in found if _is_free(path, self.target)]
        for path in sorted(free, key=_size, reverse=True):
            if self.path.exists():
                path.unlink(missing_ok=True)
                _sidecar(path).unlink(missing_ok=True)
            else:
                _move(path, self.path)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _sidecar(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _move(path: Path, to: Path) -> None:
    """Moves a part; another process may be quicker, then nothing is moved."""
    try:
        os.replace(path, to)
        os.replace(_sidecar(path), _sidecar(to))
    except FileNotFoundError:
        return


def _is_free(path: Path, target: Path) -> bool:
    """Tells whether no living process owns a part."""
    owner = path.name.removeprefix(target.name).removesuffix(".part").removeprefix(".")
    if not owner:
        return True
    named = OWNER.fullmatch(owner)
    if named is None:
        return False  # the part of another file whose name begins alike
    if named["host"] == (platform.node() or "host"):
        return not _alive(int(named["process"]))
    try:
        return time.time() - path.stat().st_mtime > STALE_S
    except FileNotFoundError:
        return False


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
