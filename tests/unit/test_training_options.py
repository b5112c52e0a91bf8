"""What a recipe may choose: schedule, precision, accumulation, backbone, focal loss, looks and a start."""

import dataclasses
import hashlib
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pretrain
import pytest
import toy_training as toy
import train_segmentation
from toy_training import command_line, write_inputs

from dnalm import checkpoints, models
from dnalm.errors import UserError
from dnalm.training import composition, loop, recipe, segmentation
from dnalm.versions import VERSIONS

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("quick_programs")]
ROOT = Path(__file__).parents[2]
MAINS = {"pretrain": pretrain.main, "segmentation": train_segmentation.main}
SIZES = {"tokenizer": "v2_3mer", "embed_dim": 8, "num_layers": 1, "attention_heads": 2, "ffn_embed_dim": 8}


def train(step, folder, **changes):
    """Trains on the toy; returns the folder of the result."""
    folder.mkdir(exist_ok=True)
    initial = changes.pop("initial", None)
    arguments = write_inputs(folder, **changes)
    if step == "pretrain":
        arguments["--annotation"] = None
        text = (
            (folder / "training.yaml")
            .read_text()
            .replace("features:\n- exon\n- intron\n- splice_donor\n", "")
        )
        (folder / "training.yaml").write_text(text)
    arguments["--initial"] = initial
    assert MAINS[step](command_line(arguments)) == 0
    return folder / "model"


def losses(folder):
    return pd.read_csv(folder / "training.tsv", sep="\t")["loss"].tolist()


@pytest.mark.parametrize(
    ("schedule", "first", "expected"),
    [
        ("cosine", 0.0, {0: 0.0, 5: 0.5, 10: 1.0, 55: 0.5, 100: 0.0}),
        ("cosine", 0.5, {0: 0.5, 5: 0.75, 10: 1.0, 55: 0.5, 100: 0.0}),
        ("inverse_sqrt", 0.0, {0: 0.0, 5: 0.5, 10: 1.0, 40: 0.5, 90: 1 / 3}),
        ("inverse_sqrt", 0.5, {0: 0.5, 5: 0.75, 10: 1.0, 40: 0.5, 90: 1 / 3}),
        ("constant", 0.0, {0: 0.0, 5: 0.5, 10: 1.0, 99: 1.0}),
        ("constant", 0.5, {0: 0.5, 5: 0.75, 10: 1.0, 99: 1.0}),
    ],
)
def test_schedules(schedule, first, expected):
    settings = recipe.Recipe(
        steps=100, warmup_fraction=0.1, warmup_from=first, learning_rate=1.0, schedule=schedule
    )
    rate = loop.learning_rate_schedule(settings)
    for step, value in expected.items():
        assert float(rate(step)) == pytest.approx(value, abs=1e-6), step


def test_the_published_recipe_has_the_published_rates():
    """16,000 steps from 5e-5 to 1e-4, then peak * sqrt(16,000 / step) (Dalla-Torre et al. 2025, Methods)."""
    path = ROOT / "config/examples/recipes/pretrain_published.yaml"
    rate = loop.learning_rate_schedule(recipe.read_recipe(path, recipe.PretrainingRecipe, "1:0-9"))
    expected = {0: 5e-5, 8_000: 7.5e-5, 16_000: 1e-4, 64_000: 5e-5}
    assert {step: float(rate(step)) for step in expected} == pytest.approx(expected, rel=1e-5)


def test_a_run_that_is_older_than_a_key_goes_on_at_its_default():
    settings = recipe.Recipe()
    values = {name: value for name, value in vars(settings).items() if name not in ("note", "warmup_from")}
    older = {"recipe": values, "version": VERSIONS["pretrain"], "inputs": {}, "held_out": []}
    key = hashlib.sha256(json.dumps(older, sort_keys=True).encode()).hexdigest()
    assert recipe.run_key(settings, "pretrain", {}, []) == key
    rising = dataclasses.replace(settings, warmup_from=1e-4)
    assert recipe.run_key(rising, "pretrain", {}, []) != key


def test_the_betas_are_those_of_the_recipe():
    settings = recipe.Recipe(
        steps=10, warmup_fraction=0.1, schedule="constant", beta1=0.5, beta2=0.75, clip_norm=1e9
    )
    optimiser = loop.make_optimiser(settings)
    params = {"m": {"b": jnp.zeros(2)}}
    state = optimiser.init(params)
    _, state = optimiser.update({"m": {"b": jnp.array([2.0, 4.0])}}, state, params)
    adam = state[1][0]
    np.testing.assert_allclose(adam.mu["m"]["b"], [1.0, 2.0])
    np.testing.assert_allclose(adam.nu["m"]["b"], [1.0, 4.0])


