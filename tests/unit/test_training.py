"""Training: what windows may touch, the recipe, and that a stopped run ends like an uninterrupted one."""

import dataclasses

import jax
import numpy as np
import optax
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
    cut = data.TrainingGenome.tokens

    def tokens(self, windows, *others):
        read.extend(windows)
        return cut(self, windows, *others)

    monkeypatch.setattr(data.TrainingGenome, "tokens", tokens)
    config = recipe.model_config(settings, getattr(settings, "features", ()))
    make = stage.make_batches(config, examples, settings)
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


# --- overlapping k-mers: spans, random lengths, DNABERT's form ------------------------------------------


def test_spans_of_k_tokens_are_masked():
    kmers, length = tokenizer("overlapping_4mer"), 402
    tokens = np.full((300, length), kmers.first_kmer_id, np.int32)
    tokens[:, 0], tokens[:, -1] = kmers.cls_id, kmers.sep_id
    settings = recipe.PretrainingRecipe(tokenizer="overlapping_4mer", masking="spans")
    read, chosen = mlm.mask_tokens(np.random.default_rng(0), tokens, kmers, settings)
    assert not chosen[:, [0, -1]].any() and chosen[:, 1:-1].mean() == pytest.approx(0.15, abs=0.005)
    for row in chosen[:, 5:-5]:
        edges = np.flatnonzero(np.diff(row.astype(int), prepend=0, append=0)).reshape(-1, 2)
        inner = [end - start for start, end in edges if start > 0 and end < len(row)]
        assert all(width >= 4 for width in inner)
    assert (read[chosen] == kmers.mask_id).mean() == pytest.approx(0.8, abs=0.02)
    single = dataclasses.replace(settings, masking="tokens")
    widths = mlm.mask_tokens(np.random.default_rng(0), tokens, kmers, single)[1]
    assert (widths[:, 1:-1] & ~widths[:, :-2] & ~widths[:, 2:]).any(), "single tokens stand alone"


@pytest.mark.parametrize("name", ["overlapping_3mer", "v2_3mer"])
def test_rows_of_random_length(name):
    kmers = tokenizer(name)
    windows = np.random.default_rng(1).choice(np.frombuffer(b"ACGT", np.uint8), (400, 90))
    tokens = kmers.encode_windows(windows)
    found = mlm.shorten(np.random.default_rng(2), tokens, kmers, 5)
    own = (~np.isin(found, kmers.special_ids)).sum(axis=1)
    full = tokens.shape[1] - 1 - kmers.end_tokens
    assert own.min() == 5 and own.max() == full and (own == full).mean() == pytest.approx(0.5, abs=0.08)
    for row, whole, count in zip(found, tokens, own, strict=True):
        np.testing.assert_array_equal(row[: count + 1], whole[: count + 1])
        end = row[count + 1 : count + 1 + kmers.end_tokens]
        assert (end == whole[len(whole) - kmers.end_tokens :]).all()
        assert (row[count + 1 + kmers.end_tokens :] == kmers.pad_id).all()


def test_a_dnabert_learns(genome):
    """A few steps on one genome lower the loss of masked 3-mers; held-out regions are scored."""
    settings = recipe.PretrainingRecipe(
        **{**SMALL, "tokenizer": "overlapping_3mer", "learning_rate": 0.01},
        architecture="bert", masking="spans", random_lengths=True,
    )  # fmt: skip
    config = recipe.model_config(settings, lm_head=True)
    assert config.architecture == "bert" and config.max_tokens == WINDOW - 3 + 1 + 2
    examples = data.TrainingGenome(genome, [HELD_OUT], settings.window_bp)
    params, batches = mlm.start_params(config, settings), mlm.make_batches(config, examples, settings)
    loss, losses = jax.jit(jax.value_and_grad(mlm.make_loss(config, settings))), []
    optimizer = optax.adam(0.01)
    state = optimizer.init(params)
    for step in range(60):
        batch = [part.reshape(-1, part.shape[-1]) for part in batches(step)]
        value, gradient = loss(params, tuple(batch))
        updates, state = optimizer.update(gradient, state)
        params = optax.apply_updates(params, updates)
        losses.append(float(value))
    assert np.mean(losses[-10:]) < np.mean(losses[:3]) - 0.3
    stored = composition.fold(params, composition.kmer_features(tokenizer("overlapping_3mer")))
    scores = mlm.score_region(config, stored, examples, HELD_OUT, settings)
    assert scores.set_index("metric").loc["masked_tokens", "model"] > 20


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("masking", "words", "masking: found 'words', expected tokens or spans"),
        ("architecture", "gpt", "architecture: found 'gpt', expected nt_v2 or bert"),
        ("shortest_tokens", 0, "shortest_tokens: found 0, expected more than 0"),
    ],
)
def test_masking_that_cannot_be(tmp_path, key, value, message):
    (tmp_path / "r.yaml").write_text(f"{key}: {value}\n")
    with pytest.raises(UserError, match=message):
        recipe.read_recipe(tmp_path / "r.yaml", recipe.PretrainingRecipe)
