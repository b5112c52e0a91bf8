"""Files of labelled sequences: FASTA with labels in the headers, CSV or TSV, Parquet.

Each reader is a stream of records; nothing is held but the row in hand.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from dnalm.errors import UserError
from dnalm.files import open_binary, require_file
from dnalm.genome.fasta import BYTE_ORDER_MARK, LOOKS_LIKE
from dnalm.tasks.records import Record, position_of

PARQUET_MAGIC = b"PAR1"
LONGEST_CELL = 1 << 26  # letters of one cell of a table
ROWS_AT_ONCE = 4096  # of a Parquet table
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    "test": "test",
}
_BETWEEN_LABELS = re.compile(r"[|,;\s]+")


def read_records(
    path: str | Path, split: str = "", several: bool = False, task: str = ""
) -> Iterator[Record]:
    """Yields the records of a file, whose kind is told by its first bytes.

    Args:
        split: of all its records; empty: its column `split` says, where it has one.
        several: more than one label may stand in a FASTA header or in a column `labels`.
        task: takes only the rows of this task, where the table has a column `task`.

    Raises:
        UserError: no such file, empty, of another kind, or a malformed record (with its line).
    """
    path = require_file(path, "file of labelled sequences")
    with open(path, "rb") as handle:
        if handle.read(4) == PARQUET_MAGIC:
            yield from _read_parquet(path, split, several, task)
            return
    with open_binary(path) as handle:
        start = handle.peek(64)[:64].removeprefix(BYTE_ORDER_MARK).lstrip()
    kind = next((what for magic, what in LOOKS_LIKE if start.startswith(magic)), None)
    if kind:
        raise UserError(path, f"looks like {kind}, expected FASTA, CSV, TSV or Parquet", "Give another file.")
    if not start:
        raise UserError(path, "is empty", "Give labelled sequences.")
    read = _read_fasta if start.startswith(b">") else _read_table
    yield from read(path, split, several, task)


def _lines(path: Path) -> Iterator[str]:
    """Yields a text file's lines, whatever ends them."""
    with io.TextIOWrapper(open_binary(path), encoding="utf-8-sig") as handle:
        try:
            yield from handle
        except UnicodeDecodeError as fault:
            raise UserError(path, f"is no UTF-8 text ({fault.reason})", "Save it as UTF-8.") from fault


def _read_fasta(path: Path, split: str, several: bool, task: str) -> Iterator[Record]:
    """Yields the records of FASTA with headers `>name|label`, or `>name|label|label` and so on."""
    header, line, pieces = "", 0, []
    for number, text in enumerate(_lines(path), 1):
        text = text.strip()
        if not text.startswith(">"):
            pieces.append(text)
            continue
        if line:
            yield _of_header(path, header, line, "".join(pieces), split, several)
        header, line, pieces = text[1:], number, []
    yield _of_header(path, header, line, "".join(pieces), split, several)


def _of_header(path: Path, header: str, line: int, sequence: str, split: str, several: bool) -> Record:
    where = f"{path}:{line}"
    name, bar, rest = header.partition("|") if several else header.rpartition("|")
    if not bar or not name.strip():
        raise UserError(
            where, f"no label in the header (found {header!r:.60}, expected >name|label)", "Add it."
        )
    return Record(name.strip(), sequence, _split_labels(rest) if several else (rest.strip(),), where, split)


def _split_labels(text: str) -> tuple[str, ...]:
    return tuple(_BETWEEN_LABELS.split(text.strip("[]() \t")))


def _read_table(path: Path, split: str, several: bool, task: str) -> Iterator[Record]:
    """Yields the rows of a CSV or TSV; the first line names the columns."""
    csv.field_size_limit(LONGEST_CELL)
    lines = _lines(path)
    first = next(lines)
    delimiter = "\t" if "\t" in first else ","
    columns = [column.strip() for column in next(csv.reader([first], delimiter=delimiter))]
    rows = _Rows(path, columns, split, several, task)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            where = f"{path}:{reader.line_num + 1}"
            if cells and len(cells) != len(columns):
                raise UserError(
                    where, f"{len(cells)} cells, the first line has {len(columns)} columns", "Mend it."
                )
            if cells and (record := rows.record(reader.line_num + 1, cells)):
                yield record
    except csv.Error as fault:
        raise UserError(
            f"{path}:{reader.line_num + 1}", f"is no line of a table ({fault})", "Mend it."
        ) from fault
    rows.finish()


def _read_parquet(path: Path, split: str, several: bool, task: str) -> Iterator[Record]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            columns, number = file.schema_arrow.names, 0
            rows = _Rows(path, columns, split, several, task)
            for batch in file.iter_batches(ROWS_AT_ONCE):
                lists = [column.to_pylist() for column in batch.columns]
                for cells in zip(*lists, strict=True):
                    number += 1
                    if record := rows.record(number, [_text(cell) for cell in cells]):
                        yield record
            rows.finish()
    except (pa.ArrowException, OSError) as fault:
        raise UserError(
            path, f"is no readable Parquet table ({fault})", "Fetch or write it again."
        ) from fault


def _text(cell: object) -> str:
    if isinstance(cell, list):
        return "|".join(_text(item) for item in cell)
    return "" if cell is None else str(cell)


class _Rows:
    """What the columns of a table mean, and its rows as records."""

    def __init__(self, path: Path, columns: Sequence[str], split: str, several: bool, task: str) -> None:
        self._path, self._split, self._several, self._task = path, split, several, task
        self._columns = list(columns)
        self._labels = [column for column in columns if column in ("label", "labels")] or sorted(
            (column for column in columns if re.fullmatch(r"label_\d+", column)), key=lambda c: int(c[6:])
        )
        if "sequence" not in columns or not self._labels:
            missing = "sequence" if "sequence" not in columns else "label (or label_1, label_2, ...)"
            raise UserError(
                path, f"has no column {missing} (its columns: {', '.join(columns)})", "Rename its columns."
            )
        if len(set(columns)) != len(columns):
            raise UserError(path, f"names a column twice ({', '.join(columns)})", "Rename one.")
        self._other_tasks: set[str] = set()
        self._is_empty = True

    def record(self, number: int, cells: Sequence[str]) -> Record | None:
        """Returns the record of a row, None where it is of another task."""
        values = dict(zip(self._columns, cells, strict=True))
        where = f"{self._path}:{number}"
        if self._task and values.get("task", self._task) != self._task:
            self._other_tasks.add(values["task"])
            return None
        self._is_empty = False
        split = self._split or self._split_of(values, where)
        labels = tuple(values[column].strip() for column in self._labels)
        if self._several and len(labels) == 1:
            labels = _split_labels(labels[0])
        name = values.get("name", "").strip() or f"{split or 'row'}_{number}"
        position = position_of(values, where)
        return Record(
            name, values["sequence"].strip(), labels, where, split, values.get("group", ""), position
        )

    def finish(self) -> None:
        """Checks that the table had rows for this task."""
        if self._is_empty:
            others = f"; its tasks: {', '.join(sorted(self._other_tasks))}" if self._other_tasks else ""
            what = f"rows of task {self._task}" if self._other_tasks else "rows"
            raise UserError(self._path, f"holds no {what}{others}", "Give another table.")

    def _split_of(self, values: dict[str, str], where: str) -> str:
        if "split" not in values:
            return ""
        split = values["split"].strip().lower()
        if split not in SPLITS:
            raise UserError(
                where, f"split is {values['split']!r}, expected one of {', '.join(SPLITS)}", "Mend it."
            )
        return SPLITS[split]