def test_focal_loss_by_hand():
    logits = jnp.array([[[[0.0, 0.0]], [[0.0, np.log(3.0)]], [[0.0, np.log(3.0)]]]])  # p = 1/2, 3/4, 3/4
    labels = jnp.array([[[True], [True], [False]]])
    plain = segmentation.weighted_loss(logits, labels, jnp.ones(1))
    assert float(plain) == pytest.approx(np.mean([np.log(2), np.log(4 / 3), np.log(4)]), rel=1e-5)
    focal = segmentation.weighted_loss(logits, labels, jnp.ones(1), 2.0)
    by_hand = np.mean([np.log(2) / 4, np.log(4 / 3) / 16, np.log(4) * 9 / 16])
    assert float(focal) == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("step", MAINS)
def test_many_micro_batches_are_one_large_batch(step, tmp_path):
    """More of them than are unrolled give the losses of one batch that holds all their rows."""
    whole = train(step, tmp_path / "a", batch_size=12)
    parts = train(step, tmp_path / "b", batch_size=2, accumulation=6)
    if (
        step == "segmentation"
    ):  # in masked modelling each micro-batch's mean has its own number of masked tokens
        np.testing.assert_allclose(losses(whole), losses(parts), rtol=2e-5)
    assert len(losses(parts)) == 2


def test_remat_and_no_average_change_nothing_but_memory(tmp_path):
    plain = train("segmentation", tmp_path / "a", ema_decay=0.0)
    again = train("segmentation", tmp_path / "b", ema_decay=0.0, remat=True)
    np.testing.assert_allclose(losses(plain), losses(again), rtol=1e-5)
    state = tmp_path / "a" / "work" / "state.safetensors"
    assert b"average" not in state.read_bytes()[:20_000]


@pytest.mark.parametrize("step", MAINS)
def test_bfloat16_passes_train_float32_weights(step, tmp_path):
    model = train(step, tmp_path / step, precision="bfloat16", steps=20)
    first, last = losses(model)[0], losses(model)[-1]
    assert np.isfinite([first, last]).all() and last < first
    assert all(
        leaf.dtype == np.float32
        for one in checkpoints.load_checkpoint(model).params.values()
        for leaf in one.values()
    )


@pytest.mark.parametrize("backbone", ["frozen", "ia3"])
def test_a_backbone_that_is_not_trained(backbone, tmp_path):
    language = train("pretrain", tmp_path / "language")
    model = train(
        "segmentation", tmp_path / backbone, backbone=backbone, initial=language, steps=12, learning_rate=0.05
    )
    before, after = checkpoints.load_checkpoint(language), checkpoints.load_checkpoint(model)
    shared = [name for name in after.params if name in before.params and "lm_head" not in name]
    changed = {
        name for name in shared for leaf in after.params[name]
        if not np.array_equal(after.params[name][leaf], before.params[name][leaf])
    }  # fmt: skip
    if backbone == "frozen":
        assert not changed
    else:
        assert changed and all("key" in name or "value" in name or "fc" in name for name in changed), changed
    assert np.isfinite(losses(model)).all()


def test_looks_choose_the_best_and_patience_ends_the_run(tmp_path):
    model = train(
        "segmentation",
        tmp_path / "s",
        validation="chr1:96-420",
        validation_windows=40,
        validate_every=2,
        patience=2,
        steps=40,
    )
    table = pd.read_csv(model / "validation.tsv", sep="\t")
    assert {"step", "loss", "auprc_exon"} <= set(table.columns) and table["step"].iloc[0] == 2
    assert (model / "training.png").stat().st_size > 1000
    stale = len(table) - 1 - int(table["loss"].idxmin())
    assert stale == 2 or table["step"].iloc[-1] == 40
    language = train("pretrain", tmp_path / "p", validate_every=2, validation_windows=4)
    table = pd.read_csv(language / "validation.tsv", sep="\t")
    np.testing.assert_allclose(np.exp(table["loss"]), table["perplexity"], rtol=1e-4)
    assert table["masked_accuracy"].between(0, 1).all() and table["step"].tolist() == [2, 4]


