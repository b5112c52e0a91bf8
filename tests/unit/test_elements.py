"""Elements are called base-exactly, whatever the cut, and their files are read back by others."""

import re

import numpy as np
import pytest
import toy_elements
from toy_elements import OWN_STRAND, values, write_run

from dnalm.annotation import read_annotation
from dnalm.elements import calling, features, formats
from dnalm.elements.calling import Calling, Element
from dnalm.elements.source import open_source
from dnalm.errors import UserError
from dnalm.files import read_manifest
from dnalm.genome import Genome, read_bed

EXON = {"exon.bw": ("exon", "either")}


def called(folder, contigs, how, tracks=EXON, regions=None):
    run, genome = write_run(folder, contigs, tracks, regions)
    with Genome(genome) as opened:
        return list(calling.call_elements(open_source(run, opened), how))


# name, tenths of probability per base, settings, elements expected
CASES = [
    ("none reaches", "1234321", {}, []),
    ("the whole contig", "5678", {}, [(0, 4)]),
    ("first base", "9000", {}, [(0, 1)]),
    ("last base", "0009", {}, [(3, 4)]),
    ("a single base", "00900", {}, [(2, 3)]),
    ("at the threshold", "04540", {}, [(2, 3)]),
    ("two", "0990099", {}, [(1, 3), (5, 7)]),
    ("before a missing base", "099.00", {}, [(1, 3)]),
    ("a missing base ends it", "09.900", {}, [(1, 2), (3, 4)]),
    ("a missing base is no gap to merge", "09.900", {"merge_gap_bp": 5}, [(1, 2), (3, 4)]),
    ("nor beside bases below", "90.099", {"merge_gap_bp": 5}, [(0, 1), (4, 6)]),
    ("a gap merged", "0900900", {"merge_gap_bp": 2}, [(1, 5)]),
    ("a gap too long", "0900090", {"merge_gap_bp": 2}, [(1, 2), (5, 6)]),
    ("two gaps merged", "9090009", {"merge_gap_bp": 1}, [(0, 3), (6, 7)]),
    ("the end is no gap", "0900", {"merge_gap_bp": 9}, [(1, 2)]),
    ("too short", "0990999", {"min_length_bp": 3}, [(4, 7)]),
    ("length after merging", "0909000", {"min_length_bp": 3, "merge_gap_bp": 1}, [(1, 4)]),
    ("another threshold", "0454", {"threshold": 0.4}, [(1, 4)]),
    ("threshold of the feature", "0454", {"thresholds": {"exon": 0.4}}, [(1, 4)]),
    ("threshold 0", "00.0", {"threshold": 0.0}, [(0, 2), (3, 4)]),
    ("threshold 1", "0190", {"threshold": 1.0}, []),
    # means of three: 4.5, 3, 0, 3, 3, 6, 4.5
    ("smoothed", "9000909", {"smoothing_bp": 3, "threshold": 0.6}, [(5, 6)]),
    ("smoothed and lower", "9000909", {"smoothing_bp": 3, "threshold": 0.3}, [(0, 2), (3, 7)]),
    ("smoothed at the ends", "9000", {"smoothing_bp": 3, "threshold": 0.45}, [(0, 1)]),
    ("smoothed up to a missing base", "99.00", {"smoothing_bp": 5}, [(0, 2)]),
    ("no value crosses a missing base", "00.99", {"smoothing_bp": 5}, [(3, 5)]),
    ("a missing base stays missing", "9.9", {"smoothing_bp": 3}, [(0, 1), (2, 3)]),
    ("wider than the contig", "0090", {"smoothing_bp": 101, "threshold": 0.2}, [(0, 4)]),
]


