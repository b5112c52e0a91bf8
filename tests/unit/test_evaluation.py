"""Evaluation: tracks of known values against a small annotation, equal to scikit-learn."""

from functools import reduce

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference

from dnalm.annotation import ANNOTATION_COLUMNS
from dnalm.labels import label_track
from dnalm.segmentation import counting, evaluation, published, samplings, sov
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
    monkeypatch.setattr(counting, "STRETCH_BP", 64)  # features over several stretches
    about, levels = make_tracks(tmp_path, labels)
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS, window_bp=70).whole
    found = found.set_index("feature")
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
        for called, kind in ((scores >= 0.5, ""), (scores >= row["best_mcc_threshold"] - 1e-9, "best_mcc_")):
            assert row[f"{kind}f1"] == pytest.approx(reference.f1_score(truth, called))
            assert row[f"{kind}jaccard"] == pytest.approx(reference.jaccard_score(truth, called))
            assert row[f"{kind}precision"] == pytest.approx(reference.precision_score(truth, called))
            assert row[f"{kind}recall"] == pytest.approx(reference.recall_score(truth, called))


def test_base_rates_show_the_strand_convention(tmp_path):
    rates = {}
    for labels in ("own_strand", "either_strand"):
        (tmp_path / labels).mkdir()
        about, _ = make_tracks(tmp_path / labels, labels, missing=0.0)
        found = evaluation.evaluate_tracks(tmp_path / labels, about, TABLE, REGIONS).whole
        found = found.set_index("feature")
        rates[labels] = found["base_rate"]
    assert rates["own_strand"]["splice_donor"] == 2 / (2 * 480)
    assert rates["either_strand"]["splice_donor"] == 2 / 480


def test_cds_counts_only_where_it_is_verified(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand", missing=0.0)
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS).whole.set_index("feature")
    assert found.loc["CDS", "positives"] == 30  # gene b's CDS is not verified
    assert found.loc["CDS", "n_bases"] == 2 * 480 - 60 - 50  # nor are its exons scored
    assert found.loc["exon", "n_bases"] == 2 * 480
    assert found["truth"].to_dict() == {
        "exon": "all",
        "intron": "all",
        "splice_donor": "all",
        "CDS": "verified_cds",
    }


SUMS = ("n_bases", "positives", "unpredicted_bases")


def test_contigs_sum_to_the_whole(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand")
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS, window_bp=50)
    assert list(found.by_contig["contig"]) == ["one", "two"] * len(FEATURES)
    sums = found.by_contig.groupby("feature", sort=False)[[*SUMS, "segments"]].sum()
    whole = found.whole.set_index("feature")
    pd.testing.assert_frame_equal(sums, whole[[*SUMS, "segments"]])
    for feature in FEATURES:  # contig two has no gene: its rows have no truth to find
        row = found.by_contig.set_index(["feature", "contig"]).loc[feature, "two"]
        assert row["positives"] == row["segments"] == 0
        assert np.isnan(row["recall"]) and np.isnan(row["sov"])


def test_one_contig_alone_scores_as_in_the_whole(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand")
    both = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS).by_contig
    alone = evaluation.evaluate_tracks(tmp_path, about, TABLE, {"one": REGIONS["one"]}).whole
    columns = ["feature", *evaluation.SCORE_COLUMNS, *evaluation.SOV_COLUMNS]
    one = both[both["contig"] == "one"].reset_index(drop=True)
    pd.testing.assert_frame_equal(one[columns], alone[columns])


@pytest.mark.parametrize("stretch", [64, 1 << 20])
def test_segments_are_those_of_the_scored_bases(tmp_path, monkeypatch, stretch):
    monkeypatch.setattr(counting, "STRETCH_BP", stretch)
    about, levels = make_tracks(tmp_path, "own_strand", missing=0.02)
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS, threshold=0.3).whole
    for feature in FEATURES:
        parts = []
        for strand in "+-":
            for contig, span in SCORED.items():
                truth, scored = label_track(TABLE, contig, LENGTHS[contig], (feature,), strand, True)
                track = levels[feature, strand][contig][span]
                known = (scored[span, 0] & (track != MISSING_LEVEL)).astype(np.int8)
                states = [known + (known & truth[span, 0]), known + (known & (track >= 30))]
                # One sequence per strand and contig.
                parts.append(sov.overlap_segments(*(sov.find_segments(state, 0) for state in states)))
        row = found.set_index("feature").loc[feature]
        total = parts[0] + parts[1] + parts[2] + parts[3]
        assert row["sov"] == pytest.approx(total.score())
        assert row["sov_both_states"] == pytest.approx(total.score(sov.STATES))
        assert row["segments"] == total.segments > 0


