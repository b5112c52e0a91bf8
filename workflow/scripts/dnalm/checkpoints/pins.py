"""Known sizes and sha256 of published files, resources/checkpoints.tsv: a damaged file is found here.

joblib files carry no checksum of their own: a flipped bit among the weights would load silently.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterable
from pathlib import Path

from dnalm.checkpoints.registry import REPOSITORY
from dnalm.errors import UserError
from dnalm.files import require_file, sha256_of

PINS = REPOSITORY / "resources" / "checkpoints.tsv"
log = logging.getLogger("dnalm")


def read_pins(path: Path | None = None) -> dict[tuple[str, int], str]:
    """Returns (file name, bytes) -> sha256 of every published file that is known."""
    with open(require_file(path or PINS), encoding="utf-8", newline="") as handle:
        rows = csv.DictReader(handle, delimiter="\t")
        return {(Path(row["file"]).name, int(row["bytes"])): row["sha256"] for row in rows}


def check_pins(paths: Iterable[Path]) -> None:
    """Checks the files that have a published file's name and size against its sha256.

    Raises:
        UserError: the content differs.
    """
    pins = read_pins()
    for path in paths:
        expected = pins.get((path.name, path.stat().st_size)) if path.exists() else None
        if expected is not None and (found := sha256_of(path)) != expected:
            raise UserError(
                path,
                f"differs from the published file (found sha256 {found[:12]}, expected {expected[:12]})",
                "Fetch it again.",
            )
        if expected is not None:
            log.info("%s: sha256 as published", path.name)
