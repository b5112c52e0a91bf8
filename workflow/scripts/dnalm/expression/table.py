"""Expression tables: one row per gene, one column per sample, in counts, CPM, TPM or log2."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.files import open_binary

UNITS = ("counts", "cpm", "tpm", "log2")
MISSING = ("", "NA", "NaN", "nan", "N/A", "null", "None", ".")
MEAN = "mean"  # name of the added column


@dataclass(frozen=True)
class Expression:
    """Genes by value columns; both tables are indexed by the gene's name.

    Attributes:
        values: log2 scale; missing where the table's cell is.
        expressed: whether the gene counts as expressed in that column; None where nothing says so.
    """

    values: pd.DataFrame
    expressed: pd.DataFrame | None


def read_expression(
    path: str | Path,
    unit: str,
    gene_column: str | None = None,
    value_columns: Sequence[str] = (),
    count_columns: Sequence[str] = (),
    expressed_threshold: float | None = None,
    mean: bool = False,
) -> Expression:
    """Reads a tab- or comma-separated table, plain or gzip-compressed, into log2 values.

    counts become log2(CPM + 1), a column's library size being its sum over the whole table; cpm and tpm
    become log2(x + 1); log2 stays. A gene counts as expressed where the sum of `count_columns` is above 0;
    without these where its value is above `expressed_threshold`; without that where it is above 0 before
    the logarithm.

    Args:
        gene_column: default: the first column.
        value_columns: default: every numeric column.
        expressed_threshold: on the log2 scale.
        mean: adds the mean of the log2 values over the value columns as one more column.

    Raises:
        UserError: no such column, a cell that is no number, a negative value, a repeated gene.
    """
    cells = _read_cells(Path(path))
    genes = _genes(cells, gene_column or str(cells.columns[0]), path)
    cells = cells.drop(columns=[genes.name])
    chosen = list(value_columns) or _numeric_columns(cells, path)
    raw = _numbers(cells, chosen, path).set_index(pd.Index(genes, name="gene_id"))
    counts = _numbers(cells, count_columns, path).set_index(raw.index)
    for table, kind in ((raw, unit), (counts, "counts")):
        _check_signs(table, kind, path)
    values = _log2(raw, unit, path)
    expressed = _expressed(raw, values, counts, unit, expressed_threshold)
    if mean:
        values[MEAN] = values.mean(axis=1, skipna=False)
        if expressed is not None:
            expressed[MEAN] = expressed.any(axis=1)
    return Expression(values, expressed)


def _read_cells(path: Path) -> pd.DataFrame:
    """Reads every cell as text (a gene may be called NA, or 1e5), indexed by the line's number."""
    try:
        with open_binary(path, "expression table") as handle:
            lines = handle.read().decode("utf-8-sig").splitlines() or [""]
        reader = csv.reader(lines, delimiter="\t" if "\t" in lines[0] else ",")
        numbered = [(reader.line_num, row) for row in reader if row]
    except (UnicodeDecodeError, csv.Error) as fault:
        raise UserError(path, f"is no text table in UTF-8 ({fault})", "Save it as TSV.") from fault
    header, rows = numbered[0][1] if numbered else [], dict(numbered[1:])
    for number, row in rows.items():
        if len(row) != len(header):
            raise UserError(
                f"{path}:{number}",
                f"found {len(row)} columns, expected {len(header)} as in the header",
                "Give every column a name (R's write.table leaves out the first).",
            )
    if len(header) < 2 or not rows:
        raise UserError(
            path,
            f"has {len(header)} columns and {len(rows)} rows, expected a gene and at least one value",
            "Save it as TSV or CSV with one header line.",
        )
    if len(set(header)) < len(header):
        raise UserError(path, f"repeats a column name ({', '.join(header[:5])})", "Name each column once.")
    return pd.DataFrame(list(rows.values()), index=list(rows), columns=header, dtype=str)


def _genes(cells: pd.DataFrame, column: str, path: str | Path) -> pd.Series:
    if column not in cells:
        raise UserError(
            path,
            f"has no gene column {column!r} (it has {', '.join(cells.columns[:5])})",
            "Name one of these.",
        )
    genes = cells[column].str.strip()
    repeated = genes[genes.duplicated()].unique()
    if len(repeated):
        raise UserError(
            path,
            f"{len(repeated)} genes occur more than once ({', '.join(repeated[:3])})",
            "Keep one row per gene.",
        )
    return genes


def _numeric_columns(cells: pd.DataFrame, path: str | Path) -> list[str]:
    """Returns the columns whose every cell is a number or missing."""
    found = [
        column
        for column in cells
        if pd.to_numeric(cells.loc[~cells[column].isin(MISSING), column], errors="coerce").notna().all()
    ]
    if not found:
        raise UserError(path, "has no numeric column", "Name the columns with --value-columns.")
    return found


def _numbers(cells: pd.DataFrame, columns: Sequence[str], path: str | Path) -> pd.DataFrame:
    absent = [column for column in columns if column not in cells]
    if absent:
        known = ", ".join(cells.columns[:5])
        raise UserError(path, f"has no column {absent[0]!r} (it has {known})", "Name one of these.")
    numbers = pd.DataFrame(index=cells.index)
    for column in columns:
        numbers[column] = pd.to_numeric(cells[column].where(~cells[column].isin(MISSING)), errors="coerce")
        wrong = ~cells[column].isin(MISSING) & ~np.isfinite(numbers[column])
        if wrong.any():
            row = int(wrong.idxmax())
            raise UserError(
                f"{path}:{row}",
                f"column {column} holds {cells[column][row]!r}, expected a number",
                "Mend it, or write NA for a missing value.",
            )
    return numbers


def _check_signs(numbers: pd.DataFrame, unit: str, path: str | Path) -> None:
    if unit not in UNITS:
        raise UserError("--unit", f"found {unit!r}, expected one of {', '.join(UNITS)}", "Mend it.")
    if unit == "log2" or not (numbers < 0).any(axis=None):
        return
    column = (numbers < 0).any().idxmax()
    gene = (numbers[column] < 0).idxmax()
    raise UserError(
        path,
        f"{gene} has {numbers[column][gene]:g} in {column}, expected {unit} of at least 0",
        "Is the unit log2?",
    )


def _log2(raw: pd.DataFrame, unit: str, path: str | Path) -> pd.DataFrame:
    if unit == "log2":
        return raw.copy()
    if unit == "counts":
        sizes = raw.sum()
        if (sizes == 0).any():
            raise UserError(path, f"column {sizes.idxmin()} sums to 0", "Leave it out of --value-columns.")
        raw = raw / sizes * 1e6
    return np.log2(raw + 1)


def _expressed(
    raw: pd.DataFrame, values: pd.DataFrame, counts: pd.DataFrame, unit: str, threshold: float | None
) -> pd.DataFrame | None:
    if counts.shape[1]:
        above = counts.sum(axis=1) > 0
        return pd.DataFrame({column: above for column in values})
    if threshold is not None:
        return values > threshold
    return None if unit == "log2" else raw > 0