def with_gene_types():
    """Genes a (protein_coding, +), b (lncRNA, -), c (protein_coding, over a's end); two that count not."""
    spans = (("a", 20, 150, "+", "protein_coding"), ("b", 120, 300, "-", "lncRNA"))
    spans += (("c", 140, 160, "+", "protein_coding"), ("d", 0, 5, "+", "lncRNA"), ("e", 350, 400, "+", ""))
    genes = [
        {**dict.fromkeys(ANNOTATION_COLUMNS, ""), "contig": "one", "type": "gene", "cds_verified": True}
        | {"gene_id": name, "start": start, "end": end, "strand": strand, "biotype": kind}
        for name, start, end, strand, kind in spans
    ]
    return pd.concat([TABLE, pd.DataFrame(genes)], ignore_index=True)


@pytest.mark.parametrize("stretch", [64, 1 << 20])
@pytest.mark.parametrize("labels, strands", [("own_strand", ("+", "-")), ("either_strand", ("either",))])
def test_types_of_genes_are_scored_within_their_genes(tmp_path, monkeypatch, labels, strands, stretch):
    monkeypatch.setattr(counting, "STRETCH_BP", stretch)
    about, levels = make_tracks(tmp_path, labels)
    found = evaluation.evaluate_tracks(tmp_path, about, with_gene_types(), REGIONS).by_gene_type
    assert list(found["gene_type"]) == ["lncRNA", "protein_coding"] * len(FEATURES)
    # Regions start at 10: gene d lies outside, gene e has no type.
    within = {"protein_coding": {"+": slice(20, 160)}, "lncRNA": {"-": slice(120, 300)}}
    for (feature, kind), row in found.set_index(["feature", "gene_type"]).iterrows():
        truth, scores = [], []
        for strand in strands:
            place = next(iter(within[kind].values())) if strand == "either" else within[kind].get(strand)
            if place is None:
                continue
            own, scored = label_track(TABLE, "one", 400, (feature,), strand, True)
            track = levels[feature, strand]["one"]
            keep = scored[place, 0] & (track[place] != MISSING_LEVEL)
            truth.append(own[place, 0][keep])
            scores.append(track[place][keep] / 100)
        truth, scores = np.concatenate(truth), np.concatenate(scores)
        assert (row["n_bases"], row["positives"]) == (len(truth), truth.sum())
        assert row["mcc"] == pytest.approx(reference.matthews_corrcoef(truth, scores >= 0.5))


def test_an_annotation_without_types_of_genes_gives_no_rows(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand")
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS).by_gene_type
    assert found.empty and tuple(found.columns) == evaluation.GENE_TYPE_COLUMNS


def test_pieces_of_a_region_by_hand():
    # Window 20, shifts 0, 2, ... 18. Of 45 bases from 100 on, shifts 0 to 4 keep two windows (shift 4:
    # 104..144), shifts 6 to 18 one (118..138).
    assert samplings.shifts(20) == list(range(0, 20, 2))
    assert samplings.kept_span(100, 145, 4, 20) == (104, 144)
    assert samplings.kept_span(100, 145, 6, 20) == (106, 126)
    assert samplings.kept_span(100, 110, 4, 20) == (104, 104)  # no window fits
    pieces = list(samplings.make_pieces(100, 145, 20))
    assert (pieces[0][0], pieces[-1][1]) == (100, 145)
    assert [end for _, end, _ in pieces[:-1]] == [start for start, _, _ in pieces[1:]]
    for number, shift in enumerate(samplings.shifts(20)):
        kept = [(start, end) for start, end, held in pieces if held[number]]
        assert (kept[0][0], kept[-1][1]) == samplings.kept_span(100, 145, shift, 20)
        assert sum(end - start for start, end in kept) == kept[-1][1] - kept[0][0]


