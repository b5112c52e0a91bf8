"""Training's numbers against values worked out by hand: schedule, averages, losses, scores, coordinates."""

import dataclasses
import os
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy_models import digits_of, random_bases

from dnalm.checkpoints import Checkpoint
from dnalm.checkpoints.tensors import in_memory
from dnalm.errors import UserError
from dnalm.models import ModelConfig
from dnalm.tokens import tokenizer
from dnalm.training import composition, data, loop, mlm, prefetch, recipe, segmentation
from dnalm.training.shards import Shards
from dnalm.training.state import Progress

SIX = tokenizer("v2_6mer")
QUICK = recipe.Recipe(steps=8, log_every=3, checkpoint_every=4, batch_size=2, window_bp=12, learning_rate=0.1)


def squares(params, batch):
    """Mean squared distance of a weight from the batch's numbers."""
    return jnp.mean((params["m"]["w"] - batch) ** 2)


def numbers(step):
    return np.random.default_rng(step).normal(size=(1, 4)).astype(np.float32)


START = {"m": {"w": jnp.zeros((2, 4)), "b": jnp.ones(3)}}


def test_the_learning_rate_rises_to_the_peak_and_falls_to_zero():
    settings = recipe.Recipe(steps=100, warmup_fraction=0.1, learning_rate=2e-3)
    schedule = loop.learning_rate_schedule(settings)
    values = [float(schedule(step)) for step in (0, 5, 10, 55, 100)]
    np.testing.assert_allclose(values, [0, 1e-3, 2e-3, 1e-3, 0], atol=1e-9)


def test_decay_spares_biases_and_the_first_average_moves_by_nine_tenths():
    # Without gradient, only the decay moves a weight: by learning rate x decay of itself.
    settings = recipe.Recipe(steps=10, warmup_fraction=0.1, learning_rate=0.5, weight_decay=0.2)
    optimiser = loop.make_optimiser(settings)
    params = {"m": {"w": jnp.full((2, 2), 4.0), "b": jnp.full(2, 4.0)}}
    state = {"params": params, "average": params, "optimiser": optimiser.init(params), "step": jnp.int32(0)}
    state = jax.tree.map(jnp.array, state)
    advance = loop.make_step(lambda params, batch: 0.0 * params["m"]["w"].sum(), optimiser, 0.995)
    state, *_ = advance(state, np.zeros((1, 1)))  # learning rate 0
    state, *_ = advance(state, np.zeros((1, 1)))  # learning rate 0.5
    np.testing.assert_allclose(state["params"]["m"]["w"], 4 * (1 - 0.5 * 0.2), rtol=1e-6)
    np.testing.assert_array_equal(state["params"]["m"]["b"], 4.0)
    kept = 2 / 11  # (1 + step) / (10 + step) at step 1
    np.testing.assert_allclose(state["average"]["m"]["w"], 4 * kept + 3.6 * (1 - kept), rtol=1e-6)


def test_a_terminated_run_saves_its_step_and_ends_like_an_uninterrupted_one(tmp_path):
    whole = loop.train(START, squares, numbers, QUICK, tmp_path / "whole", "key")
    killed = []

    def terminates(step):
        if step == 5 and not killed:
            killed.append(step)
            os.kill(os.getpid(), signal.SIGTERM)
        return numbers(step)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as stopped:
        loop.train(START, squares, terminates, QUICK, tmp_path / "parts", "key")
    assert stopped.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before
    assert (tmp_path / "parts" / "state.safetensors").exists()
    again = loop.train(START, squares, terminates, QUICK, tmp_path / "parts", "key")
    assert again.progress.losses == whole.progress.losses and len(again.progress.losses) == 8
    assert again.progress.gradient_norms == whole.progress.gradient_norms
    np.testing.assert_array_equal(again.params["m"]["w"], whole.params["m"]["w"])
    assert not list((tmp_path / "parts").glob(".*.tmp"))


def test_a_run_that_broke_off_ends_like_an_uninterrupted_one(tmp_path):
    whole = loop.train(START, squares, numbers, QUICK, tmp_path / "whole", "key")

    def breaks(step):
        if step == 6:
            raise RuntimeError("the power went")
        return numbers(step)

    with pytest.raises(RuntimeError, match="the power went"):
        loop.train(START, squares, breaks, QUICK, tmp_path / "parts", "key")
    again = loop.train(START, squares, numbers, QUICK, tmp_path / "parts", "key")
    assert again.progress.losses == whole.progress.losses
    np.testing.assert_array_equal(again.params["m"]["w"], whole.params["m"]["w"])


