"""The baseline that the demo's segmentation checkpoint has to beat: a small dilated CNN, trained for minutes.

Bases in, one logit per base and feature out: a convolution of 9 bp, then nine residual blocks (layer norm,
ReLU, convolution of width 3) with dilation 1, 2, 4 ... 256; 66,000 parameters. The receptive field is
1,031 bp: an output reads its own base and 515 on either side. Split, windows, labels of the given strand,
weight of the splice sites and features are those of the checkpoint's training.yaml; the regions held out and
the one for validation touch no training window. AdamW; the learning rate warms up and then falls as a cosine
of the time used.

--minutes counts wall time of training on --cores cores, without compilation. CPU seconds are printed beside
it: on a machine that does other work they fall short of minutes x cores, and the baseline of its steps.

Every base of both strands of the scored region counts, as in training's own scores: auPRC is average
precision; CDS and UTRs where the CDS is verified. The checkpoint reads windows side by side, or the mean of
--frames such passes, each shifted by other bases of a token; the CNN reads on past its windows and so loses
nothing at their edges. Exit status 1 where the checkpoint does not exceed the CNN on exons, introns and both
kinds of splice site.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
SCRIPTS, DEMO = ROOT / "workflow" / "scripts", ROOT / "resources" / "demo"
sys.path.insert(0, str(SCRIPTS))

import haiku as hk  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import optax  # noqa: E402

from dnalm import annotation, checkpoints, metrics  # noqa: E402
from dnalm.genome import Genome, reverse_complement  # noqa: E402
from dnalm.genome.regions import parse_region  # noqa: E402
from dnalm.labels import label_track  # noqa: E402
from dnalm.tokens import kmer_tokenizer  # noqa: E402
from dnalm.training.data import BASES, Region, TrainingGenome, WindowSampler, batch_random  # noqa: E402
from dnalm.training.prefetch import prefetch  # noqa: E402
from dnalm.training.recipe import SegmentationRecipe, read_recipe  # noqa: E402
from dnalm.training.segmentation import predict_region, weighted_loss  # noqa: E402

CHANNELS, STEM_BP, WIDTH = 48, 9, 3
DILATIONS = tuple(2**n for n in range(9))
RECEPTIVE_BP = STEM_BP + (WIDTH - 1) * sum(DILATIONS)
WARMUP, DECAY, CLIP = 0.08, 0.01, 1.0  # share of the run; weight decay; norm of the gradient
STRIP_BP = 16_384  # scored at once
DECIDING = ("exon", "intron", "splice_donor", "splice_acceptor")
# As the workflow's own jobs: without it the pages of every step's buffers are fetched anew.
MALLOC = (
    "glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1"
    ":glibc.malloc.trim_threshold=16000000000:glibc.malloc.top_pad=67108864"
)
Tracks = dict[str, np.ndarray]  # strand -> probabilities (bases, features), in genome order


@dataclass(frozen=True)
class Run:
    """What training came to."""

    params: Any
    steps: int
    loss: float  # mean of the last tenth of the steps
    seconds: float  # wall
    cpu_seconds: float  # of all threads


def one_hot(letters: Any) -> jax.Array:
    """Returns (B, S) letters in ASCII as (B, S, 4) A, C, G, T; N is four zeros."""
    return (letters[..., None] == jnp.asarray(BASES)).astype(jnp.float32)


def network(features: int, channels: int = CHANNELS) -> hk.Transformed:
    """Returns the CNN: (B, S, 4) bases -> (B, S, features) logits."""

    def apply(x: jax.Array) -> jax.Array:
        x = hk.Conv1D(channels, STEM_BP, name="stem")(x)
        for dilation in DILATIONS:
            inner = jax.nn.relu(hk.LayerNorm(-1, True, True, name=f"norm_{dilation}")(x))
            x += hk.Conv1D(channels, WIDTH, rate=dilation, name=f"conv_{dilation}")(inner)
        return hk.Linear(features, name="head")(jax.nn.relu(hk.LayerNorm(-1, True, True, name="norm")(x)))

    return hk.without_apply_rng(hk.transform(apply))


def start_params(model: hk.Transformed, frequencies: list[float], seed: int) -> Any:
    """Returns random parameters whose outputs start near each feature's frequency."""
    params = jax.jit(model.init)(jax.random.PRNGKey(seed), jnp.zeros((1, RECEPTIVE_BP, len(BASES))))
    shares = np.clip(frequencies, 1e-6, 1 - 1e-6)
    return {
        **params,
        "head": {**params["head"], "b": jnp.asarray(np.log(shares / (1 - shares)), jnp.float32)},
    }


