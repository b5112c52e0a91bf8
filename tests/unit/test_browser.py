"""The browser page holds what the run holds, stays below its size, and names no other place."""

import base64
import gzip
import hashlib
import json
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import toy_elements
import toy_genes
import toy_models

from dnalm import annotation, tracks
from dnalm.browser import page, places, slices
from dnalm.elements import sessions
from dnalm.errors import UserError
from dnalm.figures import genes
from dnalm.genome import Genome
from dnalm.segmentation.evaluation import read_tracks

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "workflow" / "scripts" / "make_browser.py"
HERE = ROOT / "workflow" / "scripts" / "dnalm" / "browser"
CONTIG, LENGTH_BP = toy_genes.CONTIG, toy_genes.LENGTH_BP
GAP = (22_600, 23_100)  # without a prediction
STRANDS = {"plus": "+", "minus": "-"}
TRACKS = {
    f"{feature}.{word}.bw": (feature, sign)
    for feature in ("exon", "splice_donor")
    for word, sign in STRANDS.items()
}


def track_values(feature, strand):
    """Probabilities that follow the toy's genes, with three digits where there is none."""
    values = np.random.default_rng(len(feature)).integers(0, 60, LENGTH_BP) / 1000
    for sign, exons, _ in toy_genes.GENES.values():
        if sign == strand and feature == "exon":
            for start, end in exons:
                values[start:end] = 0.9
        elif sign == strand:
            for (_, left), (right, _) in pairwise(exons):
                values[left if sign == "+" else right - 1] = 0.95
    values[slice(*GAP)] = np.nan
    return values


def make_run(folder, regions=None, resolution=0.001, columns=None):
    """Writes genome, annotation, tracks and called elements; returns the script's arguments for them."""
    import call_elements

    columns = columns or {name: track_values(*about) for name, about in TRACKS.items()}
    contigs = {"small": {name: np.full(500, np.nan) for name in TRACKS}, CONTIG: columns}
    run, genome = toy_elements.write_run(folder, contigs, TRACKS, regions, resolution)
    table = folder / "species" / "annotation.parquet"
    annotation.write_annotation(toy_genes.toy_annotation(), table)
    assert (
        call_elements.main([*toy_elements.step_arguments(run, genome), "--output", f"{run}/elements.bed"])
        == 0
    )
    return ["--genome", str(genome), "--annotation", str(table), "--tracks", str(run), "--title", "A <toy>"]


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"), [f"{CONTIG}:0-{LENGTH_BP}"])


def run_of(arguments):
    return Path(arguments[arguments.index("--tracks") + 1])


@pytest.fixture
def inputs(arguments):
    run = run_of(arguments)
    with Genome(arguments[1]) as genome:
        views = sessions.ordered(read_tracks(run))
        elements = slices.read_elements(run / "elements.bed")
        yield slices.Inputs(genome, run, views, toy_genes.toy_annotation(), elements)


def make(arguments, output, *more):
    import make_browser

    assert make_browser.main([*arguments, *more, "--output", str(output)]) == 0
    return output.read_text(encoding="utf-8")


def options_of(text):
    return json.loads(re.search(r'id="options">(.*?)</script>', text, re.DOTALL)[1])


def unpacked(uri):
    head, _, data = uri.partition(",")
    assert head == "data:application/gzip;base64"
    return gzip.decompress(base64.b64decode(data))


REGIONS = [
    [(CONTIG, 0, LENGTH_BP)],
    [(CONTIG, 20_001, 20_002)],
    [("small", 100, 400), (CONTIG, 19_990, 22_700), (CONTIG, 23_050, 40_100)],
]


