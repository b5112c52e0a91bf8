"""The section `tasks`: which keys belong to which suite, and whether the task is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dnalm.errors import UserError
from dnalm.suites import metric_of, suite_task

ANNOTATION, OWN = "annotation", "own"
FILES = ("data", "validation_data", "test_data")
# suite -> keys that it needs, keys that it has no use for; published suites: PUBLISHED
NEEDED = {ANNOTATION: ("task",), OWN: ("data", "type")}
USELESS = {ANNOTATION: (*FILES, "type", "metric", "duplicates"), OWN: ("regions", "species", "length_bp")}
PUBLISHED_NEEDED, PUBLISHED_USELESS = ("task",), (*FILES, "type", "metric", *USELESS["own"])


def complete_task(
    name: str,
    entry: Mapping[str, Any],
    defaults: Mapping[str, Any],
    where: Callable[[Iterable[object]], str],
) -> dict[str, Any]:
    """Returns a task's settings with every default; tasks of a suite are of no species.

    Raises:
        UserError: a key missing or of another kind of suite, a task that the suite has not, or choices that
            exclude each other.
    """
    suite, place = entry["suite"], ["tasks", name]
    entry = {**entry, **_probe_settings({**defaults, **entry}, place, where)}
    for key in NEEDED.get(suite, PUBLISHED_NEEDED):
        if key not in entry:
            raise UserError(where(place), f"the key '{key}' is missing", f"suite {suite} needs it.")
    for key in USELESS.get(suite, PUBLISHED_USELESS):
        if key in entry:
            raise UserError(where([*place, key]), f"'{key}' means nothing in suite {suite}", "Remove it.")
    if suite == ANNOTATION:
        return {**defaults, **entry}
    if suite == OWN:
        _check_metric(entry, place, where)
    else:
        try:
            suite_task(suite, entry["task"])
        except UserError as fault:
            raise UserError(
                where([*place, "task"]), f"{fault.where} {fault.problem}", fault.remedy
            ) from fault
    own = {key: value for key, value in defaults.items() if key != "regions"}
    return {**own, "max_examples": None, "duplicates": "report", **entry, "species": []}


def _probe_settings(
    settings: Mapping[str, Any], place: list[str], where: Callable[[Iterable[object]], str]
) -> dict[str, Any]:
    """Returns pooling as a list, and refuses choices of which one has no meaning beside the other."""
    pooling = settings["pooling"]
    pooling = [pooling] if isinstance(pooling, str) else list(pooling)
    if settings["choose"] == "penalty" and len(pooling) > 1:
        raise UserError(
            where([*place, "pooling"]),
            f"{len(pooling)} kinds, of which choose: penalty chooses none",
            "Name one, or set choose: layer.",
        )
    if settings["head"] == "mlp" and settings["penalties"]:
        raise UserError(where([*place, "penalties"]), "an MLP has none", "Remove it, or set head: linear.")
    return {"pooling": pooling}


def _check_metric(
    entry: Mapping[str, Any], place: list[str], where: Callable[[Iterable[object]], str]
) -> None:
    """Refuses a metric that tasks of this type do not have."""
    try:
        metric_of(entry["type"], entry.get("metric"))
    except UserError as fault:
        raise UserError(where([*place, "metric"]), fault.problem, fault.remedy) from fault
