"""From the words of a config or command line to one verified local file."""

from __future__ import annotations

import hashlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from dnalm.download.ensembl import EnsemblFile, EnsemblSpecies, warn_of_checksum
from dnalm.download.lock import read_pins, verify
from dnalm.download.ncbi import fetch_member
from dnalm.download.transfer import PAUSE_S, RETRIES, fetch, local_name
from dnalm.errors import UserError
from dnalm.files import atomic_path, open_binary, require_file

What = Literal["genome", "annotation"]


@dataclass(frozen=True)
class Source:
    """Where a genome or annotation comes from.

    Attributes:
        kind: "path", "url", "ensembl", "ensembl_plants" or "ncbi".
        name: the path, URL, species or accession.
        sequence: Ensembl's "primary_assembly" or "toplevel".
        not_soft_masked: Ensembl's sequence without soft-masking.
        contigs: only these of Ensembl's contigs, one file each; all where empty.
        base_url: a mirror of the service.
    """

    kind: str
    name: str
    release: int | None = None
    assembly: str | None = None
    sequence: str = "toplevel"
    not_soft_masked: bool = False
    contigs: tuple[str, ...] = ()
    base_url: str | None = None


def obtain(
    source: Source,
    what: What,
    folder: str | Path,
    lock_file: str | Path | None = None,
    pause_s: float = PAUSE_S,
    retries: int = RETRIES,
) -> tuple[Path, dict[str, Any]]:
    """Returns a local file of a source and, per key of the lock file, its bytes and sha256.

    A file that an earlier call left complete in `folder` is used without a request.

    Raises:
        UserError: it cannot be had, or is not what the lock file says.
    """
    folder = Path(folder)
    if source.kind == "path":
        path = require_file(source.name, f"{what} file")
        return path, {source.name: verify(path, source.name, lock_file)}
    if source.kind == "ncbi":
        key, path = f"ncbi:{source.name}/{what}", folder / f"{source.name}.{what}"
        if not path.exists():
            fetch_member(source.name, what, path, source.base_url, pause_s, retries)
        return path, {key: verify(path, key, lock_file, quarantine=True)}
    files = _files(source, what, folder)
    paths = [folder / local_name(file.key) for file in files]
    about: dict[str, Any] = {}
    for file, path in zip(files, paths, strict=True):
        if not path.exists():
            fetch(file.url, path, retries, pause_s)
            if file.key not in read_pins(lock_file):
                _check_new(path, file)
        about[file.key] = verify(path, file.key, lock_file, quarantine=True)
    return (paths[0] if len(paths) == 1 else _joined(paths)), about


def _check_new(path: Path, file: EnsemblFile) -> None:
    """Checks a download that no record vouches for; a damaged gzip file is moved to `<path>.bad`."""
    warn_of_checksum(path, file)
    try:
        with open_binary(path, "download") as handle:
            if path.suffix == ".gz":
                while handle.read(1 << 20):
                    pass
    except UserError as fault:
        os.replace(path, path.with_name(path.name + ".bad"))
        raise UserError(
            file.url, f"arrived damaged ({fault.problem})", "Run again to fetch it anew."
        ) from fault


def _files(source: Source, what: What, folder: Path) -> list[EnsemblFile]:
    if source.kind == "url":
        return [EnsemblFile(source.name, source.name, None)]
    species = EnsemblSpecies(
        source.kind, source.name, source.release or 0, source.assembly, source.base_url, folder
    )
    if what == "annotation":
        return [species.annotation_file()]
    return species.genome_files(source.sequence, source.not_soft_masked, source.contigs)


def _joined(paths: list[Path]) -> Path:
    """Joins gzip files: their concatenation is a gzip file."""
    names = hashlib.sha256("".join(path.name for path in paths).encode()).hexdigest()[:8]
    whole = paths[0].with_name(f"{names}-joined.fa.gz")
    with atomic_path(whole) as temporary, open(temporary, "wb") as handle:
        for path in paths:
            with open(path, "rb") as piece:
                shutil.copyfileobj(piece, handle)
    return whole