@pytest.mark.parametrize("stretch_bp", [1 << 20, 1, 2, 3])
@pytest.mark.parametrize(
    "text, settings, spans", [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_elements_are_exact_to_the_base(tmp_path, monkeypatch, text, settings, spans, stretch_bp):
    monkeypatch.setattr(calling, "STRETCH_BP", stretch_bp)
    found = called(tmp_path, {"one": {"exon.bw": values(text)}}, Calling(**settings))
    assert [(element.start, element.end) for element in found] == spans
    for element in found:
        inside = values(text)[element.start : element.end]
        assert element.mean == pytest.approx(inside.mean(), abs=1e-12)
        assert element.maximum == pytest.approx(inside.max(), abs=1e-12)


@pytest.mark.parametrize("settings", [{}, {"smoothing_bp": 7, "merge_gap_bp": 4, "min_length_bp": 3}])
def test_a_slow_caller_says_the_same(tmp_path, monkeypatch, settings):
    monkeypatch.setattr(calling, "STRETCH_BP", 97)
    generator = np.random.default_rng(5)
    noisy = np.round(generator.random(2000), 2)
    noisy[generator.random(2000) < 0.03] = np.nan
    how = Calling(0.55, **settings)
    found = [(e.start, e.end) for e in called(tmp_path, {"one": {"exon.bw": noisy}}, how)]
    assert found == slow(noisy, how) and len(found) > 20


def slow(track, how):
    """Calls base by base, as the definition reads."""
    reach, spans, gap = how.smoothing_bp // 2, [], None
    for base in range(len(track)):
        if np.isnan(track[base]):
            gap = None
            continue
        left = right = base
        while left > 0 and base - left < reach and not np.isnan(track[left - 1]):
            left -= 1
        while right + 1 < len(track) and right - base < reach and not np.isnan(track[right + 1]):
            right += 1
        window = np.rint(track[left : right + 1] * 1e6)
        if window.sum() < how.threshold * 1e6 * len(window):
            gap = None if gap is None else gap + 1
        elif gap is not None and gap <= how.merge_gap_bp:
            spans[-1], gap = (spans[-1][0], base + 1), 0
        else:
            spans.append((base, base + 1))
            gap = 0
    return [(start, end) for start, end in spans if end - start >= how.min_length_bp]


def test_float32_tracks_are_called_too(tmp_path):
    track = np.array([0.49999, 0.5, 0.500001, np.nan, 0.4, 1.0])
    run, genome = write_run(tmp_path, {"one": {"exon.bw": track}}, EXON, resolution=None)
    with Genome(genome) as opened:
        found = list(calling.call_elements(open_source(run, opened), Calling()))
    assert [(element.start, element.end) for element in found] == [(1, 3), (5, 6)]


def test_an_element_ends_with_its_region(tmp_path):
    regions = ["one:0-3", "one:3-4", "one:6-8"]  # the first two touch: one region
    found = called(
        tmp_path, {"one": {"exon.bw": values("99999999")}}, Calling(merge_gap_bp=9), regions=regions
    )
    assert [(element.start, element.end) for element in found] == [(0, 4), (6, 8)]


@pytest.mark.parametrize("stretch_bp", [1 << 20, 2])
def test_order_is_that_of_the_genome(tmp_path, monkeypatch, stretch_bp):
    monkeypatch.setattr(calling, "STRETCH_BP", stretch_bp)
    contigs = {
        "10": {"exon.plus.bw": values("0999999"), "exon.minus.bw": values("9909099")},
        "2": {"exon.plus.bw": values("9"), "exon.minus.bw": values("9")},
    }
    found = called(tmp_path, contigs, Calling(), OWN_STRAND)
    places = [(element.contig, element.start, element.strand) for element in found]
    ten = [("10", 0, "-"), ("10", 1, "+"), ("10", 3, "-"), ("10", 5, "-")]
    assert places == [*ten, ("2", 0, "+"), ("2", 0, "-")]


def test_splice_sites_stay_single_bases(tmp_path):
    how = Calling(0.5, {}, smoothing_bp=3, min_length_bp=4, merge_gap_bp=4)
    tracks = {"splice_donor.bw": ("splice_donor", "either")}
    found = called(tmp_path, {"one": {"splice_donor.bw": values("0090090")}}, how, tracks)
    assert [(element.start, element.end) for element in found] == [(2, 3), (5, 6)]


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"threshold": 1.1}, r"threshold: is 1\.1 \(expected 0 to 1\)"),
        ({"thresholds": {"exon": -0.1}}, r"threshold of exon: is -0\.1"),
        ({"threshold": float("nan")}, "threshold: is nan"),
        ({"smoothing_bp": 4}, r"smoothing_bp: is 4 \(expected an odd number\)"),
        ({"smoothing_bp": -1}, "smoothing_bp: is -1"),
        ({"min_length_bp": 0}, "min_length_bp: is 0"),
        ({"merge_gap_bp": -1}, "merge_gap_bp: is -1"),
    ],
)
def test_settings_have_limits(settings, message):
    with pytest.raises(UserError, match=message):
        Calling(**settings)


