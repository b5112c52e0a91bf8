"""Peak memory of going on with the pretraining of a full-size checkpoint, on random weights.

Writes random weights of a registered language model as the hub would hold them and a random genome, then
runs pretrain.py for a few steps: blocks computed again in the backward pass, gradients summed over
micro-batches. Prints its log, the peak memory of the program and how much of it the weights, moments and
gradients are; ends with 1 where the peak is above the limit.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
sys.path[:0] = [str(SCRIPTS), str(ROOT / "tests"), str(ROOT / "benchmarks")]

from checkpoint_conversion import GB, measured, random_weights, size_gb, write  # noqa: E402

from dnalm.checkpoints import registry  # noqa: E402
from dnalm.checkpoints.expected import expected_config  # noqa: E402
from dnalm.genome import write_index  # noqa: E402

GENOME_BP = 200_000
COPIES = 4  # of the weights in float32: themselves, two moments, the sum of the gradients


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="500M_multi_species_v2", help="a language model of models.tsv")
    parser.add_argument("--window-bp", type=int, default=1998)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--accumulation", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--no-remat", action="store_true", help="keep every block's activations")
    parser.add_argument("--limit-gb", type=float, default=24.0)
    parser.add_argument("--folder", type=Path, help="where there is room: ten times the weights in float32")
    arguments = parser.parse_args()
    config = expected_config(registry.model_row(arguments.model))
    params = random_weights(config)
    count = sum(math.prod(leaf.shape) for leaves in params.values() for leaf in leaves.values())
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = Path(name)
        write(folder / "model", "safetensors", config, params)
        letters = np.random.default_rng(0).choice(list("ACGT"), GENOME_BP)
        (folder / "masked.fa").write_text(">chr1\n" + "".join(letters) + "\n")
        write_index(folder / "masked.fa")
        recipe = {
            "window_bp": arguments.window_bp,
            "batch_size": arguments.batch_size,
            "accumulation": arguments.accumulation,
            "steps": arguments.steps,
            "learning_rate": 1e-5,
            "precision": arguments.precision,
            "remat": not arguments.no_remat,
            "ema_decay": 0.0,
            "compose_embedding": False,
            "log_every": 1,
            "checkpoint_every": arguments.steps,
        }
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        tokens = config.tokens.tokens_of(arguments.window_bp) * arguments.batch_size
        about = f"{count / 1e6:.0f} million parameters; {arguments.accumulation} micro-batches"
        print(f"{arguments.model}: {about} of {tokens} tokens a step", flush=True)
        peak, seconds = measured(
            str(SCRIPTS / "pretrain.py"), "--device", "cpu", "--initial", str(folder / "model"),
            "--genome", str(folder / "masked.fa"), "--config", str(folder / "recipe.yaml"),
            "--work-dir", str(folder / "work"), "--output-dir", str(folder / "out"),
        )  # fmt: skip
        state = 4 * count * COPIES / GB
        print(f"peak {peak:.2f} GB (limit {arguments.limit_gb:g}); weights, moments and summed gradients")
        print(f"are {state:.2f} of it; {seconds:.0f} s; result {size_gb(folder / 'out'):.2f} GB")
    return 1 if peak > arguments.limit_gb else 0


if __name__ == "__main__":
    sys.exit(main())
