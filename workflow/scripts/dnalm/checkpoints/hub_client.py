"""One repository of the hub, or of a mirror with its paths, through the hub's own client.

The client brings the shared cache, the token, HF_HOME, HF_ENDPOINT and HF_HUB_OFFLINE, and keeps two
jobs from fetching one file. It compares sizes only, and starts a cut download again from its first byte.
"""

from __future__ import annotations

import glob
import logging
import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from huggingface_hub import (
    constants,
    get_hf_file_metadata,
    get_session,
    hf_hub_download,
    hf_hub_url,
    try_to_load_from_cache,
)

from dnalm.checkpoints.content import START_BYTES, looks_like
from dnalm.checkpoints.hub_faults import (
    FAULTS,
    SIZE_DIFFERS,
    as_user_error,
    is_missing_file,
    may_pass,
    not_a_hub,
    status_of,
)
from dnalm.errors import UserError
from dnalm.files import write_text

COMMIT = re.compile(r"[0-9a-f]{40}")
ATTEMPTS = 3
PAUSE_S = 2.0  # before the second attempt; doubled each time
STALE_S = 3600  # a part that has not grown for so long was left by a killed process
log = logging.getLogger("dnalm")

logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line per request, signed addresses among them
# The client would ask the public hub, mirror or not, for a list of tools to name in its user agent.
constants.HF_HUB_DISABLE_TELEMETRY = True


@dataclass(frozen=True)
class HubFile:
    """What is known of a file before it is fetched; `etag` is empty where nobody said one."""

    name: str
    revision: str
    bytes: int | None
    etag: str