def test_pretraining_goes_on_from_a_checkpoint_of_any_size(tmp_path, capsys):
    first = train("pretrain", tmp_path / "a", steps=8)
    second = train(
        "pretrain", tmp_path / "b", steps=2, log_every=1, embed_dim=64, initial=first, learning_rate=1e-9
    )
    before, after = checkpoints.load_checkpoint(first), checkpoints.load_checkpoint(second)
    assert after.config == before.config, "the checkpoint's sizes, not the recipe's"
    for name, leaves in before.params.items():
        for leaf, value in leaves.items():
            np.testing.assert_allclose(after.params[name][leaf], value, atol=2e-3)
    assert "initial weights" in json.loads((second / "manifest.json").read_text())["content"]["inputs"]
    by_three = {"tokenizer": "v2_6mer", "window_bp": 21, "initial": first, "steps": 2}
    assert len(losses(train("pretrain", tmp_path / "d", **by_three))) == 1, "the checkpoint's k-mers too"
    longer = checkpoints.load_checkpoint(
        train("pretrain", tmp_path / "e", initial=first, steps=2, window_bp=48)
    )
    assert (before.config.max_tokens, longer.config.max_tokens) == (9, 17), "rotary positions have no end"
    head = train("segmentation", tmp_path / "c")
    arguments = {**write_inputs(tmp_path / "c"), "--annotation": None, "--initial": head}
    (tmp_path / "c" / "training.yaml").write_text("steps: 2\n")
    assert pretrain.main(command_line(arguments)) == 2
    assert "has no language-model head. Name a language model." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "pattern"),
    [
        ({"schedule": "linear"}, r"schedule: found 'linear', expected cosine or inverse_sqrt or constant"),
        ({"precision": "float16"}, r"precision: found 'float16', expected float32 or bfloat16"),
        ({"backbone": "half"}, r"backbone: found 'half'"),
        ({"loss": "hinge"}, r"loss: found 'hinge'"),
        ({"warmup_from": -1e-5}, r"warmup_from: found -1e-05, expected 0 to the learning rate \(0\.0008\)"),
        ({"warmup_from": 0.01}, r"warmup_from: found 0\.01, expected 0 to the learning rate \(0\.0008\)"),
        ({"patience": -1}, r"patience: found -1, expected 0 or more"),
        ({"beta2": 1.5}, r"beta2: found 1.5, expected 0 to 1"),
        ({"validation": "", "validate_every": 5}, r"validate_every: there is no validation region"),
    ],
)
def test_choices_that_are_none(changes, pattern, tmp_path):
    write_inputs(tmp_path, **changes)
    with pytest.raises(UserError, match=pattern):
        recipe.read_recipe(tmp_path / "training.yaml", recipe.SegmentationRecipe)


def test_gradients_with_remat_are_the_same():
    settings = recipe.SegmentationRecipe(**SIZES, features=("exon",))
    config = recipe.model_config(settings, settings.features, "own_strand")
    params = composition.add_composition(models.init_params(config, 1), config.kmers, 1)
    tokens = np.random.default_rng(0).integers(4, 60, (2, 9)).astype(np.int32)
    labels = np.zeros((2, 24, 1), dtype=bool)
    plain, again = (
        jax.grad(segmentation.make_loss(config, dataclasses.replace(settings, remat=remat)))(
            params, (tokens, jnp.asarray(labels)), {}
        )
        for remat in (False, True)
    )
    for one, other in zip(jax.tree.leaves(plain), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert toy.LENGTH_BP


def test_pretraining_reads_several_genomes(tmp_path, capsys):
    arguments = {**write_inputs(tmp_path), "--annotation": None}
    (tmp_path / "other").mkdir()
    second = toy.write_genome(tmp_path / "other")
    (tmp_path / "training.yaml").write_text(
        "tokenizer: v2_3mer\nembed_dim: 8\nnum_layers: 1\nattention_heads: 2\nffn_embed_dim: 8\n"
        "window_bp: 24\nbatch_size: 2\nsteps: 2\n"
    )
    first = arguments.pop("--genome")
    held_out = arguments.pop("--held-out")
    words = ["--genome", f"fly={first}", f"worm={second}", "--held-out", f"fly/{held_out}", "worm/chr1:0-300"]
    assert pretrain.main([*words, *command_line(arguments)]) == 0
    content = json.loads((tmp_path / "model" / "manifest.json").read_text())["content"]
    assert {"genome fly", "genome worm"} <= set(content["inputs"])
    assert "worm/chr1:0-300" in (tmp_path / "model" / "MODEL_CARD.md").read_text()
    capsys.readouterr()
    assert pretrain.main(["--genome", str(first), str(second), *command_line(arguments)]) == 2
    assert "expected NAME=PATH, each name once. Name them." in capsys.readouterr().err
    assert pretrain.main([*words[:4], "chr1:0-300", *command_line(arguments)]) == 2
    assert "names no contig of the genome (it has fly/chr1, worm/chr1)" in capsys.readouterr().err