def test_the_state_of_another_run_is_refused(tmp_path):
    loop.train(START, squares, numbers, QUICK, tmp_path, "one")
    with pytest.raises(UserError, match="belongs to a run with another recipe or other inputs"):
        loop.train(START, squares, numbers, QUICK, tmp_path, "two")


@pytest.mark.parametrize(
    ("bad_step", "kept"), [(1, "there is no checkpoint"), (7, "the last good checkpoint, of step 4, is")]
)
def test_a_loss_that_is_not_finite_names_its_step_and_keeps_the_good_state(tmp_path, bad_step, kept):
    def make_batch(step):
        return numbers(step) * (np.nan if step + 1 == bad_step else 1)

    with pytest.raises(UserError, match=f"training step {bad_step}: the loss is nan.*{kept}"):
        loop.train(START, squares, make_batch, QUICK, tmp_path, "key")
    if bad_step > QUICK.checkpoint_every:
        again = loop.train(START, squares, numbers, QUICK, tmp_path, "key")
        assert np.isfinite(again.progress.losses).all()


def test_accumulation_is_the_mean_of_its_micro_batches():
    optimiser = loop.make_optimiser(QUICK)
    batch = np.arange(8, dtype=np.float32).reshape(2, 4)

    def result(batches):
        state = {"params": START, "average": START, "optimiser": optimiser.init(START), "step": jnp.int32(0)}
        return loop.make_step(lambda p, x: jnp.mean((p["m"]["w"][0, 0] - x) ** 2), optimiser, 0.9)(
            jax.tree.map(jnp.array, state), batches
        )[1:]

    np.testing.assert_allclose(result(batch), result(batch.reshape(1, 8)), rtol=1e-6)
    assert float(result(batch)[0]) == pytest.approx(np.mean(np.arange(8) ** 2))


def test_the_log_has_a_row_per_block_and_one_for_the_rest():
    progress = Progress(4, 1.0, [1.0, 2.0, 3.0, 5.0], [0.1, 0.2, 0.3, 0.5])
    rows = [line.split("\t") for line in loop.log_table(progress, QUICK).splitlines()]
    assert rows[0] == ["step", "megabases", "learning_rate", "loss", "gradient_norm"]
    assert [(row[0], row[1], row[3], row[4]) for row in rows[1:]] == [
        ("3", "0.000", "2.00000", "0.2000"),
        ("4", "0.000", "5.00000", "0.5000"),
    ]


