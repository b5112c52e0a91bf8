"""Regions named on a command line as `contig:start-end`, 0-based and half-open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnalm.errors import UserError


def parse_region(text: str) -> tuple[str, int, int]:
    """Returns contig, start and end of `contig:start-end` (commas allowed in the numbers).

    Raises:
        UserError: the text has another form, or the region is empty.
    """
    contig, _, span = text.rpartition(":")
    start, _, end = span.replace(",", "").partition("-")
    if not (contig and start.isdecimal() and end.isdecimal() and int(start) < int(end)):
        raise UserError(
            f"region {text!r}",
            "is not contig:start-end with start < end",
            "For example chr2R:2000000-7000000.",
        )
    return contig, int(start), int(end)


def read_regions(texts: Sequence[str], lengths: Mapping[str, int]) -> dict[str, list[tuple[int, int]]]:
    """Returns contig -> spans in the genome's order; every whole contig where no region is named.

    Args:
        texts: regions, or names of whole contigs.
        lengths: contig -> bp.

    Raises:
        UserError: a region that does not lie on the genome.
    """
    if not texts:
        return {contig: [(0, length)] for contig, length in lengths.items()}
    found: dict[str, list[tuple[int, int]]] = {}
    for text in texts:
        contig, start, end = (text, 0, lengths[text]) if text in lengths else parse_region(text)
        if contig not in lengths:
            known = ", ".join(list(lengths)[:3])
            raise UserError(
                f"region {text!r}", f"names no contig of the genome (it has {known})", "Check it."
            )
        if end > lengths[contig]:
            raise UserError(
                f"region {text!r}", f"ends after the contig (found {end}, expected <= {lengths[contig]})"
            )
        found.setdefault(contig, []).append((start, end))
    return {contig: found[contig] for contig in lengths if contig in found}
