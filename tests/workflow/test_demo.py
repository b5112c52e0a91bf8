"""The whole demo, once: every result is there, and the numbers are those of the README and the cards."""

import json

import numpy as np
import pandas as pd
import pytest
from chromium import Chromium
from PIL import Image
from workflow.conftest import ROOT, snakemake

pytestmark = [pytest.mark.workflow, pytest.mark.demo, pytest.mark.timeout(1800)]
SPECIES = "species/drosophila_melanogaster"
FLOORS = {"exon": 0.86, "intron": 0.45, "splice_donor": 0.77, "splice_acceptor": 0.78}  # auPRC, one pass


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    run = snakemake(ROOT, "--directory", str(folder))
    assert run.returncode == 0, run.stdout[-4000:]
    again = snakemake(ROOT, "--directory", str(folder))
    assert "Nothing to be done" in again.stdout
    return folder / "results"


def test_elements_of_the_held_out_region(results):
    metrics = pd.read_csv(results / SPECIES / "segmentation/elements.metrics.tsv", sep="\t").set_index(
        "feature"
    )
    assert (metrics["labels"] == "own_strand").all()
    for feature, floor in FLOORS.items():
        assert metrics.loc[feature, "auprc"] >= floor, metrics
    # Both strands of 5 Mb, pooled.
    assert metrics.loc["exon", "n_bases"] == pytest.approx(10_000_000, rel=0.01)


def test_expression_has_its_baselines_and_honest_folds(results):
    table = pd.read_csv(results / SPECIES / "expression/rna_seq.tsv", sep="\t")
    assert {"kmer", "demo_segment_nt", "demo_segment_nt.random_weights", "demo_nt"} <= set(table["features"])
    assert set(table["subset"]) == {"all", "expressed", "held_out"} and set(table["folds"]) == {
        "grouped",
        "random",
    }
    kmer = table[(table["features"] == "kmer") & (table["subset"] == "all")].set_index("folds")["R2_pooled"]
    assert 0.15 < kmer["grouped"] < kmer["random"] < 0.45


def test_tasks_stand_beside_their_baselines(results):
    for task in ("splice_donors", "promoters"):
        table = pd.read_csv(results / f"tasks/{task}.drosophila_melanogaster/summary.tsv", sep="\t")
        assert {"kmer", "one_hot", "demo_nt", "demo_segment_nt"} <= set(table["features"])
        assert (table["folds"] == 10).all()


def test_tasks_lie_in_the_held_out_region(results):
    for task in ("splice_donors", "promoters"):
        table = pd.read_parquet(results / f"tasks/{task}.drosophila_melanogaster/data.parquet")
        assert table["start"].min() >= 2_000_000 and table["end"].max() <= 7_000_000


def test_embeddings_open_backed(results):
    import anndata

    data = anndata.read_h5ad(results / SPECIES / "embeddings/tiles.h5ad", backed="r")
    assert data.n_obs > 6000 and {"layer_2", "layer_3"} <= set(data.obsm)
    data.file.close()


def test_the_report_is_whole(results):
    text = (results / "report.html").read_text()
    assert 'src="http' not in text and "Drosophila" in text and "chr2R" in text
    assert json.loads((results / "settings.json").read_text())["species"]
    stems = {path.name.split(".")[0] for path in (results / "figures").glob("*.png")}
    assert stems == {
        *("tracks", "expression", "tasks", "map"),
        *(
            "segmentnt_tracks",
            "segmentnt_metrics",
            "agront_expression",
            "layers",
            "grover_tokens",
            "attention",
        ),
    }
    assert len(list((results / "figures").glob("*.85mm.svg"))) == len(stems)


def test_predictions_match_the_annotation_where_they_are_drawn(results):
    """The exon probability inside and outside of annotated exons, on the strand of the gene."""
    drawn = pd.read_csv(results / "figures/segmentnt_tracks.tsv", sep="\t")
    table = pd.read_parquet(results / SPECIES / "annotation.parquet")
    for sign in "+-":
        exons = table[(table["type"] == "exon") & (table["strand"] == sign) & (table["contig"] == "chr2R")]
        inside = [
            bool(((exons["start"] <= row.bin_start) & (row.bin_end <= exons["end"])).any())
            for row in drawn.itertuples()
        ]
        means = drawn.groupby(inside)[f"exon{sign}"].mean()
        assert means[True] > 0.5 > 0.2 > means[False], means


def test_the_pages_open_in_a_browser(results, tmp_path):
    """The report and the genome browser of the demo: silent, offline, drawn, below 15 MB."""
    with Chromium() as chromium:
        chromium.open(results / "report.html", width=1280)
        assert chromium.errors == [] and chromium.foreign_requests == []
        shown = chromium.evaluate("[...document.images].map(one => one.complete && one.naturalWidth > 100)")
        assert len(shown) == 10 and all(shown)
        page = results / "browser" / "drosophila_melanogaster.elements.html"
        chromium.open(page)
        chromium.wait_for('document.body.dataset.ready === "true"', 120)
        assert chromium.errors == [] and chromium.foreign_requests == []
        chromium.screenshot(tmp_path / "browser.png")
        picture = np.asarray(Image.open(tmp_path / "browser.png").convert("RGB"))
        assert (np.abs(picture.astype(int) - (0, 114, 178)).max(axis=2) < 4).sum() > 1000, "exons in blue"
    for path in (results / "report.html", page):
        assert path.stat().st_size < 15e6, path
