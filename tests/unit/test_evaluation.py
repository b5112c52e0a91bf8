"""Evaluation: tracks of known values against a small annotation, equal to scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from dnalm.annotation import ANNOTATION_COLUMNS
from dnalm.labels import label_track
from dnalm.segmentation import evaluation
from dnalm.tracks import MISSING_LEVEL, write_tracks

LENGTHS = {"one": 400, "two": 100}
# contig, start, end, strand, type, gene, verified: on one contig a gene on each strand
ROWS = [
    ("one", 20, 60, "+", "exon", "a", True),
    ("one", 100, 150, "+", "exon", "a", True),
    ("one", 30, 60, "+", "CDS", "a", True),
    ("one", 120, 180, "-", "exon", "b", False),
    ("one", 250, 300, "-", "exon", "b", False),
    ("one", 130, 170, "-", "CDS", "b", False),
]
TABLE = pd.DataFrame(
    [
        {
            **dict.fromkeys(ANNOTATION_COLUMNS, ""),
            **dict(
                zip(("contig", "start", "end", "strand", "type", "gene_id", "cds_verified"), row, strict=True)
            ),
            "transcript_id": row[5],
        }
        for row in ROWS
    ]
)
FEATURES = ("exon", "intron", "splice_donor", "CDS")
REGIONS = {"one": [(10, 200), (150, 390)], "two": [(0, 100)]}
SCORED = {"one": slice(10, 390), "two": slice(0, 100)}


def make_tracks(folder, labels, missing=0.1):
    """Writes random tracks; returns the manifest's content and (feature, strand) -> contig -> levels."""
    strands = {"+": ".plus", "-": ".minus"} if labels == "own_strand" else {"either": ""}
    about = {"labels": labels, "resolution": 0.01, "tracks": {}}
    generator, levels = np.random.default_rng(0), {}
    for strand, suffix in strands.items():
        for feature in (*FEATURES, "enhancer"):
            about["tracks"][f"{feature}{suffix}.bw"] = {"feature": feature, "strand": strand}
            levels[feature, strand] = {
                contig: np.where(
                    generator.random(length) < missing, MISSING_LEVEL, generator.integers(0, 101, length)
                ).astype(np.uint16)
                for contig, length in LENGTHS.items()
            }
    with write_tracks([folder / name for name in about["tracks"]], LENGTHS, 0.01) as writer:
        for contig in LENGTHS:
            writer.add(contig, 0, np.stack([track[contig] for track in levels.values()], axis=1))
    return about, levels


def pooled(feature, levels, strands):
    """Labels and scores of all scored positions, the long way."""
    truth, scores, unpredicted = [], [], 0
    for strand in strands:
        for contig, span in SCORED.items():
            labels, scored = label_track(
                TABLE, contig, LENGTHS[contig], (feature,), strand, verified_only=True
            )
            track = levels[feature, strand][contig][span]
            wanted = scored[span, 0]
            keep = wanted & (track != MISSING_LEVEL)
            truth.append(labels[span, 0][keep])
            scores.append(track[keep] / 100)
            unpredicted += int((wanted & ~keep).sum())
    return np.concatenate(truth), np.concatenate(scores), unpredicted


@pytest.mark.parametrize("labels, strands", [("own_strand", ("+", "-")), ("either_strand", ("either",))])
def test_scores_equal_scikit_learn_on_the_pooled_positions(tmp_path, labels, strands, monkeypatch, caplog):
    monkeypatch.setattr(evaluation, "STRETCH_BP", 64)  # features over several stretches
    about, levels = make_tracks(tmp_path, labels)
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS).set_index("feature")
    assert list(found.index) == list(FEATURES)
    assert "no labels for enhancer" in caplog.text
    for feature in FEATURES:
        truth, scores, unpredicted = pooled(feature, levels, strands)
        row = found.loc[feature]
        assert (row["labels"], row["n_bases"], row["positives"]) == (labels, len(truth), truth.sum())
        assert row["unpredicted_bases"] == unpredicted > 0
        assert row["base_rate"] == pytest.approx(truth.mean())
        assert row["auprc"] == pytest.approx(reference.average_precision_score(truth, scores))
        assert row["auroc"] == pytest.approx(reference.roc_auc_score(truth, scores))
        assert row["mcc"] == pytest.approx(reference.matthews_corrcoef(truth, scores >= 0.5))
        optimistic = reference.matthews_corrcoef(truth, scores >= row["best_mcc_threshold"] - 1e-9)
        assert row["best_mcc"] == pytest.approx(optimistic)


def test_base_rates_show_the_strand_convention(tmp_path):
    rates = {}
    for labels in ("own_strand", "either_strand"):
        (tmp_path / labels).mkdir()
        about, _ = make_tracks(tmp_path / labels, labels, missing=0.0)
        found = evaluation.evaluate_tracks(tmp_path / labels, about, TABLE, REGIONS).set_index("feature")
        rates[labels] = found["base_rate"]
    assert rates["own_strand"]["splice_donor"] == 2 / (2 * 480)
    assert rates["either_strand"]["splice_donor"] == 2 / 480


def test_cds_counts_only_where_it_is_verified(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand", missing=0.0)
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS).set_index("feature")
    assert found.loc["CDS", "positives"] == 30  # gene b's CDS is not verified
    assert found.loc["CDS", "n_bases"] == 2 * 480 - 60 - 50  # nor are its exons scored
    assert found.loc["exon", "n_bases"] == 2 * 480
    assert found["truth"].to_dict() == {
        "exon": "all",
        "intron": "all",
        "splice_donor": "all",
        "CDS": "verified_cds",
    }
