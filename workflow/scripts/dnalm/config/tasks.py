"""The section `tasks`: which keys belong to which suite, and whether the task is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dnalm.errors import UserError
from dnalm.suites import suite_task

ANNOTATION, OWN = "annotation", "own"
FILES = ("data", "validation_data", "test_data")
# suite -> keys that it needs, keys that it has no use for; published suites: PUBLISHED
NEEDED = {ANNOTATION: ("task",), OWN: ("data", "type")}
USELESS = {ANNOTATION: (*FILES, "type", "metric", "duplicates"), OWN: ("regions", "species")}
PUBLISHED_NEEDED, PUBLISHED_USELESS = ("task",), (*FILES, "type", "metric", "regions", "species")


def complete_task(
    name: str,
    entry: Mapping[str, Any],
    defaults: Mapping[str, Any],
    where: Callable[[Iterable[object]], str],
) -> dict[str, Any]:
    """Returns a task's settings with every default; tasks of a suite are of no species.

    Raises:
        UserError: a key missing or of another kind of suite, or a task that the suite has not.
    """
    suite, place = entry["suite"], ["tasks", name]
    for key in NEEDED.get(suite, PUBLISHED_NEEDED):
        if key not in entry:
            raise UserError(where(place), f"the key '{key}' is missing", f"suite {suite} needs it.")
    for key in USELESS.get(suite, PUBLISHED_USELESS):
        if key in entry:
            raise UserError(where([*place, key]), f"'{key}' means nothing in suite {suite}", "Remove it.")
    if suite == ANNOTATION:
        return {**defaults, **entry}
    if suite != OWN:
        try:
            suite_task(suite, entry["task"])
        except UserError as fault:
            raise UserError(
                where([*place, "task"]), f"{fault.where} {fault.problem}", fault.remedy
            ) from fault
    own = {key: value for key, value in defaults.items() if key != "regions"}
    return {**own, "max_examples": None, "duplicates": "report", **entry, "species": []}