@dataclass(frozen=True)
class Hub:
    """A repository at a revision: a commit, or a branch that `look` resolves.

    Args:
        kind: what the repository holds, `model` or `dataset`.
        cache_dir: the hub cache; default HF_HUB_CACHE, below HF_HOME.
        endpoint: the server; default HF_ENDPOINT, else the public hub.
    """

    repository: str
    revision: str
    cache_dir: str = ""
    endpoint: str = ""
    kind: str = "model"
    offline: bool = field(default_factory=constants.is_offline_mode)

    def __post_init__(self) -> None:
        cache = Path(self.cache_dir or constants.HF_HUB_CACHE).expanduser().resolve()
        object.__setattr__(self, "cache_dir", str(cache))
        object.__setattr__(self, "endpoint", (self.endpoint or constants.ENDPOINT).rstrip("/"))
        if not self.endpoint.startswith(("http://", "https://")):
            raise UserError(self.endpoint, "is no address of a hub (expected http:// or https://)")

    def cached(self, name: str) -> Path | None:
        """Returns where a file lies in the cache, None where it does not."""
        found = try_to_load_from_cache(self.repository, name, self.cache_dir, self.revision, self.kind)
        return Path(found) if isinstance(found, str) else None

    def look(self, name: str) -> HubFile | None:
        """Asks what a file is, None where the repository has none; a cached file needs no request.

        Raises:
            UserError: no answer, no access, no such repository or revision, or no hub.
        """
        if (COMMIT.fullmatch(self.revision) or self.offline) and (path := self.cached(name)):
            commit = path.relative_to(self._folder / "snapshots").parts[0]
            return HubFile(name, commit, path.stat().st_size, etag_of(path))
        if self.offline:
            return None
        try:
            about = get_hf_file_metadata(self._url(name), endpoint=self.endpoint, retry_on_errors=True)
        except FAULTS as fault:
            if is_missing_file(fault):
                return None
            raise as_user_error(self.where(name), self.repository, fault) from fault
        if not about.etag or not COMMIT.fullmatch(about.commit_hash or ""):
            raise not_a_hub(self._url(name))
        self._check_revision(name, about.commit_hash)
        return HubFile(name, about.commit_hash, about.size, about.etag)

    def download(self, name: str) -> Path:
        """Brings a file into the cache and returns its path there; a wrong size is a fault.

        Raises:
            UserError: see `look`; the disk is full, or the file still arrives cut after some attempts.
        """
        attempt = 1
        while True:
            try:
                found = hf_hub_download(
                    self.repository,
                    name,
                    repo_type=self.kind,
                    revision=self.revision,
                    cache_dir=self.cache_dir,
                    endpoint=self.endpoint,
                )
                break
            except FAULTS as fault:
                if attempt == ATTEMPTS or not may_pass(fault):
                    raise self._fault(name, fault) from fault
                problem = f"HTTP status {status_of(fault)}" if status_of(fault) else "cut, or another size"
                log.warning("%s: %s; trying again", self.where(name), problem)
            time.sleep(PAUSE_S * 2 ** (attempt - 1))
            attempt += 1
        path = Path(found)
        self._check_revision(name, path.relative_to(self._folder / "snapshots").parts[0])
        self._remove_stale_parts(path)
        return path

    def remove(self, path: Path) -> None:
        """Takes a wrong file out of the cache: its name in the snapshot and the content behind it."""
        while path.is_symlink():
            target = Path(os.path.normpath(path.parent / os.readlink(path)))
            path.unlink(missing_ok=True)
            path = target
        if path.is_relative_to(self.cache_dir):  # else it was put there by hand
            path.unlink(missing_ok=True)

    def name_commit(self, branch: str) -> None:
        """Notes in the cache, as the client does, which commit a branch is: it is used where offline."""
        path = self._folder / "refs" / branch
        if not path.exists() or path.read_text(encoding="utf-8") != self.revision:
            write_text(path, self.revision)

    def where(self, name: str) -> str:
        """Names a file in messages."""
        return f"{self.repository}/{name}"

    @property
    def address(self) -> str:
        """Names the repository as the hub's addresses and the lock file do."""
        return self.repository if self.kind == "model" else f"{self.kind}s/{self.repository}"

    @property
    def snapshot(self) -> Path:
        """The folder of the cache that holds the files of this commit under their own names."""
        return self._folder / "snapshots" / self.revision

    @property
    def _folder(self) -> Path:
        name = self.repository.replace("/", constants.REPO_ID_SEPARATOR)
        return Path(self.cache_dir) / f"{self.kind}s--{name}"

    def _url(self, name: str) -> str:
        place = {"repo_type": self.kind, "revision": self.revision, "endpoint": self.endpoint}
        return hf_hub_url(self.repository, name, **place)

    def _check_revision(self, name: str, found: str) -> None:
        if COMMIT.fullmatch(self.revision) and found != self.revision:
            raise UserError(
                self.where(name),
                f"the server gives another revision (found {found}, expected {self.revision})",
                "Check HF_ENDPOINT or --endpoint.",
            )

    def _fault(self, name: str, fault: Exception) -> UserError:
        if SIZE_DIFFERS in str(fault) and (sent := looks_like(self._start(name))):
            return UserError(self.where(name), f"the server sends {sent}", f"Open {self._url(name)}.")
        if SIZE_DIFFERS in str(fault):
            sizes = " ".join(re.findall(r"should be of size \d+ but has size \d+", str(fault)))
            return UserError(self.where(name), f"arrives cut ({sizes})", "Run again: it starts anew.")
        return as_user_error(self.where(name), self.repository, fault)

    def _start(self, name: str) -> bytes:
        """Returns a file's first bytes as the server sends them, to say what they are."""
        headers = {"Range": f"bytes=0-{START_BYTES - 1}"}
        timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
        try:
            with get_session().stream("GET", self._url(name), headers=headers, timeout=timeout) as answer:
                return next(answer.iter_bytes(START_BYTES), b"")
        except FAULTS:
            return b""

    def _remove_stale_parts(self, path: Path) -> None:
        """Removes what killed processes left of a file that is now whole; the client never does."""
        for part in (self._folder / "blobs").glob(f"{glob.escape(etag_of(path))}.*.incomplete"):
            with suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > STALE_S:
                    part.unlink()


def etag_of(path: Path) -> str:
    """Returns a cached file's etag: the name of what its link points to; empty on disks without links."""
    return Path(os.readlink(path)).name if path.is_symlink() else ""
