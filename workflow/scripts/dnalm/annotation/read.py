"""Reading an annotation of any supported format into the workflow's table."""

from __future__ import annotations

import io
import logging
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.annotation.attributes import attribute_style
from dnalm.annotation.complete import complete
from dnalm.annotation.genbank import genbank_rows
from dnalm.annotation.gff3 import gff3_rows, resolve
from dnalm.annotation.gtf import gtf_rows
from dnalm.annotation.lines import read_blocks
from dnalm.errors import UserError
from dnalm.files import open_binary
from dnalm.genome.genbank import GENBANK_START

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

log = logging.getLogger("dnalm")


def read_annotation(path: str | Path, cds_verified: tuple[str, str] | None = None) -> pd.DataFrame:
    """Reads GTF, GFF3 or GenBank, plain or gzip-compressed, told apart by content, into ANNOTATION_COLUMNS.

    Args:
        cds_verified: attribute and value of rows whose CDS may serve as truth, such as
            ("cds_source", "FlyBase_protein_exact"); without it all may.

    Raises:
        UserError: with the line, for whatever is no gene annotation.
    """
    path = Path(path)
    with open_binary(path, "annotation") as handle:
        start = handle.peek(len(GENBANK_START))
        if start.startswith(GENBANK_START):
            rows = genbank_rows(handle, path)
        else:
            rows = _read_lines(handle, path, cds_verified)
    stranded = rows["strand"].isin(["+", "-"])
    if not stranded.all():
        log.warning("%s: %d rows without a strand are left out", path, int((~stranded).sum()))
    if not rows["type"].isin(["exon", "CDS"]).any():
        raise UserError(path, "holds no exon and no CDS", "Give an annotation of genes.")
    return complete(rows[stranded].reset_index(drop=True))


def _read_lines(handle: io.BufferedReader, path: Path, cds_verified: tuple[str, str] | None) -> pd.DataFrame:
    import pandas as pd

    blocks = read_blocks(handle, path)
    first = next(blocks, None)
    if first is None:
        raise UserError(path, "holds no features", "Give GTF or GFF3 with genes.")
    blocks = chain([first], blocks)
    if _style(first, path) == "gtf":
        return pd.concat([gtf_rows(block, path, cds_verified) for block in blocks], ignore_index=True)
    rows = pd.concat([gff3_rows(block, cds_verified) for block in blocks], ignore_index=True)
    return resolve(_within_circles(rows, path), path)


def _style(block: pa.Table, path: Path) -> str:
    for text, line in zip(block["attributes"].to_pylist(), block["line"].to_pylist(), strict=True):
        if style := attribute_style(text):
            return style
        if text.strip() not in ("", "."):
            raise UserError(
                f"{path}:{line}",
                f'attributes {text[:30]!r} are neither GTF (key "value";) nor GFF3 (key=value;)',
                "Give GTF or GFF3.",
            )
    raise UserError(path, "no line has attributes (column 9)", "Give GTF or GFF3 with gene identifiers.")


def _within_circles(rows: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Leaves out features over the origin of a circular contig, where GFF3 lets them pass its end."""
    lengths = rows[rows["circular"]].groupby("contig")["end"].max()
    over = rows["end"] > rows["contig"].map(lengths)  # no length gives False
    if over.any():
        log.warning(
            "%s: %d features over the origin of a circular contig are left out", path, int(over.sum())
        )
    return rows[~over]
