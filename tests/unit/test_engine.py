"""Engine: batches by length, halving without memory, several devices, nothing computed in vain."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import toy_models

from dnalm.embeddings.embedder import pooled_function
from dnalm.embeddings.settings import Settings
from dnalm.engine import Runner, check_finite, memory
from dnalm.engine.runner import bucket_length, plan_batches
from dnalm.errors import UserError
from dnalm.models import init_params

PAD = 1
TESTS = Path(__file__).parents[1]


def weighted_sum(params, tokens):
    """Sum of token x position over the tokens that are no pad."""
    return params * jnp.where(tokens == PAD, 0, tokens * jnp.arange(tokens.shape[1])).sum(axis=1)


def random_rows(count, longest=40, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(2, 99, generator.integers(1, longest)).astype(np.int32) for _ in range(count)]


def expected(rows):
    return np.array([2.0 * (row * np.arange(len(row))).sum() for row in rows])


def runner(batch_rows=4, function=weighted_sum, nominal=21, limit=40):
    return Runner(function, np.float32(2), jax.local_devices(), batch_rows, nominal, limit, PAD)


def run_all(run, rows):
    found = np.full(len(rows), np.nan)
    for places, values in run.run(rows):
        assert np.isnan(found[places]).all()  # every row once
        found[places] = values
    return found


@pytest.mark.parametrize(
    "length, nominal, limit, bucket",
    [
        (513, 513, 513, 513),
        (500, 513, 513, 513),
        (1001, 1001, 2048, 1001),  # most rows are never padded
        (1002, 1001, 2048, 1025),
        (700, 1001, 2048, 769),
        (1, 513, 513, 5),
        (22, 513, 513, 25),
        (990, 999, 1000, 999),
        (1000, 999, 1000, 1000),  # never over the model's limit
    ],
)
def test_lengths_fall_into_few_buckets(length, nominal, limit, bucket):
    assert bucket_length(length, nominal, limit) == bucket


def test_buckets_are_few_and_pad_little():
    buckets = {bucket_length(length, 1001, 2049) for length in range(1, 2050)}
    assert len(buckets) < 35
    assert all((bucket - 1) % 4 == 0 for bucket in buckets)
    assert all(bucket_length(length, 1001, 2048) < 1.25 * length + 4 for length in range(2, 2049))


@pytest.mark.parametrize("count", [1, 4, 7, 50])
def test_plan_holds_every_row_once_longest_first(count):
    lengths = np.array([len(row) for row in random_rows(count)])
    plan = plan_batches(lengths, 4, 21, 40)
    assert sorted(np.concatenate([batch.rows for batch in plan])) == list(range(count))
    assert [batch.length for batch in plan] == sorted((batch.length for batch in plan), reverse=True)
    assert all(len(batch.rows) == 4 for batch in plan[:-1])
    assert all((lengths[batch.rows] <= batch.length).all() for batch in plan)


@pytest.mark.parametrize("batch_rows", [1, 3, 64])
def test_results_come_back_to_their_rows(batch_rows):
    rows = random_rows(23)
    np.testing.assert_allclose(run_all(runner(batch_rows), rows), expected(rows))
    assert list(runner().run([])) == []


class FullDevice:
    """Stands for the compiled call: refuses more than some rows, as a device without memory does."""

    def __init__(self, call, most_rows, message="RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes"):
        self.call, self.most_rows, self.message, self.shapes = call, most_rows, message, []

    def __call__(self, params, tokens):
        self.shapes.append(tokens.shape[0])
        if tokens.shape[0] > self.most_rows:
            raise jax.errors.JaxRuntimeError(self.message)
        return self.call(params, tokens)


@pytest.mark.parametrize("most_rows, batches", [(5, {16, 8, 4}), (1, {16, 8, 4, 2, 1}), (16, {16})])
def test_out_of_memory_halves_the_batch_and_keeps_the_numbers(most_rows, batches, caplog):
    run, rows = runner(16), random_rows(50)
    run._call = FullDevice(run._call, most_rows)
    np.testing.assert_allclose(run_all(run, rows), expected(rows))
    assert set(run._call.shapes) == batches
    assert run.batch_rows == min(batches)
    assert ("out of device memory" in caplog.text) == (len(batches) > 1)


def test_out_of_memory_for_one_window_is_the_users_fault():
    run = runner(4)
    run._call = FullDevice(run._call, 0)
    with pytest.raises(UserError, match=r"out of memory for one window of \d+ tokens.*Use shorter windows"):
        run_all(run, random_rows(6))


def test_other_faults_of_the_device_are_not_hidden():
    run = runner(4)
    run._call = FullDevice(run._call, 0, "INTERNAL: something else")
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        run_all(run, random_rows(6))


def test_no_deeper_layer_and_no_head_is_computed():
    config = toy_models.config(num_layers=4)
    params = init_params(config, 0)
    shallow = {
        module: leaves
        for module, leaves in params.items()
        if not any(part in module for part in ("attention_layer_2", "attention_layer_3", "lm_head"))
    }
    assert len(shallow) < len(params)
    tokens = np.array([[3, 6, 7, 8, 1, 1]], np.int32)
    function = pooled_function(config, Settings((1, 2)))
    assert jax.eval_shape(function, shallow, tokens).shape == (1, 2, 16)
    with pytest.raises(ValueError, match="attention_layer_2"):  # a weight that is used would be missed
        jax.eval_shape(pooled_function(config, Settings((3,))), shallow, tokens)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_name_their_window(bad):
    values = np.zeros((3, 2, 4), np.float32)
    check_finite(values, ["a", "b", "c"])
    values[1:, 1, 3] = bad
    with pytest.raises(UserError, match=r"^b: the model gives NaN or infinity here \(and in 1 more"):
        check_finite(values, ["a", "b", "c"])


def accelerator(gib):
    return SimpleNamespace(
        platform="gpu", memory_stats=lambda: {"bytes_limit": int(gib * 2**30), "bytes_in_use": 0}
    )


def test_batches_follow_the_memory_of_an_accelerator():
    config = toy_models.config(embed_dim=1024, attention_heads=16, key_size=64, ffn_embed_dim=4096)
    sizes = [memory.batch_rows(config, 1001, [accelerator(gib)], 10**6) for gib in (0.1, 16, 32, 1000)]
    assert sizes[0] == 1
    assert sizes[1] * 2 == pytest.approx(sizes[2], abs=1)
    assert sizes[3] == memory.ACCELERATOR_BATCH_TOKENS // 1001
    assert memory.batch_rows(config, 1001, [accelerator(32)] * 4, 10) == 3  # no more than there is to do
    assert memory.batch_rows(config, 513, [SimpleNamespace(platform="cpu")], 100) == 4


@pytest.mark.parametrize("text", ["0", "-1", "many", ""])
def test_batch_size_is_auto_or_a_number(text):
    assert memory.parse_batch_size("auto") is None
    assert memory.parse_batch_size("12") == 12
    with pytest.raises(UserError, match="--batch-size"):
        memory.parse_batch_size(text)


DEVICES_PROGRAM = """
import numpy as np, jax, toy_models
from dnalm.embeddings.embedder import pooled_function
from dnalm.embeddings.settings import Settings
from dnalm.engine import Runner
from dnalm.models import forward, init_params
config = toy_models.config(toy_models.FEATURES, "own_strand", num_layers=1)
draw = np.random.default_rng(0).integers
rows = [np.r_[3, draw(6, 4102, 4 * (n % 2 + 7))].astype(np.int32) for n in range(5)]
for function in (pooled_function(config, Settings((1,))),
                 lambda p, t: forward(config, segmentation=True)(p, t)["segment_probabilities"]):
    runs = []
    for devices in (jax.local_devices()[:1], jax.local_devices()):
        runner = Runner(function, init_params(config, 0), devices, 2, 33, 33, 1)
        found = {}
        for places, values in runner.run(rows):
            found.update(zip(places.tolist(), values))
        runs.append([found[place][: len(rows[place]) * 6 - 6] for place in range(5)])
    print(len(devices), max(np.abs(a - b).max() for a, b in zip(*runs)))
"""


def test_two_devices_give_the_numbers_of_one():
    paths = os.pathsep.join([str(TESTS), str(TESTS.parent / "workflow" / "scripts")])
    environment = {
        **os.environ,
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # compiles faster
        "PYTHONPATH": paths,
    }
    done = subprocess.run(
        [sys.executable, "-c", DEVICES_PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        count, difference = line.split()
        assert (count, float(difference) < 1e-6) == ("2", True)
    assert len(done.stdout.splitlines()) == 2
