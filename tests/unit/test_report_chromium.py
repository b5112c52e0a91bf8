"""The report in a real browser: silent, offline, whole on a phone and on paper; tables sort and filter."""

import datetime
import json

import pytest
from chromium import Chromium
from report_results import make_results

from dnalm.report import page
from dnalm.report.sources import Sources

BOARD = 'table[data-caption="Leaderboard"]'
CELLS = f"""(column) => [...document.querySelectorAll('{BOARD} tbody tr')]
  .filter(row => !row.hidden).map(row => row.cells[column].textContent.trim())"""
PAPER_IN = (8.27, 11.69)  # A4


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    config, results, stems = make_results(tmp_path_factory.mktemp("site"))
    path = results / "report.html"
    sources = Sources(
        json.loads(config.read_text()), results, stems, browsers=[results / "browser" / "a.b.html"]
    )
    path.write_text(page.build(sources, datetime.date(2026, 1, 2)), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def chromium():
    with Chromium() as browser:
        yield browser


def cells(chromium, column):
    return chromium.evaluate(f"({CELLS})({column})")


@pytest.mark.parametrize("width", [1280, 700, 360])
def test_it_is_silent_and_asks_for_nothing(chromium, report, width):
    chromium.open(report, width=width)
    assert chromium.errors == [] and chromium.foreign_requests == []
    shown = chromium.evaluate("[...document.images].map(one => [one.complete, one.naturalWidth > 100])")
    assert len(shown) == 4 and all(all(one) for one in shown), "every figure is drawn"
    assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing hangs over"
    visible = "[...document.images].every(one => one.getBoundingClientRect().height > 50)"
    assert chromium.evaluate(visible)


def test_a_press_on_a_heading_sorts_and_another_turns_it_round(chromium, report):
    chromium.open(report)
    before = cells(chromium, 2)
    chromium.click(f"{BOARD} th:nth-child(3) button")
    assert cells(chromium, 2) == sorted(before, key=str.lower)
    chromium.click(f"{BOARD} th:nth-child(3) button")
    assert cells(chromium, 2) == sorted(before, key=str.lower, reverse=True)
    chromium.click(f"{BOARD} th:nth-child(6) button")
    scores = [
        float(text.split()[0].replace("\u2212", "-")) for text in cells(chromium, 5) if text[0] != "\u2013"
    ]
    assert scores == sorted(scores, reverse=True) and len(scores) > 3
    assert chromium.evaluate(f"document.querySelector('{BOARD} th:nth-child(6)').ariaSort") == "descending"


def test_long_tables_are_filtered_by_all_words(chromium, report):
    chromium.open(report)
    field = f"document.querySelector('{BOARD}').closest('.table').querySelector('input')"
    typed = "(words) => {{ const one = {}; one.value = words; one.dispatchEvent(new Event('input')); }}"
    every = len(cells(chromium, 0))
    chromium.evaluate(f"({typed.format(field)})('k-MER this')")
    shown = cells(chromium, 2)
    assert 0 < len(shown) < every and all("k-mer" in text for text in shown)
    count = chromium.evaluate(f"{field}.nextSibling.textContent")
    assert count == f"{len(shown)} of {every} rows"
    chromium.evaluate(f"({typed.format(field)})('')")
    assert len(cells(chromium, 0)) == every


def test_every_table_is_downloaded_as_it_is_printed(chromium, report):
    chromium.open(report)
    links = chromium.evaluate("[...document.querySelectorAll('.table a.download')].map(one => one.download)")
    tables = chromium.evaluate("document.querySelectorAll('.table table').length")
    assert len(links) == tables and len(set(links)) == tables
    link = f"document.querySelector('{BOARD}').closest('.table').querySelector('a.download').href"
    text = chromium.evaluate(f"fetch({link}).then(one => one.text())")
    rows = [line.split("\t") for line in text.splitlines()]
    assert rows[0][0] == "Task" and [row[2] for row in rows[1:]] == cells(chromium, 2)


def test_the_head_tells_the_run_and_what_to_watch(chromium, report):
    chromium.open(report)
    facts = chromium.evaluate("document.querySelector('.facts').textContent")
    assert "Ran on" in facts and "added up over jobs" in facts and "on the CPU" in facts
    assert chromium.evaluate("document.querySelectorAll('.warnings li').length") >= 1
    assert (
        chromium.evaluate("document.querySelector('.browsers a').getAttribute('href')") == "browser/a.b.html"
    )


def test_on_paper_nothing_is_there_that_can_only_be_pressed(chromium, report):
    chromium.open(report, width=round(96 * PAPER_IN[0]))
    chromium.media("print")
    hidden = "[...document.querySelectorAll('nav, .download, .filter')].every(one => !one.offsetParent)"
    assert chromium.evaluate(hidden)
    assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")
    chromium.media("")
