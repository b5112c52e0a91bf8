"""Candidate examples of each class: where on which strand; positions are those of a window's anchor base.

The anchor is the base at index `before` of the window as it is read on its strand. A candidate's window
lies wholly in one region and holds no N.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from dnalm.annotation import transcription_start_sites
from dnalm.genome import Genome
from dnalm.genome.letters import TO_ACGTN
from dnalm.labels import introns

Spans = Mapping[str, Sequence[tuple[int, int]]]
DINUCLEOTIDES = {"splice_donor": b"GT", "splice_acceptor": b"AG"}
COMPLEMENT = bytes.maketrans(b"ACGT", b"TGCA")


class Shape(NamedTuple):
    """How a window lies about its anchor, in bases, as read on its strand."""

    before: int
    length: int

    def start(self, anchor: Int[np.ndarray, " N"], strand: str) -> Int[np.ndarray, " N"]:
        """Returns the window's first position on the forward strand."""
        return anchor - self.before if strand == "+" else anchor + self.before + 1 - self.length


class Stretch(NamedTuple):
    """A region's sequence."""

    contig: str
    start: int
    end: int
    bases: bytes
    n_positions: Int[np.ndarray, " M"]

    def holds(self, start: Int[np.ndarray, " N"], length: int) -> Bool[np.ndarray, " N"]:
        """Says which windows lie wholly here and hold no N."""
        n_count = np.diff(np.searchsorted(self.n_positions, [start, start + length]), axis=0)[0]
        return (start >= self.start) & (start + length <= self.end) & (n_count == 0)


def stretches(genome: Genome, spans: Spans) -> Iterator[Stretch]:
    """Yields the regions one after the other."""
    for contig, pairs in spans.items():
        for start, end in pairs:
            bases = genome.read(contig, start, end, TO_ACGTN)
            n_positions = np.flatnonzero(np.frombuffer(bases, np.uint8) == ord("N")) + start
            yield Stretch(contig, start, end, bases, n_positions)


def dinucleotides(stretch: Stretch, pair: bytes, strand: str) -> Int[np.ndarray, " N"]:
    """Returns where a dinucleotide starts on a strand, in the direction of reading."""
    wanted = pair if strand == "+" else pair.translate(COMPLEMENT)[::-1]
    letters = np.frombuffer(stretch.bases, np.uint8)
    found = np.flatnonzero((letters[:-1] == wanted[0]) & (letters[1:] == wanted[1]))
    return found + stretch.start + (strand == "-")


def splice_anchors(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Returns contig, strand and anchor of annotated sites: the first base, as read, of the dinucleotide."""
    gaps = introns(table)
    forward = (gaps["strand"] == "+").to_numpy()
    start, end = gaps["start"].to_numpy(), gaps["end"].to_numpy()
    if kind == "splice_donor":
        anchor = np.where(forward, start, end - 1)
    else:
        anchor = np.where(forward, end - 2, start + 1)
    return gaps[["contig", "strand"]].assign(anchor=anchor).drop_duplicates(ignore_index=True)


def start_anchors(table: pd.DataFrame) -> pd.DataFrame:
    """Returns contig, strand, anchor and known: True for genes' TSS, False for other transcripts' starts."""
    sites = transcription_start_sites(table).rename(columns={"tss": "anchor"}).assign(known=True)
    rows = table[table["type"].isin(("gene", "transcript"))]
    anchor = np.where(rows["strand"] == "-", rows["end"] - 1, rows["start"])
    others = rows[["contig", "strand"]].assign(anchor=anchor, known=False)
    columns = ["contig", "strand", "anchor"]
    return pd.concat([sites[[*columns, "known"]], others], ignore_index=True).drop_duplicates(columns)


def covered(positions: Int[np.ndarray, " N"], intervals: pd.DataFrame) -> Bool[np.ndarray, " N"]:
    """Says which positions lie in any of the intervals (start, end)."""
    if intervals.empty:
        return np.zeros(len(positions), bool)
    ordered = intervals.sort_values("start")
    reached = ordered["end"].cummax().to_numpy()
    place = np.searchsorted(ordered["start"].to_numpy(), positions, side="right") - 1
    return (place >= 0) & (positions < reached[np.maximum(place, 0)])