def count_params(params: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def learning_rate(peak: float, progress: float) -> float:
    """Linear warm-up to the peak, then a cosine to zero; progress runs from 0 to 1."""
    if progress < WARMUP:
        return peak * max(progress, 1e-3) / WARMUP
    return peak * (1 + np.cos(np.pi * min(1.0, (progress - WARMUP) / (1 - WARMUP)))) / 2


def make_batches(data: TrainingGenome, recipe: SegmentationRecipe) -> Callable[[int], Any]:
    """Returns step -> (letters, labels): the windows that train_segmentation.py draws at that step."""
    sampler = WindowSampler(data.segments, recipe.window_bp, data.splice_sites(), recipe.keep_unspliced)

    def make_batch(step: int) -> Any:
        windows = sampler.draw(batch_random(recipe.seed, step), recipe.batch_size)
        return data.bases(windows, recipe.window_bp), data.labels(windows, recipe.window_bp)

    return make_batch


def compile_step(model: hk.Transformed, optimiser: Any, recipe: SegmentationRecipe, example: Any) -> Any:
    """Returns (params, moments, batch, rate) -> (params, moments, loss), compiled before the clock starts."""
    weights = [recipe.splice_weight if name.startswith("splice_") else 1.0 for name in recipe.features]

    def loss(params: Any, batch: Any) -> jax.Array:
        logits = model.apply(params, one_hot(batch[0]))
        pairs = jnp.stack([jnp.zeros_like(logits), logits], -1)
        return weighted_loss(pairs, batch[1], jnp.asarray(weights))

    def step(params: Any, moments: Any, batch: Any, rate: Any) -> tuple[Any, Any, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(params, batch)
        updates, moments = optimiser.update(gradient, moments, params)
        return optax.apply_updates(params, jax.tree.map(lambda leaf: -rate * leaf, updates)), moments, value

    return jax.jit(step).lower(*example, jnp.float32(0)).compile()


def train(data: TrainingGenome, recipe: SegmentationRecipe, arguments: argparse.Namespace) -> Run:
    """Trains for `--steps`, or else until `--minutes` are over."""
    model = network(len(recipe.features))
    params = start_params(model, data.frequencies(), recipe.seed)
    decayed = jax.tree.map(lambda leaf: leaf.ndim > 1, params)
    optimiser = optax.chain(
        optax.clip_by_global_norm(CLIP),
        optax.scale_by_adam(),
        optax.add_decayed_weights(DECAY, decayed),
    )
    moments, make_batch = optimiser.init(params), make_batches(data, recipe)
    advance = compile_step(model, optimiser, recipe, (params, moments, make_batch(0)))
    limit, losses, progress = arguments.steps or sys.maxsize, [], 0.0
    begun, cpu = time.monotonic(), time.process_time()
    with closing(prefetch(make_batch, range(limit))) as batches:
        for batch in batches:
            rate = jnp.float32(learning_rate(arguments.learning_rate, progress))
            params, moments, value = advance(params, moments, batch, rate)
            losses.append(float(value))  # waits for the step, or the clock would be ahead of it
            used = (time.monotonic() - begun) / (60 * arguments.minutes)
            progress = len(losses) / arguments.steps if arguments.steps else used
            if len(losses) % 50 == 0:
                print(f"step {len(losses)}  loss {np.mean(losses[-50:]):.4f}", file=sys.stderr, flush=True)
            if progress >= 1:
                break
    last = float(np.mean(losses[-(len(losses) // 10 + 1) :]))
    return Run(params, len(losses), last, time.monotonic() - begun, time.process_time() - cpu)


def predict_cnn(params: Any, data: TrainingGenome, region: Region, features: int) -> Tracks:
    """Returns the CNN's probabilities of a region; nothing outside the region is read."""
    contig, begin, end = region
    apply = jax.jit(lambda letters: jax.nn.sigmoid(network(features).apply(params, one_hot(letters))))
    flank, letters = RECEPTIVE_BP // 2, data.sequences[contig][begin:end]
    tracks = {}
    for strand in "+-":
        own = letters if strand == "+" else reverse_complement(letters)
        padded = np.pad(own, (flank, flank + -len(own) % STRIP_BP), constant_values=ord("N"))
        strips = [padded[at : at + STRIP_BP + 2 * flank] for at in range(0, len(own), STRIP_BP)]
        found = np.concatenate([np.asarray(apply(strip[None]))[0, flank:-flank] for strip in strips])
        tracks[strand] = found[: len(own)][:: 1 if strand == "+" else -1]
    return tracks


def predict_checkpoint(
    model: checkpoints.Checkpoint,
    data: TrainingGenome,
    region: Region,
    recipe: SegmentationRecipe,
    frames: int,
) -> Tracks:
    """Returns the mean probabilities of as many passes as there are frames.

    Each begins in the region, at another base of a token and of a window: its first bases see fewer passes.
    """
    (contig, begin, end), k = region, kmer_tokenizer(model.config.tokenizer).k
    shift = recipe.window_bp // frames // k * k + k // frames
    columns = [model.config.features.index(name) for name in recipe.features]
    totals = {strand: np.zeros((end - begin, len(columns)), np.float32) for strand in "+-"}
    passes = {strand: np.zeros((end - begin, 1), np.float32) for strand in "+-"}
    for start in range(0, frames * shift, shift):
        place = (contig, begin + start, end)
        found = predict_region(model.config, model.params, data, place, recipe.window_bp)
        for strand, track in found.items():
            totals[strand][start:] += np.nan_to_num(track[:, columns])
            passes[strand][start:] += ~np.isnan(track[:, :1])
    with np.errstate(invalid="ignore"):  # 0 / 0: beside an N no pass has a window
        return {strand: totals[strand] / passes[strand] for strand in "+-"}


def compare(
    cnn: Tracks, checkpoint: Tracks, table: pd.DataFrame, region: Region, features: tuple[str, ...]
) -> pd.DataFrame:
    """Scores both on the bases that both predict, both strands counted together."""
    contig, begin, end = region
    counts: dict[tuple[int, str], metrics.ScoreCounts] = {}
    for strand in "+-":
        truth, verified = label_track(
            table, contig, end - begin, features, strand, verified_only=True, start=begin
        )
        known = verified & ~np.isnan(cnn[strand]) & ~np.isnan(checkpoint[strand])
        for column, name in enumerate(features):
            use = known[:, column]
            for number, tracks in enumerate((cnn, checkpoint)):
                found = metrics.count_scores(truth[use, column], tracks[strand][use, column])
                before = counts.get((number, name))
                counts[number, name] = found if before is None else before + found
    rows = [
        (
            counts[0, name].base_rate,
            *(metrics.average_precision_of(counts[number, name]) for number in (0, 1)),
        )
        for name in features
    ]
    scores = pd.DataFrame(rows, pd.Index(features, name="feature"), ["base_rate", "cnn", "checkpoint"])
    return scores.assign(difference=scores["checkpoint"] - scores["cnn"])


def report(scores: pd.DataFrame) -> int:
    """Prints the table and the verdict; returns the exit status."""
    print(scores.round(4).rename(columns={"cnn": "cnn_auprc", "checkpoint": "checkpoint_auprc"}).to_string())
    above = [name for name in scores.index if scores.loc[name, "difference"] > 0]
    below = [name for name in scores.index if name not in above]
    print(f"exceeds on: {', '.join(above) or 'none'}; below on: {', '.join(below) or 'none'}")
    return int(any(name in DECIDING for name in below))


def make_inputs(folder: Path) -> tuple[Path, Path]:
    """Writes the demo's masked genome and annotation with the workflow's scripts."""
    genome, masked, table = folder / "genome.fa", folder / "masked.fa", folder / "annotation.parquet"
    arm = DEMO / "dmel_chr2R"
    source = ("--annotation", arm / "dm3_chr2R.BDGP5.25.62.gtf.gz", "--genome", masked)
    verified = ("--cds-verified", "cds_source=FlyBase_protein_exact")
    for step, *words in (
        ("fetch_genome", "--source", arm / "dm3_chr2R.fa.gz", "--output", genome),
        ("mask_genome", "--genome", genome, "--output", masked, "--report", folder / "masked.tsv"),
        ("read_annotation", *source, *verified, "--output", table),
    ):
        found = subprocess.run(
            [sys.executable, str(SCRIPTS / f"{step}.py"), *map(str, words)], capture_output=True, text=True
        )
        if found.returncode:
            raise SystemExit(f"{step}: {found.stderr}")
    return masked, table


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--minutes", type=float, default=4, help="of training (default: 4)")
    add("--steps", type=int, help="of training, instead of minutes: the same scores each time")
    add("--cores", type=int, default=2, help="that the program may use (default: 2)")
    add("--learning-rate", type=float, default=4e-3, help="peak (default: 4e-3)")
    add("--checkpoint", type=Path, default=DEMO / "models" / "demo_segment_nt")
    add("--config", type=Path, help="recipe (default: the checkpoint's training.yaml)")
    add("--frames", type=int, default=1, help="passes of the checkpoint, such as 1, 2 or 6 (default: 1)")
    add("--genome", type=Path, help="masked FASTA (default: the demo's, made anew)")
    add("--annotation", type=Path, help="annotation.parquet (default: the demo's, made anew)")
    add("--held-out", nargs="+", default=["chr2R:2000000-7000000"], metavar="CONTIG:START-END")
    add("--score-region", help="inside a held-out one (default: the first; chr2R:6000000-7000000 is quicker)")
    arguments = parser.parse_args()
    if bool(arguments.genome) != bool(arguments.annotation):
        parser.error("--genome and --annotation go together")
    held_out = [parse_region(text) for text in arguments.held_out]
    scored = parse_region(arguments.score_region) if arguments.score_region else held_out[0]
    if not any(c == scored[0] and a <= scored[1] and scored[2] <= b for c, a, b in held_out):
        parser.error("--score-region lies in no held-out region")
    arguments.held_out, arguments.score_region = held_out, scored
    return arguments


def main() -> int:
    arguments = parse_arguments()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.cores])  # before JAX counts them
    jax.config.update("jax_platforms", "cpu")
    model = checkpoints.load_checkpoint(arguments.checkpoint)
    recipe = read_recipe(arguments.config or arguments.checkpoint / "training.yaml", SegmentationRecipe)
    if kmer_tokenizer(model.config.tokenizer).k % arguments.frames:
        raise SystemExit("--frames: the token's bases must be a multiple of it")
    unseen = arguments.held_out + ([parse_region(recipe.validation)] if recipe.validation else [])
    with tempfile.TemporaryDirectory() as name:
        inputs = (arguments.genome, arguments.annotation) if arguments.genome else make_inputs(Path(name))
        table = annotation.load_annotation(inputs[1])
        with Genome(inputs[0]) as genome:
            data = TrainingGenome(genome, unseen, recipe.window_bp, table, recipe.features)
    run = train(data, recipe, arguments)
    seen = run.steps * recipe.batch_size * recipe.window_bp / 1e6
    print(
        f"CNN: {count_params(run.params):,} parameters, receptive field {RECEPTIVE_BP:,} bp, "
        f"{run.steps:,} steps, {seen:.1f} Mb seen, {run.seconds:.0f} s "
        f"({run.cpu_seconds:.0f} CPU s), loss {run.loss:.4f}",
        flush=True,
    )
    region = arguments.score_region
    cnn = predict_cnn(run.params, data, region, len(recipe.features))
    checkpoint = predict_checkpoint(model, data, region, recipe, arguments.frames)
    print(
        f"{arguments.checkpoint.name}, {arguments.frames} frame(s), {region[0]}:{region[1]:,}-{region[2]:,}, "
        "both strands"
    )
    return report(compare(cnn, checkpoint, table, region, recipe.features))


if __name__ == "__main__":
    if "GLIBC_TUNABLES" not in os.environ:
        changed = os.environ | {"GLIBC_TUNABLES": MALLOC}  # read when a program starts
        os.execve(sys.executable, [sys.executable, *sys.argv], changed)  # noqa: S606
    sys.exit(main())
