"""The browser page in a real browser: it draws, moves, fits a phone, and asks nothing of any network."""

import re

import numpy as np
import pytest
import test_browser as toys
import toy_genes
from chromium import Chromium
from PIL import Image

from dnalm import tracks
from dnalm.genome import Genome

REGION = (toy_genes.CONTIG, 15_000, 65_000)
READY = 'document.body.dataset.ready === "true"'
SIZES = {"desk": (1280, 900), "phone": (400, 800)}
COLOURS = {"exon +": (0, 114, 178), "exon -": (115, 177, 213), "splice donor +": (230, 159, 0)}
VALUES = """(async () => {
  const view = genomeBrowser.trackViews.find(one => one.track.name === %r);
  const found = await view.track.getFeatures(%r, %d, %d, 1);
  return found.map(one => [one.start, one.end, one.value]);
})()"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    return toys.make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory, arguments):
    path = tmp_path_factory.mktemp("page") / "page.html"
    region = "{}:{}-{}".format(*REGION)
    toys.make(arguments, path, "--regions", region, "--note", "No model saw these bases.")
    return path


@pytest.fixture(scope="module")
def chromium():
    with Chromium() as browser:
        yield browser


@pytest.fixture
def opened(chromium, browser_page):
    chromium.open(browser_page)
    chromium.wait_for(READY)
    return chromium


def assert_silent(chromium):
    assert chromium.errors == [] and chromium.foreign_requests == []


def pixels(path, colour):
    """Counts a picture's pixels of nearly this colour."""
    picture = np.asarray(Image.open(path).convert("RGB"), np.int16)
    return int((np.abs(picture - colour).max(axis=2) <= 3).sum())


@pytest.mark.parametrize("size", SIZES)
def test_the_tracks_are_drawn(tmp_path, chromium, browser_page, size):
    chromium.open(browser_page, *SIZES[size])
    chromium.wait_for(READY)
    names = chromium.evaluate("genomeBrowser.trackViews.map(one => one.track.name).filter(name => name)")
    assert [name for name in names if name in ("Genes (annotation)", "Elements (called)")] == [
        "Genes (annotation)",
        "Elements (called)",
    ]
    assert sum(name.startswith(("exon", "splice donor")) for name in names) == len(toys.TRACKS)
    chromium.screenshot(tmp_path / "page.png", whole=True)
    found = {name: pixels(tmp_path / "page.png", colour) for name, colour in COLOURS.items()}
    assert found["exon +"] > 1000 and found["splice donor +"] > 10, found
    assert chromium.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    assert chromium.evaluate("innerWidth") == SIZES[size][0]
    assert browser_page.stat().st_size < 15e6
    assert_silent(chromium)


def test_what_igv_reads_is_what_the_run_holds(opened, arguments):
    contig, start, end = REGION
    with Genome(arguments[1]) as genome:
        bases = opened.evaluate(f"genomeBrowser.genome.getSequence('{contig}', {start}, {end})")
        assert bases == genome.fetch(*REGION)
        length = opened.evaluate(f"genomeBrowser.genome.getChromosome('{contig}').bpLength")
        assert length == genome.lengths[contig]
    for file, name in (("exon.plus.bw", "exon +"), ("splice_donor.minus.bw", "splice donor \N{MINUS SIGN}")):
        first, last = 22_000, 42_600  # a stretch without predictions lies in it
        found = np.full(last - first, np.nan)
        for low, high, value in opened.evaluate(VALUES % (name, contig, first, last)):
            found[max(0, low - first) : max(0, high - first)] = value
        with tracks.open_track(toys.run_of(arguments) / file) as track:
            expected = tracks.read_values(track, contig, first, last)
        np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
        assert np.nanmax(np.abs(found - expected)) <= 0.005 + 1e-6
    assert_silent(opened)


@pytest.mark.parametrize("size", SIZES)
def test_a_gene_button_moves_the_view(tmp_path, chromium, browser_page, size):
    chromium.open(browser_page, *SIZES[size])
    chromium.wait_for(READY)
    before = chromium.evaluate("genomeBrowser.currentLoci()")
    gene = chromium.evaluate("document.querySelector('button.gene[aria-pressed=\"false\"]').dataset.locus")
    chromium.click(f'button[data-locus="{gene}"]')
    chromium.wait_for(f"String(genomeBrowser.currentLoci()) === '{gene}'")
    assert str(before) != gene
    pressed = chromium.evaluate(
        "Array.from(document.querySelectorAll('button[aria-pressed=true]')).map(one => one.dataset.locus)"
    )
    assert pressed == [gene]
    assert_silent(chromium)


def test_a_gene_is_found_by_name_and_no_other_is_asked_for(opened):
    opened.evaluate("genomeBrowser.search('far2')")
    locus = str(opened.evaluate("String(genomeBrowser.currentLoci())"))
    start, end = map(int, re.fullmatch(r"c1:(\d+)-(\d+)", locus.replace(",", "")).groups())
    assert start <= 60_001 and end >= 62_600
    opened.evaluate("genomeBrowser.search('nosuchgene').catch(() => null)")
    assert_silent(opened)


def test_igv_asks_for_nothing_where_nothing_forbids_it(tmp_path, chromium, browser_page):
    text = browser_page.read_text(encoding="utf-8")
    free = re.sub(r"<meta http-equiv=[^>]*>\n", "", text)
    assert len(free) < len(text)
    (tmp_path / "free.html").write_text(free, encoding="utf-8")
    chromium.open(tmp_path / "free.html")
    chromium.wait_for(READY)
    chromium.click("button.gene:nth-of-type(2)")
    assert chromium.requests and chromium.foreign_requests == [] and chromium.errors == []


def test_a_fault_is_said_on_the_page(tmp_path, chromium, browser_page):
    text = browser_page.read_text(encoding="utf-8")
    (tmp_path / "page.html").write_text(text.replace('"fastaURL"', '"nothing"'), encoding="utf-8")
    chromium.open(tmp_path / "page.html")
    chromium.wait_for('document.body.dataset.ready === "false"')
    assert "could not be drawn" in chromium.evaluate("document.getElementById('wait').innerText")


def test_the_helper_sees_messages_exceptions_and_requests(tmp_path, chromium):
    page = tmp_path / "loud.html"
    page.write_text(
        '<script>console.error("a", 1); fetch("http://example.invalid/x").catch(() => {});'
        'setTimeout(() => { throw new Error("late"); }); setTimeout(() => { window.done = 1; }, 200)</script>'
        '<img src="https://example.invalid/y.png"><p style="width: 3000px">wide</p>'
    )
    chromium.open(page)
    chromium.wait_for("window.done === 1")
    assert ("error", "a 1") in chromium.console
    assert any("late" in text for text in chromium.exceptions)
    assert set(chromium.foreign_requests) == {"http://example.invalid/x", "https://example.invalid/y.png"}
    assert chromium.evaluate("document.documentElement.scrollWidth") > 1280
