"""The report: complete in itself, whole HTML, the numbers of the tables, every gap said aloud."""

import base64
import datetime
import json
import math
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pandas as pd
import pytest
from figure_tables import task_summary
from report_results import CARD, SPECIES, make_figure, make_results, published_scores

from dnalm.errors import UserError
from dnalm.report import genomes, images, key_numbers, markdown, page, provenance, text
from dnalm.report.sources import Sources

VOID = {"meta", "link", "img", "br", "hr", "input"}
DATE = datetime.date(2026, 1, 2)


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order; collects ids, links, texts."""

    def __init__(self, source):
        super().__init__(convert_charrefs=True)
        self.open, self.ids, self.links, self.faults, self.words = [], [], [], [], []
        self.tags = []
        self.feed(source)
        self.close()
        self.faults += [f"<{tag}> is not closed" for tag in self.open]

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        values = dict(attributes)
        self.ids += [values["id"]] if "id" in values else []
        self.links += [
            (tag, name, values[name]) for name in ("href", "src", "srcset", "action") if name in values
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self.open[-1:]} at {self.getpos()}")
        else:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    config, results, stems = make_results(folder)
    (folder / "card.md").write_text(CARD)
    sources = Sources(json.loads(config.read_text()), results, stems, {"demo_nt": folder / "card.md"})
    return page.build(sources, DATE)


@pytest.fixture(scope="module")
def parsed(made):
    return Page(made)


def test_every_element_is_closed_and_ids_are_unique(parsed):
    assert parsed.faults == []
    assert len(parsed.ids) == len(set(parsed.ids))
    assert parsed.tags.count("h1") == 1
    # Key numbers, genomes, windows, elements, expression, leaderboard, two tasks, one in a model card, steps.
    assert parsed.tags.count("table") == 10


def test_nothing_is_fetched_from_elsewhere(made, parsed):
    for tag, name, link in parsed.links:
        assert link.startswith(("#", "data:")), f"<{tag} {name}={link[:60]}>"
    style = re.search(r"<style>(.*?)</style>", made, re.DOTALL)[1]
    assert "url(" not in style and "@import" not in style
    script = re.search(r"<script>(.*?)</script>", made, re.DOTALL)[1]
    assert parsed.tags.count("script") == 1 and not re.search(r"fetch|import|http|eval|innerHTML", script)


def test_links_inside_the_page_lead_somewhere(parsed):
    inside = {link[1:] for _, _, link in parsed.links if link.startswith("#")}
    assert inside <= set(parsed.ids)
    assert {
        "summary",
        "genomes",
        "elements",
        "expression",
        "tasks",
        "map",
        "models",
        "methods",
        "software",
    } <= inside


def test_figures_are_whole_drawings_with_their_tables(made, parsed):
    shown = [link for tag, name, link in parsed.links if tag == "img"]
    assert len(shown) == 4
    for link in shown:
        kind, data = link.split(",", 1)
        assert kind == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(base64.b64decode(data)).tag.endswith("svg")  # noqa: S314 (our own)
    tables = [link for tag, _, link in parsed.links if tag == "a" and link.startswith("data:text")]
    texts = [base64.b64decode(link.split(",", 1)[1]) for link in tables]
    assert [text for text in texts if text.startswith(b"x\n")] == [b"x\n0\n1\n"] * 4
    headings = {text.split(b"\t")[0] for text in texts}
    assert {b"Species", b"Element", b"Task", b"Step"} <= headings, "every table of the page has its own link"
    assert made.count('alt="Figure tracks.') == 1


def test_the_numbers_of_the_tables_are_on_the_page(parsed):
    for words in (
        "2026-01-02",
        "The genomes of Drosophila melanogaster (800 bp) and Macaque piece (800 bp) were masked",
        "7,048 windows embedded",
        "2 probe tasks cross-validated",
        "Held out of all training in Drosophila melanogaster: chr2R:2000000-7000000",
        "9 windows in all were dropped",
        "Macaque piece has no annotation: predictions are not scored.",
        "outside the held-out region the backbone saw these genes' DNA",
        "own_strand, labels of the given strand",
        "bases called from 0.5 on",
        "Over 10 samplings with shifted window starts, the SD of the MCC is at most 0.0004",
        "0.620 ± 0.060",
        "random weights 0.440; k-mer counts 0.350; one-hot 0.260",
        "No model card came with this checkpoint.",
        "It is no substitute for a published model.",
        "v2_6mer, at most 513",
        "Mean ± 2 s.d. over 10 folds; n = 1,200 examples, share of positives 0.5.",
        "matplotlib",
    ):
        assert words in parsed.text, words


def test_a_missing_value_is_a_dash(parsed):
    # The acceptor's auPRC is NaN in the table.
    assert re.search(r"Splice acceptor 10,000,000 2,080 0.00021 \u2013 0.950", parsed.text)
    assert "nan" not in parsed.text.lower().split()


def test_the_same_results_give_the_same_page(tmp_path):
    config, results, stems = make_results(tmp_path)
    first, second = (
        page.build(Sources(json.loads(config.read_text()), results, stems), DATE) for _ in range(2)
    )
    assert first == second


def test_without_runs_the_sections_say_so(tmp_path):
    config, results, _ = make_results(tmp_path, figures=False)
    settings = json.loads(config.read_text())
    settings.update(embeddings={}, segmentation={}, tasks={}, expression={})
    read = Page(page.build(Sources(settings, results), DATE))
    assert read.faults == []
    for words in ("predicts no elements", "has no task", "predicts no expression", "draws no map"):
        assert words in read.text


def test_published_scores_stand_only_beside_the_papers_own_model(tmp_path, made):
    assert "SegmentNT" not in made  # the demo's models are none of the paper's
    config, results, _ = make_results(tmp_path, figures=False)
    path = results / "species" / SPECIES / "segmentation" / "elements.beside_published.tsv"
    published_scores(0.62).to_csv(path, sep="\t", index=False, na_rep="NA")
    read = Page(page.build(Sources(json.loads(config.read_text()), results), DATE))
    assert read.faults == []
    for words in ("beside the scores of its paper", "SegmentNT-30kb, paper", "Exon no other sequences 0.600"):
        assert words in read.text


def test_titles_from_outside_are_escaped(tmp_path):
    config, results, _ = make_results(tmp_path, figures=False)
    settings = json.loads(config.read_text())
    settings["title"] = "<script>alert(1)</script> & more"
    read = Page(page.build(Sources(settings, results), DATE))
    assert (
        read.faults == []
        and read.tags.count("script") == 1
        and "<script>alert(1)</script> & more" in read.text
    )


def test_letters_are_counted_as_they_were_masked(tmp_path):
    config, results, _ = make_results(tmp_path, figures=False)
    sources = Sources(json.loads(config.read_text()), results)
    kept = genomes.letter_counts(sources, SPECIES)
    assert kept == {"total": 800, "contigs": 1, "masked": 12, "soft_masked": 88, "ambiguous": 2}
    assert genomes.letter_counts(sources, "macaque_piece")["masked"] == 12 + 88


@pytest.mark.parametrize(
    ("mean", "spread", "baselines", "said"),
    [
        (0.6, 0.05, {"k-mer counts": (0.5, 0.02)}, "above every baseline"),
        (0.6, 0.10, {"k-mer counts": (0.5, 0.02)}, "no clear gain over k-mer counts"),
        (0.6, 0.02, {"k-mer counts": (0.5, 0.2)}, "no clear gain over k-mer counts"),
        (0.6, 0.02, {"a": (0.7, 0.1), "b": (0.1, 0.1), "c": (0.59, 0.1)}, "no clear gain over a, c"),
        (0.6, math.nan, {"a": (0.5, math.nan)}, "above every baseline"),
        (math.nan, 0.1, {"a": (0.5, 0.1)}, "no comparison"),
        (0.6, 0.1, {"a": (math.nan, 0.1)}, "no comparison"),
        (0.6, 0.1, {}, "no comparison"),
    ],
)
def test_reading_of_a_score(mean, spread, baselines, said):
    assert key_numbers.reading(mean, spread, baselines) == said


def test_each_model_is_compared_with_its_own_random_twin():
    table = pd.concat(
        [
            task_summary(("t",)),
            task_summary(("t",))
            .query("features == 'kmer'")
            .assign(features="demo_segment_nt.random_weights", layer=3, mean=0.9),
        ]
    )
    lines = {line.model: line for line in key_numbers.compare(table, "t", "mean", "sd2")}
    assert lines["demo_nt, layer 3"].baselines.startswith("random weights 0.440")
    assert "random weights 0.900" in lines["demo_segment_nt, layer 3"].baselines
    assert lines["demo_segment_nt, layer 3"].reading == "no clear gain over random weights"


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ({}, "CPU"),
        ({"device": "cpu", "kind": "cpu", "devices": 1}, "CPU"),
        ({"device": "gpu", "kind": "NVIDIA H200", "devices": 1}, "NVIDIA H200"),
        ({"device": "gpu", "kind": "NVIDIA H200", "devices": 8}, "8 NVIDIA H200"),
    ],
)
def test_devices(run, said):
    assert provenance.device_name(run) == said


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "plain *words* and **more** `code <x>`",
            "<p>plain <em>words</em> and <strong>more</strong> <code>code &lt;x&gt;</code></p>",
        ),
        ("# Title\n## Part\nText\nmore", "<h4>Part</h4>\n<p>Text more</p>"),
        ("- one\n  still one\n- two", "<ul><li>one still one</li><li>two</li></ul>"),
        ("1. one\n2. two", "<ol><li>one</li><li>two</li></ol>"),
        ("see [this](https://example.org/x)", "<p>see this</p>"),
        ("```\na < b\n\nc\n```\nafter", "<pre><code>a &lt; b\n\nc</code></pre>\n<p>after</p>"),
        ("---\nlicense: mit\n---\ntext", "<p>text</p>"),
        ("<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>"),
        ("a_b * c * d", "<p>a_b * c * d</p>"),
    ],
)
def test_markdown(source, expected):
    assert markdown.to_html(source) == expected


def test_a_table_in_a_card():
    assert "<th>element</th>" in markdown.to_html(CARD) and "<td>0.8</td>" in markdown.to_html(CARD)


def test_an_excerpt_is_the_first_paragraph_and_what_is_not_claimed():
    found = markdown.excerpt(CARD)
    assert "A small encoder" in found and "no substitute" in found and "<table>" not in found


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: text.number(-0.1234), "\u22120.123"),
        (lambda: text.number(float("nan")), "\u2013"),
        (lambda: text.number(0.00054), "0.00054"),
        (lambda: text.number(0.0), "0.000"),
        (lambda: text.rate(0.000212), "0.00021"),
        (lambda: text.rate(0.0000021), "2.1e-06"),
        (lambda: text.count(1234567.0), "1,234,567"),
        (lambda: text.bases(21_146_708), "21.1 Mb"),
        (lambda: text.bases(999), "999 bp"),
        (lambda: text.duration(45.2), "45 s"),
        (lambda: text.duration(600.0), "10 min"),
        (lambda: text.duration(9000.0), "2.5 h"),
        (lambda: text.listing(["a", "b", "c"]), "a, b and c"),
        (lambda: text.plural(1, "window"), "1 window"),
        (lambda: text.species_name("zea_mays"), "Zea mays"),
    ],
)
def test_words_and_numbers(call, said):
    assert call() == said


def test_a_figure_must_have_a_section(tmp_path):
    with pytest.raises(UserError, match=r"pie\.svg: no section shows such a figure .expected tracks, tasks"):
        Sources(
            {key: {} for key in ("species", "embeddings", "segmentation", "tasks", "expression")},
            tmp_path,
            ["pie.svg"],
        )


def test_titles_name_the_species_where_there_are_several(tmp_path):
    stem = make_figure(tmp_path / "map.zea_mays.tiles", "A map")
    assert images.load_figure(stem, ["zea_mays", "oryza_sativa"]).title == "A map, Zea mays"
    assert images.load_figure(stem, ["zea_mays"]).title == "A map"
    named = make_figure(tmp_path / "expression.zea_mays.rna", "Expression of Zea mays")
    assert images.load_figure(named, ["zea_mays", "oryza_sativa"]).title == "Expression of Zea mays"


def test_a_large_table_stays_beside_the_figure(tmp_path, monkeypatch):
    config, results, stems = make_results(tmp_path)
    monkeypatch.setattr(images, "MOST_TABLE_BYTES", 3)
    read = Page(page.build(Sources(json.loads(config.read_text()), results, stems), DATE))
    assert "The numbers are in tasks.tsv beside the figure's files." in read.text
    assert base64.b64encode(b"x\n0\n1\n").decode() not in "".join(link for _, _, link in read.links)
