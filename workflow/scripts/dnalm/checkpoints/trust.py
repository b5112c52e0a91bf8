"""What makes a published file trusted: its pin in resources/checkpoints.tsv, else the lock file.

The lock file has what was first seen of a file that nobody pinned. A file of a format that can carry
code is not even fetched without one of the two, unless the user asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnalm.checkpoints.content import checked_sha256, is_checksum
from dnalm.checkpoints.hub_client import COMMIT, Hub, HubFile, etag_of
from dnalm.checkpoints.pins import Pin, pins_of
from dnalm.download import lock
from dnalm.errors import UserError

LOCK_FILE = "config/checkpoints.lock.json"  # of the workflow
BRANCH = "main"
MAY_CARRY_CODE = (".joblib", ".bin")


@dataclass(frozen=True)
class Trust:
    """What is known of a repository's files before they are fetched.

    Args:
        pinned: the files that resources/checkpoints.tsv has, by name.
        locked: those that the lock file has.
    """

    pinned: Mapping[str, Pin]
    locked: Mapping[str, Pin]

    @property
    def known(self) -> dict[str, Pin]:
        """All files with known sha256; a pin goes before what was seen first."""
        return {**self.locked, **self.pinned}

    def check(self, path: Path, file: HubFile) -> tuple[dict[str, Any], str | None]:
        """Returns a file's bytes, sha256 and what verified it, and how it is not as expected, if so."""
        is_known = file.name in self.known
        expected = file.etag if is_known else etag_of(path) or file.etag
        sha256, problem = checked_sha256(path, file.bytes, expected)
        if is_known:
            by = "pin" if file.name in self.pinned else "lock"
        else:
            by = "etag" if is_checksum(expected) else "first use"
        return {"bytes": path.stat().st_size, "sha256": sha256, "verified": by}, problem


def trust_in(hub: Hub, lock_file: str | None) -> Trust:
    """Returns what is known of a repository at its commit.

    Raises:
        UserError: a damaged lock file.
    """
    locked, start = {}, _key(hub, "")
    for key, entry in lock.read_pins(lock_file).items():
        if key.startswith(start):
            name = key.removeprefix(start)
            try:
                size, sha256 = int(entry["bytes"]), str(entry["sha256"])
            except (KeyError, TypeError, ValueError) as fault:
                raise _damaged(lock_file, key, "bytes and sha256") from fault
            locked[name] = Pin(hub.repository, hub.revision, name, size, sha256)
    return Trust(pins_of(hub.address, hub.revision), locked)


def locked_revision(repository: str, lock_file: str | None) -> str:
    """Returns the commit that the lock file has for a repository, else the branch to resolve."""
    entries = lock.read_pins(lock_file)
    if repository not in entries:
        return BRANCH
    entry = entries[repository]
    revision = str(entry.get("revision")) if isinstance(entry, dict) else ""
    if not COMMIT.fullmatch(revision):
        raise _damaged(lock_file, repository, "revision")
    return revision


def expected_files(
    trust: Trust,
    hub: Hub,
    names: Iterable[str],
    found: Mapping[str, HubFile | None],
    accept_unpinned: bool,
    remedy: str,
) -> list[HubFile]:
    """Returns what each file should be: as known, else as the hub says.

    Args:
        found: what the hub said already.
        remedy: what to do to have unknown files that can carry code.

    Raises:
        UserError: a file that can carry code and is not known, or that is not there.
    """
    files = []
    for name in names:
        if pin := trust.known.get(name):
            files.append(HubFile(name, pin.revision, pin.bytes, pin.sha256))
            continue
        file = found.get(name) or hub.look(name)
        if file is None:
            raise UserError(hub.where(name), "is not there, and the layout needs it", "Try another --layout.")
        if name.endswith(MAY_CARRY_CODE) and not accept_unpinned:
            problem = (
                "is of a format that can carry code, and its sha256 is not known here "
                f"(the hub says {file.bytes} bytes, {file.etag})"
            )
            raise UserError(hub.where(name), problem, remedy)
        files.append(file)
    return files


def record(
    hub: Hub, entries: Mapping[str, Mapping[str, Any]], lock_file: str | None, with_revision: bool
) -> None:
    """Adds to the lock file what was seen for the first time."""
    about: dict[str, Any] = {hub.address: {"revision": hub.revision}} if with_revision else {}
    for name, entry in entries.items():
        if entry["verified"] not in ("pin", "lock"):
            about[_key(hub, name)] = {"bytes": entry["bytes"], "sha256": entry["sha256"]}
    lock.record(about, lock_file)


def _key(hub: Hub, name: str) -> str:
    return f"{hub.address}@{hub.revision}/{name}"


def _damaged(lock_file: str | None, key: str, missing: str) -> UserError:
    return UserError(str(lock_file), f"the entry {key} has no {missing}", "Delete it or restore the file.")
