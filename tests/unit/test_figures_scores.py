"""The expression and task figures: what they draw of a table, gaps included, and that they can be read."""

import numpy as np
import pandas as pd
import pytest
from figure_checks import assert_readable
from figure_tables import expression_metrics, expression_predictions, task_summary

from dnalm.errors import UserError
from dnalm.figures import benchmark, density, expression, layout, style, tables

BOTH = pytest.mark.parametrize("width_mm", [style.COLUMN_MM, style.PAGE_MM])
LONG = "nucleotide_transformer_v2_500m_multi_species"
MANY = ["splice_donors.zea_mays", "promoters.zea_mays", "enhancers", "poly_a.homo_sapiens", "terminators"]
MANY += ["splice_acceptors.drosophila_melanogaster"]
TALLEST_MM = 260


def lines_of(axes, marker):
    return sorted(
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if line.get_marker() == marker
    )


def test_density_is_a_share_of_genes_and_rows_go_with_observed():
    predicted, observed = np.full(50, 2.0), np.full(50, 8.0)
    values = density.density(predicted, observed, 0.0, 10.0)
    row, column = np.unravel_index(values.argmax(), values.shape)
    assert values.sum() == pytest.approx(1.0)
    assert row / density.GRID == pytest.approx(0.8, abs=0.01)
    assert column / density.GRID == pytest.approx(0.2, abs=0.01)


def test_contours_hold_their_share():
    draw = np.random.default_rng(0)
    values = density.density(draw.normal(0, 1, 20_000), draw.normal(0, 1, 20_000), -6.0, 6.0)
    levels = density.contour_levels(values)
    assert levels == sorted(levels)
    for level, share in zip(levels, density.SHARES, strict=True):
        assert values[values >= level].sum() == pytest.approx(share, abs=0.01)


def test_the_first_model_and_its_deepest_layer_are_drawn():
    chosen = expression.choose(expression_predictions())
    assert set(chosen["features"]) == {"demo_nt"} and set(chosen["layer"]) == {3.0}
    assert len(chosen) == 600


def test_a_layer_can_be_named():
    chosen = expression.choose(expression_predictions(), features="demo_nt", layer="2")
    assert set(chosen["layer"]) == {2.0}
    assert set(expression.choose(expression_predictions(), features="kmer")["features"]) == {"kmer"}
    with pytest.raises(UserError, match=r"demo_nt, layer 9: no predictions .the table has demo_nt, layer 2"):
        expression.choose(expression_predictions(), features="demo_nt", layer="9")


@pytest.fixture(scope="module", params=[style.COLUMN_MM, style.PAGE_MM], ids=["column", "page"])
def drawn(request):
    chosen = expression.choose(expression_predictions())
    note = "Model: demo_nt."
    return expression.plot_expression(chosen, expression_metrics(), note, "log2 RPKM", request.param)


def test_expression_panel_says_n_and_both_scores(drawn):
    texts = assert_readable(drawn)
    # demo_nt, layer 3, all genes, grouped folds of the table: 0.27 + 0.02 and 0.27 + 0.01
    assert "n = 600\nr² = 0.290\nR² = 0.280" in texts
    between = ", " if layout.is_narrow(style.size_mm(drawn)[0]) else "\n"
    facets = (("All genes", 600), ("Expressed genes", 520), ("Held-out region", 150))
    assert {"a", "b", *(f"{name}{between}n = {count}" for name, count in facets)} <= set(texts)
    assert {"demo_nt, layer 2", "demo_nt, layer 3", "Random weights, layer 3", "k-mer counts"} <= set(texts)
    assert "mean over random folds (comparison only)" in texts
    assert "Whiskers: ± 2 s.d. over folds" in drawn.get_label()


@pytest.mark.parametrize(
    ("unit", "scale"), [("log2", "log2"), ("counts", "log2(CPM + 1)"), ("tpm", "log2(TPM + 1)"), ("z", "z")]
)
def test_axes_name_the_scale(unit, scale):
    figure = expression.plot_expression(
        expression.choose(expression_predictions()), expression_metrics(), "x", unit
    )
    assert figure.axes[0].get_xlabel() == f"Predicted expression ({scale})"
    assert figure.axes[0].get_ylabel() == f"Observed expression ({scale})"


