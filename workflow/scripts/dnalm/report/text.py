"""Numbers and names as the report prints them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

NO_VALUE = "\u2013"
MINUS = "\u2212"


def number(value: object, digits: int = 3) -> str:
    """Returns a score with fixed digits, two significant ones below 0.01; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NO_VALUE
    small = 0 < abs(float(value)) < 0.01  # type: ignore[arg-type]
    return f"{float(value):{'.2g' if small else f'.{digits}f'}}".replace("-", MINUS)  # type: ignore[arg-type]


def rate(value: object) -> str:
    """Returns a base rate with two significant digits: splice sites are one base in thousands."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NO_VALUE
    return f"{float(value):.2g}" if float(value) >= 1e-4 else f"{float(value):.1e}"  # type: ignore[arg-type]


def count(value: object) -> str:
    """Returns a whole number with separators of thousands."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return NO_VALUE
    return f"{int(value):,}"  # type: ignore[call-overload]


def bases(value: int) -> str:
    """Returns a length in the unit that reads best: 21.1 Mb, 3.1 kb, 500 bp."""
    for unit, size in (("Gb", 1e9), ("Mb", 1e6), ("kb", 1e3)):
        if value >= size:
            return f"{value / size:.1f} {unit}"
    return f"{value} bp"


def duration(seconds: float) -> str:
    """Returns a duration in hours, minutes or seconds."""
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def species_name(name: str) -> str:
    """Returns `zea_mays` as Zea mays."""
    return name.replace("_", " ").capitalize()


def words(name: str) -> str:
    """Returns `splice_donors` as Splice donors; letters that are capitals stay so."""
    spaced = name.replace("_", " ")
    return spaced[:1].upper() + spaced[1:]


def of_species(text: str, species: str, all_species: Iterable[str]) -> str:
    """Returns a heading, with the species only where the page has several."""
    return f"{text}, {species_name(species)}" if len(list(all_species)) > 1 else text


def listing(items: list[str]) -> str:
    """Returns `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else "none"


def plural(amount: int, word: str) -> str:
    """Returns `1 window`, `3,524 windows`."""
    return f"{amount:,} {word}" + ("" if amount == 1 else "s")


@dataclass(frozen=True)
class Table:
    """A table of the page: cells as text; columns named in `text_columns` are aligned left."""

    caption: str
    headers: list[str]
    rows: list[list[str]]
    text_columns: int = 1  # the first so many are text, the rest numbers
    note: str = ""

    @property
    def sortable(self) -> bool:
        """Whether there is anything to sort."""
        return len(self.rows) > 1

    @property
    def tsv(self) -> str:
        """The table as tab-separated text: what the page prints, with the hyphen for the minus."""
        lines = ["\t".join(line).replace(MINUS, "-") for line in [self.headers, *self.rows]]
        return "\n".join(lines) + "\n"

    @property
    def file_name(self) -> str:
        """A name for the table's file, made of its caption."""
        return re.sub(r"[^a-z0-9]+", "_", self.caption.lower()).strip("_")[:60] + ".tsv"


@dataclass(frozen=True)
class Figure:
    """A figure of the page: an image as a data URI with its alternative text, caption and table."""

    stem: str
    title: str
    description: str
    caption: str
    image: str
    width_px: int
    table: str = ""  # data URI of the TSV, empty when that is too large to carry


@dataclass
class Section:
    """A section of the page."""

    key: str
    title: str
    lead: str = ""
    tables: list[Table] = field(default_factory=list)
    folded: list[Table] = field(default_factory=list)  # shown when asked for
    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)  # shown at the head of the page
