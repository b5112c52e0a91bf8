"""What a downloaded file is: as expected, or a page, a pointer, a part, or another file of its size."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from dnalm.files import CHUNK_BYTES, sha256_of

PAGE = re.compile(rb"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)
POINTER = b"version https://git-lfs"
SHA256, SHA1 = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
START_BYTES = 200


def looks_like(start: bytes) -> str | None:
    """Names what servers send in place of a file, by its first bytes; None for anything else."""
    if PAGE.match(start):
        return f"an HTML or XML page, not the file (starts {start[:40]!r})"
    return "a git-lfs pointer, not the file itself" if start.startswith(POINTER) else None


def git_sha1(path: Path) -> str:
    """Returns the name of a file's content in git, which is the hub's etag of small files.

    Source: the git object format: sha1 of `blob <bytes>`, a zero byte and the content.
    """
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with open(path, "rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def problem_of(path: Path, sha256: str, expected_bytes: int | None, expected: str) -> str | None:
    """Says how a file differs from what is expected of it, None where it does not.

    Args:
        sha256: of the file, as found.
        expected_bytes: None where nobody knows.
        expected: a sha256, or the hub's etag: the sha256 of large files, the git sha1 of small ones;
            another server's kind of etag proves nothing and is passed over.
    """
    found_bytes = path.stat().st_size
    with open(path, "rb") as handle:
        if sent := looks_like(handle.read(START_BYTES)):
            return f"is {sent}"
    if expected_bytes is not None and found_bytes != expected_bytes:
        return f"is cut or another file (found {found_bytes} bytes, expected {expected_bytes})"
    if not is_checksum(expected):
        return None
    kind, found = ("sha256", sha256) if SHA256.fullmatch(expected) else ("git sha1", git_sha1(path))
    return None if found == expected else f"has another content (found {kind} {found}, expected {expected})"


def is_checksum(etag: str) -> bool:
    """Tells the etags that say what the content is from those that only name a version."""
    return bool(SHA256.fullmatch(etag) or SHA1.fullmatch(etag))


def checked_sha256(path: Path, expected_bytes: int | None, expected: str) -> tuple[str, str | None]:
    """Returns a file's sha256, and how the file differs from what is expected (see `problem_of`)."""
    sha256 = sha256_of(path)
    return sha256, problem_of(path, sha256, expected_bytes, expected)