def test_every_set_of_features_has_its_marks(drawn):
    facet = drawn.axes[1]
    means = [
        line for line in facet.lines if line.get_marker() == "o" and line.get_markerfacecolor() != "white"
    ]
    assert sorted(float(line.get_xdata()[0]) for line in means) == pytest.approx([0.17, 0.22, 0.24, 0.27])
    assert [x for x, _ in lines_of(facet, "|")] == pytest.approx([0.18, 0.23, 0.25, 0.28])
    whiskers = [line for line in facet.lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 0.9]
    assert sorted(float(np.ptp(line.get_xdata())) for line in whiskers) == pytest.approx([0.14] * 4)


@BOTH
def test_a_missing_score_is_a_gap_with_a_note(width_mm, caplog):
    metrics = expression_metrics()
    lost = (
        (metrics["features"] == "kmer") & (metrics["subset"] == "held_out") & (metrics["folds"] == "grouped")
    )
    metrics.loc[lost, ["R2_pooled", "R2_mean", "R2_2sd"]] = np.nan
    with caplog.at_level("WARNING"):
        figure = expression.plot_expression(
            expression.choose(expression_predictions()), metrics, "x", width_mm=width_mm
        )
    assert assert_readable(figure).count("no value") == 1
    assert "a value is missing and drawn as a gap" in caplog.text


@BOTH
def test_scores_far_below_zero_stay_inside(width_mm):
    metrics = expression_metrics()
    metrics.loc[metrics["features"] == "kmer", ["R2_pooled", "R2_mean"]] = -40.0
    figure = expression.plot_expression(
        expression.choose(expression_predictions()), metrics, "x", width_mm=width_mm
    )
    assert_readable(figure)
    assert figure.axes[1].get_xlim()[0] >= -1.2
    assert len(lines_of(figure.axes[1], "<")) == 3, "mean, pooled and random of the k-mers"
    assert "Arrowheads: R² below \u22121" in figure.get_label()


@BOTH
def test_few_genes_are_dots(width_mm):
    few = expression.choose(expression_predictions(n=40))
    figure = expression.plot_expression(few, expression_metrics(), "x", width_mm=width_mm)
    assert_readable(figure)
    assert not figure.axes[0].images and not figure.axes[0].collections
    assert len(figure.axes[0].lines[0].get_xdata()) == 40
    assert "Dots are genes" in figure.get_label() and "Contours" not in figure.get_label()


@BOTH
def test_constant_values_can_be_drawn(width_mm):
    predictions = expression_predictions().assign(observed=1.0, predicted=1.0)
    chosen = expression.choose(predictions)
    assert_readable(expression.plot_expression(chosen, expression_metrics(), "x", width_mm=width_mm))


@BOTH
def test_many_feature_sets_can_be_read(width_mm):
    features = [(f"model_{number}", layer, 0.2) for number in range(3) for layer in (6, 12)]
    features += [(f"model_{number}.random_weights", 12, 0.1) for number in range(3)] + [("kmer", np.nan, 0.1)]
    chosen = expression.choose(expression_predictions(features))
    figure = expression.plot_expression(chosen, expression_metrics(features), "x", width_mm=width_mm)
    assert_readable(figure)
    assert style.size_mm(figure)[1] < TALLEST_MM


def renamed(table):
    return table.assign(features=table["features"].str.replace("demo_nt", LONG))


@BOTH
def test_long_names_are_broken_and_none_is_lost(width_mm):
    chosen = expression.choose(renamed(expression_predictions()))
    figure = expression.plot_expression(chosen, renamed(expression_metrics()), "x", width_mm=width_mm)
    bars = benchmark.plot_tasks(renamed(task_summary(MANY[:1])), "x", width_mm)
    for one in (figure, bars):
        texts = {text.replace("\n", "").replace(" ", "") for text in assert_readable(one)}
        assert f"{LONG},layer3" in texts
        assert one.axes[-1].get_position().width * width_mm > 12
    if width_mm == style.COLUMN_MM:
        assert all(axes.get_position().x0 <= 0.5 for axes in (*figure.axes[1:], *bars.axes))


