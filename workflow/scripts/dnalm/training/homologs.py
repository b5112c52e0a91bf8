"""Training genes that are related to held-out ones: their families are left out of training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dnalm.errors import UserError
from dnalm.files import require_file
from dnalm.training.data import Region

COLUMNS = ("gene_id", "family")


def read_families(path: str | Path) -> pd.DataFrame:
    """Reads a table of COLUMNS: genes, and the family of homologous genes that each belongs to.

    Raises:
        UserError: missing, without rows, or lacking a column.
    """
    path = require_file(path, "table of gene families")
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    missing = [column for column in COLUMNS if column not in table.columns]
    if missing or table.empty:
        found = ", ".join(map(str, table.columns)) or "nothing"
        raise UserError(
            path, f"found the columns {found}, expected {' and '.join(COLUMNS)}, and rows", "Mend it."
        )
    return table[list(COLUMNS)]


def related_regions(
    annotation: pd.DataFrame, families: pd.DataFrame, unseen: Sequence[Region]
) -> list[Region]:
    """Returns where genes lie that share a family with a gene of a region that must not be seen.

    SegmentNT leaves such stretches out of its test set (de Almeida et al. 2025, Methods); where they are left
    out of training instead, the test set stays whole.

    Args:
        annotation: the annotation's table.
        families: `read_families`; genes without a family are related to none.
        unseen: held-out and validation regions.

    Raises:
        UserError: no gene of the table is in the annotation.
    """
    genes = annotation[annotation["gene_id"].isin(families["gene_id"])]
    spans = genes.groupby(["gene_id", "contig"], sort=True).agg(start=("start", "min"), end=("end", "max"))
    spans = spans.reset_index().merge(families, on="gene_id")
    if spans.empty:
        raise UserError(
            "--homologs",
            f"none of its {families['gene_id'].nunique()} genes is in the annotation",
            "Use the annotation's gene ids.",
        )
    hidden = pd.Series(False, index=spans.index)
    for contig, start, end in unseen:
        hidden |= (spans["contig"] == contig) & (spans["start"] < end) & (spans["end"] > start)
    related = spans[~hidden & spans["family"].isin(spans.loc[hidden, "family"])]
    places = related[["contig", "start", "end"]].drop_duplicates()
    return [(str(row.contig), int(row.start), int(row.end)) for row in places.itertuples()]
