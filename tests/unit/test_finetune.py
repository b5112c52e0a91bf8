"""Fine-tuning: what it trains on, stops by and is scored on; what it leaves; stopped, killed, resumed."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import optax
import pandas as pd
import pytest
import toy_models
from toy_tasks import toy_task

from dnalm import files
from dnalm.checkpoints import load_checkpoint, write_checkpoint
from dnalm.checkpoints.adapter_file import AdapterFile, read_adapter, write_adapter
from dnalm.engine.weights import open_checkpoint, weights_name
from dnalm.errors import UserError
from dnalm.finetuning.recipe import FineTuneRecipe, learning_rates
from dnalm.finetuning.rows import Rows, make_batches
from dnalm.finetuning.splits import make_splits
from dnalm.genome import write_index
from dnalm.models import forward
from dnalm.models.adapters import AdapterConfig, init_adapter, merge
from dnalm.probe import read_folds, summarise
from dnalm.probe.run import prediction_columns
from dnalm.tasks import read_task
from dnalm.training import loop
from dnalm.training.validation import Validation

pytestmark = pytest.mark.usefixtures("quick_programs")

SCRIPT = Path(__file__).parents[2] / "workflow" / "scripts" / "finetune.py"
QUICK = ["--steps", "12", "--validate-every", "4", "--checkpoint-every", "4", "--batch-size", "4"]
OUTPUTS = ("folds.tsv", "predictions.parquet", "adapter.safetensors", "fold_0.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A task and a model of one layer, on disk."""
    path = tmp_path_factory.mktemp("finetune")
    toy_models.language_model(path / "model", num_layers=1)
    toy_task(rows=24, folds=3).to_parquet(path / "task.parquet")
    return path


def words(folder, output, *more, **changes):
    options = {"--task": folder / "task.parquet", "--checkpoint": folder / "model", "--output-dir": output}
    options |= {"--device": "cpu", "--work-dir": output.parent / f"{output.name}.work"} | changes
    return [*(str(word) for pair in options.items() for word in pair), *QUICK, *more]


def run(*arguments, **named):
    return importlib.import_module("finetune").main(words(*arguments, **named))


def check_form(folder, output, method="ia3"):
    """Checks that the result is a set of features like a probe's."""
    task, folds = read_task(folder / "task.parquet"), read_folds(output / "folds.tsv")
    predictions = pd.read_parquet(output / "predictions.parquet")
    assert folds["features"].unique().tolist() == [f"model.{method}"] and folds["fold"].tolist() == [0, 1, 2]
    assert predictions["name"].tolist() == [
        name for fold in range(3) for name in task["name"][task["fold"] == fold]
    ]
    table = summarise([(str(output), folds, predictions)], "toy").set_index("metric")
    assert table.loc["mcc", "mean"] == pytest.approx(folds["mcc"].mean(), abs=1e-5)
    return folds, predictions


@pytest.fixture(scope="module")
def whole(folder):
    """An uninterrupted run."""
    assert run(folder, folder / "whole") == 0
    return folder / "whole"


def test_a_run_leaves_a_probe_s_tables_and_small_adapters(folder, whole):
    folds, predictions = check_form(folder, whole)
    assert (folds["n_train"] == 8).all() and (folds["n_test"] == 8).all()
    assert predictions["probability"].between(0, 1).all()
    content = files.read_manifest(whole)["content"]
    assert content["trained"] == {
        "adapter": 16 + 16 + 32, "head": 17, "model": load_checkpoint(folder / "model").size,
    }  # fmt: skip
    best = min(range(3), key=lambda fold: content["folds"][str(fold)]["validation_loss"])
    assert content["best_fold"] == best
    own = (whole / f"fold_{best}.safetensors").read_bytes()
    assert (whole / "adapter.safetensors").read_bytes() == own and len(own) < 4096
    assert not list((folder / "whole.work").rglob("state.safetensors"))


