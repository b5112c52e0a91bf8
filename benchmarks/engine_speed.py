"""How much the engine's habits save, as ratios of runs that take turns.

* bucketing: rows of very different lengths in batches by length, against padding all to the longest;
* early exit: the middle layer alone, against running all layers for it;
* one pass: all layers from one run, against one run per layer;
* overhead: the engine, against a bare loop over the same compiled program and equal batches.

Random weights; the demo's model (128 dimensions, 4 heads, 513 tokens), twice as deep. Tokens per second
depend on the machine and its load, the ratios much less.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

import jax  # noqa: E402
import numpy as np  # noqa: E402

from dnalm.embeddings.embedder import pooled_function  # noqa: E402
from dnalm.embeddings.settings import Settings  # noqa: E402
from dnalm.engine import Runner  # noqa: E402
from dnalm.models import ModelConfig, init_params  # noqa: E402

CONFIG = ModelConfig("v2_6mer", 4107, 513, 128, 6, 4, 32, 256)
BATCH_ROWS = 4
ALL_LAYERS = tuple(range(1, CONFIG.num_layers + 1))
MIDDLE = CONFIG.num_layers // 2


def rows_of(lengths) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [np.append(3, generator.integers(6, 4102, length - 1)).astype(np.int32) for length in lengths]


def runner(params, layers) -> Runner:
    function = pooled_function(CONFIG, Settings(layers))
    return Runner(function, params, jax.local_devices(), BATCH_ROWS, 513, 513, CONFIG.kmers.pad_id)


def engine(run: Runner, rows):
    """Returns a function that runs all rows."""

    def go() -> None:
        for _ in run.run(rows):
            pass

    return go


def bare_loop(params, layers, rows):
    call = jax.jit(pooled_function(CONFIG, Settings(layers)))
    params = jax.device_put(params)
    batches = [np.stack(rows[start : start + BATCH_ROWS]) for start in range(0, len(rows), BATCH_ROWS)]

    def go() -> None:
        for batch in batches:
            np.asarray(call(params, batch))

    return go


def padded(rows):
    """Pads all rows to the longest, as one fixed batch shape would."""
    longest = max(len(row) for row in rows)
    return [np.pad(row, (0, longest - len(row)), constant_values=CONFIG.kmers.pad_id) for row in rows]


def in_turn(pairs):
    def go() -> None:
        for function in pairs:
            function()

    return go


def make_cases(count: int):
    """Returns name -> (naive, ours, tokens)."""
    params = init_params(CONFIG, 0)
    equal = rows_of([513] * count)
    mixed = rows_of(np.random.default_rng(1).integers(40, 514, count))
    whole, middle = runner(params, ALL_LAYERS), runner(params, (MIDDLE,))
    single = [engine(runner(params, (layer,)), equal) for layer in ALL_LAYERS]
    tokens = 513 * count
    return {
        "bucketing": (
            engine(middle, padded(mixed)),
            engine(middle, mixed),
            sum(len(row) for row in mixed),
        ),
        "early exit": (engine(whole, equal), engine(middle, equal), tokens),
        "one pass": (in_turn(single), engine(whole, equal), tokens),
        "overhead": (bare_loop(params, ALL_LAYERS, equal), engine(whole, equal), tokens),
    }


def timed(function) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=64, help="windows in a run")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    arguments = parser.parse_args()
    cases = make_cases(arguments.rows)
    for naive, ours, _ in cases.values():  # compile
        naive()
        ours()
    rounds = {
        name: [(timed(naive), timed(ours)) for _ in range(arguments.rounds)]
        for name, (naive, ours, _) in cases.items()
    }
    for name, times in rounds.items():
        ratios = [naive / ours for naive, ours in times]
        speed = cases[name][2] / min(ours for _, ours in times)
        shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
        print(f"{name:12s} naive / ours {statistics.median(ratios):5.2f} ({shown}), {speed:,.0f} tokens/s")


if __name__ == "__main__":
    main()
