"""Parts of a run, computed by jobs of their own: what each wrote down, and the check when gathered."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dnalm import files
from dnalm.engine.shards import STAMP, Shards, run_key
from dnalm.errors import UserError
from dnalm.versions import VERSIONS

REMEDY = "Delete this file and run its part again."


def parse_part(text: str) -> tuple[int, int]:
    """Returns number and count of `2/8`.

    Raises:
        UserError: another form, or a number outside 1 to the count.
    """
    number, _, count = text.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise UserError("--part", f"found {text!r}, expected number/count such as 2/8", "Mend it.")
    return int(number), int(count)


def share(costs: Sequence[int], part: tuple[int, int]) -> range:
    """Returns the numbers of one part's shards: neighbours, with an equal share of the costs."""
    number, count = part
    reached = np.cumsum([0, *costs])
    borders = np.searchsorted(reached, reached[-1] * np.arange(count + 1) / count)
    return range(int(borders[number - 1]), int(borders[number]))


def identity(step: str, about: Mapping[str, Any], inputs: Mapping[str, Path]) -> str:
    """Returns a name of what all parts of one run share, whatever machine they ran on."""
    prints = files.fingerprints(inputs)
    return run_key({"step": step, "version": VERSIONS[step], **about, **prints})


def write_part(
    output: Path, step: str, part: tuple[int, int], run: str, shards: Shards, numbers: range
) -> None:
    """Writes down which shards are a part's, with their sha256.

    Args:
        run: of `identity`.
    """
    paths = {number: shards.path(number) for number in numbers}
    content = {
        "step": step,
        "version": VERSIONS[step],
        "part": list(part),
        "run": run,
        "shards": {
            str(number): {"bytes": path.stat().st_size, "sha256": files.sha256_of(path)}
            for number, path in paths.items()
        },
    }
    files.write_json(output, {"content": content, "run": {"folder": str(shards.folder.resolve())}})


@dataclass(frozen=True)
class Parts:
    """The shards of all parts of a run, verified.

    Args:
        shards: number -> file.
    """

    shards: Mapping[int, Path]

    def load(self, number: int) -> dict[str, np.ndarray]:
        """Returns a shard's arrays.

        Raises:
            UserError: no part has it.
        """
        if number not in self.shards:
            raise UserError("parts", f"no part has shard {number}", "Run all parts of one configuration.")
        with np.load(self.shards[number], allow_pickle=False) as file:
            return {name: file[name] for name in file.files if name != STAMP}

    def remove(self) -> None:
        """Deletes the shards, and their folders."""
        for folder in {path.parent for path in self.shards.values()}:
            shutil.rmtree(folder, ignore_errors=True)


def read_parts(paths: Sequence[Path], run: str) -> Parts:
    """Verifies every part and every shard.

    Args:
        run: of `identity`.

    Raises:
        UserError: a part is missing, twice there, of another run, or a shard is missing or changed.
    """
    found: dict[int, Path] = {}
    numbers: dict[int, Path] = {}
    counts = set()
    for path in paths:
        number, count, shards = _read_part(path, run)
        if number in numbers:
            raise UserError(path, f"is part {number}, as is {numbers[number]}", "Name every part once.")
        numbers[number] = path
        counts.add(count)
        found |= shards
    if len(counts) != 1 or set(numbers) != set(range(1, max(counts) + 1)):
        wanted = f"1 to {max(counts, default=0)}"
        raise UserError(
            "parts", f"found {sorted(numbers)}, expected {wanted} of one run", "Name all of them."
        )
    return Parts(found)


def _read_part(path: Path, run: str) -> tuple[int, int, dict[int, Path]]:
    """Returns a part's number, how many there are, and its shards."""
    record = files.read_json(path)
    try:
        content, folder = record["content"], Path(record["run"]["folder"])
        (number, count), entries = content["part"], content["shards"]
        shards = {int(key): folder / Shards.file_name(int(key)) for key in entries}
        expected = {int(key): (int(entry["bytes"]), entry["sha256"]) for key, entry in entries.items()}
    except (KeyError, TypeError, ValueError) as fault:
        raise UserError(path, "is no record of a part", REMEDY) from fault
    if content.get("run") != run:
        raise UserError(path, "is a part of another run (settings, inputs or version differ)", REMEDY)
    for key, shard in shards.items():
        if not shard.exists() or (shard.stat().st_size, files.sha256_of(shard)) != expected[key]:
            raise UserError(path, f"its shard {shard} is missing or changed", REMEDY)
    return int(number), int(count), shards