ELEMENT = Element("chr 1;x", 9, 20, "exon.plus.bw", "exon", "+", 0.71234567, 0.9)
GFF3_CASES = [
    (
        ELEMENT,
        "chr%201%3Bx\tdnalm\texon\t10\t20\t0.712346\t+\t.\tID=exon.plus.1;feature=exon;max_probability=0.9",
    ),
    (
        Element("1", 0, 1, "p.bw", "promoter_Tissue_specific", "either", 1.0, 1.0),
        "1\tdnalm\tpromoter\t1\t1\t1\t.\t.\tID=p.1;feature=promoter_Tissue_specific;max_probability=1;tissue=specific",
    ),
    (
        Element("1", 0, 1, "a.bw", "a=b;c,d%", "-", 0.5, 0.5),
        "1\tdnalm\tsequence_feature\t1\t1\t0.5\t-\t.\tID=a.1;feature=a%3Db%3Bc%2Cd%25;max_probability=0.5",
    ),
]


@pytest.mark.parametrize("element, line", GFF3_CASES)
def test_gff3_lines(element, line):
    name = element.track.removesuffix(".bw") + ".1"
    assert formats.gff3_line(element, name) == line + "\n"


def test_bed_lines():
    minus = Element("1", 9, 20, "exon.minus.bw", "exon", "-", 0.7125, 0.9)
    assert formats.bed_line(minus) == "1\t9\t20\texon\t713\t-\t9\t20\t115,177,213\n"
    assert formats.bed_line(ELEMENT).endswith("\t712\t+\t9\t20\t0,114,178\n")


def test_every_published_feature_has_a_term():
    lines = open_models()
    known = {name for line in lines for name in line.split(",")}
    assert len(known) == 15 and known <= set(features.KINDS)
    assert {kind.term for kind in features.KINDS.values()} <= SO_TERMS
    assert all(len(kind.label) <= 17 for kind in features.KINDS.values())


SO_TERMS = {
    *("exon", "intron", "five_prime_cis_splice_site", "three_prime_cis_splice_site", "CDS_region"),
    *("five_prime_UTR", "three_prime_UTR", "protein_coding_gene", "lncRNA", "CTCF_binding_site"),
    *("polyA_signal_sequence", "enhancer", "promoter"),
}


def open_models():
    import csv
    from pathlib import Path

    with open(Path(__file__).parents[2] / "resources" / "models.tsv") as handle:
        return {row["features"] for row in csv.DictReader(handle, delimiter="\t") if row["features"]}


def run_step(folder, *more):
    import call_elements

    random = np.random.default_rng(3).random((2, 3000)).cumsum(axis=1) % 0.99  # saw teeth of a few bases
    tracks = OWN_STRAND | {"cds.plus.bw": ("CDS", "+"), "cds.minus.bw": ("CDS", "-")}
    columns = dict(zip(tracks, [*random, *random[::-1]], strict=True))
    run, genome = write_run(folder, {"10": columns, "2": columns}, tracks)
    output = run / "elements.bed"
    status = call_elements.main(toy_elements.step_arguments(run, genome, *more, "--output", output))
    assert status == 0
    return run, genome


