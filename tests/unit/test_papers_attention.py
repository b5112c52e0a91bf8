"""The figures of attention: what they draw of maps, landscapes and motifs, gaps included; at both widths."""

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import paper_tables_attention as toys
import pytest
import toy_genes
from figure_checks import assert_readable
from matplotlib.patches import Rectangle

from dnalm.annotation import write_annotation
from dnalm.attention import LANDSCAPE_COLUMNS, maps, motifs
from dnalm.errors import UserError
from dnalm.figures import gene_models, palette, style
from dnalm.figures.papers import attention, attention_cells, inputs, landscape, landscape_bins

ROOT = Path(__file__).parents[2]
WIDTHS = (style.COLUMN_MM, style.PAGE_MM)
OUTPUTS = [f"f{end}" for end in (".85mm.png", ".85mm.svg", ".png", ".svg", ".tsv")]


def sums(figure):
    return [hashlib.sha256(data).hexdigest() for data in style.render(figure, "x").values()]


def run(script, *arguments):
    command = [sys.executable, f"workflow/scripts/{script}.py", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("width_mm", WIDTHS)
@pytest.mark.parametrize(("length", "count"), [(120, 1), (30, 2), (40, 1), (14, 12), (410, 14)])
def test_maps_can_be_read(length, count, width_mm):
    shown = toys.toy_maps(length, [(3, head) for head in range(count)])
    texts = assert_readable(attention.plot_attention(shown, "Model: toy.", width_mm))
    titles = [text for text in texts if text.startswith("layer 3, head")]
    assert titles == [f"layer 3, head {head}" for head in range(min(count, 12))]


def test_cells_are_the_attention():
    shown = toys.toy_maps(60, ((3, 0), (3, 1)))
    figure = attention.plot_attention(shown, "x")
    images = [axes.images[0] for axes in figure.axes[:2]]
    for image, values in zip(images, shown.values, strict=True):
        np.testing.assert_array_equal(image.get_array(), values)
    assert images[0].norm is images[1].norm, "one scale"
    assert images[0].norm.vmax == pytest.approx(np.quantile(shown.values, attention_cells.TOP_QUANTILE))
    table = attention_cells.map_table(shown)
    assert list(table.columns[:5]) == ["layer", "head", "query", "start", "key_0"] and len(table) == 120
    row = table[(table["head"] == 1) & (table["query"] == 7)].iloc[0]
    assert row["start"] == 20_006 and row["key_30"] == pytest.approx(shown.values[1, 7, 30], rel=6e-3)


def test_many_tokens_are_binned_by_their_maximum(caplog):
    values = np.arange(25.0).reshape(5, 5)
    np.testing.assert_array_equal(
        attention_cells.bin_maximum(values, 2), [[6, 8, 9], [16, 18, 19], [21, 23, 24]]
    )
    shown = toys.toy_maps(410, [(1, head) for head in range(13)])
    figure = attention.plot_attention(shown, "x")
    assert figure.axes[0].images[0].get_array().shape == (205, 205)
    assert "Each cell: the maximum over 2 by 2 tokens." in figure.get_label()
    assert "The first 12 of 13 heads." in figure.get_label() and "first 12 of 13 heads" in caplog.text
    assert len(attention_cells.map_table(shown)) == 12 * 205


def test_few_tokens_are_named_where_they_fit():
    shown = toys.toy_maps(24, ((3, 0),))
    for width_mm in WIDTHS:
        texts = assert_readable(attention.plot_attention(shown, "x", width_mm))
        assert [text for text in texts if text in shown.tokens] == [*shown.tokens, *shown.tokens]
    texts = assert_readable(attention.plot_attention(toys.toy_maps(41, ((3, 0),)), "x"))
    assert "[CLS]" not in texts and "20.02" in texts and "Key, c1 (kb)" in texts


def test_positions_lie_where_their_tokens_start():
    shown = toys.toy_maps(120)
    ticks, texts = attention._position_ticks(shown, 40.0)
    assert texts == ["20.00", "20.05", "20.10"] and ticks == [1, 51, 101]


def test_a_map_without_values_is_a_gap(caplog):
    shown = toys.toy_maps(60, ((3, 0), (3, 1)))
    shown.values[1] = np.nan
    assert assert_readable(attention.plot_attention(shown, "x")).count("no value") == 1
    assert "1 of 2 maps hold no values" in caplog.text
    none = toys.toy_maps(60, ())
    for width_mm in WIDTHS:
        assert "no value" in assert_readable(attention.plot_attention(none, "x", width_mm))
    assert attention_cells.map_table(none).empty


@pytest.fixture(scope="module")
def table():
    return toys.toy_landscape()


@pytest.fixture(scope="module")
def found(table):
    return toys.toy_motifs(landscape=table)


@pytest.fixture(scope="module")
def models(table):
    return gene_models.model_parts(toy_genes.toy_annotation(), landscape_bins.region_of(table))


@pytest.mark.parametrize("width_mm", WIDTHS)
@pytest.mark.parametrize("annotated", [True, False])
def test_the_landscape_can_be_read(table, found, models, annotated, width_mm):
    figure = landscape.plot_landscape(table, found, models if annotated else None, "Model: toy.", width_mm)
    texts = assert_readable(figure)
    assert {"a", "b", "model", "random weights", "stretch", "TATAAA", "Position on c1 (kb)"} <= set(texts)
    assert ("plus2" in texts) == annotated
    note, count = figure.get_label(), len(motifs.find_stretches(table["attention"].to_numpy()))
    for text in ("Model: toy.", f"n = 4,000 bases; model: {count} stretches", "Ji et al. 2021"):
        assert text in note


def test_lines_stretches_and_bars_are_those_of_the_tables(table, found):
    short = table.iloc[:900]
    figure = landscape.plot_landscape(short, found, None, "x")
    axes, bars = figure.axes
    lines = {line.get_color(): line.get_ydata()[:-1] for line in axes.lines if len(line.get_ydata()) > 2}
    np.testing.assert_array_equal(lines[palette.BLUE], short["attention"])
    np.testing.assert_array_equal(lines[landscape.RANDOM_COLOUR], short["attention_random"])
    shaded = [(patch.get_x() - 20_000, patch.get_width()) for patch in axes.patches]
    expected = motifs.find_stretches(short["attention"].to_numpy())
    assert shaded == [(start, end - start) for start, end in expected]
    chosen = landscape_bins.choose_motifs(found)
    assert len(chosen) == 10 and chosen["p"].is_monotonic_increasing
    widths = [patch.get_width() for patch in bars.patches if isinstance(patch, Rectangle)]
    np.testing.assert_allclose(widths, chosen["log2_enrichment"])
    marks = [float(line.get_xdata()[0]) for line in bars.lines if line.get_marker() == "D"]
    np.testing.assert_allclose(marks, chosen["log2_enrichment_random"].dropna())
    first = chosen.iloc[0]
    texts = assert_readable(figure)
    assert any(text.endswith(f", {first['count_in']} of {first['count_all']}") for text in texts)


def test_high_peaks_do_not_flatten_the_rest(table, found):
    for peak, scale in ((1.0, "linear"), (40.0, "function")):
        sharp = table.assign(attention=table["attention"].where(table.index != 50, peak * 4))
        for width_mm in WIDTHS:
            figure = landscape.plot_landscape(sharp.iloc[:900], found, None, "x", width_mm)
            assert_readable(figure)
            assert figure.axes[0].get_yscale() == scale
            assert ("square-root" in figure.get_label()) == (scale == "function")


def test_long_regions_are_binned(table):
    bins = landscape_bins.bin_landscape(table)
    assert len(bins) == 1000 and (bins["end"] - bins["start"]).eq(4).all()
    np.testing.assert_allclose(bins["attention"], table["attention"].to_numpy().reshape(-1, 4).mean(axis=1))
    uneven = landscape_bins.bin_landscape(table.iloc[:2501])
    assert uneven["end"].iloc[-1] == table["end"].iloc[2500] and len(uneven) == 834


def test_motifs_that_are_not_certain_are_said_to_be(table, found, caplog):
    weak = found.assign(q=0.3)
    for width_mm in WIDTHS:
        figure = landscape.plot_landscape(table, weak, None, "x", width_mm)
        assert "no k-mer has q < 0.05" in assert_readable(figure)
    assert "no k-mer has q < 0.05" not in assert_readable(landscape.plot_landscape(table, found, None, "x"))
    assert not caplog.text


@pytest.mark.parametrize("width_mm", WIDTHS)
def test_what_is_missing_is_a_gap_with_a_note(table, width_mm, caplog):
    gap = table.copy()
    gap.loc[1000:1099, ["attention", "attention_random"]] = np.nan
    figure = landscape.plot_landscape(gap, toys.no_motifs(), None, "x", width_mm)
    texts = assert_readable(figure)
    assert texts.count("no value") == 1 and "no k-mer has q < 0.05" in texts
    hatched = [patch for patch in figure.axes[0].patches if patch.get_hatch()]
    assert [(patch.get_x(), patch.get_width()) for patch in hatched] == [(21_000, 100)]
    assert caplog.text.count("a panel has nothing to draw") == 1
    empty = landscape.plot_landscape(table.iloc[:0], toys.no_motifs(), None, "x", width_mm)
    assert assert_readable(empty).count("no value") == 2
    assert landscape_bins.drawn_table(table.iloc[:0], toys.no_motifs()).empty


def test_the_same_tables_give_the_same_bytes(table, found, models):
    assert sums(landscape.plot_landscape(table, found, models, "x")) == sums(
        landscape.plot_landscape(table, found, models, "x")
    )
    shown = toys.toy_maps(60)
    assert sums(attention.plot_attention(shown, "x")) == sums(attention.plot_attention(shown, "x"))


def test_the_script_of_the_maps(tmp_path):
    maps.write_maps(tmp_path / "a.npz", toys.toy_maps(60))
    stem = tmp_path / "out" / "f"
    done = run("plot_attention", "--attention", tmp_path / "a.npz", "--model", "toy", "--output-stem", stem)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in stem.parent.iterdir()) == OUTPUTS
    assert len(pd.read_csv(stem.with_suffix(".tsv"), sep="\t")) == 4 * 60
    done = run("plot_attention", "--attention", tmp_path / "b.npz", "--output-stem", stem)
    assert done.returncode == 2 and "attention maps not found" in done.stderr


