"""The embedding map: classes of windows, coordinates, and the figure."""

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_readable
from toy_genes import CONTIG, toy_annotation

from dnalm.errors import UserError
from dnalm.figures import embedding_map, map_data, projection, style, window_classes


def windows_of(*spans):
    return pd.DataFrame([(CONTIG, *span) for span in spans], columns=["contig", "start", "end"])


class Letters:
    """A genome of one text."""

    def __init__(self, text):
        self.text = text

    def fetch(self, contig, start, end):
        return self.text[start:end]


def test_shares_of_a_window():
    # plus2: exons 20,000-20,400 and 21,000-21,300; the window's other bases inside the gene are intron.
    windows = windows_of((19_900, 20_900), (20_300, 21_300), (0, 1000), (20_100, 20_200))
    shares = window_classes.classify_windows(windows, toy_annotation())
    assert shares["exonic"].tolist() == pytest.approx([0.4, 0.4, 0.0, 1.0])
    assert shares["intronic"].tolist() == pytest.approx([0.5, 0.6, 0.0, 0.0])
    assert shares["intergenic"].tolist() == pytest.approx([0.1, 0.0, 1.0, 0.0])
    assert shares["overlaps"].tolist() == ["intronic", "intronic", "intergenic", "exonic"]


def test_windows_keep_their_order_and_contigs():
    windows = windows_of((20_100, 20_200), (0, 100), (21_000, 21_100))
    windows.loc[1, "contig"] = "a_contig_without_genes"
    assert window_classes.classify_windows(windows, toy_annotation())["overlaps"].tolist() == [
        "exonic", "intergenic", "exonic",
    ]  # fmt: skip


def test_repeats_go_before_genes():
    windows = windows_of((20_100, 20_200), (0, 100))
    classes = window_classes.classify_windows(windows, toy_annotation(), np.array([0.5, 0.49]))
    assert classes["overlaps"].tolist() == ["repeat", "intergenic"]


def test_composition_counts_both_cases_and_leaves_n_out():
    found = window_classes.composition(windows_of((0, 4), (4, 8), (8, 12)), Letters("GCATgcnNNNNN"))
    assert found["gc"].tolist()[:2] == pytest.approx([0.5, 1.0]) and np.isnan(found["gc"][2])
    assert found["soft_masked"].tolist() == pytest.approx([0.0, 0.75, 0.0])


def test_principal_components_by_hand():
    # Points on a line of slope 1: all variance on one component; signs are fixed, so the order is known.
    line = np.array([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]], np.float32)
    scores, shares = projection.principal_components(line, 2)
    assert shares[0] == pytest.approx(1.0)
    np.testing.assert_allclose(scores[:, 0], [-np.sqrt(2), 0, np.sqrt(2)], atol=1e-6)


@pytest.mark.parametrize(("count", "kind"), [(1, "PCA"), (2, "PCA"), (299, "PCA"), (300, "t-SNE")])
def test_projection_is_the_same_each_time(count, kind):
    values = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    first, second = projection.project(values), projection.project(values)
    assert first.kind == kind and first.coordinates.shape == (count, 2)
    assert first.coordinates.tobytes() == second.coordinates.tobytes()
    assert np.isfinite(first.coordinates).all()


def test_neighbours_share_their_class_where_classes_lie_apart():
    draw = np.random.default_rng(0)
    classes = np.repeat(np.array(["a", "b"]), 100)
    apart = draw.normal(size=(200, 4)) + np.where(classes == "a", 0, 50)[:, None]
    assert projection.neighbour_agreement(apart, classes) == pytest.approx((1.0, 99 / 199))
    mixed = projection.neighbour_agreement(draw.normal(size=(200, 4)), classes)
    assert mixed[0] == pytest.approx(mixed[1], abs=0.06)


def test_a_subsample_is_seeded_and_ascending():
    rows = projection.subsample(10_000, 500)
    assert len(set(rows.tolist())) == 500 and (np.diff(rows) > 0).all()
    assert (rows == projection.subsample(10_000, 500)).all()
    assert (rows != projection.subsample(10_000, 500, seed=2)).any()
    assert projection.subsample(5).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("wanted", "layer"), [("last", 12), ("middle", 6), ("3", 3)])
def test_layers(wanted, layer):
    assert map_data.choose_layer([3, 6, 12], wanted, "x") == layer


@pytest.mark.parametrize("wanted", ["7", "first", ""])
def test_a_layer_that_is_not_there(wanted):
    with pytest.raises(UserError, match=r"x.h5ad: holds no layer .*found 3, 6, 12"):
        map_data.choose_layer([12, 3, 6], wanted, "x.h5ad")


def table_of(count, columns=("overlaps", "gc")):
    draw = np.random.default_rng(0)
    table = pd.DataFrame(draw.normal(size=(count, 2)), columns=["x", "y"])
    names = np.array(list(embedding_map.COLOURS))
    table["overlaps"], table["gc"] = names[np.arange(count) % len(names)], draw.uniform(0.3, 0.6, count)
    return table[["x", "y", *columns]]


@pytest.mark.parametrize("width_mm", [style.COLUMN_MM, style.PAGE_MM])
@pytest.mark.parametrize("kind", ["PCA", "t-SNE"])
@pytest.mark.parametrize("columns", [("overlaps", "gc"), ("overlaps",), ("gc",)])
def test_the_map_can_be_read(kind, columns, width_mm):
    table = table_of(400, columns)
    made = projection.Projection(table[["x", "y"]].to_numpy(), kind, (0.5, 0.2))
    note = "Model: demo_nt, layer 3, n = 400 windows."
    figure = embedding_map.plot_map(table, made, note, width_mm)
    texts = assert_readable(figure)
    assert style.size_mm(figure)[0] <= width_mm + 0.01
    if "overlaps" in columns:
        assert {f"{name}\nn = 100" for name in embedding_map.COLOURS} <= set(texts)
    if kind == "PCA":
        assert "PC1 (50% of variance)" in texts
    assert ("b" in texts) == (len(columns) == 2)


def test_windows_without_gc_are_left_out_of_that_panel():
    table = table_of(50)
    table.loc[:9, "gc"] = np.nan
    made = projection.Projection(table[["x", "y"]].to_numpy(), "PCA", (0.5, 0.2))
    figure = embedding_map.plot_map(table, made, "x")
    gc_dots = figure.axes[1].collections[0]
    assert len(gc_dots.get_offsets()) == 40


def test_panels_stand_below_each_other_in_a_column():
    table = table_of(50)
    made = projection.Projection(table[["x", "y"]].to_numpy(), "PCA", (0.5, 0.2))
    column, page = (
        embedding_map.plot_map(table, made, "x", width) for width in (style.COLUMN_MM, style.PAGE_MM)
    )
    first, second = (column.axes[place].get_position() for place in (0, 1))
    assert first.x0 == pytest.approx(second.x0) and second.y1 < first.y0
    assert page.axes[0].get_position().y0 == pytest.approx(page.axes[1].get_position().y0)


def test_windows_without_any_gc_are_a_gap(caplog):
    table = table_of(20).assign(gc=np.nan)
    made = projection.Projection(table[["x", "y"]].to_numpy(), "PCA", (0.5, 0.2))
    assert "no value" in assert_readable(embedding_map.plot_map(table, made, "x"))
    assert caplog.text.count("no window has a GC content") == 1
