"""The ninth column: values by key, from GTF (`key "value";`) and GFF3 (`key=value;`)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    import pyarrow as pa

_GFF3 = re.compile(r"^\s*[^\s=;\"]+=")
_GTF = re.compile(r"^\s*[\w.:-]+\s+\S")


def attribute_style(text: str) -> str:
    """Returns "gff3", "gtf" or "" for one line's ninth column."""
    if _GFF3.match(text):
        return "gff3"
    return "gtf" if _GTF.match(text) else ""


def gtf_values(attributes: pa.ChunkedArray, key: str) -> pa.ChunkedArray:
    """Returns each line's value of a GTF key, "" where it has none; a quoted value may hold ";"."""
    import pyarrow.compute as pc

    quoted = _extract(attributes, rf'(?:^|;)\s*{re.escape(key)}\s+"(?P<value>[^"]*)"')
    if pc.all(quoted.is_valid()).as_py():
        return quoted
    bare = _extract(attributes, rf'(?:^|;)\s*{re.escape(key)}\s+(?P<value>[^";\s]+)')
    return pc.fill_null(pc.coalesce(quoted, bare), "")


def gff3_values(attributes: pa.ChunkedArray, key: str) -> pa.ChunkedArray:
    """Returns each line's value of a GFF3 key, "" where it has none.

    Percent codes are kept: a value may be a list, to be split at "," before `decode`.
    """
    import pyarrow.compute as pc

    values = _extract(attributes, rf"(?:^|;)\s*{re.escape(key)}=(?P<value>[^;]*)")
    return pc.fill_null(values, "")


def decode(text: str) -> str:
    """Decodes GFF3's percent codes."""
    return unquote(text) if "%" in text else text


def _extract(attributes: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    import pyarrow.compute as pc

    return pc.struct_field(pc.extract_regex(attributes, pattern), "value")
