"""Files that are either whole or absent: atomic writes, checksums, manifests, opening by content."""

from __future__ import annotations

import functools
import glob
import gzip
import hashlib
import io
import json
import os
import platform
import time
import uuid
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from dnalm.errors import UserError
from dnalm.versions import VERSIONS

GZIP_MAGIC = b"\x1f\x8b"
CHUNK_BYTES = 1 << 20
LARGE_BYTES = 1 << 26  # a checkpoint's weights, asked for by the check and by the manifest
STARTED = time.time()  # of this process, for the manifest's `run`


def require_file(path: str | Path, what: str = "file") -> Path:
    """Returns the path when it names a readable, non-empty file.

    Raises:
        UserError: it is missing, a folder, unreadable or empty.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(path, f"{what} not found", "Check the path.")
    if path.is_dir():
        raise UserError(path, f"expected a {what}, found a folder", "Name the file itself.")
    if not os.access(path, os.R_OK):
        raise UserError(path, f"{what} cannot be read", "Check its permissions.")
    if path.stat().st_size == 0:
        raise UserError(path, f"{what} is empty (0 bytes)", "Fetch or write it again.")
    return path


def sha256_of(path: str | Path) -> str:
    """Returns the sha256 of a file's bytes as 64 hexadecimal digits; each large file is read once per run."""
    about = os.stat(path)
    if about.st_size < LARGE_BYTES:
        return _sha256(str(path))
    return _sha256_once(os.path.realpath(path), about.st_size, about.st_mtime_ns)


@functools.cache
def _sha256_once(path: str, size: int, modified_ns: int) -> str:
    return _sha256(path)


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        while chunk := handle.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


class _CheckedGzip(io.RawIOBase):
    """Gives a gzip stream's bytes and turns its faults into one clear line."""

    def __init__(self, path: Path) -> None:
        self._path, self._stream = path, gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._stream.read(len(buffer))
        except EOFError as fault:
            raise UserError(
                self._path,
                f"the gzip stream ends early (file of {self._path.stat().st_size} bytes is truncated)",
                "Fetch the file again.",
            ) from fault
        except (gzip.BadGzipFile, zlib.error) as fault:
            raise UserError(self._path, f"damaged gzip stream ({fault})", "Fetch the file again.") from fault
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def open_binary(path: str | Path, what: str = "file") -> io.BufferedReader:
    """Opens a plain or gzip-compressed file for reading, by its first bytes and not by its name.

    Raises:
        UserError: missing, empty, or (while reading) truncated, damaged or twice compressed.
    """
    path = require_file(path, what)
    with open(path, "rb") as handle:
        if handle.read(2) != GZIP_MAGIC:
            return open(path, "rb")
    stream = io.BufferedReader(_CheckedGzip(path), CHUNK_BYTES)
    if stream.peek(2)[:2] == GZIP_MAGIC:
        stream.close()
        raise UserError(path, "is compressed twice with gzip", "Decompress it once (gunzip).")
    return stream


def _remove_stale(path: Path) -> None:
    """Removes what processes of this machine that no longer run left beside `path`."""
    host = platform.node()
    for left in path.parent.glob(f".{glob.escape(path.name)}.{glob.escape(host)}-*.tmp"):
        pid = left.name.removeprefix(f".{path.name}.{host}-").partition(".")[0]
        if pid.isdigit() and not Path("/proc", pid).exists() and Path("/proc").exists():
            left.unlink(missing_ok=True)


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yields a unique temporary path beside `path`; moves it there when the block ends well.

    A fault in the block, or a kill at any moment, leaves nothing at `path`; after a fault the folder is
    gone too if it was made here.
    """
    path = Path(path)
    is_new_folder = not path.parent.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError) as fault:
        raise UserError(path.parent, "is a file, expected a folder", "Move it away.") from fault
    _remove_stale(path)
    owner = f"{platform.node()}-{os.getpid()}"
    temporary = path.with_name(f".{path.name}.{owner}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        if is_new_folder:
            with suppress(OSError):  # others wrote there meanwhile
                path.parent.rmdir()
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file atomically, UTF-8."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, data: Any) -> None:
    """Writes JSON atomically, two-space indented; keys keep their order."""
    write_text(path, json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Reads a JSON file.

    Raises:
        UserError: missing, empty or not JSON.
    """
    try:
        return json.loads(require_file(path).read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as fault:
        raise UserError(path, f"is not JSON ({fault})", "Write the file again.") from fault


def manifest_path(data: str | Path) -> Path:
    """Returns where the manifest of a file (`x.bed.manifest.json`) or folder (`x/manifest.json`) lies."""
    data = Path(data)
    return data / "manifest.json" if data.is_dir() else data.with_name(data.name + ".manifest.json")


def fingerprint(path: str | Path) -> str:
    """Returns a file's sha256, read from its manifest where that is present, else computed."""
    manifest = manifest_path(path)
    if manifest.exists():
        entry = read_json(manifest)["content"]["files"].get(Path(path).name)
        if entry and entry["bytes"] == Path(path).stat().st_size:
            return str(entry["sha256"])
    return sha256_of(path)


def fingerprints(paths: Mapping[str, str | Path]) -> dict[str, str]:
    """Returns the sha256 of each file of a table of roles."""
    return {role: fingerprint(path) for role, path in paths.items()}


def write_manifest(
    data: str | Path,
    step: str,
    inputs: Mapping[str, str | Path],
    details: Mapping[str, Any] | None = None,
    files: list[str | Path] | None = None,
    run: Mapping[str, Any] | None = None,
) -> Path:
    """Writes the manifest that proves a result complete; call it last.

    Args:
        data: the result: a file, or a folder that holds `files`.
        step: key of `VERSIONS`.
        inputs: role -> path of an input; its sha256 is stored, never its path.
        details: what else defines or counts the result (model, shapes, counts).
        files: the data files (default: `data` itself).
        run: device and the like; not part of the comparison of two results.
    """
    paths = [Path(path) for path in (files if files is not None else [data])]
    content = {
        "step": step,
        "version": VERSIONS[step],
        "inputs": fingerprints(inputs),
        "files": {path.name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for path in paths},
        **(details or {}),
    }
    about = {"host": platform.node(), "seconds": round(time.time() - STARTED, 2), **(run or {})}
    path = manifest_path(data)
    write_json(path, {"content": content, "run": about})
    return path


def read_manifest(data: str | Path) -> dict[str, Any]:
    """Returns the manifest of a complete result.

    Raises:
        UserError: the manifest is missing, or a file it lists is missing or of another size.
    """
    manifest = read_json(manifest_path(data))
    folder = manifest_path(data).parent
    for name, entry in manifest["content"]["files"].items():
        path = folder / name
        if not path.exists() or path.stat().st_size != entry["bytes"]:
            found = path.stat().st_size if path.exists() else "no file"
            raise UserError(
                path, f"incomplete (found {found}, expected {entry['bytes']} bytes)", "Run its step again."
            )
    return dict(manifest)
