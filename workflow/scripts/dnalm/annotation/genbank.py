"""Rows of GenBank features, through Biopython."""

from __future__ import annotations

import io
import logging
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from dnalm.genome.genbank import read_genbank

if TYPE_CHECKING:
    from Bio.SeqFeature import SeqFeature

TRANSCRIPT_FEATURES = ("mRNA", "ncRNA", "tRNA", "rRNA", "misc_RNA", "precursor_RNA")
GENE_QUALIFIERS = ("locus_tag", "gene", "protein_id", "product")
log = logging.getLogger("dnalm")
Interval = tuple[int, int]


def genbank_rows(handle: io.BufferedReader, path: Path) -> pd.DataFrame:
    """Returns genes, exons and CDS of a GenBank file's records, named by accession and version.

    The gene is a feature's locus_tag, else gene, else protein_id. A CDS belongs to the first mRNA of
    its gene whose exons hold it; without one it is a transcript of its own.
    """
    rows: list[dict[str, object]] = []
    for record in read_genbank(handle, path):
        genes: dict[str, _Gene] = defaultdict(_Gene)
        skipped = 0
        for feature in record.features:
            if feature.type in ("gene", "CDS", *TRANSCRIPT_FEATURES):
                intervals = _intervals(feature)
                if intervals is None:
                    skipped += 1
                else:
                    genes[_gene_id(feature)].add(feature, intervals)
        if skipped:
            log.warning("%s: %d features on both strands or over the origin are left out", path, skipped)
        for gene_id, gene in genes.items():
            rows += [{"contig": record.id, "gene_id": gene_id, **row} for row in gene.rows(gene_id)]
    columns = ["contig", "start", "end", "strand", "type", "gene_id", "transcript_id", "gene_name", "biotype"]
    table = pd.DataFrame(rows, columns=columns).fillna({"gene_name": "", "biotype": ""})
    return table.assign(cds_verified=True)


def _gene_id(feature: SeqFeature) -> str:
    for key in GENE_QUALIFIERS:
        if values := feature.qualifiers.get(key):
            return str(values[0])
    return f"{feature.type}_{int(feature.location.start) + 1}"


def _intervals(feature: SeqFeature) -> list[Interval] | None:
    """Returns a feature's parts, ascending; None where they are not on one strand in one direction."""
    parts = feature.location.parts
    if feature.location.strand not in (1, -1):
        return None
    intervals = [(int(part.start), int(part.end)) for part in parts]
    ascending = sorted(intervals)
    return ascending if intervals in (ascending, ascending[::-1]) else None


class _Gene:
    """The transcripts and CDS of one gene, and its own extent where the record gives it."""

    def __init__(self) -> None:
        self.own: list[tuple[str, Interval]] = []
        self.transcripts: list[tuple[str, str, list[Interval]]] = []  # strand, name, exons
        self.coding: list[tuple[str, list[Interval]]] = []
        self.name = ""

    def add(self, feature: SeqFeature, intervals: list[Interval]) -> None:
        strand = "-" if feature.location.strand == -1 else "+"
        self.name = self.name or str(feature.qualifiers.get("gene", [""])[0])
        if feature.type == "gene":
            self.own.append((strand, (intervals[0][0], intervals[-1][1])))
        elif feature.type == "CDS":
            self.coding.append((strand, intervals))
        else:
            name = str(feature.qualifiers.get("transcript_id", [""])[0])
            self.transcripts.append((strand, name, intervals))

    def rows(self, gene_id: str) -> list[dict[str, object]]:
        """Returns the gene's rows without contig and gene_id."""
        free = list(range(len(self.transcripts)))
        coding: dict[int, list[Interval]] = {}
        transcripts = list(self.transcripts)
        for strand, intervals in self.coding:
            place = next((i for i in free if _holds(transcripts[i], strand, intervals)), None)
            if place is None:
                place = len(transcripts)
                transcripts.append((strand, "", intervals))
            else:
                free.remove(place)
            coding[place] = intervals
        rows = [self._row(strand, "gene", "", interval) for strand, interval in self.own[:1]]
        for place, (strand, name, exons) in enumerate(transcripts):
            name = name or f"{gene_id}.t{place + 1}"
            rows += [self._row(strand, "exon", name, interval) for interval in exons]
            rows += [self._row(strand, "CDS", name, interval) for interval in coding.get(place, [])]
        return rows

    def _row(self, strand: str, kind: str, transcript: str, interval: Interval) -> dict[str, object]:
        return {
            "start": interval[0],
            "end": interval[1],
            "strand": strand,
            "type": kind,
            "transcript_id": transcript,
            "gene_name": self.name,
        }


def _holds(transcript: tuple[str, str, list[Interval]], strand: str, coding: list[Interval]) -> bool:
    """Tells whether a CDS follows a transcript's exons: every part within one, inner ends at exon ends."""
    own_strand, _, exons = transcript
    if own_strand != strand:
        return False
    within = [(s, e) for s, e in exons if e > coding[0][0] and s < coding[-1][1]]
    clipped = [(max(s, coding[0][0]), min(e, coding[-1][1])) for s, e in within]
    return clipped == coding
