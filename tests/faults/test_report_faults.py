"""Faults of the report: a piece that is missing or damaged ends the step and is named."""

import json

import pytest
from report_results import SPECIES, make_results
from step_faults import assert_refused


@pytest.fixture
def made(tmp_path):
    config, results, stems = make_results(tmp_path)
    arguments = ["--config", config, "--results", results, "--figures", *stems]
    return tmp_path, results, arguments


@pytest.mark.parametrize(
    "lost",
    [
        f"species/{SPECIES}/masked.tsv",
        f"species/{SPECIES}/windows/tiles.bed",
        f"species/{SPECIES}/windows/tiles.bed.manifest.json",
        f"species/{SPECIES}/segmentation/elements.metrics.tsv",
        f"species/{SPECIES}/segmentation/elements.beside_published.tsv",
        f"species/{SPECIES}/expression/rna_seq.tsv",
        f"tasks/promoters.{SPECIES}/summary.tsv",
        "models/demo_nt/config.json",
        f"figures/tracks.{SPECIES}.elements.svg",
        f"figures/map.{SPECIES}.tiles.tsv",
    ],
)
def test_a_missing_piece_is_named(made, lost, capsys):
    folder, results, arguments = made
    (results / lost).unlink()
    name = lost.rsplit("/", 1)[-1].replace(".", r"\.")
    assert_refused("make_report", arguments, folder / "report.html", rf"{name}: .*not found", capsys)


@pytest.mark.parametrize(
    ("path", "content", "pattern"),
    [
        (f"tasks/promoters.{SPECIES}/summary.tsv", "", r"summary\.tsv: .* is empty \(0 bytes\)"),
        (
            f"species/{SPECIES}/masked.tsv",
            "contig\tletter\tcount\n",
            r"masked\.tsv: letter counts has no rows",
        ),
        (
            f"species/{SPECIES}/segmentation/elements.metrics.tsv",
            "feature\nexon\n",
            r"lacks the columns labels, n_bases",
        ),
        (f"figures/tracks.{SPECIES}.elements.svg", "<svg width='3pt'>", r"is no whole SVG drawing"),
        ("models/demo_nt/config.json", "{", r"config\.json: is not JSON"),
        ("models/demo_nt/config.json", "{}", r"config\.json: describes no model"),
    ],
)
def test_a_damaged_piece_is_named(made, path, content, pattern, capsys):
    folder, results, arguments = made
    (results / path).write_text(content)
    assert_refused("make_report", arguments, folder / "report.html", pattern, capsys)


def test_half_a_window_file(made, capsys):
    folder, results, arguments = made
    path = results / "species" / SPECIES / "windows" / "tiles.bed"
    path.write_text("cut")
    assert_refused("make_report", arguments, folder / "report.html", r"tiles\.bed: incomplete", capsys)


@pytest.mark.parametrize(
    ("more", "pattern"),
    [
        (["--cards", "demo_nt"], r"--cards: found 'demo_nt', expected MODEL=FILE"),
        (["--cards", "demo_nt=nowhere.md"], r"nowhere\.md: model card not found"),
    ],
)
def test_cards(made, more, pattern, capsys):
    folder, _, arguments = made
    assert_refused("make_report", [*arguments, *more], folder / "report.html", pattern, capsys)


def test_a_configuration_that_is_none(made, capsys):
    folder, _, arguments = made
    (folder / "other.json").write_text(json.dumps({"species": {}}))
    changed = ["--config", folder / "other.json", *arguments[2:]]
    assert_refused(
        "make_report", changed, folder / "report.html", r"--config: lacks embeddings, segmentation", capsys
    )


def test_an_older_report_stays(made):
    import make_report

    folder, results, arguments = made
    output = folder / "report.html"
    output.write_text("older")
    (results / "models" / "demo_nt" / "config.json").unlink()
    assert make_report.main([*map(str, arguments), "--output", str(output)]) == 2
    assert output.read_text() == "older"
