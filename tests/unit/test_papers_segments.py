"""The SegmentNT paper's figures: tracks two a panel, and scores beside the published ones."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_readable
from matplotlib.collections import LineCollection
from matplotlib.patches import Rectangle, StepPatch
from paper_tables_segments import (
    DEMO,
    FIRST_GAP_BP,
    FOURTEEN,
    GAP,
    beside_scores,
    paper_tracks,
    segment_scores,
    write_table,
)
from toy_genes import CONTIG, LENGTH_BP, toy_annotation

from dnalm.annotation import write_annotation
from dnalm.errors import UserError
from dnalm.figures import palette, style
from dnalm.figures.papers import segment_data, segment_marks, segment_metrics, segment_tracks
from dnalm.figures.papers import segment_scores as element_scores

ROOT = Path(__file__).parents[2]
WIDTHS = (style.COLUMN_MM, style.PAGE_MM)
REGION = (CONTIG, 19_000, 24_000)  # bins of 5 bp
SHORT = (CONTIG, 20_200, 20_500)
NOTHING = (CONTIG, 1_000, 4_000)


def sha256(figure):
    return [hashlib.sha256(data).hexdigest() for data in style.render(figure, "x").values()]


def run_script(name, *arguments):
    command = [sys.executable, str(ROOT / "workflow/scripts" / name), *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


# ---- tracks


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return paper_tracks(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    return paper_tracks(tmp_path_factory.mktemp("demo"), DEMO, (".plus", ".minus"))


def block_of(folder, region=REGION):
    return segment_data.read_block(folder, toy_annotation(), region)


def panels_of(figure):
    return [axes for axes in figure.axes if axes.get_ylabel() == "Prob."]


def test_order_and_pairs_are_the_papers():
    assert {element.feature for element in segment_data.PUBLISHED} == set(FOURTEEN)
    pairs = [[element.feature for element in pair] for pair in segment_data.pair_up([*DEMO, "x", "y"])]
    assert pairs[0] == ["protein_coding_gene", "lncRNA"] and pairs[6] == ["CTCF-bound", "polyA_signal"]
    assert pairs[7:] == [["CDS", "x"], ["y"]]


def test_tracks_are_found_by_feature_and_strand(whole, demo):
    assert set(segment_data.find_tracks(whole)) == {(feature, ".") for feature in FOURTEEN}
    assert set(segment_data.find_tracks(demo)) == {(feature, strand) for feature in DEMO for strand in "+-"}


def test_fourteen_elements_have_seven_panels(whole):
    figure = segment_tracks.plot_segments([block_of(whole)], "segment_nt")
    texts = assert_readable(figure)
    assert len(panels_of(figure)) == 7 and all(axes.get_ylim() == (0, 1.05) for axes in panels_of(figure))
    assert {element.label for element in segment_data.PUBLISHED} <= set(texts)
    assert not [text for text in texts if "not predicted" in text]
    assert f"c1:19,001{palette.DASH}24,000 (5,000 bp)" in texts and "Position on c1 (kb)" in texts
    note = figure.get_label()
    for words in ("Model: segment_nt.", "dark edges", "Hatched", "maximum of splice donor, splice acceptor"):
        assert words in note
    assert "Bins of 5 bp" in note and "mirrored" not in note


def test_areas_lines_and_sites_hold_the_values(whole):
    block = block_of(whole)
    first, _, exons, sites = panels_of(segment_tracks.plot_segments([block], "m"))[:4]
    area, line = (patch for patch in exons.patches if isinstance(patch, StepPatch))
    assert area.get_fill() and not line.get_fill() and line.get_path_effects()
    edges = area.get_data().edges
    assert (edges[0], edges[-1]) == REGION[1:] and len(edges) == 1001
    inside = (edges[:-1] >= 20_000) & (edges[1:] <= 20_400)
    np.testing.assert_allclose(area.get_data().values[inside], 0.9, rtol=1e-6)
    table = block.tracks[block.tracks["feature"] == "intron"]
    np.testing.assert_array_equal(line.get_data().values, table["probability"])
    needles = [one for one in sites.collections if isinstance(one, LineCollection)]
    tops = [[tuple(path[1]) for path in one.get_segments()] for one in needles]
    # Bins of 5 bp from 19,000: the donors at 20,400 and 21,300, the acceptors at 20,999 and 21,999.
    assert tops == [[(20_402.5, 1.0), (21_302.5, 1.0)], [(20_997.5, 1.0), (21_997.5, 1.0)]]
    tips = [line for line in sites.lines if line.get_marker() == "s"]
    assert [list(tip.get_xdata()) for tip in tips] == [[20_997.5, 21_997.5]]
    hatched = [
        (patch.get_x(), patch.get_width())
        for patch in first.patches
        if isinstance(patch, Rectangle) and patch.get_hatch()
    ]
    assert hatched == [(GAP[0], GAP[1] - GAP[0])]


def test_colours_are_the_papers(whole):
    panels = panels_of(segment_tracks.plot_segments([block_of(whole)], "m"))
    areas = [next(patch for patch in axes.patches if isinstance(patch, StepPatch)) for axes in panels[:3]]
    from matplotlib.colors import to_hex

    assert [to_hex(area.get_facecolor()).upper() for area in areas] == ["#66C2A5", "#8DA0CB", "#A6D854"]


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_what_a_model_has_not_leaves_a_note(demo, width_mm):
    blocks = [block_of(demo), block_of(demo, (CONTIG, 16_000, 65_992))]
    figure = segment_tracks.plot_segments(blocks, "demo_segment_nt", width_mm=width_mm)
    texts = assert_readable(figure)
    assert texts.count("5\u2032 UTR: not predicted by demo_segment_nt") == 2
    assert texts.count("CTCF-bound; polyA signal: not predicted by demo_segment_nt") == 2
    assert texts.count("CDS") == 2 and "a" in texts and "b" in texts
    panels = panels_of(figure)
    assert len(panels) == 8 and {axes.get_ylim() for axes in panels} == {(-1.05, 1.05)}
    assert "minus strand mirrored" in figure.get_label() and "Bins of 5 or 50 bp" in figure.get_label()
    minus = [patch for patch in panels[1].patches if isinstance(patch, StepPatch)]
    assert min(np.nanmin(patch.get_data().values) for patch in minus) < 0


def test_a_long_name_of_a_model_is_left_out(demo):
    figure = segment_tracks.plot_segments([block_of(demo)], "m" * 90, width_mm=style.COLUMN_MM)
    assert "CTCF-bound; polyA signal: not predicted" in [text.get_text() for text in figure.texts]


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_a_region_without_prediction_is_a_gap_with_one_warning(whole, caplog, width_mm):
    with caplog.at_level("WARNING"):
        block = block_of(whole, NOTHING)
        texts = assert_readable(segment_tracks.plot_segments([block], "m", width_mm=width_mm))
    assert NOTHING[2] <= FIRST_GAP_BP and block.empty
    assert texts.count("no prediction in this region") == 1 and "no annotated gene" in texts
    assert caplog.text.count("no prediction in c1:1000-4000") == 1 and len(caplog.records) == 1


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_tracks_of_all_elements_can_be_read(whole, width_mm):
    blocks = [block_of(whole), block_of(whole, (CONTIG, 16_000, 65_992))]
    assert_readable(segment_tracks.plot_segments(blocks, "m", width_mm=width_mm))


def test_tracks_have_the_same_bytes(whole):
    drawn = [
        segment_tracks.plot_segments([block_of(whole, SHORT)], "m", width_mm=style.COLUMN_MM)
        for _ in range(2)
    ]
    assert sha256(drawn[0]) == sha256(drawn[1])


def test_the_table_holds_the_bins(demo):
    table = segment_data.block_table([block_of(demo)])
    columns = ["contig", "bin_start", "bin_end", "3UTR+", "3UTR-", "exon+", "exon-", "intron+", "intron-"]
    assert list(table.columns[:9]) == columns and table.columns[-1] == "CDS-" and len(table) == 1000
    inside = table[(table["bin_start"] >= 20_000) & (table["bin_end"] <= 20_400)]
    np.testing.assert_allclose(inside["exon+"], 0.9, rtol=1e-6)


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ("c9:0-10", "names no contig"),
        ("c1:79000-80001", "ends after the contig"),
        ("c1:9-5", "is not contig:start-end"),
    ],
)
def test_regions_must_lie_on_the_tracks(whole, region, message):
    with pytest.raises(UserError, match=message):
        segment_data.find_regions([region], whole)
    assert segment_data.find_regions(["c1:5-9", "c1:1-3"], whole) == [(CONTIG, 5, 9), (CONTIG, 1, 3)]


def test_too_long_a_region(whole, monkeypatch):
    monkeypatch.setattr(segment_data, "LONGEST_BP", 1_000)
    with pytest.raises(UserError, match=r"too long to draw .found 2000 bp, expected <= 1000"):
        segment_data.find_regions(["c1:1000-3000"], whole)


def test_tracks_of_another_genome(tmp_path):
    folder = paper_tracks(tmp_path, ("exon",))
    with pytest.raises(UserError, match=r"exon.bw: holds no c1:79000-80001"):
        block_of(folder, (CONTIG, 79_000, LENGTH_BP + 1))


def test_the_script_of_the_tracks(whole, tmp_path):
    write_annotation(toy_annotation(), tmp_path / "annotation.parquet")
    given = [
        "--annotation",
        tmp_path / "annotation.parquet",
        "--model",
        "m",
        "--output-stem",
        tmp_path / "f.x",
    ]
    done = run_script("plot_segmentnt_tracks.py", "--tracks", whole, "--regions", "c1:20200-20500", *given)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.glob("f.x*")}
    assert names == {"f.x.svg", "f.x.png", "f.x.85mm.svg", "f.x.85mm.png", "f.x.tsv"}
    assert len(pd.read_csv(tmp_path / "f.x.tsv", sep="\t")) == 300
    (tmp_path / "none").mkdir()
    for folder, message in ((tmp_path / "none", "holds no tracks"), (whole, "names no contig")):
        done = run_script("plot_segmentnt_tracks.py", "--tracks", folder, "--regions", "c9:1-2", *given)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1


# ---- scores


def gathered(tmp_path, scores=None, beside=None):
    scores = segment_scores() if scores is None else scores
    beside = beside_scores() if beside is None else beside
    return element_scores.gather(
        write_table(scores, tmp_path / "m.tsv"), write_table(beside, tmp_path / "b.tsv")
    )


def test_rows_are_the_papers_and_then_ours(tmp_path):
    table = gathered(tmp_path)
    assert list(table["feature"]) == [element.feature for element in segment_data.PUBLISHED] + ["CDS"]
    assert list(table.columns) == list(element_scores.DRAWN_COLUMNS)
    assert set(table.loc[table["scored"], "feature"]) == set(DEMO) and not table["comparable"].any()
    exon = table.set_index("feature").loc["exon"]
    # The published numbers are those of Supplementary Table 2 of the paper.
    assert [exon["SegmentNT-10kb"], exon["SegmentNT-30kb"], exon["SegmentEnformer-30kb"]] == [
        0.59,
        0.62,
        0.59,
    ]
    assert exon["mcc"] == 0.8 and exon["positives"] == 2_000_000


@pytest.mark.parametrize(
    ("values", "lanes"),
    [([0.1, 0.5], [0, 0]), ([0.1, 0.11, 0.13], [0, 1, 0]), ([0.3, 0.3, 0.3], [0, 1, 2]), ([], [])],
)
def test_marks_that_would_touch_lie_in_other_lanes(values, lanes):
    assert segment_marks.place_marks(values, 0.02) == lanes


def marks_of(axes):
    return [line for line in axes.lines if line.get_marker() in element_scores.MARKERS.values()]


def panels(figure):
    return {axes.get_xlabel(): axes for axes in figure.axes if axes.get_xlabel()}


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_bars_whiskers_ticks_and_hollow_marks(tmp_path, width_mm):
    table = gathered(tmp_path)
    figure = segment_metrics.plot_metrics(table, "demo_segment_nt", width_mm=width_mm)
    texts = assert_readable(figure)
    left, right = panels(figure)["MCC"], panels(figure)["auPRC"]
    # Order of the rows: 3UTR, exon, intron, donor, acceptor, CDS; the toy scores fall in DEMO's order.
    assert [patch.get_width() for patch in left.patches] == pytest.approx([0.3, 0.8, 0.7, 0.6, 0.5, 0.4])
    assert [patch.get_width() for patch in right.patches] == pytest.approx([0.4, 0.9, 0.8, 0.7, 0.6, 0.5])
    whiskers = [line for line in left.lines if line.get_linestyle() == "-" and line.get_linewidth() == 0.7]
    spans = [float(np.ptp(line.get_xdata())) for line in whiskers]
    assert spans == pytest.approx([0.24, 0.04, 0.08, 0.12, 0.16, 0.20])
    ticks = [line for line in right.lines if line.get_color() == palette.VERMILLION]
    rates = [float(line.get_xdata()[0]) for line in ticks]
    assert rates == pytest.approx([0.0055555, 0.2, 0.025, 0.0133333, 0.0090909, 0.0068965])
    assert len(marks_of(left)) == int(table[list(element_scores.MARKERS)].notna().sum().sum()) == 53
    assert {line.get_markerfacecolor() for line in marks_of(left)} == {"none"}
    scored = 1 if width_mm == style.COLUMN_MM else 2  # in a column, (b) has the scored elements alone
    assert texts.count("not scored") == 9 * scored
    assert {"2,000,000", "20 %", "0.56 %", "0.80", *element_scores.MARKERS, "Base rate"} <= set(texts)


def test_marks_are_pale_where_they_cannot_be_compared(tmp_path):
    beside = beside_scores(comparable=("exon",), reason="only 5% of the test chromosomes")
    figure = segment_metrics.plot_metrics(gathered(tmp_path, beside=beside), "segment_nt")
    axes, note = panels(figure)["MCC"], figure.get_label()
    looks = {}
    for line in marks_of(axes):
        key = line.get_markeredgecolor(), line.get_markeredgewidth()
        looks[key] = looks.get(key, 0) + 1
    assert looks == {(segment_marks.OTHERWISE, 0.5): 52, (segment_marks.COMPARABLE, 0.8): 1}
    assert "Dark: comparable (Exon): same checkpoint, chromosomes and threshold." in note
    assert "not comparable (3\u2032 UTR, Intron, Splice donor, Splice acceptor): only 5%" in note
    assert "de Almeida et al. 2025" in note and "chromosomes 20 and 21" in note


def test_the_note_says_why_and_what_whiskers_mean(tmp_path):
    note = segment_metrics.plot_metrics(gathered(tmp_path), "demo_segment_nt").get_label()
    for words in (
        "Model: demo_segment_nt.", "n = 10,000,000", "labels of own strand", "called from 0.5 on",
        "\u00b1 2 s.d. of 10 samplings with shifted window starts (s.d. at most 0.06)",
        "neither training nor sampling error",
        "not comparable: no published MCC for the model demo_segment_nt",
    ):  # fmt: skip
        assert words in note


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_missing_scores_are_gaps_with_one_warning(tmp_path, caplog, width_mm):
    scores = segment_scores()
    scores.loc[0, ["mcc", "mcc_sd"]] = np.nan
    scores.loc[1, ["auprc", "base_rate"]] = np.nan
    scores.loc[2, ["mcc", "mcc_sd"]] = -0.05, 0.03
    with caplog.at_level("WARNING"):
        table = gathered(tmp_path, scores)
        figure = segment_metrics.plot_metrics(table, "m", width_mm=width_mm)
    texts = assert_readable(figure)
    assert texts.count("no value") == 2 and f"{palette.MINUS}0.05" in texts
    assert panels(figure)["MCC"].get_xlim()[0] == pytest.approx(-0.2)
    assert [record.getMessage() for record in caplog.records] == [
        "segmentnt_metrics: a value of 2 elements is missing and drawn as a gap"
    ]


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_nothing_scored(tmp_path, caplog, width_mm):
    with caplog.at_level("WARNING"):
        table = gathered(tmp_path, segment_scores()[:0], beside_scores()[:0])
        texts = assert_readable(segment_metrics.plot_metrics(table, "m", width_mm=width_mm))
    assert "not scored" in texts and len(caplog.records) == 1 and "no element was scored" in caplog.text
    assert ("no element was scored" in texts) == (width_mm == style.COLUMN_MM)


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_scores_without_samplings(tmp_path, width_mm):
    scores = segment_scores(FOURTEEN[:8], "either_strand").assign(mcc_sd=np.nan, samplings=0)
    table = gathered(tmp_path, scores, beside_scores(FOURTEEN[:8], FOURTEEN[:8]))
    figure = segment_metrics.plot_metrics(table, "segment_nt", width_mm=width_mm)
    assert_readable(figure)
    assert "Whiskers" not in figure.get_label() and "labels of either strand" in figure.get_label()


def test_scores_have_the_same_bytes(tmp_path):
    table = gathered(tmp_path)
    drawn = [segment_metrics.plot_metrics(table, "m", width_mm=style.COLUMN_MM) for _ in range(2)]
    assert sha256(drawn[0]) == sha256(drawn[1])


def test_the_script_of_the_scores(tmp_path):
    metrics = write_table(segment_scores(), tmp_path / "m.tsv")
    beside = write_table(beside_scores(), tmp_path / "b.tsv")
    given = ["--model", "demo_segment_nt", "--output-stem", tmp_path / "scores"]
    done = run_script("plot_segmentnt_metrics.py", "--metrics", metrics, "--published", beside, *given)
    assert done.returncode == 0, done.stderr
    names = {path.name for path in tmp_path.glob("scores*")}
    assert names == {f"scores{end}" for end in (".svg", ".png", ".85mm.svg", ".85mm.png", ".tsv")}
    drawn = pd.read_csv(tmp_path / "scores.tsv", sep="\t").set_index("feature")
    assert drawn.loc["exon", "positives"] == 2_000_000 and drawn.loc["exon", "SegmentNT-20kb"] == 0.62
    lacking = write_table(segment_scores().drop(columns="mcc_sd"), tmp_path / "lacking.tsv")
    for table, message in ((lacking, "lacks the columns mcc_sd"), (tmp_path / "no.tsv", "not found")):
        done = run_script("plot_segmentnt_metrics.py", "--metrics", table, "--published", beside, *given)
        assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