@pytest.mark.parametrize("window", [13, 70, 190])
def test_samplings_equal_whole_windows_cut_one_by_one(tmp_path, monkeypatch, window):
    monkeypatch.setattr(counting, "STRETCH_BP", 64)
    about, levels = make_tracks(tmp_path, "either_strand")
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS, window_bp=window)
    truth, scores, segments = [], [], []
    for number in range(samplings.SAMPLINGS):
        parts: list[list] = [[], []]
        sums = []
        for contig, span in SCORED.items():
            labels, _ = label_track(TABLE, contig, LENGTHS[contig], ("exon",), "either", True)
            track = levels["exon", "either"][contig]
            for at in range(span.start + number * window // 10, span.stop - window + 1, window):
                keep = track[at : at + window] != MISSING_LEVEL
                parts[0].append(labels[at : at + window, 0][keep])
                parts[1].append(track[at : at + window][keep] / 100)
                known = keep.astype(np.int8)
                states = [labels[at : at + window, 0], track[at : at + window] >= 50]
                pair = [sov.find_segments(known + (known & state), 0) for state in states]
                sums.append(sov.overlap_segments(*pair))
        segments.append(reduce(sov.SegmentOverlap.__add__, sums).score())
        truth.append(np.concatenate(parts[0]))
        scores.append(np.concatenate(parts[1]))
    rows = found.by_sampling[found.by_sampling["feature"] == "exon"]
    assert list(rows["n_bases"]) == [len(part) for part in truth]
    expected = [reference.matthews_corrcoef(t, s >= 0.5) for t, s in zip(truth, scores, strict=True)]
    assert list(rows["mcc"]) == pytest.approx(expected)
    assert list(rows["sov_windows"]) == pytest.approx(segments, nan_ok=True)
    whole = found.whole.set_index("feature").loc["exon"]
    assert (whole["samplings"], whole["window_bp"]) == (10, window)
    assert whole["mcc_mean"] == pytest.approx(np.mean(expected))
    assert whole["mcc_sd"] == pytest.approx(np.std(expected, ddof=1))


def test_a_sampling_without_a_whole_window_is_left_out(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand")
    found = evaluation.evaluate_tracks(tmp_path, about, TABLE, {"two": [(0, 100)]}, window_bp=90).whole
    assert set(found["samplings"]) == {2}  # shifts 0 and 9
    without = evaluation.evaluate_tracks(tmp_path, about, TABLE, {"two": [(0, 100)]})
    assert without.by_sampling.empty and without.whole["mcc_mean"].isna().all()


def test_the_threshold_moves_calls_and_nothing_else(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand")
    low = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS, threshold=0.0).whole
    high = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS, threshold=0.9).whole
    assert (low["recall"] == 1).all() and (low["mcc"] == 0).all() and (high["recall"] <= 0.5).all()
    same = ["n_bases", "positives", "auprc", "auroc", "best_mcc", "best_mcc_f1"]
    pd.testing.assert_frame_equal(low[same], high[same])


def test_tracks_of_float32_are_counted_at_the_finest_step(tmp_path):
    about, _ = make_tracks(tmp_path, "own_strand")
    coarse = evaluation.evaluate_tracks(tmp_path, about, TABLE, REGIONS).whole
    fine = evaluation.evaluate_tracks(tmp_path, {**about, "resolution": "float32"}, TABLE, REGIONS).whole
    pd.testing.assert_frame_equal(coarse, fine)


HUMAN = {"chr20": 64_444_167, "chr21": 46_709_983}
WHOLE = {contig: [(0, length)] for contig, length in HUMAN.items()}


def beside(model="segment_nt", regions=WHOLE, lengths=HUMAN, **changed):
    row = {"feature": "exon", "labels": "either_strand", "threshold": 0.5, "mcc": 0.5, "mcc_mean": 0.5}
    whole = pd.DataFrame([{**row, "mcc_sd": 0.01, **changed}])
    (found,) = published.beside_published(whole, model, regions, lengths).to_dict("records")
    return found


def test_the_papers_checkpoint_on_the_papers_chromosomes_compares():
    found = beside()
    assert (found["comparable"], found["published_mcc"]) == ("yes", 0.62)
    assert found["published_model"] == "SegmentNT-30kb" and "homologous" in found["reason"]
    unnamed = {contig.removeprefix("chr"): spans for contig, spans in WHOLE.items()}
    lengths = {contig.removeprefix("chr"): length for contig, length in HUMAN.items()}
    assert beside(regions=unnamed, lengths=lengths)["comparable"] == "yes"


PARTS = {"chr20": [(0, 60_000_000)], "chr21": [(0, 1_000)]}
OTHERS = [
    ({"model": None}, None, "the model is not named"),
    ({"model": "demo_segment_nt"}, None, "no published MCC for the model demo_segment_nt"),
    ({"model": "segment_nt_multi_species"}, None, "no published MCC for the model segment_nt_multi_species"),
    ({"feature": "CDS"}, None, "no published MCC for CDS"),
    (
        {"lengths": {**HUMAN, "chr20": 63_025_520}},
        0.62,
        "other sequences than chromosomes 20 and 21 of GRCh38",
    ),
    ({"regions": {"chr20": WHOLE["chr20"]}}, 0.62, "other sequences than"),
    ({"regions": PARTS}, 0.62, "only 54% of the test chromosomes"),
    ({"labels": "own_strand"}, 0.62, "labels of one strand"),
    ({"threshold": 0.4}, 0.62, "threshold 0.4, not 0.5"),
]


@pytest.mark.parametrize("changes, number, reason", OTHERS)
def test_anything_else_does_not_compare(changes, number, reason):
    found = beside(**changes)
    assert found["comparable"] == "no" and reason in found["reason"]
    assert (None if pd.isna(found["published_mcc"]) else found["published_mcc"]) == number


def test_the_published_table_is_whole():
    table = published.read_published()
    assert {model for model, _ in table} >= {"SegmentNT-10kb", "SegmentNT-20kb", "SegmentNT-30kb"}
    assert len([feature for model, feature in table if model == "SegmentNT-30kb"]) == 14
    assert all(0 <= mcc < 1 for mcc in table.values())
