"""A published task's files, or one's own, read into records."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnalm.errors import UserError
from dnalm.files import read_json
from dnalm.suites import DEFAULT_METRICS, SPLITS, TYPES, SuiteTask, suite_task
from dnalm.tasks.readers import read_records
from dnalm.tasks.records import Records, collect, name_apart

SEVERAL = ("multilabel", "multi_regression")
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Source:
    """Where a task's sequences lie and what they are.

    Attributes:
        files: split -> file; an empty split: the file's own column `split` says.
        task: rows of this task are taken from tables with a column `task`; empty: all.
        published: the row of its suite, if it is of one; record: how it was fetched, if it was.
    """

    files: dict[str, Path]
    type: str
    task: str
    published: SuiteTask | None
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Names it in messages."""
        if self.published:
            return f"{self.published.suite}, {self.task}"
        return str(next(iter(self.files.values())))

    def about(self, metric: str | None) -> dict[str, Any]:
        """Returns what a manifest says of it; `metric` is that of one's own task."""
        known = {key: self.record[key] for key in ("hub_repository", "revision") if key in self.record}
        if self.published:
            known |= {"licence": self.published.licence, "caution": self.published.caution}
            metric = self.published.metric
        suite = self.published.suite if self.published else "own"
        what = {"suite": suite, "task": self.task, "type": self.type}
        return {**what, "metric": metric or DEFAULT_METRICS[self.type], **known}


def find_source(
    record: str | Path | None,
    own: Mapping[str, str | Path | None],
    suite: str | None = None,
    task: str = "",
    kind: str | None = None,
) -> Source:
    """Returns where a task lies.

    Args:
        record: of a fetched task (see `fetch.fetch_task`); or
        own: split -> file. A file of training rows alone may have a column `split`.
        suite: of which the files are `task`; without it `kind`, one of `suites.TYPES`, says what they are.

    Raises:
        UserError: both or neither, no such record or task, or a fetched file that is no longer in the cache.
    """
    given = {split: Path(path) for split, path in own.items() if path}
    if (record is None) == (not given):
        raise UserError("--record, --data", "expected one of the two", "Give the record, or the files.")
    if record is not None:
        fetched, files = _read_record(Path(record))
        row = suite_task(fetched["suite"], fetched["task"])
        return Source(files, row.type, row.task, row, fetched)
    if "train" not in given:
        raise UserError("--data", "is missing", "Give the training rows.")
    if list(given) == ["train"]:
        given = {"": given["train"]}
    if suite:
        row = suite_task(suite, task)
        return Source(given, row.type, task, row, {})
    if kind not in TYPES:
        raise UserError("--type", f"found {kind!r}, expected one of {', '.join(TYPES)}", "Give it.")
    return Source(given, kind, task, None, {})


def load_records(source: Source, most: int | None = None, seed: int = 0) -> Records:
    """Reads a task's files, says what was unusual in them, and gives every record its own name.

    Repeated names get numbers where the task is published; in one's own files they are refused.

    Args:
        most: records of each split; a random choice is kept of more.

    Raises:
        UserError: see `readers.read_records` and `records.collect`.
    """
    several = source.type in SEVERAL
    order = [split for split in ("", *SPLITS) if split in source.files]
    streams = (read_records(source.files[split], split, several, source.task) for split in order)
    records = collect(itertools.chain.from_iterable(streams), most, seed)
    name_apart(records, strict=source.published is None)
    if "" in records.read and len(records.read) > 1:
        raise UserError(source.name, "some rows have a split, others none", "Name the split of every row.")
    if records.iupac_letters:
        log.warning("%s: %d ambiguity codes of IUPAC became N", source.name, records.iupac_letters)
    if records.n_letters:
        log.info("%s: %d letters are N", source.name, records.n_letters)
    if records.renamed:
        log.warning("%s: %d repeated names got a number", source.name, records.renamed)
    if (total := sum(records.read.values())) > len(records.kept):
        log.info("%s: %d of %d records are kept", source.name, len(records.kept), total)
    return records


def _read_record(path: Path) -> tuple[dict[str, Any], dict[str, Path]]:
    """Returns the record of a fetched task and its files by split."""
    record = read_json(path)
    if not isinstance(record, dict) or not {"suite", "task", "folder", "files"} <= set(record):
        raise UserError(path, "is no record of a fetched task", "Run fetch_task.py.")
    found = {}
    for split, entry in record["files"].items():
        file = Path(record["folder"]) / entry["file"]
        if not file.exists() or file.stat().st_size != entry["bytes"]:
            what = f"{file.stat().st_size} bytes" if file.exists() else "nothing"
            raise UserError(
                file, f"found {what}, expected {entry['bytes']} bytes", "Run fetch_task.py again."
            )
        found[split] = file
    return record, found