@BOTH
def test_scores_of_no_subset_are_a_gap(width_mm, caplog):
    metrics = expression_metrics().assign(value_column="another")
    chosen = expression.choose(expression_predictions())
    assert "no value" in assert_readable(expression.plot_expression(chosen, metrics, "x", width_mm=width_mm))
    assert caplog.text.count("a value is missing") == 1


def test_bars_taller_than_a_page_become_lines():
    table = renamed(task_summary(MANY))
    page, column = (benchmark.plot_tasks(table, "x", width) for width in (style.PAGE_MM, style.COLUMN_MM))
    assert page.axes[0].patches and not any(axes.patches for axes in column.axes)
    assert "Splice acceptors, D. melanogaster" in assert_readable(column)
    assert style.size_mm(column)[1] < TALLEST_MM


@pytest.mark.parametrize(
    ("text", "width_mm", "lines"),
    [
        ("demo_nt, layer 3", 50, "demo_nt, layer 3"),
        ("demo_nt, layer 3", 12, "demo_nt,\nlayer 3"),
        ("Random weights (demo_nt), layer 12", 20, "Random weights\n(demo_nt), layer 12"),
        ("nucleotide_transformer, layer 3", 14, "nucleotide_\ntransformer,\nlayer 3"),
        ("aaaaaaaa", 5, "aaaa\naaaa"),
    ],
)
def test_labels_are_broken_at_spaces_then_inside_names(text, width_mm, lines):
    assert layout.break_label(text, width_mm) == lines
    assert all(style.text_width_mm(line) <= width_mm for line in lines.split("\n"))


def test_models_come_before_baselines_and_baselines_are_grey():
    pairs = tables.feature_order(task_summary())
    names = [name for name, _ in pairs]
    assert names == ["demo_nt", "demo_segment_nt", "demo_nt.random_weights", "kmer", "one_hot"]
    colours = tables.feature_colours(pairs)
    grey = [len(set(colours[pair][1:3] + colours[pair][3:5] + colours[pair][5:])) <= 2 for pair in pairs]
    assert grey == [False, False, True, True, True]
    assert colours[pairs[0]] != colours[pairs[1]]


@pytest.mark.parametrize(
    ("features", "layer", "label"),
    [
        ("demo_nt", 6.0, "demo_nt, layer 6"),
        ("demo_nt", "layer_12", "demo_nt, layer 12"),
        ("kmer", np.nan, "k-mer counts"),
        ("one_hot", None, "One-hot"),
        ("demo_nt.random_weights", 3, "Random weights (demo_nt), layer 3"),
    ],
)
def test_labels(features, layer, label):
    assert tables.feature_label(features, layer) == label


def test_layers_are_ordered_as_numbers():
    table = pd.DataFrame({"features": "m", "layer": [12, 2, 10]})
    assert tables.feature_order(table) == [("m", "2"), ("m", "10"), ("m", "12")]


@BOTH
def test_bars_whiskers_and_values(width_mm):
    figure = benchmark.plot_tasks(task_summary(), "Probes.", width_mm)
    texts = assert_readable(figure)
    bars = [patch.get_width() for patch in figure.axes[0].patches]
    assert bars == pytest.approx([0.62, 0.73, 0.44, 0.35, 0.26])
    spans = [line for line in figure.axes[0].lines if len(set(line.get_ydata())) == 1]
    assert [float(np.ptp(line.get_xdata())) for line in spans] == pytest.approx([0.12] * 5)
    assert {"Splice donors", "Promoters", "Drosophila melanogaster", "n = 1,200", "0.62", "MCC"} <= set(texts)
    assert "± 2 s.d. over folds" in figure.get_label()


@BOTH
def test_negative_scores_are_seen(width_mm):
    table = task_summary()
    table.loc[4, ["mean", "sd2"]] = -0.03, 0.05
    figure = benchmark.plot_tasks(table, "Probes.", width_mm)
    assert "\u22120.03" in assert_readable(figure)
    assert figure.axes[0].get_xlim()[0] <= -0.08


