"""Reading tables that a figure can do without."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dnalm.errors import UserError
from dnalm.figures.tables import read_table


def read_rows(path: str | Path | None, columns: Sequence[str], what: str) -> pd.DataFrame:
    """Returns a table; one without rows where no file is given or it has none.

    Raises:
        UserError: the file is missing, or a column of it.
    """
    empty = pd.DataFrame(columns=list(columns))
    if path is None:
        return empty
    try:
        return read_table(path, columns, what)
    except UserError as fault:
        if fault.problem.endswith("has no rows"):
            return empty
        raise
