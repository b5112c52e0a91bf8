"""Published tasks from the hub: into the hub cache, verified, with a record of where they lie."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnalm.checkpoints.fetch import announce, obtain
from dnalm.checkpoints.hub_client import Hub, HubFile
from dnalm.checkpoints.trust import locked_revision, record, trust_in
from dnalm.errors import UserError
from dnalm.suites import OPTIONAL, SuiteTask, suite_task

UNKNOWN_LICENCE = "not known here: read the card of the data set"
log = logging.getLogger("dnalm")


def fetch_task(
    suite: str,
    task: str,
    *,
    cache_dir: str | Path | None = None,
    endpoint: str | None = None,
    lock_file: str | Path | None = None,
) -> dict[str, Any]:
    """Brings a published task's files into the hub cache, every file verified, and says where they are.

    Args:
        cache_dir, endpoint, lock_file: as `checkpoints.fetch.fetch_checkpoint`.

    Returns:
        suite, task, hub_repository, revision, licence, folder (absolute), and files: split -> file (below
        the folder), bytes, sha256 and what verified it.

    Raises:
        UserError: no such task, files that are not there or not as expected, or a hub that cannot be
            reached.
    """
    row, locked = suite_task(suite, task), None if lock_file is None else str(lock_file)
    hub = Hub(row.hub_repository, row.revision, str(cache_dir or ""), endpoint or "", kind="dataset")
    revision = row.revision or locked_revision(hub.address, locked)
    hub, files = _look(replace(hub, revision=revision), row, locked)
    announce(hub, list(files.values()), row.licence or UNKNOWN_LICENCE)
    trust = trust_in(hub, locked)
    entries = {split: {"file": file.name, **obtain(hub, trust, file)} for split, file in files.items()}
    if revision != hub.revision:
        hub.name_commit(revision)
    by_name: Mapping[str, Mapping[str, Any]] = {entry["file"]: entry for entry in entries.values()}
    record(hub, by_name, locked, with_revision=not row.revision)
    about = {"suite": suite, "task": task, "hub_repository": hub.repository, "revision": hub.revision}
    return {**about, "licence": row.licence, "folder": str(hub.snapshot), "files": entries}


def _look(hub: Hub, row: SuiteTask, lock_file: str | None) -> tuple[Hub, dict[str, HubFile]]:
    """Returns the hub at a commit, and what each file of the task should be.

    The first set of files counts whose training rows are known, else there.

    Raises:
        UserError: none is, or one of another split is missing.
    """
    known = trust_in(hub, lock_file).known
    for names in sorted(row.file_sets(), key=lambda names: names["train"] not in known):
        found: dict[str, HubFile] = {}
        for split, name in names.items():
            if pin := known.get(name):
                found[split] = HubFile(name, hub.revision, pin.bytes, pin.sha256)
            elif split in OPTIONAL and row.sizes.get(split) == 0:
                continue  # published without
            elif file := hub.look(name):
                found[split], hub = file, replace(hub, revision=file.revision)
            elif split == "train":
                break
            elif split not in OPTIONAL:
                raise UserError(hub.where(name), _missing(hub), "Check path in the suite's table.")
        if found:
            return hub, found
    trained = " or ".join(names["train"] for names in row.file_sets())
    raise UserError(
        f"{hub.repository} at {hub.revision}", f"{_missing(hub)} (expected {trained})", _remedy(hub)
    )


def _missing(hub: Hub) -> str:
    return "is not in the cache, and HF_HUB_OFFLINE is set" if hub.offline else "is not there"


def _remedy(hub: Hub) -> str:
    return (
        "Fetch it with a network." if hub.offline else "Check hub_repository and path in the suite's table."
    )
