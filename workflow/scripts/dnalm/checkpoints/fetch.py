"""Published checkpoints from the hub: into the hub cache, verified, with a record of where they lie."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnalm.checkpoints import layouts
from dnalm.checkpoints.hub import shard_names
from dnalm.checkpoints.hub_client import Hub, HubFile
from dnalm.checkpoints.registry import model_row
from dnalm.checkpoints.trust import LOCK_FILE, Trust, expected_files, locked_revision, record, trust_in
from dnalm.errors import UserError

TERMS = {"CC BY-NC-SA 4.0": ": no commercial use, name the authors, share alike what derives from it"}
log = logging.getLogger("dnalm")


def fetch_checkpoint(
    name: str,
    *,
    layout: str = "auto",
    accept_unpinned: bool = False,
    cache_dir: str | Path | None = None,
    endpoint: str | None = None,
    lock_file: str | Path | None = None,
) -> dict[str, Any]:
    """Brings a published checkpoint into the hub cache, every file verified, and says where it is.

    Args:
        name: a name or alias of resources/models.tsv.
        layout: one of `layouts.NAMES`; auto takes the first that is known, else that the hub has.
        accept_unpinned: also fetches files that can carry code and whose sha256 nobody has recorded.
        cache_dir: the hub cache; default as HF_HOME and HF_HUB_CACHE say.
        endpoint: the server; default HF_ENDPOINT, else the public hub.
        lock_file: JSON of revisions, bytes and sha256: written at first use, enforced afterwards.

    Returns:
        model, hub_repository, revision, licence, folder (absolute), and for each file below it bytes,
        sha256 and what verified it: `pin`, `lock`, `etag` (the hub's sum) or `first use`.

    Raises:
        UserError: an unknown or bundled model, no such layout, a file that is not trusted or not as
            expected, or a hub that cannot be reached.
    """
    row = model_row(name)
    if not row["hub_repository"]:
        raise UserError(name, "is part of this repository, nothing to fetch", "Use it by its name.")
    locked = None if lock_file is None else str(lock_file)
    revision = row["revision"] or locked_revision(row["hub_repository"], locked)
    hub = Hub(row["hub_repository"], revision, str(cache_dir or ""), endpoint or "")
    hub, trust, found = _choose(hub, layout, row["tokenizer"], locked)
    remedy = (
        f"If you trust it, run once: fetch_checkpoint.py --model {row['model']} --accept-unpinned "
        f"--lock-file {locked or LOCK_FILE}"
    )
    files = expected_files(trust, hub, found, found, accept_unpinned, remedy)
    announced = announce(hub, files, row["licence"])
    entries = {file.name: obtain(hub, trust, file) for file in files}
    if (last := files[-1].name).endswith(layouts.INDEX):
        parts = shard_names(hub.snapshot / last, hub.where(last))
        files = expected_files(trust, hub, parts, {}, accept_unpinned, remedy)
        announced = announced or announce(hub, files, row["licence"])
        entries |= {file.name: obtain(hub, trust, file) for file in files}
    if revision != hub.revision:
        hub.name_commit(revision)
    record(hub, entries, locked, with_revision=not row["revision"])
    return {
        "model": row["model"],
        "hub_repository": hub.repository,
        "revision": hub.revision,
        "licence": row["licence"],
        "folder": str(hub.snapshot),
        "files": entries,
    }


def pin_rows(fetched: Mapping[str, Any]) -> list[str]:
    """Returns the rows for resources/checkpoints.tsv of a record's files that are not pinned there."""
    source = (fetched["hub_repository"], fetched["revision"])
    return [
        "\t".join((*source, name, str(entry["bytes"]), entry["sha256"]))
        for name, entry in fetched["files"].items()
        if entry["verified"] != "pin"
    ]


def _choose(
    hub: Hub, layout: str, tokenizer: str, lock_file: str | None
) -> tuple[Hub, Trust, dict[str, HubFile | None]]:
    """Returns the hub at a commit and the files to fetch, with what it said of them where it was asked."""
    trust = trust_in(hub, lock_file)
    if names := layouts.of_known_files(layout, trust.known, tokenizer):
        return hub, trust, dict.fromkeys(names)
    hub, found = layouts.of_repository(layout, hub, tokenizer)
    return hub, trust_in(hub, lock_file), dict(found)


def announce(hub: Hub, files: list[HubFile], licence: str) -> bool:
    """Says the licence where something is to be downloaded, after checking that there is room for it."""
    missing = [file for file in files if hub.cached(file.name) is None]
    cache = Path(hub.cache_dir)
    folder = next(path for path in (cache, *cache.parents) if path.exists())
    free, needed = shutil.disk_usage(folder).free, sum(file.bytes or 0 for file in missing)
    if needed > free:
        problem = f"{free} bytes free, {needed} needed for {hub.repository}"
        raise UserError(folder, problem, "Free space, or set HF_HOME or --cache-dir elsewhere.")
    if missing:
        log.info("%s: licence %s%s", hub.repository, licence, TERMS.get(licence, ""))
    return bool(missing)


def obtain(hub: Hub, trust: Trust, file: HubFile) -> dict[str, Any]:
    """Returns a file's entry of the record once it is in the cache and as expected.

    A wrong file leaves the cache; one that lay there before is fetched again at once.
    """
    where, path = hub.where(file.name), hub.cached(file.name)
    if path is not None:
        entry, problem = trust.check(path, file)
        if problem and not hub.offline:
            log.warning("%s: in the cache, but %s; fetching it again", where, problem)
            hub.remove(path)
            path = None
    if path is None:
        log.info("%s: fetching %s bytes", where, "unknown" if file.bytes is None else file.bytes)
        path = hub.download(file.name)
        entry, problem = trust.check(path, file)
    if problem:
        hub.remove(path)
        raise UserError(where, problem, "It was taken out of the cache: run again to fetch it anew.")
    log.info("%s: sha256 %s (%s)", where, entry["sha256"], entry["verified"])
    return entry
