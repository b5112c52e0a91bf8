"""The table of tasks: which examples, how long, scored by what."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dnalm.errors import UserError
from dnalm.files import require_file

TASKS = Path(__file__).parents[4] / "resources" / "tasks.tsv"
COLUMNS = ("task", "type", "metric", "length_bp", "description")
TYPES = ("splice_donor", "splice_acceptor", "promoter")


def read_tasks(path: str | Path | None = None) -> pd.DataFrame:
    """Returns the table of tasks, by default the repository's.

    Raises:
        UserError: missing, or other columns.
    """
    path = require_file(path or TASKS, "table of tasks")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if tuple(table.columns) != COLUMNS:
        raise UserError(path, f"found columns {list(table.columns)}, expected {list(COLUMNS)}", "Mend it.")
    return table


def task_row(name: str, path: str | Path | None = None) -> pd.Series:
    """Returns a task's row, its length as a number.

    Raises:
        UserError: no such task, or a row that cannot be made.
    """
    table, where = read_tasks(path), path or TASKS.name
    found = table[table["task"] == name]
    if len(found) != 1:
        known = ", ".join(table["task"])
        raise UserError(f"task {name!r}", f"has {len(found)} rows in {where} (it has {known})", "Name one.")
    row = found.iloc[0].copy()
    if row["type"] not in TYPES:
        raise UserError(
            where, f"type of {name} is {row['type']!r}, expected one of {', '.join(TYPES)}", "Mend it."
        )
    if not row["length_bp"].isdecimal() or int(row["length_bp"]) < 6 or int(row["length_bp"]) % 6:
        raise UserError(
            where, f"length_bp of {name} is {row['length_bp']!r}, expected a multiple of 6", "Mend it."
        )
    row["length_bp"] = int(row["length_bp"])
    return row
