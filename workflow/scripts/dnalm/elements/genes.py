"""The annotation as BED12, one row per transcript, to look at beside the predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dnalm.elements.features import KINDS, rgb
from dnalm.stitching import merge_spans

if TYPE_CHECKING:
    import pandas as pd

COLOUR = rgb(next(iter(KINDS)), "+")


def bed12(table: pd.DataFrame, lengths: Mapping[str, int]) -> str:
    """Returns the transcripts with exons, in the genome's order; thick where coding.

    Args:
        table: annotation table of `annotation.load_annotation`.
        lengths: contig -> bp.
    """
    keys = ["contig", "strand", "transcript_id"]
    named = table[table["transcript_id"] != ""]
    coding = named[named["type"] == "CDS"].groupby(keys).agg({"start": "min", "end": "max"})
    thick = {key: (int(start), int(end)) for key, start, end in coding.itertuples(name=None)}
    order = {contig: number for number, contig in enumerate(lengths)}
    rows = []
    for key, exons in named[named["type"] == "exon"].groupby(keys, sort=False):
        blocks = merge_spans(list(zip(exons["start"].tolist(), exons["end"].tolist(), strict=True)))
        start, end = blocks[0][0], blocks[-1][1]
        contig, strand, transcript = key
        first, last = thick.get(key, (start, start))
        name = exons["gene_name"].iloc[0] or exons["gene_id"].iloc[0] or transcript
        sizes = ",".join(str(high - low) for low, high in blocks)
        starts = ",".join(str(low - start) for low, _ in blocks)
        place = (contig, start, end, name.replace("\t", " "), 0, strand, first, last, COLOUR)
        line = "\t".join(map(str, (*place, len(blocks), sizes, starts)))
        rows.append((order[contig], start, end, transcript, line))
    return "".join(f"{row[-1]}\n" for row in sorted(rows))