def test_batches_come_in_order_and_a_fault_in_their_making_reaches_the_loop():
    assert list(prefetch.prefetch(lambda step: step * 2, range(20))) == list(range(0, 40, 2))

    def fails(step):
        return 1 / (3 - step)

    batches = prefetch.prefetch(fails, range(9))
    assert [next(batches) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(batches)


def test_an_abandoned_queue_of_batches_ends_its_thread():
    made = []
    batches = prefetch.prefetch(lambda step: made.append(step) or step, range(10**9))
    next(batches)
    batches.close()
    count = len(made)
    assert count <= prefetch.PREFETCHED_BATCHES + 3 and len(made) == count


def test_windows_without_a_site_are_kept_at_the_share_asked_for():
    segments = [data.Segment("c", 0, 1000)]
    sites = {("c", "+"): np.array([500]), ("c", "-"): np.array([], int)}
    drawn = data.WindowSampler(segments, 100, sites, keep_others=0.0).draw(data.batch_random(1, 0), 500)
    starts = [start for _, start, _ in drawn]
    assert {strand for _, _, strand in drawn} == {"+"}
    assert (min(starts), max(starts)) == (401, 500)  # just touching the site from either side


def test_features_say_which_base_and_which_pair_stands_where():
    features = composition.kmer_features(SIX)
    assert features.shape == (4107, 104)
    row = features[SIX.ids["ACGTTA"]]  # digits A 0, T 1, C 2, G 3
    assert np.flatnonzero(row[:24]).tolist() == [0, 4 + 2, 8 + 3, 12 + 1, 16 + 1, 20 + 0]
    assert np.flatnonzero(row[24:]).tolist() == [0 * 16 + 2, 16 + 2 * 4 + 3, 32 + 3 * 4 + 1, 48 + 5, 64 + 4]
    assert set(row) == {0, 1, composition.PAIR_WEIGHT}
    assert not features[[*SIX.special_ids, *SIX.letters.values()]].any()


def test_the_loss_of_even_odds_is_log_two_and_splice_sites_weigh_more():
    labels = jnp.array([[[True, False], [False, False]]])
    even = segmentation.weighted_loss(jnp.zeros((1, 2, 2, 2)), labels, jnp.array([1.0, 60.0]))
    assert float(even) == pytest.approx(np.log(2) * (1 + 60) / 2)
    logits = jnp.zeros((1, 2, 2, 2)).at[0, 0, 0].set(jnp.array([1.0, 4.0]))  # odds e^3 for a true label
    one = segmentation.weighted_loss(logits, labels, jnp.array([1.0, 0.0]))
    assert float(one) == pytest.approx((np.log1p(np.exp(-3)) + np.log(2)) / 4)


def fake_genome(bases, **contents):
    """What scoring needs of a TrainingGenome."""
    genome = data.TrainingGenome.__new__(data.TrainingGenome)
    genome.sequences, genome.features = {"c": bases}, ()
    genome._tokens, genome._names, genome._shards = {}, {"c": "c"}, Shards()
    genome.segments = [data.Segment("c", 0, len(bases))]
    return genome


def test_predictions_of_both_strands_are_in_genome_order(monkeypatch):
    """A model that says 1 at each A of what it reads: A on the forward strand, T on the reverse."""
    config = ModelConfig("v2_6mer", 4107, 5, 8, 1, 2, 4, 8, features=("exon",), labels="own_strand")

    def is_a(params, tokens):
        return {"segment_probabilities": (digits_of(tokens) == 0).astype(jnp.float32)[..., None]}

    monkeypatch.setattr(segmentation.models, "forward", lambda *_, **__: is_a)
    bases = random_bases(400)
    genome = fake_genome(bases)
    tracks = segmentation.predict_region(config, {}, genome, ("c", 7, 390), 24)
    np.testing.assert_array_equal(tracks["+"][:, 0], bases[7:390] == ord("A"))
    np.testing.assert_array_equal(tracks["-"][:, 0], bases[7:390] == ord("T"))
    bases[100] = ord("N")
    tracks = segmentation.predict_region(config, {}, fake_genome(bases), ("c", 7, 390), 24)
    assert np.flatnonzero(np.isnan(tracks["+"][:, 0])).tolist() == list(range(72, 96))  # that window alone


def test_a_model_without_knowledge_scores_like_chance(monkeypatch):
    """Even logits: the cross-entropy is log V; the unigram model's is near the entropy of uniform k-mers."""
    config = ModelConfig("v2_3mer", 75, 9, 8, 1, 2, 4, 8)

    def even(params, tokens):
        return {"logits": jnp.zeros((*tokens.shape, 75))}

    monkeypatch.setattr(mlm.models, "forward", lambda *_, **__: even)
    settings = recipe.PretrainingRecipe(tokenizer="v2_3mer", window_bp=24)
    genome = fake_genome(random_bases(60_000))
    scores = mlm.score_region(config, {}, genome, ("c", 0, 60_000), settings).set_index("metric")
    assert scores.loc["cross_entropy_nats", "model"] == pytest.approx(np.log(75))
    assert scores.loc["cross_entropy_nats", "unigram"] == pytest.approx(np.log(64), abs=0.01)
    assert scores.loc["masked_tokens", "model"] == pytest.approx(0.15 * 40_000, rel=0.05)
    assert scores.loc["token_accuracy", "unigram"] == pytest.approx(1 / 64, abs=0.01)


def test_a_model_that_copies_tells_nothing_that_is_hidden(monkeypatch):
    """Of the masked tokens a tenth is left as it is: these are told by what is read."""
    config = ModelConfig("v2_3mer", 75, 9, 8, 1, 2, 4, 8)

    def copy(params, tokens):
        return {"logits": 9 * jax.nn.one_hot(tokens, 75)}

    monkeypatch.setattr(mlm.models, "forward", lambda *_, **__: copy)
    settings = recipe.PretrainingRecipe(tokenizer="v2_3mer", window_bp=24)
    genome = fake_genome(random_bases(60_000))
    scores = mlm.score_region(config, {}, genome, ("c", 0, 60_000), settings).set_index("metric")["model"]
    assert scores["token_accuracy"] == pytest.approx(0.1, abs=0.02)
    assert scores["hidden_token_accuracy"] == 0
    assert scores["hidden_tokens"] == pytest.approx(0.8 * scores["masked_tokens"], rel=0.05)
    assert scores["hidden_cross_entropy_nats"] > scores["cross_entropy_nats"]


def test_bases_of_a_wrong_token_may_still_be_right():
    ids = np.array([SIX.ids["AAAAAA"], SIX.ids["ACGTAC"]])
    other = np.array([SIX.ids["AAAAAT"], SIX.ids["ACGTAC"]])
    assert mlm._bases_right(ids, other, SIX) == pytest.approx(11 / 12)


def test_the_masked_loss_counts_the_chosen_positions_alone(monkeypatch):
    config = ModelConfig("v2_3mer", 75, 9, 8, 1, 2, 4, 8)
    logits = jnp.zeros((1, 3, 75)).at[0, 1, 7].set(2.0)
    monkeypatch.setattr(mlm.models, "forward", lambda *_, **__: lambda params, tokens: {"logits": logits})
    monkeypatch.setattr(mlm.composition, "fold", lambda params, features: params)
    loss = mlm.make_loss(config, recipe.PretrainingRecipe())
    tokens = jnp.array([[3, 7, 9]], jnp.int32)
    value = loss({}, (tokens, tokens, jnp.array([[False, True, False]])))
    assert float(value) == pytest.approx(np.log(74 + np.exp(2)) - 2, rel=1e-5)


SMALL = recipe.SegmentationRecipe(
    tokenizer="v2_3mer",
    embed_dim=8,
    num_layers=1,
    attention_heads=2,
    ffn_embed_dim=8,
    features=("exon", "CDS"),
)


def head_model(settings):
    return recipe.model_config(settings, settings.features, "own_strand")


def start(settings, frequencies, config, params):
    """What a training by `settings` starts from, given a checkpoint of `config` and `params`."""
    tensors = {module: {name: in_memory(leaf) for name, leaf in p.items()} for module, p in params.items()}
    initial = Checkpoint(tensors, config, Path("initial"))
    started = segmentation.start_params(head_model(settings), settings, frequencies, initial)
    return composition.fold(started, composition.kmer_features(tokenizer("v2_3mer")))


def find_head(params):
    return next(leaves for name, leaves in params.items() if name.endswith(segmentation.HEAD))


def assert_same(found, expected, names):
    for name in names:
        for leaf in expected[name]:
            np.testing.assert_array_equal(found[name][leaf], expected[name][leaf])


def test_a_given_encoder_is_kept_and_the_head_starts_at_the_frequencies():
    language = recipe.model_config(SMALL, lm_head=True)
    encoder = segmentation.models.init_params(language, 5)
    started = start(SMALL, [0.2, 0.0], language, encoder)
    shared = [name for name in started if name in encoder]
    assert len(shared) >= 8
    assert_same(started, encoder, shared)
    bias = np.asarray(find_head(started)["b"]).reshape(3, 2, 2)
    np.testing.assert_allclose(bias[:, 0, 1] - bias[:, 0, 0], np.log(0.2 / 0.8), rtol=1e-5)
    np.testing.assert_allclose(bias[:, 1, 1], np.log(1e-6), rtol=1e-4)


def test_a_model_of_the_same_elements_gives_its_head_too():
    trained = segmentation.models.init_params(head_model(SMALL), 5)
    longer = dataclasses.replace(SMALL, window_bp=2 * SMALL.window_bp)
    started = start(longer, [0.2, 0.1], head_model(SMALL), trained)
    assert set(started) == set(trained)
    assert_same(started, trained, trained)
    other = dataclasses.replace(SMALL, features=("exon", "intron"))
    fresh = start(other, [0.2, 0.1], head_model(SMALL), trained)
    assert not np.array_equal(find_head(fresh)["w"], find_head(trained)["w"]), "other elements, another head"