def test_the_predictions_are_those_of_the_stored_adapter(folder, whole):
    """Merged into the weights, with the stored head, the adapter gives the scores that were written."""
    task = read_task(folder / "task.parquet")
    own = task[task["fold"] == 1]
    stored = read_adapter(whole / "fold_1.safetensors")
    checkpoint = open_checkpoint(folder / "model", whole / "fold_1.safetensors")
    tokens = checkpoint.config.kmers.encode_batch(own["sequence"].tolist())
    apply = jax.jit(forward(checkpoint.config, layers=(1,), pooling="mean"))
    values = np.asarray(apply(checkpoint.params, tokens)["embeddings_1"])
    head = {name.removeprefix("head/"): array for name, array in stored.head.items()}
    logits = ((values - head["centre"]) * head["inverse"]) @ head["w"] + head["b"]
    predictions = pd.read_parquet(whole / "predictions.parquet").query("fold == 1")
    np.testing.assert_allclose(1 / (1 + np.exp(-logits[:, 0])), predictions["probability"], atol=1e-5)
    plain = np.asarray(apply(load_checkpoint(folder / "model").params, tokens)["embeddings_1"])
    assert np.abs(plain - values).max() > 1e-3


def test_a_killed_run_ends_like_an_uninterrupted_one(folder, whole):
    killed = folder / "killed"
    command = [sys.executable, str(SCRIPT), *words(folder, killed)]
    pause = "import dnalm.training.loop as loop, time; save = loop.save_state\n"
    pause += "def slow(path, *rest):\n    save(path, *rest)\n    time.sleep(60 * ('fold_1' in str(path)))\n"
    pause += "loop.save_state = slow\nimport runpy, sys\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    start = f"import sys; sys.argv = {command[1:]!r}; sys.path.insert(0, {str(SCRIPT.parent)!r})\n{pause}"
    settings = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    process = subprocess.Popen([sys.executable, "-c", start], stderr=subprocess.DEVNULL, env=settings)
    deadline = time.monotonic() + 120
    while not list((folder / "killed.work").rglob("fold_1/state.safetensors")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not killed.exists()
    assert run(folder, killed) == 0
    for name in OUTPUTS:
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name
    assert files.read_manifest(killed)["content"] == files.read_manifest(whole)["content"]


@pytest.mark.parametrize("method", ["lora", "head"])
def test_the_other_methods(folder, tmp_path, method):
    assert run(folder, tmp_path / "out", "--method", method, "--rank", "2", "--steps", "4") == 0
    check_form(folder, tmp_path / "out", method)
    stored = read_adapter(tmp_path / "out" / "adapter.safetensors")
    assert sum(leaf.size for leaves in stored.adapter.values() for leaf in leaves.values()) == {
        "lora": 2 * 2 * (16 + 16), "head": 0
    }[method]  # fmt: skip


def other_task(kind):
    """The toy task with labels of another type."""
    task = toy_task(rows=24, folds=3)
    share = np.array([text.count("A") / len(text) for text in task["sequence"]])
    if kind == "multiclass":
        return task.assign(label=np.arange(24) // 2 % 3, fold=np.arange(24) // 6 % 3 % 3)
    if kind == "multilabel":
        return task.drop(columns="label").assign(label_1=task["label"], label_2=1 - task["label"])
    return task.assign(label=5 + 3 * share)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_every_type_of_task(folder, tmp_path, kind):
    other_task(kind).to_parquet(tmp_path / "task.parquet")
    more = {"--task": tmp_path / "task.parquet"}
    assert run(folder, tmp_path / "out", "--precision", "bfloat16", "--steps", "4", **more) == 0
    predictions = pd.read_parquet(tmp_path / "out" / "predictions.parquet")
    columns = prediction_columns(kind, {"multiclass": 3, "multilabel": 2}.get(kind, 1))
    values = predictions[columns].to_numpy()
    if kind == "multiclass":
        np.testing.assert_allclose(values.sum(axis=1), 1, atol=1e-5)
    elif kind == "regression":  # in the labels' own units
        assert abs(values.mean() - predictions["label"].mean()) < 1
    assert (tmp_path / "out" / "outputs.tsv").exists() == (kind == "multilabel")


def test_no_row_is_scored_by_what_saw_it():
    task = toy_task(rows=24, folds=4).assign(split="")
    for split in make_splits(task):
        parts = [set(split.training), set(split.validation), set(split.scored)]
        assert set().union(*parts) == set(range(24)) and sum(map(len, parts)) == 24
        assert set(task["fold"].iloc[split.scored]) == {split.fold}
    tested = task.assign(split=["test" if row < 6 else "" for row in range(24)])
    tested.loc[:5, "fold"] = -1
    for split in make_splits(tested):
        assert set(split.scored) == set(range(6)) and not set(split.scored) & set(split.training)
        assert set(tested["fold"].iloc[split.validation]) == {split.fold}
    with pytest.raises(UserError, match="found 2, expected at least 3"):
        make_splits(task.assign(fold=task["fold"] % 2))


def test_batches_are_epochs_in_an_order_of_the_step_alone():
    texts = ["ACGTAC" * (2 + row % 3) for row in range(10)]
    rows = Rows(texts, [f"r{row}" for row in range(10)], toy_models.config(), "mean")
    wanted = np.arange(10, dtype=np.float32)[:, None]
    make = make_batches(rows, wanted, np.arange(2, 10), (2, 2), (1, 0))
    seen = [make(step) for step in range(4)]
    values = np.concatenate([targets.ravel() for _, targets in seen])
    assert sorted(values[:8]) == sorted(values[8:]) == list(range(2, 10))
    assert values[:8].tolist() != values[8:].tolist()
    again = make_batches(rows, wanted, np.arange(2, 10), (2, 2), (1, 0))(3)
    np.testing.assert_array_equal(again[0], seen[3][0])
    for tokens, targets in seen:
        lengths = (tokens != 1).sum(axis=-1)
        np.testing.assert_array_equal(lengths, 3 + targets[..., 0] % 3)  # each row with its own target


def test_learning_rates():
    made = {"adapter": AdapterConfig(), "steps": 100, "warmup_fraction": 0.1}
    cosine, constant = (learning_rates(FineTuneRecipe(schedule=s, **made)) for s in ("cosine", "constant"))
    np.testing.assert_allclose([float(cosine(s)) for s in (0, 5, 10, 55, 100)], [0, 1.5e-3, 3e-3, 1.5e-3, 0])
    assert float(constant(10)) == float(constant(99)) == pytest.approx(3e-3)
    assert float(learning_rates(FineTuneRecipe(AdapterConfig()))(0)) == pytest.approx(3e-3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--steps", "0"], "steps: found 0, expected 1 or more"),
        (["--learning-rate", "0"], "expected more than 0"),
        (["--patience", "-1"], "warmup_fraction, patience, weight_decay"),
    ],
)
def test_options_that_cannot_be(folder, tmp_path, capsys, words, message):
    assert run(folder, tmp_path / "out", *words) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_rows_that_the_model_does_not_take():
    config = toy_models.config(max_tokens=5)
    with pytest.raises(UserError, match="has 6 tokens, the model takes at most 5"):
        Rows(["ACGTAC" * 5], ["a"], config, "mean")
    with pytest.raises(UserError, match="b: holds no known base"):
        Rows(["ACGTAC", "NNN"], ["a", "b"], config, "mean")


def test_an_adapter_of_other_weights_is_refused(folder, whole, tmp_path):
    adapter = whole / "adapter.safetensors"
    toy_models.language_model(tmp_path / "other", seed=1, num_layers=1)
    with pytest.raises(UserError, match="belongs to other weights"):
        open_checkpoint(tmp_path / "other", adapter)
    merged = open_checkpoint(folder / "model", adapter)
    assert merged.files["adapter"] == adapter
    assert weights_name(merged) != weights_name(load_checkpoint(folder / "model"))
    with pytest.raises(UserError, match="is no adapter"):
        open_checkpoint(folder / "model", folder / "model" / "params.safetensors")
    (tmp_path / "cut").write_bytes(adapter.read_bytes()[:-9])
    with pytest.raises(UserError, match="is damaged"):
        open_checkpoint(folder / "model", tmp_path / "cut")


def test_a_stored_adapter_is_read_as_written(whole, tmp_path):
    content = read_adapter(whole / "adapter.safetensors")
    write_adapter(tmp_path / "again", content)
    assert (tmp_path / "again").read_bytes() == (whole / "adapter.safetensors").read_bytes()
    assert content.about["task_type"] == "binary" and content.settings == AdapterConfig("ia3")
    name = next(iter(content.adapter))
    content.adapter[name][next(iter(content.adapter[name]))][0] = np.nan
    write_adapter(tmp_path / "nan", content)
    with pytest.raises(UserError, match="holds NaN"):
        read_adapter(tmp_path / "nan")


def test_an_embedding_with_an_adapter_says_so(folder, whole, tmp_path):
    task, adapter = folder / "task.parquet", whole / "adapter.safetensors"
    words = ["--checkpoint", str(folder / "model"), "--sequences", str(task), "--device", "cpu"]
    embed = importlib.import_module("embed").main
    assert embed([*words, "--adapter", str(adapter), "--output", str(tmp_path / "a.h5ad")]) == 0
    content = files.read_manifest(tmp_path / "a.h5ad")["content"]
    assert content["inputs"]["adapter"] == files.fingerprint(adapter)
    assert content["weights_sha256"] == weights_name(open_checkpoint(folder / "model", adapter))
    assert content["weights_sha256"] != files.read_manifest(whole)["content"]["weights_sha256"]
    seed = ["--adapter", str(adapter), "--random-weights", "0", "--output", str(tmp_path / "b.h5ad")]
    assert embed([*words, *seed]) == 2


def test_training_stops_when_patience_ends_and_keeps_the_best(tmp_path):
    """A weight that grows by steps; its distance from 3 is judged: best at 3, over two looks later."""
    recipe = FineTuneRecipe(AdapterConfig(), steps=9, batch_size=1, checkpoint_every=4, log_every=9)
    judged = []

    def judge(params):
        judged.append(float(params["m"]["w"][0]))
        return abs(judged[-1] - 3)

    def train(folder, patience):
        return loop.train(
            {"m": {"w": np.zeros(1, np.float32)}},
            lambda params, batch: -params["m"]["w"].sum() + 0 * batch.sum(),
            lambda step: np.zeros((1, 1), np.float32),
            recipe,
            tmp_path / folder,
            "key",
            optax.sgd(1.0),
            (),
            Validation(judge, 1, patience),
        )

    def values(found):
        return float(found.params["m"]["w"][0]), found.progress.step

    assert values(train("a", 2)) == (3, 5) and judged == [1, 2, 3, 4, 5]
    assert values(train("a", 2)) == (3, 5) and len(judged) == 5  # a fold that is over is not trained on
    assert values(train("b", 0)) == (3, 9)


def test_a_segmentation_model_takes_an_adapter(folder, tmp_path):
    """run_model and segment give what the weights with the merged adapter give."""
    model, generator = toy_models.segmentation_model(tmp_path / "model"), np.random.default_rng(3)
    checkpoint, settings = load_checkpoint(model), AdapterConfig("ia3")
    adapter = {
        module: {name: leaf + generator.normal(0, 0.5, leaf.shape) for name, leaf in leaves.items()}
        for module, leaves in init_adapter(checkpoint.config, settings, 0).items()
    }
    path = tmp_path / "a.safetensors"
    write_adapter(path, AdapterFile(adapter, settings, weights_name(checkpoint)))
    merged = merge(checkpoint.params, read_adapter(path).adapter, settings)
    write_checkpoint(tmp_path / "merged", merged, checkpoint.config)
    fasta = toy_models.write_fasta(tmp_path / "g.fa", {"c": toy_models.random_bases(192)})
    write_index(fasta)
    given = {
        "merged": ["--checkpoint", str(tmp_path / "merged")],
        "adapter": ["--checkpoint", str(model), "--adapter", str(path)],
        "plain": ["--checkpoint", str(model)],
    }
    found = {}
    for name, words in given.items():
        words = [*words, "--device", "cpu"]
        run_model, segment = (importlib.import_module(step).main for step in ("run_model", "segment"))
        output = tmp_path / f"{name}.npz"
        more = ["--sequences", str(fasta), "--outputs", "segmentation", "--output", str(output)]
        assert run_model([*words, *more]) == 0
        assert segment([*words, "--genome", str(fasta), "--output-dir", str(tmp_path / f"{name}.bw")]) == 0
        found[name] = np.load(output)["segment_probabilities"]
    np.testing.assert_array_equal(found["adapter"], found["merged"])
    assert np.abs(found["adapter"] - found["plain"]).max() > 1e-4
    contents = {name: files.read_manifest(tmp_path / f"{name}.bw")["content"] for name in given}
    assert contents["adapter"]["files"] == contents["merged"]["files"] != contents["plain"]["files"]
    assert contents["adapter"]["inputs"]["adapter"] == files.fingerprint(path)