@pytest.mark.parametrize("regions", REGIONS)
@pytest.mark.parametrize("resolution", [None, 0.01])
def test_a_slice_holds_the_values_of_the_run_and_no_others(tmp_path, inputs, regions, resolution):
    for view in inputs.views:
        data = slices.bigwig_of(inputs.folder / view.file, regions, inputs.genome.lengths, resolution)
        (tmp_path / view.file).write_bytes(data)
        with (
            tracks.open_track(inputs.folder / view.file) as whole,
            tracks.open_track(tmp_path / view.file) as cut,
        ):
            assert dict(cut.chroms()) == {contig: inputs.genome.lengths[contig] for contig, *_ in regions}
            for contig, length in cut.chroms().items():
                expected = np.full(length, np.nan, np.float32)
                for _, start, end in (region for region in regions if region[0] == contig):
                    expected[start:end] = tracks.read_values(whole, contig, start, end)
                found = tracks.read_values(cut, contig, 0, length)
                if resolution is None:
                    np.testing.assert_array_equal(found, expected)
                else:
                    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
                    steps = found.astype(np.float64) / resolution
                    assert np.nanmax(np.abs(steps - np.rint(steps)), initial=0) < 1e-4
                    assert np.nanmax(np.abs(found - expected), initial=0) <= resolution / 2 + 1e-6


def test_sequences_say_where_they_lie(inputs):
    lines = slices.fasta_of(inputs.genome, REGIONS[2]).split(">")[1:]
    heads = [block.split("\n")[0] for block in lines]
    assert heads == ["small:101-400 @len=500", "c1:19991-22700 @len=80000", "c1:23051-40100 @len=80000"]
    for block, region in zip(lines, REGIONS[2], strict=True):
        assert "".join(block.split("\n")[1:]) == inputs.genome.fetch(*region)


@pytest.mark.parametrize(
    "region, expected",
    [
        ((CONTIG, 22_000, 30_001), ["plus2", "unverified"]),
        ((CONTIG, 22_600, 30_000), []),
        ((CONTIG, 40_350, 40_360), ["minus3"]),  # inside an intron
        (("small", 0, 500), []),
    ],
)
def test_genes_and_elements_are_those_that_touch_the_region(inputs, region, expected):
    near = inputs.narrowed([region])
    assert sorted(near.annotation["gene_id"].unique()) == expected
    whole = toy_genes.toy_annotation()
    for gene in expected:  # each whole
        rows = whole[(whole["gene_id"] == gene) & (whole["transcript_id"] != "")]
        assert (near.annotation["gene_id"] == gene).sum() == len(rows)
    kept = [line for line in inputs.elements if touches(line, region)]
    assert list(near.elements) == kept


def touches(line, region):
    contig, start, end = line.split("\t")[:3]
    return contig == region[0] and int(start) < region[2] and int(end) > region[1]


def test_regions_that_touch_are_one():
    lengths = {"a": 100, "b": 50}
    named = slices.joined_regions(["b:0-10", "a:50-60", "a:10-50", "b:20-30"], lengths)
    assert named == [("a", 10, 60), ("b", 0, 10), ("b", 20, 30)]
    with pytest.raises(UserError, match="has a colon in its name"):
        slices.joined_regions([], {"HLA:01": 10})


@pytest.mark.parametrize("per_base", [0.2, 3.0, 50.0])
@pytest.mark.parametrize(
    "longest, most", [(10_000_000, 4_000_000), (400_000, 3_000_000), (50_000, 2_000_000)]
)
def test_the_longest_stretch_below_the_size_is_found(per_base, longest, most):
    tried = []

    def cut(length):
        tried.append(length)
        growing = 1 + 0.3 * np.sin(length / longest)  # genes are dense here and rare there
        return "x" * (1_500_000 + int(length * per_base * growing))

    found = len(page.longest_page(cut, longest, most))
    assert found <= most and len(tried) <= page.TRIES + 1 and max(tried) <= longest
    assert found >= page.ENOUGH * most or found == len(cut(longest))


def test_no_stretch_fits():
    with pytest.raises(UserError, match="2 MB hold no stretch"):
        page.longest_page(lambda length: "x" * (2_000_001 + length), 10, 2_000_000)


def noisy_run(folder):
    """A run of float32 noise below the threshold of elements, of which 2 MB hold a part."""
    generator = np.random.default_rng(1)
    columns = {name: 0.49 * generator.random(LENGTH_BP).astype(np.float32) for name in TRACKS}
    return make_run(folder, [f"{CONTIG}:0-{LENGTH_BP}", "small:0-500"], None, columns)


