"""A toy contig with three genes and the bigWigs of a model that knows them, for tests of the track figure."""

from itertools import pairwise

import numpy as np
import pandas as pd

from dnalm.annotation import ANNOTATION_COLUMNS

CONTIG, LENGTH_BP = "c1", 80_000
# gene: strand, exons, verified CDS
GENES = {
    "plus2": ("+", [(20_000, 20_400), (21_000, 21_300), (22_000, 22_600)], True),
    "minus3": ("-", [(40_000, 40_300), (40_900, 41_100), (41_500, 41_900), (42_500, 43_000)], True),
    "far2": ("+", [(60_000, 60_400), (61_000, 61_300), (62_000, 62_600)], True),
    "unverified": ("+", [(30_000, 30_400), (31_000, 31_300), (31_900, 32_000)], False),
    "single": ("+", [(35_000, 36_000)], True),
}


def toy_annotation():
    rows = []
    for gene, (strand, exons, verified) in GENES.items():
        head = {
            "contig": CONTIG,
            "strand": strand,
            "gene_id": gene,
            "gene_name": "",
            "biotype": "",
            "cds_verified": verified,
        }
        whole = {"start": exons[0][0], "end": exons[-1][1]}
        rows.append({**head, **whole, "type": "gene", "transcript_id": ""})
        rows.append({**head, **whole, "type": "transcript", "transcript_id": f"{gene}.1"})
        for place, (start, end) in enumerate(exons):
            rows.append({**head, "start": start, "end": end, "type": "exon", "transcript_id": f"{gene}.1"})
            cut = (start + 100 if place == 0 else start, end)
            rows.append({**head, "start": cut[0], "end": cut[1], "type": "CDS", "transcript_id": f"{gene}.1"})
    return pd.DataFrame(rows)[list(ANNOTATION_COLUMNS)]


def toy_tracks(folder, strands=("plus", "minus"), without=()):
    """Writes the four drawn features; a stretch of 500 bp before plus2's end holds no prediction."""
    import pyBigWig

    folder.mkdir(parents=True, exist_ok=True)
    for feature in ("exon", "intron", "splice_donor", "splice_acceptor"):
        for name in strands or ("",):
            if feature in without:
                continue
            values = np.full(LENGTH_BP, 0.05)
            for strand, exons, _ in GENES.values():
                if name in ("", {"+": "plus", "-": "minus"}[strand]):
                    _mark(values, feature, strand, exons)
            path = folder / f"{feature}{'.' + name if name else ''}.bw"
            track = pyBigWig.open(str(path), "w")
            track.addHeader([(CONTIG, LENGTH_BP)])
            track.addEntries(CONTIG, 0, values=values[:22_600].tolist(), span=1, step=1)
            track.addEntries(CONTIG, 23_100, values=values[23_100:].tolist(), span=1, step=1)
            track.close()
    return folder


def _mark(values, feature, strand, exons):
    if feature == "exon":
        for start, end in exons:
            values[start:end] = 0.9
        return
    for (_, left), (right, _) in pairwise(exons):
        if feature == "intron":
            values[left:right] = 0.8
        else:
            first = (feature == "splice_donor") == (strand == "+")
            values[left if first else right - 1] = 1.0
