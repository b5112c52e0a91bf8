"""The style: size, fonts, files that are the same each time."""

import importlib
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from figure_checks import assert_readable
from figure_tables import expression_metrics, expression_predictions, task_summary

from dnalm.figures import benchmark, style, vocabulary

SVG = "{http://www.w3.org/2000/svg}"


def save_figure(stem, title="Two points"):
    with style.applied():
        figure = style.new_figure(85, 40)
        style.add_axes(figure, 12, 5, 60, 22).plot([0, 1], [0, 1])
        style.add_note(figure, "Model: demo_nt, n = 2 points.")
    style.save(figure, stem, pd.DataFrame({"x": [0.0, 1.0]}), title)
    return stem


@pytest.fixture
def stem(tmp_path):
    return save_figure(tmp_path / "run.1")


def test_three_files_even_where_the_stem_holds_a_dot(stem):
    assert sorted(path.name for path in stem.parent.iterdir()) == ["run.1.png", "run.1.svg", "run.1.tsv"]
    assert stem.with_name("run.1.tsv").read_text() == "x\n0\n1\n"


def test_size_on_paper(stem):
    root = ElementTree.parse(stem.with_name("run.1.svg")).getroot()  # noqa: S314 (our own file)
    assert float(root.get("width").removesuffix("pt")) == pytest.approx(85 / 25.4 * 72, abs=0.01)
    header = stem.with_name("run.1.png").read_bytes()[16:24]
    assert int.from_bytes(header[:4], "big") == pytest.approx(85 / 25.4 * style.PNG_DOTS_PER_INCH, abs=1)


def test_text_stays_text_and_its_fonts_travel_along(stem):
    text = stem.with_name("run.1.svg").read_text()
    assert text.count("@font-face") == 1 and "font-family: Arimo, Arial" in text
    assert "Model: demo_nt, n = 2 points." in text and "<dc:title>Two points</dc:title>" in text
    assert 'href="http' not in text and "url(http" not in text


def test_files_hold_no_date_and_no_version(stem):
    svg, png = (stem.with_name(f"run.1.{ending}").read_bytes() for ending in ("svg", "png"))
    assert b"<dc:date>" not in svg and b"Matplotlib v" not in svg and b"matplotlib.org" not in svg.lower()
    assert b"Matplotlib" not in png and b"tIME" not in png


PROGRAM = """
import sys
sys.path[:0] = {paths!r}
from figure_checks import assert_readable
from figure_tables import expression_metrics, expression_predictions, task_summary
from dnalm.figures import benchmark, style, vocabulary
style.save(benchmark.plot_tasks(task_summary(), "Probes."), sys.argv[1], task_summary(), "Tasks")
"""


def test_the_same_data_give_the_same_bytes_in_another_process(tmp_path):
    root = Path(__file__).parents[2]
    paths = [str(root / "tests"), str(root / "workflow" / "scripts")]
    command = [sys.executable, "-c", PROGRAM.format(paths=paths), str(tmp_path / "a")]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "7", "HOME": str(tmp_path), "PATH": ""})
    style.save(benchmark.plot_tasks(task_summary(), "Probes."), tmp_path / "b", task_summary(), "Tasks")
    for ending in (".svg", ".png", ".tsv"):
        assert (tmp_path / f"a{ending}").read_bytes() == (tmp_path / f"b{ending}").read_bytes(), ending


def test_a_users_matplotlibrc_changes_nothing(monkeypatch):
    import matplotlib

    with style.applied():
        expected = dict(matplotlib.rcParams)
    monkeypatch.setitem(matplotlib.rcParams, "font.size", 40.0)
    monkeypatch.setitem(matplotlib.rcParams, "axes.grid", True)
    with style.applied():
        assert dict(matplotlib.rcParams) == expected
    assert matplotlib.rcParams["font.size"] == 40.0


