"""Taking one file out of a zip archive that may be damaged or hostile."""

from __future__ import annotations

import hashlib
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from dnalm.errors import UserError
from dnalm.files import atomic_path

MOST_EXPANSION = 200  # genomes deflate about fourfold; far more is a bomb
CHUNK_BYTES = 1 << 20
REMEDY = "Delete it and fetch it again."


def extract_member(archive: str | Path, wanted: Callable[[str], bool], what: str, target: str | Path) -> str:
    """Writes the one member that `wanted` accepts to `target` and returns its md5.

    Members are never written under their own names, so none can leave the target's folder; an
    archive that tries to is refused all the same.

    Raises:
        UserError: damaged or truncated, unsafe member names, links, bombs, or not exactly one such member.
    """
    archive = Path(archive)
    try:
        with zipfile.ZipFile(archive) as zipped:
            members = zipped.infolist()
            for member in members:
                _check_member(archive, member)
            found = [member for member in members if wanted(member.filename)]
            if len(found) != 1:
                names = ", ".join(member.filename for member in members[:5])
                raise UserError(
                    archive, f"found {len(found)} {what} files, expected 1 (it holds {names})", REMEDY
                )
            return _copy(archive, zipped, found[0], Path(target))
    except (zipfile.BadZipFile, zlib.error, EOFError) as fault:
        raise UserError(archive, f"damaged or truncated zip archive ({fault})", REMEDY) from fault


def read_member(archive: str | Path, name: str, most_bytes: int = 1 << 24) -> str | None:
    """Returns a small text member by its exact name, None where the archive has none."""
    with zipfile.ZipFile(archive) as zipped:
        if name not in zipped.namelist():
            return None
        with zipped.open(name) as handle:
            return handle.read(most_bytes).decode("utf-8", errors="replace")


def _check_member(archive: Path, member: zipfile.ZipInfo) -> None:
    path = PurePosixPath(member.filename.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or (path.parts and ":" in path.parts[0]):
        raise UserError(
            archive, f"member {member.filename!r} would leave its folder", "Do not use this archive."
        )
    if stat.S_ISLNK(member.external_attr >> 16):
        raise UserError(archive, f"member {member.filename!r} is a link", "Do not use this archive.")
    if member.file_size > MOST_EXPANSION * max(member.compress_size, CHUNK_BYTES):
        raise UserError(
            archive,
            f"member {member.filename!r} would grow from {member.compress_size} to {member.file_size} bytes",
            "Do not use this archive.",
        )


def _copy(archive: Path, zipped: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if member.file_size > free:
        raise UserError(target.parent, f"{free} bytes free, {member.file_size} needed", "Free space.")
    with atomic_path(target) as temporary, zipped.open(member) as source, open(temporary, "wb") as handle:
        try:
            while chunk := source.read(CHUNK_BYTES):
                digest.update(chunk)
                handle.write(chunk)
        except (zipfile.BadZipFile, zlib.error, EOFError) as fault:
            raise UserError(archive, f"member {member.filename!r} is damaged ({fault})", REMEDY) from fault
    return digest.hexdigest()
