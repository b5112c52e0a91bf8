"""Published files with known size and sha256: resources/checkpoints.tsv.

joblib files carry no checksum of their own: a flipped bit among the weights would load silently.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dnalm.checkpoints.registry import TABLES
from dnalm.files import require_file, sha256_of

PINS = TABLES / "checkpoints.tsv"
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Pin:
    """One published file at one revision of its repository."""

    hub_repository: str
    revision: str
    file: str
    bytes: int | None  # None: only its sha256 is known
    sha256: str


def read_pins(path: Path | None = None) -> list[Pin]:
    """Returns every published file that is known."""
    with open(require_file(path or PINS), encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return [Pin(**{**row, "bytes": int(row["bytes"]) if row["bytes"] else None}) for row in rows]


def pins_of(hub_repository: str, revision: str) -> dict[str, Pin]:
    """Returns the known files of a repository at a revision, by name."""
    wanted = (hub_repository, revision)
    return {pin.file: pin for pin in read_pins() if (pin.hub_repository, pin.revision) == wanted}


def compare_with_pins(paths: Iterable[Path]) -> None:
    """Says of files with a published file's name and size whether they are that file.

    One that is not may be damaged, or hold other weights of the same architecture: only a warning.
    """
    known = {(Path(pin.file).name, pin.bytes): pin for pin in read_pins()}
    for path in paths:
        pin = known.get((path.name, path.stat().st_size)) if path.exists() else None
        if pin is None:
            continue
        if (found := sha256_of(path)) == pin.sha256:
            log.info("%s: sha256 as published in %s", path.name, pin.hub_repository)
        else:
            log.warning(
                "%s: has the size of the file in %s but another content (sha256 %s, there %s): "
                "damaged, or other weights",
                path, pin.hub_repository, found[:12], pin.sha256[:12],
            )  # fmt: skip