def test_without_the_font_files_a_figure_is_drawn_all_the_same(monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(style, "FONT_FOLDER", tmp_path / "none")
    style.font_family.cache_clear()
    try:
        with caplog.at_level("WARNING"):
            save_figure(tmp_path / "plain")
        assert "figures use DejaVu Sans" in caplog.text
        assert "DejaVu Sans" in (tmp_path / "plain.svg").read_text()
    finally:
        style.font_family.cache_clear()


def test_missing_values_are_written_as_na(tmp_path):
    with style.applied():
        figure = style.new_figure(85, 20)
    style.save(figure, tmp_path / "x", pd.DataFrame({"score": [float("nan"), 1 / 3]}), "x")
    assert (tmp_path / "x.tsv").read_text() == "score\nNA\n0.333333\n"


def test_wrapped_text_fits_its_width():
    text = (
        "Genes chosen without looking at predictions: verified CDS, at least two introns, well inside. " * 3
    )
    for width_mm in (60.0, 81.0, 176.0):
        assert all(style.text_width_mm(line) <= width_mm for line in style.wrap(text, width_mm))


def width_of(path):
    root = ElementTree.parse(path).getroot()  # noqa: S314 (our own file)
    return float(root.get("width").removesuffix("pt")) / 72 * 25.4


def vocabularies(cycles=(100, 200, 400, 600, 1000), k=(2, 4)):
    rows = [
        (cycle, cycle + 9, k_mer, "validation", 0.1 * 4.0**-k_mer * (2 + place), 0.001, 512, 2.0 + place, 9)
        for place, cycle in enumerate((0, *cycles))
        for k_mer in k
    ]
    return pd.DataFrame(rows, columns=list(vocabulary.COLUMNS))


def saved(table, path):
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, sep="\t", index=False)
    return str(path)


@pytest.mark.parametrize(
    ("step", "inputs"),
    [
        ("plot_tasks", {"--leaderboard": lambda: task_summary().assign(origin="here")}),
        ("plot_expression", {"--metrics": expression_metrics, "--predictions": expression_predictions}),
        ("plot_vocabulary", {"--table": vocabularies}),
    ],
)
def test_programs_write_both_widths(tmp_path, step, inputs):
    words = []
    for option, make in inputs.items():
        suffix = ".parquet" if option == "--predictions" else ".tsv"
        words += [option, saved(make(), tmp_path / f"{option.strip('-')}{suffix}")]
    stem = tmp_path / "out" / "figure"
    for _ in range(2):
        files = {path.name: path.read_bytes() for path in stem.parent.glob("*")}
        assert importlib.import_module(step).main([*words, "--output-stem", str(stem)]) == 0
        assert not files or files == {path.name: path.read_bytes() for path in stem.parent.glob("*")}
    endings = (".svg", ".png", ".85mm.svg", ".85mm.png", ".tsv")
    assert {path.name for path in stem.parent.iterdir()} == {f"figure{ending}" for ending in endings}
    assert width_of(tmp_path / "out" / "figure.svg") == pytest.approx(180, abs=0.01)
    assert width_of(tmp_path / "out" / "figure.85mm.svg") == pytest.approx(85, abs=0.01)


@pytest.mark.parametrize("width_mm", [style.COLUMN_MM, style.PAGE_MM])
@pytest.mark.parametrize("cycles", [(4, 16), (100, 200, 400, 600, 1000, 2000, 5000), range(100, 1100, 100)])
def test_vocabularies_can_be_read(cycles, width_mm):
    figure = vocabulary.plot(vocabularies(tuple(cycles), (1, 2, 3, 6)), width_mm)
    texts = assert_readable(figure)
    assert f"{max(cycles):,}" in texts and {"a", "b", "k = 1", "k = 6"} <= set(texts)
    first, second = (axes.get_position() for axes in figure.axes)
    assert (second.y1 < first.y0) == (width_mm == style.COLUMN_MM)
