"""Training: what windows may touch, the recipe, and that a stopped run ends like an uninterrupted one."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from dnalm.errors import UserError
from dnalm.genome import Genome, write_index
from dnalm.tokens import tokenizer
from dnalm.training import composition, data, mlm, recipe, segmentation

WINDOW = 48
HELD_OUT = ("chr1", 400, 700)
SMALL = {
    "embed_dim": 16,
    "num_layers": 1,
    "attention_heads": 2,
    "ffn_embed_dim": 16,
    "window_bp": WINDOW,
    "batch_size": 2,
    "steps": 6,
    "log_every": 1,
    "checkpoint_every": 3,
    "tokenizer": "v2_3mer",
}


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    letters = np.random.default_rng(0).choice(list("ACGT"), 1200)
    letters[900:910] = "N"
    path = tmp_path_factory.mktemp("genome") / "masked.fa"
    path.write_text(">chr1\n" + "".join(letters) + "\n")
    write_index(path)
    with Genome(path) as opened:
        yield opened


@pytest.fixture(scope="module")
def table():
    rows = [("chr1", 100, 200, "+"), ("chr1", 260, 330, "+"), ("chr1", 1000, 1100, "-")]
    return pd.DataFrame(
        [
            {
                "contig": c,
                "start": a,
                "end": b,
                "strand": s,
                "type": "exon",
                "gene_id": "g",
                "transcript_id": f"t{s}",
            }
            for c, a, b, s in rows
        ]
    ).assign(gene_name="", biotype="", cds_verified=True)


def windows_of(sampler, count=3000):
    return sampler.draw(np.random.default_rng(1), count)


def test_no_window_touches_what_is_held_out_by_one_base(genome):
    examples = data.TrainingGenome(genome, [HELD_OUT], WINDOW)
    starts = {start for _, start, _ in windows_of(data.WindowSampler(examples.segments, WINDOW), 20_000)}
    for start in starts:
        assert start + WINDOW <= HELD_OUT[1] or start >= HELD_OUT[2]
        assert start + WINDOW <= 900 or start >= 910  # nor a base without a letter
    # The windows that just do not touch are drawn: the rule is exact, not cautious.
    assert {HELD_OUT[1] - WINDOW, HELD_OUT[2]} <= starts


@pytest.mark.parametrize("stage", [mlm, segmentation])
def test_both_stages_read_only_what_is_allowed(genome, table, stage, monkeypatch):
    kind = recipe.PretrainingRecipe if stage is mlm else recipe.SegmentationRecipe
    settings = kind(**SMALL)
    examples = data.TrainingGenome(genome, [HELD_OUT], WINDOW, table, recipe.SegmentationRecipe.features)
    read = []
    cut = data.TrainingGenome.bases
    monkeypatch.setattr(
        data.TrainingGenome, "bases", lambda self, windows, bp: read.extend(windows) or cut(self, windows, bp)
    )
    make = stage.make_batches(examples, settings)
    for step in range(200):
        make(step)
    assert len(read) == 200 * settings.batch_size
    assert all(start + WINDOW <= HELD_OUT[1] or start >= HELD_OUT[2] for _, start, _ in read)


def test_a_region_that_is_not_on_the_genome_is_a_fault(genome):
    with pytest.raises(UserError, match="names no contig of the genome"):
        data.TrainingGenome(genome, [("chr2", 0, 10)], WINDOW)


def test_labels_follow_the_strand(genome, table):
    examples = data.TrainingGenome(genome, [], WINDOW, table, ("exon", "splice_donor"))
    forward = examples.labels([("chr1", 180, "+")], WINDOW)[0]
    assert forward[:, 0].sum() == 20 and forward[:20, 0].all()
    assert np.flatnonzero(forward[:, 1]).tolist() == [20]  # base 200, the intron's first
    reverse = examples.labels([("chr1", 1080, "-")], WINDOW)[0]
    assert np.flatnonzero(reverse[:, 0]).tolist() == list(range(28, 48))  # read along the minus strand


def test_masking_follows_the_published_recipe():
    kmers, settings = tokenizer("v2_6mer"), recipe.PretrainingRecipe()
    tokens = np.random.default_rng(2).integers(6, 4102, (400, 513)).astype(np.int32)
    tokens[:, 0] = kmers.cls_id
    read, chosen = mlm.mask_tokens(np.random.default_rng(3), tokens, kmers, settings)
    assert not chosen[:, 0].any() and (read[~chosen] == tokens[~chosen]).all()
    masked = read[chosen] == kmers.mask_id
    same = read[chosen] == tokens[chosen]
    assert chosen[:, 1:].mean() == pytest.approx(0.15, abs=0.003)
    assert masked.mean() == pytest.approx(0.8, abs=0.01) and same.mean() == pytest.approx(0.1, abs=0.01)


def test_the_folded_table_is_the_trained_sum(genome, table):
    settings = recipe.SegmentationRecipe(**SMALL)
    examples = data.TrainingGenome(genome, [HELD_OUT], WINDOW, table, settings.features)
    config = recipe.model_config(settings, settings.features, "own_strand")
    params = segmentation.start_params(config, settings, examples.frequencies())
    features = composition.kmer_features(tokenizer("v2_3mer"))
    folded = composition.fold(params, features)
    name = composition.embedding_module(params)
    expected = np.asarray(params[name]["embeddings"]) + features @ np.asarray(params[composition.MODULE]["w"])
    np.testing.assert_allclose(folded[name]["embeddings"], expected, atol=1e-6)
    assert composition.MODULE not in folded


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step: 3", "unknown key 'step'. Did you mean 'steps'"),
        ("steps: many", "steps: found 'many'"),
        ("steps: 0", "steps: found 0, expected more than 0"),
        ("features: [exon, exons]", "expected different names of"),
        ("- a", "holds no `key: value` lines"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_recipe_that_cannot_be(tmp_path, text, message):
    path = tmp_path / "training.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        recipe.read_recipe(path, recipe.SegmentationRecipe)


def test_a_recipe_reads_what_it_wrote(tmp_path):
    from dnalm.training.finish import settings_text

    settings = dataclasses.replace(
        recipe.SegmentationRecipe(), learning_rate=5e-4, features=("exon", "intron")
    )
    (tmp_path / "training.yaml").write_text(settings_text(settings))
    assert recipe.read_recipe(tmp_path / "training.yaml", recipe.SegmentationRecipe) == settings