@BOTH
@pytest.mark.parametrize("lost", ["value", "row"])
def test_a_missing_bar_is_a_gap_with_a_note(lost, width_mm, caplog):
    table = task_summary()
    if lost == "value":
        table.loc[3, "mean"] = np.nan
    else:
        table = table.drop(index=3)
    with caplog.at_level("WARNING"):
        figure = benchmark.plot_tasks(table, "Probes.", width_mm)
    assert assert_readable(figure).count("no value") == 1
    assert "missing in 1 of 2 tasks" in caplog.text


@BOTH
@pytest.mark.parametrize("count", [1, 3, 5, 6])
def test_one_or_many_tasks_can_be_read(count, width_mm):
    figure = benchmark.plot_tasks(task_summary(MANY[:count]), benchmark.NOTE, width_mm)
    assert len(figure.axes) == count and style.size_mm(figure)[1] < TALLEST_MM
    assert ("a" in assert_readable(figure)) == (count > 1)


@BOTH
@pytest.mark.parametrize("count", [18, 40])
def test_tasks_by_the_dozen_have_a_line_each(count, width_mm):
    """Two suites, three metrics, long names, two models; nothing cut, nothing over another."""
    names = [
        f"{'chromatin_access_of_the_leaf' if i % 7 == 0 else 'histone'}_{i}.zea_mays" for i in range(count)
    ]
    parts = (("nt_revised", "mcc", names[: count // 2]), ("pgb", "auroc", names[count // 2 : -2]))
    table = pd.concat(
        [task_summary(tasks, metric, suite).assign(mean=0.5) for suite, metric, tasks in parts]
        + [task_summary(names[-2:], "R2", "own").assign(mean=-3.0)],
        ignore_index=True,
    )
    table = table.drop(index=4)
    figure = benchmark.plot_tasks(table, benchmark.NOTE, width_mm)
    texts = assert_readable(figure)
    assert {"Nucleotide Transformer tasks, revised: MCC", "Plant Genomic Benchmark: AUROC"} <= set(texts)
    assert {"Own tasks: R²", "demo_nt, layer 3", "Random weights (demo_nt), layer 3", "One-hot"} <= set(texts)
    _legend, first, *_, last = figure.axes
    assert [len(axes.get_yticks()) for axes in (first, last)] == [count // 2, 2]
    marks = [line for line in first.lines if line.get_marker() not in ("None", "")]
    assert len(marks) == 5 * (count // 2) - 1 and "1 of the values are missing" in figure.get_label()
    assert {line.get_marker() for line in last.lines} == {"<", "None"} and "Arrowheads" in figure.get_label()
    hollow = [line for line in marks if line.get_markerfacecolor() == "white"]
    solid = [line for line in marks if line.get_markerfacecolor() == hollow[0].get_color()]
    assert len(hollow) == count // 2 and len(solid) == count // 2, "random weights have their model's colour"
    height = style.size_mm(figure)[1]
    assert height < 297


def test_each_facet_names_its_metric():
    table = pd.concat([task_summary(("a",)), task_summary(("b",), "r2_pearson", "own")], ignore_index=True)
    assert [axes.get_xlabel() for axes in benchmark.plot_tasks(table, "x").axes] == ["MCC", "r²"]


def test_published_scores_are_not_drawn(tmp_path):
    table = task_summary().assign(origin=["here"] * 9 + ["published"])
    table.to_csv(tmp_path / "leaderboard.tsv", sep="\t", index=False, na_rep="NA")
    drawn = benchmark.gather(tmp_path / "leaderboard.tsv")
    assert list(drawn.columns) == list(benchmark.DRAWN_COLUMNS) and len(drawn) == 9
    with pytest.raises(UserError, match="leaderboard lacks the columns origin"):
        task_summary().to_csv(tmp_path / "other.tsv", sep="\t", index=False)
        benchmark.gather(tmp_path / "other.tsv")


def test_row_order_changes_no_bar():
    def bars(table):
        return [patch.get_width() for axes in benchmark.plot_tasks(table, "x").axes for patch in axes.patches]

    table = task_summary()
    models_first = table.sort_values(["task", "mean"], kind="stable", ascending=[False, True])
    assert sorted(bars(table)) == pytest.approx(sorted(bars(models_first)))
