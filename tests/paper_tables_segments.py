"""Toy tracks and tables of scores of the SegmentNT paper's elements, for tests of its figures."""

import numpy as np
import pandas as pd
from toy_genes import CONTIG, GENES, LENGTH_BP, _mark

from dnalm.labels import slug

FOURTEEN = (
    "protein_coding_gene", "lncRNA", "exon", "intron", "splice_donor", "splice_acceptor", "5UTR", "3UTR",
    "CTCF-bound", "polyA_signal", "enhancer_Tissue_specific", "enhancer_Tissue_invariant",
    "promoter_Tissue_specific", "promoter_Tissue_invariant",
)  # fmt: skip
GENIC = ("exon", "intron", "splice_donor", "splice_acceptor")
DEMO = (*GENIC, "CDS", "3UTR")
GAP = (22_600, 23_100)  # without a prediction
FIRST_GAP_BP = 5_000  # neither have the first bases
MODELS = ("SegmentNT-10kb", "SegmentNT-20kb", "SegmentNT-30kb", "SegmentEnformer-30kb")


def _values(feature, strand, seed):
    """Returns a smooth random track of small probabilities; genic elements where the toy genes have them."""
    noise = np.convolve(np.random.default_rng(seed).normal(size=LENGTH_BP), np.ones(400) / 20, "same")
    values = np.clip(0.05 + 0.08 * noise, 0.001, 1.0) if feature not in GENIC[2:] else np.zeros(LENGTH_BP)
    for direction, exons, _ in GENES.values():
        if strand in ("", {"+": ".plus", "-": ".minus"}[direction]):
            start, end = exons[0][0], exons[-1][1]
            if feature in GENIC:
                _mark(values, feature, direction, exons)
            elif feature == "protein_coding_gene":
                values[start:end] = 0.95
            elif feature in ("CDS", "3UTR", "5UTR"):
                first = (feature == "5UTR") == (direction == "+")
                values[start : start + 100] = 0.7 if first else 0.1
            elif feature == "polyA_signal":
                values[end - 20 : end - 14] = 0.8
            elif feature.startswith("promoter"):
                values[start - 300 : start + 50] = 0.6 if feature.endswith("invariant") else 0.2
    return values


def paper_tracks(folder, features=FOURTEEN, strands=("",)):
    """Writes a bigWig per feature, without values in GAP and in the first FIRST_GAP_BP bases."""
    import pyBigWig

    folder.mkdir(parents=True, exist_ok=True)
    for place, feature in enumerate(features):
        for strand in strands:
            values = _values(feature, strand, place)
            track = pyBigWig.open(str(folder / f"{slug(feature)}{strand}.bw"), "w")
            track.addHeader([(CONTIG, LENGTH_BP)])
            for start, end in ((FIRST_GAP_BP, GAP[0]), (GAP[1], LENGTH_BP)):
                track.addEntries(CONTIG, start, values=values[start:end].tolist(), span=1, step=1)
            track.close()
    return folder


def segment_scores(features=DEMO, labels="own_strand"):
    """Returns the columns of a run's metrics.tsv that are drawn, and those that its readers check."""
    rows = []
    for place, feature in enumerate(features):
        positives = 2_000_000 // (1 + 7 * place)
        rows.append(
            {
                "feature": feature, "labels": labels, "n_bases": 10_000_000, "positives": positives,
                "base_rate": positives / 10_000_000, "auprc": 0.9 - 0.1 * place, "auroc": 0.95,
                "mcc": 0.8 - 0.1 * place, "best_mcc": 0.85, "threshold": 0.5, "f1": 0.7, "jaccard": 0.6,
                "sov": 0.5, "samplings": 10, "mcc_sd": 0.01 * (1 + place),
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def beside_scores(features=DEMO, comparable=(), reason="no published MCC for the model demo_segment_nt"):
    """Returns a run's beside_published.tsv; the features named are comparable."""
    scores = segment_scores(features)
    yes = [feature in comparable for feature in features]
    return pd.DataFrame(
        {
            "feature": features, "mcc": scores["mcc"], "mcc_mean": scores["mcc"], "mcc_sd": scores["mcc_sd"],
            "published_model": ["SegmentNT-30kb" if known else None for known in yes],
            "published_mcc": [0.5 if known else None for known in yes],
            "comparable": ["yes" if known else "no" for known in yes],
            "reason": ["same checkpoint, chromosomes and threshold" if known else reason for known in yes],
        }
    )  # fmt: skip


def write_table(table, path):
    table.to_csv(path, sep="\t", index=False, na_rep="NA")
    return path