def test_the_script_of_the_landscape(table, found, tmp_path):
    files = {name: tmp_path / f"{name}.tsv" for name in ("landscape", "motifs")}
    for path, rows in zip(files.values(), (table, found), strict=True):
        rows.to_csv(path, sep="\t", index=False, na_rep="NA", float_format="%.6g")
    write_annotation(toy_genes.toy_annotation(), tmp_path / "annotation.parquet")
    stem = tmp_path / "out" / "f"
    inputs = [word for name, path in files.items() for word in (f"--{name}", path)]
    common = ["--model", "toy", "--output-stem", stem]
    done = run("plot_dnabert_attention", *inputs, "--annotation", tmp_path / "annotation.parquet", *common)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in stem.parent.iterdir()) == OUTPUTS
    drawn = pd.read_csv(stem.with_suffix(".tsv"), sep="\t")
    assert drawn["panel"].value_counts().to_dict() == {"a": 1000, "b": 10}
    done = run("plot_dnabert_attention", "--landscape", files["motifs"], "--motifs", files["motifs"], *common)
    assert done.returncode == 2 and "lacks the columns contig, start" in done.stderr


def test_tables_without_rows_are_read(table, tmp_path):
    path = tmp_path / "l.tsv"
    table.iloc[:0].to_csv(path, sep="\t", index=False)
    assert inputs.read_rows(path, LANDSCAPE_COLUMNS, "landscape").empty
    path.write_bytes(b"")
    with pytest.raises(UserError, match="is empty"):
        inputs.read_rows(path, LANDSCAPE_COLUMNS, "landscape")
