"""The track figure: which genes, what is drawn of them, and that it can be read."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_readable
from toy_genes import CONTIG, GENES, LENGTH_BP, toy_annotation, toy_tracks

from dnalm.errors import UserError
from dnalm.figures import gene_models, genes, palette, style, track_data, tracks

REGION = (CONTIG, 0, LENGTH_BP)
BOTH = pytest.mark.parametrize("width_mm", [style.COLUMN_MM, style.PAGE_MM])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return toy_tracks(tmp_path_factory.mktemp("tracks"))


@pytest.fixture(scope="module")
def panels(folder):
    chosen, _ = genes.choose_genes(toy_annotation(), REGION)
    return [track_data.make_panel(folder, toy_annotation(), gene, {CONTIG: LENGTH_BP}) for gene in chosen]


def test_genes_are_chosen_by_the_stated_rule():
    # Eligible: plus2 and far2 (2 introns, plus), minus3 (3 introns); unverified and single are not.
    # plus2's middle lies 18.7 kb from the centre, far2's 21.3 kb.
    chosen, how = genes.choose_genes(toy_annotation(), REGION)
    found = [(gene.gene_id, gene.strand, gene.introns) for gene in chosen]
    assert found == [("plus2", "+", 2), ("minus3", "-", 3)]
    assert (chosen[0].start, chosen[0].end) == (20_000, 22_600)
    assert "verified CDS, at least 2 introns, at most 15 kb, 5 kb or more inside the region" in how


def ids(annotation, region=REGION):
    chosen, how = genes.choose_genes(annotation, region)
    return [gene.gene_id for gene in chosen], how


def test_chosen_genes_lie_well_inside_the_region():
    # The nearest to this region's centre would be far2, but it ends 400 bp before the region does.
    assert ids(toy_annotation(), (CONTIG, 38_000, 63_000))[1].startswith("Genes chosen without")
    assert ids(toy_annotation(), (CONTIG, 14_000, 63_000))[0] == ["plus2", "minus3"]


def test_an_annotation_without_cds_has_genes_to_draw():
    table = toy_annotation()
    names, how = ids(table[table["type"] != "CDS"])
    assert names == ["unverified", "minus3"] and "verified" not in how and "at least 2 introns" in how


def test_a_genome_without_introns_has_genes_to_draw():
    table = toy_annotation()
    names, how = ids(table[table["gene_id"] == "single"])
    assert names == ["single"] and "introns," not in how


def test_genes_that_lie_close_are_taken_where_there_are_no_others():
    table = toy_annotation()
    close = table[table["gene_id"].isin(["unverified", "single"])]
    assert sorted(ids(close)[0]) == ["single", "unverified"]


def test_a_region_without_genes():
    with pytest.raises(UserError, match=r"c1:0-10000: found no gene of at most 60000 bp"):
        genes.choose_genes(toy_annotation(), (CONTIG, 0, 10_000))


def test_genes_by_id_and_name():
    table = toy_annotation()
    table.loc[table["gene_id"] == "far2", "gene_name"] = "tango"
    assert [gene.gene_id for gene in genes.find_genes(table, ["tango", "single"])] == ["far2", "single"]
    assert genes.find_genes(table, ["single"])[0].introns == 0
    with pytest.raises(UserError, match="gene 'nope' is not in the annotation"):
        genes.find_genes(table, ["nope"])


@pytest.mark.parametrize("text", ["c9", "c1:5", "c1:9-5", "c1:a-b", "c1:0-80001", "c2:0-5"])
def test_a_region_must_lie_on_the_tracks(text):
    with pytest.raises(UserError, match=r"^region"):
        genes.first_region([text], {CONTIG: LENGTH_BP})


def test_without_a_region_the_longest_contig_is_meant():
    assert genes.first_region([], {"short": 5, CONTIG: LENGTH_BP}) == REGION
    assert genes.first_region(["c1:1,000-2,000"], {CONTIG: LENGTH_BP}) == (CONTIG, 1000, 2000)
    assert genes.first_region([CONTIG], {CONTIG: LENGTH_BP}) == REGION


@pytest.mark.parametrize(
    ("values", "size_bp", "summary", "expected"),
    [
        ([0.0, 1.0, 0.5, 0.5], 2, np.nanmean, [0.5, 0.5]),
        ([0.0, 1.0, 0.2], 2, np.nanmax, [1.0, 0.2]),
        ([np.nan, 1.0, np.nan, np.nan], 2, np.nanmean, [1.0, np.nan]),
        ([0.1, 0.2], 1, np.nanmax, [0.1, 0.2]),
    ],
)
def test_bins(values, size_bp, summary, expected):
    np.testing.assert_allclose(track_data.bin_values(np.array(values), size_bp, summary), expected)


def test_parts_of_gene_models():
    parts = gene_models.model_parts(toy_annotation(), (CONTIG, 19_000, 31_500))
    drawn = {(row.gene_id, row.part, row.start, row.end) for row in parts.itertuples()}
    assert ("plus2", "gene", 20_000, 22_600) in drawn and ("plus2", "cds", 20_100, 20_400) in drawn
    assert ("unverified", "cds_unverified", 30_100, 30_400) in drawn
    assert {gene for gene, *_ in drawn} == {"plus2", "unverified"}


def test_transcripts_are_merged():
    rows = pd.DataFrame({"start": [10, 0, 30], "end": [20, 12, 40]})
    assert gene_models._merged(rows) == [(0, 20), (30, 40)]


def test_genes_that_touch_go_to_different_rows():
    spans = {"a": (0, 100), "b": (50, 150), "c": (120, 200), "d": (400, 500)}
    models = pd.DataFrame(
        [(name, name, "+", "gene", *span) for name, span in spans.items()],
        columns=list(gene_models.MODEL_COLUMNS),
    )
    places = gene_models.pack_rows(models, (CONTIG, 0, 500), lambda name: 15.0)
    assert {name: row for name, (row, _) in places.items()} == {"a": 0, "b": 1, "c": 0, "d": 0}
    wide = gene_models.pack_rows(models, (CONTIG, 0, 500), lambda name: 130.0)
    assert wide["c"][0] == 2, "a's label reaches beyond c's start"
    assert wide["d"][1] == 370.0, "a label stays inside the axes"


def test_the_table_holds_what_is_drawn(panels):
    table = track_data.track_table(panels)
    assert list(table.columns[:6]) == ["gene_id", "contig", "bin_start", "bin_end", "exon+", "exon-"]
    plus = table[table["gene_id"] == "plus2"]
    inside = plus[(plus["bin_start"] >= 20_000) & (plus["bin_end"] <= 20_400)]
    np.testing.assert_allclose(inside["exon+"], 0.9, rtol=1e-6)
    np.testing.assert_allclose(inside["exon-"], 0.05, rtol=1e-6)
    donors = plus.loc[plus["splice_donor+"] > 0.5, ["bin_start", "bin_end"]]
    assert all(
        any(row.bin_start <= end < row.bin_end for _, end in GENES["plus2"][1]) for row in donors.itertuples()
    )
    assert len(donors) == 2


def test_strands_are_mirrored_and_gaps_are_marked(panels):
    figure = tracks.plot_tracks(panels, "Model: toy.")
    texts = assert_readable(figure)
    assert f"plus2, c1:20,001{palette.DASH}22,600, plus strand, 2 introns" in texts
    assert texts.count("Exon") == 2 and texts.count(palette.MINUS) == 8 and texts.count("Probability") == 2
    note = figure.get_label()
    assert "Hatched: no prediction." in note and "minus strand mirrored below" in note and "Bins of" in note
    exon_axes = figure.axes[0]
    assert exon_axes.get_ylim()[0] < -1
    hatched = [patch for patch in exon_axes.patches if patch.get_hatch()]
    assert hatched and min(patch.get_x() for patch in hatched) >= 22_600


@BOTH
def test_both_widths_can_be_read(panels, width_mm):
    figure = tracks.plot_tracks(panels, "Model: toy. " + genes.RULES[0].text, width_mm)
    assert_readable(figure)
    assert sum(low <= tick <= high for tick, low, high in ticks(figure.axes[4])) >= 3


def ticks(axes):
    return [(tick, *axes.get_xlim()) for tick in axes.get_xticks()]


@BOTH
def test_long_names_and_crowded_genes_can_be_read(folder, width_mm):
    table = toy_annotation()
    table["gene_name"] = table["gene_id"].map({"plus2": "a_rather_long_gene_name-RA"}).fillna("")
    gene = genes.find_genes(table, ["plus2"])[0]
    wide = dataclasses.replace(gene, start=19_000, end=64_000)
    panels = [track_data.make_panel(folder, table, one, {CONTIG: LENGTH_BP}) for one in (gene, wide)]
    texts = assert_readable(tracks.plot_tracks(panels, "Toy.", width_mm))
    place = f"a_rather_long_gene_name-RA (plus2), c1:20,001{palette.DASH}22,600, plus strand,"
    assert f"{place}{' ' if width_mm == style.PAGE_MM else chr(10)}2 introns" in texts


@BOTH
@pytest.mark.parametrize("piece", ["GENE_0123456789", "abcdefg."])
def test_a_name_longer_than_the_axes_keeps_its_ends(folder, width_mm, piece):
    table, name = toy_annotation(), (piece * 30)[:90] + "-RA"
    table["gene_name"] = table["gene_id"].map({"plus2": name, "far2": name}).fillna("")
    gene = genes.find_genes(table, ["plus2"])[0]
    wide = dataclasses.replace(gene, start=19_000, end=64_000)  # with far2's name at its right end
    panels = [track_data.make_panel(folder, table, one, {CONTIG: LENGTH_BP}) for one in (gene, wide)]
    figure = tracks.plot_tracks(panels, "Toy.", width_mm)
    texts = assert_readable(figure)
    assert sum(name in text.replace("\n", "") for text in texts) == 2, "titles have all of it"
    drawn = [text for text in texts if "\u2026" in text]
    assert len(drawn) == 3, "one gene, then both"
    assert all(text.startswith(name[:5]) and text.endswith("-RA") for text in drawn)


@BOTH
def test_a_model_of_both_strands_is_drawn_above_the_line(tmp_path, width_mm):
    folder = toy_tracks(tmp_path / "both", strands=())
    gene = genes.find_genes(toy_annotation(), ["minus3"])[0]
    figure = tracks.plot_tracks(
        [track_data.make_panel(folder, toy_annotation(), gene, {CONTIG: LENGTH_BP})], "Toy.", width_mm
    )
    assert figure.axes[0].get_ylim()[0] == 0
    assert palette.MINUS not in assert_readable(figure)
    assert "mirrored" not in figure.get_label()
