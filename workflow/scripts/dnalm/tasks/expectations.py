"""What was loaded of a published task, beside what its publisher says of it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from dnalm.errors import UserError
from dnalm.suites import CLASSIFICATIONS, SuiteTask
from dnalm.tasks.records import Records

log = logging.getLogger("dnalm")
SURE = "verified"


def compare(task: SuiteTask, records: Records, classes: Sequence[str]) -> list[str]:
    """Returns how the loaded data differ from the row of their suite, and warns of each.

    Args:
        classes: of a classification, as the files name them.

    Raises:
        UserError: more classes, or another number of labels, than the task has: other data, or another
            type of task.
    """
    where, outputs = f"{task.suite}, {task.task}", len(records.kept[0].labels)
    if task.caution:
        log.warning("%s: %s", where, task.caution)
    if task.type in CLASSIFICATIONS and task.classes and len(classes) > task.classes:
        found = ", ".join(classes[:5])
        raise UserError(
            where, f"{len(classes)} classes ({found}), expected {task.classes}", "Is it the right file?"
        )
    if task.outputs and outputs != task.outputs:
        raise UserError(
            where, f"{outputs} labels of a sequence, expected {task.outputs}", "Is it the right file?"
        )
    found = []
    for split, expected in task.sizes.items():
        if (rows := records.read.get(split, 0)) != expected:
            found.append(f"{rows} rows of {split}, expected {expected} ({_mark(task, 'sizes')})")
    if task.classes and len(classes) < task.classes:
        found.append(f"{len(classes)} classes, expected {task.classes} ({_mark(task, 'classes')})")
    lengths = (records.shortest_bp, records.longest_bp)
    if task.shortest_bp and lengths != (task.shortest_bp, task.longest_bp):
        expected_bp = f"{task.shortest_bp} to {task.longest_bp} bp ({_mark(task, 'length')})"
        found.append(f"sequences of {lengths[0]} to {lengths[1]} bp, expected {expected_bp}")
    for difference in found:
        log.warning("%s: %s", where, difference)
    return found


def _mark(task: SuiteTask, what: str) -> str:
    """Says how sure an expectation is."""
    mark = task.sources[what]
    return {SURE: "as published", "second_hand": "second-hand", "memory": "from memory, unsure"}.get(
        mark, "?"
    )