def test_the_default_region_is_cut_to_the_size(tmp_path):
    arguments = [*noisy_run(tmp_path), "--resolution", "float32", "--most-mb", "2"]
    text = make(arguments, tmp_path / "page.html")
    size = (tmp_path / "page.html").stat().st_size
    assert page.ENOUGH * 2e6 <= size <= 2e6
    assert f"a part of what was predicted, {CONTIG}:1\N{EN DASH}80,000 (80.0 kb)" in text
    head = unpacked(options_of(text)["reference"]["fastaURL"]).decode().split("\n")[0]
    start, end = map(int, re.fullmatch(r">c1:(\d+)-(\d+) @len=80000", head).groups())
    with Genome(arguments[1]) as genome:
        first, _ = genes.choose_genes(toy_genes.toy_annotation(), (CONTIG, 0, genome.lengths[CONTIG]))
    assert start <= first[0].start and first[0].end <= end and end - start < 70_000
    assert "rounded" not in text


def test_the_page(tmp_path, arguments):
    text = make(arguments, tmp_path / "page.html", "--note", "Held out: <all>.")
    options = options_of(text)
    assert options["loadDefaultGenomes"] is False and options["search"] is False
    assert [track["name"] for track in options["tracks"]] == [
        "Genes (annotation)",
        "exon +",
        "exon \N{MINUS SIGN}",
        "splice donor +",
        "splice donor \N{MINUS SIGN}",
        "Elements (called)",
    ]
    wigs = options["tracks"][1:5]
    assert [track["flipAxis"] for track in wigs] == [False, True, False, True]
    assert [track["windowFunction"] for track in wigs] == ["mean", "mean", "max", "max"]
    assert (wigs[0]["color"], wigs[1]["color"]) == ("rgb(0,114,178)", "rgb(115,177,213)")
    assert all((track["min"], track["max"], track["autoscale"]) == (0, 1, False) for track in wigs)
    assert unpacked(options["tracks"][0]["url"]).decode().count("\n") == len(toy_genes.GENES)
    assert unpacked(options["tracks"][-1]["url"]) == (run_of(arguments) / "elements.bed").read_bytes()
    assert "A &lt;toy&gt;" in text and "Held out: &lt;all&gt;." in text and "rounded to 0.01" in text
    assert "a part of what was predicted" not in text


def test_the_page_opens_with_a_gene_chosen_without_predictions(tmp_path, arguments):
    text = make(arguments, tmp_path / "page.html")
    chosen, _ = genes.choose_genes(toy_genes.toy_annotation(), (CONTIG, 0, LENGTH_BP))
    buttons = re.findall(r'class="gene" data-locus="([^"]+)"[^>]*>([^<]+)<', text)
    assert buttons[0][1] == chosen[0].name and options_of(text)["locus"] == buttons[0][0]
    assert chosen[0].introns >= 2 and sorted(name for _, name in buttons) == sorted(toy_genes.GENES)
    assert len(re.findall(r'<button[^>]*aria-pressed="true"', text)) == 1


def test_at_most_twelve_genes_have_buttons(inputs):
    table = toy_genes.toy_annotation()
    one = table[table["gene_id"] == "plus2"]
    many = [
        one.assign(
            start=one["start"] + at * 4000 - 14_000,
            end=one["end"] + at * 4000 - 14_000,
            gene_id=f"g{at:02}",
            transcript_id=one["transcript_id"].where(one["transcript_id"] == "", f"g{at:02}.1"),
        )
        for at in range(18)
    ]
    import pandas as pd

    found = places.gene_places(pd.concat(many), [(CONTIG, 0, LENGTH_BP)], inputs.genome.lengths)
    assert len(found) == places.MOST_GENES == len({place.label for place in found})
    assert [place.label for place in found[1:]] == sorted(place.label for place in found[1:])


def test_without_annotation_or_elements_the_page_shows_the_rest(tmp_path):
    arguments = make_run(tmp_path, [f"{CONTIG}:0-{LENGTH_BP}"])
    (run_of(arguments) / "elements.bed").unlink()
    del arguments[2:4]
    text = make(arguments, tmp_path / "page.html")
    options = options_of(text)
    assert options["locus"] == f"{CONTIG}:1-50000" and len(options["tracks"]) == len(TRACKS)
    said = text.split("<script")[0]
    assert 'class="gene"' not in said and "Called elements" not in said and "annotation" not in said


