"""Peak memory and time of converting a full-size checkpoint from each published layout, and of running it.

Writes random weights of a registered architecture as the hub would hold them (one layout on disk at a time),
converts them with convert_checkpoint.py, and runs one sequence with run_model.py. The conversion must stay
below 1 GB plus three times the largest tensor; a layout that does not is marked, and the program ends with 1.
"""

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
sys.path[:0] = [str(SCRIPTS), str(ROOT / "tests")]

from checkpoint_makers import old_jax_names, torch_names, write_torch_weights  # noqa: E402

from dnalm.checkpoints import registry  # noqa: E402
from dnalm.checkpoints.expected import expected_config  # noqa: E402
from dnalm.files import sha256_of  # noqa: E402
from dnalm.models import parameter_shapes  # noqa: E402
from dnalm.models.config import ModelConfig  # noqa: E402

LAYOUTS = ("jax", "safetensors", "bin", "bin_shards")
POOL = 1 << 26  # random numbers that all weights are taken from: a view each, so that writing needs no memory
DEVIATION = 0.02  # of the weights
SEQUENCE = "ATTCCGATTCCGATTCCG" * 10
GB = 1e9
# A child's resource usage would count what this process held when it forked; VmHWM is the program's own.
PEAK = """
import os, re, runpy, sys
sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
try:
    runpy.run_path(sys.argv[0], run_name="__main__")
finally:
    print(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""


def random_weights(config: ModelConfig) -> dict[str, dict[str, np.ndarray]]:
    """Returns weights as views into one pool of random numbers; norms are 1 and 0."""
    generator = np.random.default_rng(0)
    pool = DEVIATION * generator.standard_normal(POOL, np.float32)
    ones, zeros = np.ones(1 << 16, np.float32), np.zeros(1 << 16, np.float32)

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        size = math.prod(shape)
        if name not in ("w", "embeddings"):
            return (ones if name == "scale" else zeros)[:size].reshape(shape)
        start = int(generator.integers(POOL - size))
        return pool[start : start + size].reshape(shape)

    return {
        module: {name: draw(name, shape) for name, shape in sorted(leaves.items())}
        for module, leaves in sorted(parameter_shapes(config).items())
    }


def write(folder: Path, layout: str, config: ModelConfig, params: dict) -> None:
    """Writes a checkpoint as the hub holds it."""
    is_v1 = config.positional_embedding == "learned"
    if layout == "jax":
        (folder / "jax_model").mkdir(parents=True)
        hyperparams = {
            "k_for_kmers": config.kmers.k,
            "max_positions": config.max_tokens,
            "ffn_activation_name": config.ffn_activation,
            "use_rotary_embedding": not is_v1,
        }
        same = ("embed_scale", "emb_layer_norm_before", "attention_heads", "embed_dim", "ffn_embed_dim")
        same += ("num_layers", "token_dropout", "masking_ratio", "masking_prob", "add_bias_ffn")
        hyperparams |= {name: getattr(config, name) for name in (*same, "use_glu_in_ffn")}
        (folder / "jax_model" / "hyperparams.json").write_text(json.dumps(hyperparams))
        tree = old_jax_names(params) if is_v1 else params
        joblib.dump(tree, folder / "jax_model" / "pytree_ckpt.joblib")
        with open(folder / "jax_model" / "pytree_ckpt.joblib", "ab") as handle:
            handle.write(b" ")  # else a file of the published size would be compared with its sha256
        return
    folder.mkdir(parents=True)
    settings = {
        "hidden_size": config.embed_dim,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.attention_heads,
        "intermediate_size": config.ffn_embed_dim,
        "max_position_embeddings": config.max_tokens + 2,
        "position_embedding_type": "absolute" if is_v1 else "rotary",
        "token_dropout": config.token_dropout,
        "vocab_size": config.vocabulary_size,
        "add_bias_fnn": config.add_bias_ffn,
        "layer_norm_eps": 1e-12,
    }
    (folder / "config.json").write_text(json.dumps(settings))
    write_torch_weights(folder, torch_names(params, with_unused=not is_v1), layout)


def measured(*command: str) -> tuple[float, float]:
    """Runs one of the scripts and returns its peak memory in GB and its seconds."""
    started = time.perf_counter()
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    process = subprocess.run(
        [sys.executable, "-c", PEAK, *command], env=environment, stdout=subprocess.PIPE, text=True
    )
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}")
    return int(process.stdout.split()[-1]) * 1024 / GB, time.perf_counter() - started


def size_gb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / GB


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="500M_multi_species_v2", help="a language model of models.tsv")
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    parser.add_argument("--run", nargs="+", default=["float32"], help="precisions to run one sequence in")
    parser.add_argument(
        "--folder", type=Path, help="where there is room; default: the system's temporary one"
    )
    arguments = parser.parse_args()
    config = expected_config(registry.model_row(arguments.model))
    params = random_weights(config)
    sizes = [leaf.nbytes for leaves in params.values() for leaf in leaves.values()]
    bound = 1 + 3 * max(sizes) / GB
    print(f"{arguments.model}: {sum(sizes) / GB:.2f} GB of weights, largest tensor {max(sizes) / GB:.3f} GB,"
          f" bound of a conversion {bound:.2f} GB")  # fmt: skip
    above, results = [], set()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        source, target = Path(name, "source"), Path(name, "converted")
        Path(name, "one.txt").write_text(SEQUENCE + "\n")
        for number, layout in enumerate(arguments.layouts):
            write(source, layout, config, params)
            shutil.rmtree(target, ignore_errors=True)
            written = size_gb(source)
            options = ("--checkpoint", str(source), "--output-dir", str(target))
            peak, seconds = measured(str(SCRIPTS / "convert_checkpoint.py"), *options)
            digest = sha256_of(target / "params.safetensors")[:12]
            print(
                f"  convert {layout}: {written:.2f} GB, peak {peak:.2f} GB, {seconds:.0f} s, to {digest}",
                flush=True,
            )
            results.add(digest)
            above += [layout] if peak > bound else []
            shutil.rmtree(source)
            for precision in arguments.run if number == 0 else ():
                options = ("--sequences", f"{name}/one.txt", "--layers", str(config.num_layers))
                options += ("--precision", precision, "--output", f"{name}/out.npz", "--device", "cpu")
                script = str(SCRIPTS / "run_model.py")
                peak, seconds = measured(script, "--checkpoint", str(target), *options)
                with np.load(f"{name}/out.npz") as found:
                    last = found[f"embeddings_{config.num_layers}"]
                print(f"  run {precision}: {last.shape}, finite {bool(np.isfinite(last).all())},"
                      f" peak {peak:.2f} GB, {seconds:.0f} s", flush=True)  # fmt: skip
    if above:
        print(f"above the bound: {', '.join(above)}")
    if len(results) > 1:
        print("the layouts gave different weights")
    return 1 if above or len(results) > 1 else 0


if __name__ == "__main__":
    sys.exit(main())
