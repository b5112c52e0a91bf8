"""A training step on several devices is that of one; a batch that does not divide uses fewer of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
PROGRAM = """
import json, sys, tempfile
sys.path.insert(0, sys.argv[1])
import jax, jax.numpy as jnp, numpy as np, optax
from dnalm.finetuning import FineTuneRecipe
from dnalm.models.adapters import AdapterConfig
from dnalm.training import loop, parallel
from dnalm.training.validation import Validation

shares = []
def loss(params, batch, fixed):
    return jnp.mean((batch @ fixed @ params["m"]["w"]) ** 2)
def judge(params):
    return float((params["m"]["w"] ** 2).sum())
def make_batch(step):
    return np.random.default_rng(step).normal(size=(2, 4, 3)).astype(np.float32)
class Placement(parallel.Placement):
    def shared(self, batches):
        placed = super().shared(batches)
        shares.append([list(piece.data.shape) for piece in getattr(placed, "addressable_shards", [])])
        return placed
loop.Placement = Placement
recipe = FineTuneRecipe(AdapterConfig(), steps=4, batch_size=4, accumulation=2, checkpoint_every=2)
with tempfile.TemporaryDirectory() as folder:
    start, fixed = {"m": {"w": np.ones((3, 2), np.float32)}}, np.eye(3, dtype=np.float32) * 2
    found = loop.train(
        start, loss, make_batch, recipe, folder, "key", optax.adam(0.1), (fixed,), Validation(judge, 2, 0)
    )
print(json.dumps({
    "w": np.asarray(found.params["m"]["w"]).tolist(), "losses": found.progress.losses, "shares": shares[-1],
    "used": parallel.Placement(6).count, "devices": len(jax.local_devices()),
}))
"""


def trained(devices):
    settings = {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", PROGRAM, str(SCRIPTS)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **settings}, check=True)
    return json.loads(run.stdout.splitlines()[-1])


def test_a_step_on_four_devices_is_that_of_one():
    one, four = trained(1), trained(4)
    assert (one["devices"], four["devices"]) == (1, 4) and (one["used"], four["used"]) == (1, 2)
    assert one["shares"] == [] and four["shares"] == [[2, 1, 3]] * 4  # two micro-batches, a row each
    np.testing.assert_allclose(four["w"], one["w"], rtol=1e-5)
    np.testing.assert_allclose(four["losses"], one["losses"], rtol=1e-5)
    assert abs(np.array(one["w"]) - 1).min() > 0.1
