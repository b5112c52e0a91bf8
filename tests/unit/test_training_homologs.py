"""Families of held-out genes are not trained on."""

import json

import pandas as pd
import pytest
import train_segmentation
from toy_training import command_line, exon_table, write_inputs

from dnalm.errors import UserError
from dnalm.training import data, homologs

HELD_OUT = [("chr1", 1200, 1500)]


def genes(*rows):
    table = pd.DataFrame(rows, columns=["gene_id", "contig", "start", "end"])
    return table.assign(type="gene")


def test_relatives_of_held_out_genes_are_found():
    table = genes(
        ("a", "chr1", 100, 200), ("b", "chr1", 1300, 1400), ("c", "chr1", 400, 500), ("d", "chr2", 1300, 1350)
    )  # fmt: skip
    families = pd.DataFrame({"gene_id": ["a", "b", "c", "d", "a"], "family": ["f", "f", "g", "g", "h"]})
    assert homologs.related_regions(table, families, HELD_OUT) == [("chr1", 100, 200)]
    assert homologs.related_regions(table, families, [("chr2", 0, 1301)]) == [("chr1", 400, 500)]
    assert homologs.related_regions(table, families, [("chr2", 0, 1300)]) == []


def test_tables_that_say_nothing(tmp_path):
    (tmp_path / "t.tsv").write_text("gene\tfamily\nx\ty\n")
    with pytest.raises(
        UserError, match=r"found the columns gene, family, expected gene_id and family, and rows"
    ):
        homologs.read_families(tmp_path / "t.tsv")
    families = pd.DataFrame({"gene_id": ["zzz"], "family": ["f"]})
    with pytest.raises(UserError, match=r"--homologs: none of its 1 genes is in the annotation"):
        homologs.related_regions(genes(("a", "chr1", 1, 2)), families, HELD_OUT)


def test_no_window_touches_a_relative(tmp_path, monkeypatch):
    table = exon_table()
    table["gene_id"] = ["left", "left", "right", "right"]
    drawn, cut = [], data.WindowSampler.draw

    def draw(sampler, random, count):
        windows = cut(sampler, random, count)
        drawn.extend(windows)
        return windows

    monkeypatch.setattr(data.WindowSampler, "draw", draw)
    arguments = write_inputs(tmp_path)
    from dnalm import annotation

    annotation.write_annotation(table, tmp_path / "annotation.parquet")
    (tmp_path / "families.tsv").write_text("gene_id\tfamily\nleft\tf\nright\tf\n")
    arguments["--homologs"] = tmp_path / "families.tsv"
    assert train_segmentation.main(command_line(arguments)) == 0
    assert drawn and all(start + 24 <= 100 or start >= 400 for _, start, _ in drawn)
    content = json.loads((tmp_path / "model" / "manifest.json").read_text())["content"]
    assert "homologs" in content["inputs"] and content["related_regions"] == 1
