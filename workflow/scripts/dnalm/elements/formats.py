"""Elements as GFF3 (1-based, closed) and BED (0-based, half-open), written as they come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TextIO
from urllib.parse import quote

from dnalm.elements.calling import Element
from dnalm.elements.features import kind_of, rgb

SOURCE = "dnalm"
STRANDS = {"+": "+", "-": "-", "either": "."}
SAFE_IN_CONTIG = ".:^*$@!+_?-|"  # the GFF3 specification, column 1; others are percent-encoded
RESERVED = re.compile(r"[\x00-\x1f\x7f;=&,%]")  # the same, column 9
FULL_SCORE = 1000  # of BED: probability 1


def write_elements(
    elements: Iterable[Element], lengths: Mapping[str, int], gff3: TextIO, bed: TextIO
) -> dict[str, int]:
    """Writes both files in the order given; returns feature -> number of elements.

    Args:
        lengths: contig -> bp of the whole genome.
    """
    gff3.write("##gff-version 3\n")
    for contig, length in lengths.items():
        gff3.write(f"##sequence-region {_contig(contig)} 1 {length}\n")
    numbers: dict[str, int] = {}
    counts: dict[str, int] = {}
    for element in elements:
        numbers[element.track] = numbers.get(element.track, 0) + 1
        counts[element.feature] = counts.get(element.feature, 0) + 1
        gff3.write(gff3_line(element, f"{element.track.removesuffix('.bw')}.{numbers[element.track]}"))
        bed.write(bed_line(element))
    return counts


def gff3_line(element: Element, name: str) -> str:
    """Returns an element's line; `name` is its ID."""
    kind = kind_of(element.feature)
    attributes = {"ID": name, "feature": element.feature, "max_probability": f"{element.maximum:.6g}"}
    attributes |= {"tissue": kind.tissue} if kind.tissue else {}
    ninth = ";".join(f"{key}={encoded(value)}" for key, value in attributes.items())
    place = f"{element.start + 1}\t{element.end}\t{element.mean:.6g}\t{STRANDS[element.strand]}\t."
    return f"{_contig(element.contig)}\t{SOURCE}\t{kind.term}\t{place}\t{ninth}\n"


def bed_line(element: Element) -> str:
    """Returns an element's line of nine columns, the last its colour."""
    start, end = element.start, element.end
    score = int(element.mean * FULL_SCORE + 0.5)
    fields = (element.contig, start, end, element.feature, score, STRANDS[element.strand], start, end)
    return "\t".join(map(str, fields)) + f"\t{rgb(element.feature, element.strand)}\n"


def encoded(value: str) -> str:
    """Returns a value with the signs that GFF3 reserves as percent codes."""
    return RESERVED.sub(lambda match: f"%{ord(match[0]):02X}", value)


def _contig(name: str) -> str:
    return quote(name, safe=SAFE_IN_CONTIG)
