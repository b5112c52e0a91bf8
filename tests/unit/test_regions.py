"""Regions of a command line: forms, order, and limits of the genome."""

import pytest

from dnalm.errors import UserError
from dnalm.genome import regions

LENGTHS = {"chr2R": 5000, "HLA:A*01": 300, "X": 10}


@pytest.mark.parametrize(
    "texts, expected",
    [
        ([], {"chr2R": [(0, 5000)], "HLA:A*01": [(0, 300)], "X": [(0, 10)]}),
        (["X"], {"X": [(0, 10)]}),
        (["X:2-5", "chr2R:1,000-5,000", "X:0-1"], {"chr2R": [(1000, 5000)], "X": [(2, 5), (0, 1)]}),
        (["HLA:A*01:5-300"], {"HLA:A*01": [(5, 300)]}),
        (["HLA:A*01"], {"HLA:A*01": [(0, 300)]}),
    ],
)
def test_regions_are_spans_in_the_genomes_order(texts, expected):
    found = regions.read_regions(texts, LENGTHS)
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize(
    "text, message",
    [
        ("chr9:1-2", r"names no contig of the genome \(it has chr2R, HLA:A\*01, X\)"),
        ("chr2R:1-5001", r"ends after the contig \(found 5001, expected <= 5000\)"),
        ("chr2R:7-7", "is not contig:start-end with start < end"),
        ("chr2R:9-7", "is not contig:start-end"),
        ("chr2R:-5-7", "is not contig:start-end"),
        ("chr9", "is not contig:start-end"),
        (":1-2", "is not contig:start-end"),
        ("X:1.5-2", "is not contig:start-end"),
    ],
)
def test_other_texts_are_refused(text, message):
    with pytest.raises(UserError, match=message):
        regions.read_regions([text], LENGTHS)
