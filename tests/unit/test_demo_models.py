"""The bundled checkpoints do what their cards say, on real sequence that no training window touched."""

from pathlib import Path

import pandas as pd
import pytest

from dnalm import checkpoints, mask
from dnalm.annotation import read_annotation
from dnalm.genome import Genome, copy_fasta
from dnalm.genome.regions import parse_region
from dnalm.training import data, segmentation
from dnalm.training.recipe import PretrainingRecipe, SegmentationRecipe, read_recipe

ROOT = Path(__file__).parents[2]
MODELS, DATA = ROOT / "resources/demo/models", ROOT / "resources/demo/dmel_chr2R"
HELD_OUT = "chr2R:2000000-7000000"
# One pass, own strand, on the held-out region: what a release must reach.
FLOORS = {"exon": 0.88, "intron": 0.45, "splice_donor": 0.79, "splice_acceptor": 0.80}
MOST_BYTES = 16_000_000


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """The demo's genome, masked."""
    folder = tmp_path_factory.mktemp("genome")
    copy_fasta(DATA / "dm3_chr2R.fa.gz", folder / "genome.fa")
    mask.mask_genome(folder / "genome.fa", folder / "masked.fa")
    with Genome(folder / "masked.fa") as opened:
        yield opened


def test_the_card_s_scores_meet_the_floors():
    metrics = pd.read_csv(MODELS / "demo_segment_nt/metrics.tsv", sep="\t").set_index("feature")
    assert {name: metrics.loc[name, "auprc"] >= floor for name, floor in FLOORS.items()} == dict.fromkeys(
        FLOORS, True
    )


def test_a_slice_of_the_held_out_region_scores_as_the_card_says(genome):
    """Also a guard against the collapse to a constant output, in which every auPRC is the base rate."""
    checkpoint = checkpoints.load_checkpoint(MODELS / "demo_segment_nt")
    settings = read_recipe(MODELS / "demo_segment_nt/training.yaml", SegmentationRecipe)
    region = ("chr2R", 3_000_000, 3_000_000 + 32 * settings.window_bp)
    examples = data.TrainingGenome(genome, [parse_region(HELD_OUT)], settings.window_bp)
    table = read_annotation(DATA / "dm3_chr2R.BDGP5.25.62.gtf.gz")
    scores = segmentation.score_region(
        checkpoint.config, checkpoint.params, examples, table, region, settings.window_bp
    ).set_index("feature")
    assert scores.loc["exon", "auprc"] > 4 * scores.loc["exon", "base_rate"]
    assert scores.loc["splice_donor", "auprc"] > 0.5
    assert scores.loc["splice_acceptor", "auprc"] > 0.5


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("demo_nt", PretrainingRecipe),
        ("demo_segment_nt", SegmentationRecipe),
        ("tiny_segment_nt", SegmentationRecipe),
    ],
)
def test_each_folder_holds_card_settings_and_log(name, kind):
    folder = MODELS / name
    settings = read_recipe(folder / "training.yaml", kind)
    log = pd.read_csv(folder / "training.tsv", sep="\t")
    first = pd.read_csv(next(folder.glob("training_*.tsv"), folder / "training.tsv"), sep="\t")
    assert log["step"].iloc[-1] == settings.steps and log["loss"].iloc[-1] < first["loss"].iloc[0]
    for one in (
        (first, log) if kind is SegmentationRecipe else (first,)
    ):  # longer windows alone tell little more
        assert one["loss"].iloc[-1] < one["loss"].iloc[0]
    card = (folder / "MODEL_CARD.md").read_text()
    for fact in (
        HELD_OUT,
        f"{settings.steps:,} steps",
        f"seed {settings.seed}",
        "minutes",
        "base",
        "Licence",
    ):
        assert fact in card, fact
    assert len(pd.read_csv(folder / "metrics.tsv", sep="\t"))


def test_all_weights_together_are_small():
    assert sum(path.stat().st_size for path in MODELS.glob("*/*")) <= MOST_BYTES