def test_the_files_agree_and_are_read_by_others(tmp_path):
    import pyranges

    run, genome = run_step(tmp_path, "--thresholds", "exon=0.7")
    with Genome(genome) as opened:
        table = read_bed(run / "elements.bed", opened.lengths)
    assert len(table) > 500 and set(table["name"]) == {"exon", "CDS"}
    assert list(dict.fromkeys(table["contig"])) == ["10", "2"]
    assert all(group["start"].is_monotonic_increasing for _, group in table.groupby("contig"))
    ranges = pyranges.read_bed(str(run / "elements.bed"), as_df=True)
    assert ranges["Score"].between(500, 1000).all() and set(ranges["Strand"]) == {"+", "-"}

    rows = strict_gff3(run / "elements.gff3", {"10": 3000, "2": 3000})
    assert len(rows) == len({row["ID"] for row in rows}) == len(table)
    assert [(r["contig"], r["start"] - 1, r["end"]) for r in rows] == list(
        zip(table["contig"], table["start"], table["end"], strict=True)
    )
    assert {row["type"] for row in rows} == {"exon", "CDS_region"}
    assert all(0.5 <= float(row["score"]) <= float(row["max_probability"]) + 1e-6 for row in rows)
    ours = read_annotation(run / "elements.gff3")
    exons = [(r["contig"], r["start"] - 1, r["end"], r["strand"]) for r in rows if r["type"] == "exon"]
    read = ours[ours["type"] == "exon"].sort_values(["contig", "start"], kind="stable")
    assert sorted(zip(read["contig"], read["start"], read["end"], read["strand"], strict=True)) == sorted(
        exons
    )
    content = read_manifest(run / "elements.bed")["content"]
    assert content["thresholds"] == {"exon": 0.7} and sum(content["counts"].values()) == len(rows)


def strict_gff3(path, lengths):
    """Reads GFF3 as the specification says it must be, and says what is not so."""
    lines = path.read_text().split("\n")
    assert lines[0] == "##gff-version 3" and lines.pop() == ""
    named = [f"##sequence-region {contig} 1 {length}" for contig, length in lengths.items()]
    assert lines[1 : 1 + len(named)] == named
    rows = []
    for line in lines[1 + len(named) :]:
        contig, source, kind, start, end, score, strand, phase, ninth = line.split("\t")
        assert 1 <= int(start) <= int(end) <= lengths[contig] and source == "dnalm"
        assert strand in "+-." and (phase == "." and kind != "CDS") and 0 <= float(score) <= 1
        attributes = dict(pair.split("=") for pair in ninth.split(";"))
        rows.append(
            {
                "contig": contig,
                "type": kind,
                "start": int(start),
                "end": int(end),
                "score": score,
                "strand": strand,
            }
            | attributes
        )
        assert not re.search(r"[A-Z]", "".join(set(attributes) - {"ID"}))  # upper case is reserved
    return rows


def test_no_element_gives_valid_empty_files(tmp_path, capfd):
    run, _ = run_step(tmp_path, "--threshold", "1")
    assert (run / "elements.bed").read_bytes() == b""
    assert strict_gff3(run / "elements.gff3", {"10": 3000, "2": 3000}) == []
    assert "no base reaches its threshold" in capfd.readouterr().err
    assert read_manifest(run / "elements.bed")["content"]["counts"] == {}


def test_memory_does_not_grow_with_the_contig(tmp_path, monkeypatch):
    import tracemalloc

    monkeypatch.setattr(calling, "STRETCH_BP", 1 << 14)
    peaks = []
    for name, length in (("short", 1 << 16), ("long", 1 << 19)):
        track = np.tile(np.repeat([0.9, 0.1], 50), length // 100 + 1)[:length]
        run, genome = write_run(tmp_path / name, {"one": {"exon.bw": track}}, EXON)
        with Genome(genome) as opened:
            source = open_source(run, opened)
            tracemalloc.start()
            count = sum(1 for _ in calling.call_elements(source, Calling()))
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert count == -(-length // 100)
    assert peaks[1] < 1.2 * peaks[0]
