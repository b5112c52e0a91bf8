"""Published files with known size and sha256: resources/checkpoints.tsv.

joblib files carry no checksum of their own: a flipped bit among the weights would load silently.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dnalm.checkpoints.registry import REPOSITORY
from dnalm.errors import UserError
from dnalm.files import require_file, sha256_of

PINS = REPOSITORY / "resources" / "checkpoints.tsv"
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


def pins_of(hub_repository: str, revision: str) -> dict[str, Pin]:
    """Returns the known files of a repository at a revision, by name."""
    wanted = (hub_repository, revision)
    return {pin.file: pin for pin in read_pins() if (pin.hub_repository, pin.revision) == wanted}


def check_pins(paths: Iterable[Path]) -> None:
    """Checks the files that have a published file's name and size against its sha256.

    Raises:
        UserError: the content differs.
    """
    known = {(Path(pin.file).name, pin.bytes): pin.sha256 for pin in read_pins()}
    for path in paths:
        expected = known.get((path.name, path.stat().st_size)) if path.exists() else None
        if expected is None:
            continue
        if (found := sha256_of(path)) != expected:
            raise UserError(
                path,
                f"differs from the published file (found sha256 {found[:12]}, expected {expected[:12]})",
                "Fetch it again.",
            )
        log.info("%s: sha256 as published", path.name)
