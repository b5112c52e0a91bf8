"""Published files with known size and sha256, resources/checkpoints.tsv: fetched and checked by them.

joblib files carry no checksum of their own: a flipped bit among the weights would load silently.
"""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dnalm.checkpoints.registry import REPOSITORY, model_row
from dnalm.errors import UserError
from dnalm.files import require_file, sha256_of

PINS = REPOSITORY / "resources" / "checkpoints.tsv"
HUB = "https://huggingface.co"
# What is fetched of a repository: the first group that it has, all of its files, and the settings.
WEIGHTS = ("jax_model/", "model.safetensors", "pytorch_model")
SETTINGS = ("config.json",)
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Pin:
    """One published file at one revision of its repository."""

    hub_repository: str
    revision: str
    file: str
    bytes: int
    sha256: str


def read_pins(path: Path | None = None) -> list[Pin]:
    """Returns every published file that is known."""
    with open(require_file(path or PINS), encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return [Pin(**{**row, "bytes": int(row["bytes"])}) for row in rows]


def check_pins(paths: Iterable[Path]) -> None:
    """Checks the files that have a published file's name and size against its sha256.

    Raises:
        UserError: the content differs.
    """
    known = {(Path(pin.file).name, pin.bytes): pin.sha256 for pin in read_pins()}
    for path in paths:
        expected = known.get((path.name, path.stat().st_size)) if path.exists() else None
        if expected is not None:
            _compare(path, expected)
            log.info("%s: sha256 as published", path.name)


def _compare(path: Path, expected: str) -> None:
    if (found := sha256_of(path)) != expected:
        raise UserError(
            path,
            f"differs from the published file (found sha256 {found[:12]}, expected {expected[:12]})",
            "Fetch it again.",
        )


def files_to_fetch(name: str) -> list[Pin]:
    """Returns the files of a registered model that loading it needs, at the revision of models.tsv.

    Raises:
        UserError: unknown, or a model whose files' sha256 are not known here.
    """
    row = model_row(name)
    pins = [
        pin
        for pin in read_pins()
        if (pin.hub_repository, pin.revision) == (row["hub_repository"], row["revision"])
    ]
    for group in WEIGHTS:
        weights = [pin for pin in pins if pin.file.startswith(group)]
        if weights:
            return weights + [pin for pin in pins if pin.file in SETTINGS]
    raise UserError(
        name,
        "its files' sha256 are not known here",
        f"Fetch {row['hub_repository'] or 'it'} yourself and name its folder.",
    )


def fetch_checkpoint(name: str, folder: Path, base_url: str = HUB) -> list[Path]:
    """Downloads a registered model in the hub's layout; every file is as published, or absent.

    Raises:
        UserError: see `files_to_fetch`; a download failed, or brought another content (kept as *.bad).
    """
    from dnalm.download import fetch

    paths = []
    for pin in files_to_fetch(name):
        path = folder / pin.file
        fetch(f"{base_url}/{pin.hub_repository}/resolve/{pin.revision}/{pin.file}", path)
        try:
            _compare(path, pin.sha256)
        except UserError:
            os.replace(path, path.with_name(path.name + ".bad"))
            raise
        paths.append(path)
    return paths