def test_the_same_inputs_give_the_same_bytes(tmp_path, arguments):
    regions = ["--regions", f"{CONTIG}:15000-25000", "small:0-200"]
    sums = set()
    for name in ("one", "two"):
        command = [sys.executable, SCRIPT, *arguments, *regions, "--output", tmp_path / name]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        sums.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(sums) == 1
    text = (tmp_path / "one").read_text(encoding="utf-8")
    assert "small:1\N{EN DASH}200 (200 bp) and c1:15,001\N{EN DASH}25,000 (10.0 kb)" in text


def test_the_page_names_no_other_place(tmp_path, arguments):
    text = make(arguments, tmp_path / "page.html")
    igv = (HERE / "igv.min.js").read_text(encoding="utf-8")
    own = text.replace(igv, "")
    assert len(own) < len(text) - len(igv) + 1
    assert "://" not in own and "<a " not in own and "@import" not in own and "url(" not in own
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', own)[1].replace("&#39;", "'")
    assert policy == page.POLICY and "default-src 'none'" in policy
    assert set(re.findall(r"[\w-]+-src ([^;]+)", policy)) <= {
        "'none'",
        "'unsafe-inline'",
        "data:",
        "data: blob:",
    }


def test_igv_is_the_one_its_source_names():
    lines = (HERE / "igv.SOURCE").read_text(encoding="utf-8").splitlines()
    source = dict(line.split(": ", 1) for line in lines)
    data = (HERE / "igv.min.js").read_bytes()
    assert hashlib.sha256(data).hexdigest() == source["sha256"] and page.igv_version() == "3.8.10"
    assert b"</script" not in data.lower() and b"<!--" not in data
    assert b"//# sourceMappingURL" not in data  # a browser's tools would ask for it
    assert (HERE / "igv.LICENSE").read_text(encoding="utf-8").startswith("The MIT License")


def other_genome(folder, arguments):
    fasta = toy_models.write_fasta(folder / "other.fa", {CONTIG: toy_models.random_bases(LENGTH_BP + 1)})
    return ["--genome", str(fasta), *arguments[2:]]


def damaged_elements(folder, _):
    arguments = make_run(folder)
    (run_of(arguments) / "elements.bed").write_text("c1\t1\n")
    return arguments


FAULTS = {
    "no run": (lambda f, a: [*a[:4], "--tracks", str(f / "none"), *a[6:]], "is no folder of tracks"),
    "another genome": (other_genome, r"is of another genome \(c1: found 80000 bp, expected 80001\)"),
    "no contig": (lambda f, a: [*a, "--regions", "c9:1-2"], "names no contig of the genome"),
    "beyond the contig": (lambda f, a: [*a, "--regions", "c1:1-80001"], "ends after the contig"),
    "no region": (lambda f, a: [*a, "--regions", "c1:9-2"], "is not contig:start-end"),
    "too large a page": (lambda f, a: [*a, "--most-mb", "15.5"], r"is 15.5 \(expected 2 to 15\)"),
    "too small a page": (lambda f, a: [*a, "--most-mb", "1"], r"is 1 \(expected 2 to 15\)"),
    "too fine": (lambda f, a: [*a, "--resolution", "1e-9"], "expected 0.0001 to 0.1, or float32"),
    "no annotation": (lambda f, a: [*a, "--annotation", str(f / "none")], "annotation table not found"),
    "damaged elements": (damaged_elements, "elements.bed:1: is no whole line of BED"),
    "regions too long": (
        lambda f, a: [*noisy_run(f), "--resolution", "float32", "--most-mb", "2", "--regions", CONTIG],
        r"--regions: 80.0 kb make a page of \d\.\d MB \(expected at most 2\)",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_end_with_one_line_and_status_2(tmp_path, capsys, arguments, name):
    import make_browser

    change, message = FAULTS[name]
    changed = change(tmp_path, arguments)
    capsys.readouterr()
    assert make_browser.main([*changed, "--output", str(tmp_path / "page.html")]) == 2
    fault = capsys.readouterr().err.strip()
    assert re.search(message, fault) and "\n" not in fault
    assert not (tmp_path / "page.html").exists()
