"""How fast training makes its batches: tokens looked up per base in mapped files, against tokenized anew.

Masked language modelling of windows of a random genome, by the loop's own functions. In turns, so that the
machine's moods meet all of them: NT's 6-mers from mapped ids and from the letters, DNABERT's overlapping
6-mers likewise, a byte-pair encoding from the letters. Prints tokens and bases per second of one thread, the
ratio of looking up to tokenizing, and the time of the first start, in which the files are written. A device
that asks for less is never idle for want of input.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "scripts"), str(ROOT / "tests")]

from toy_tokens import bpe_text  # noqa: E402

from dnalm.genome import Genome, write_index  # noqa: E402
from dnalm.tokens import BPE  # noqa: E402
from dnalm.training import mlm  # noqa: E402
from dnalm.training.data import TrainingGenome  # noqa: E402
from dnalm.training.recipe import PretrainingRecipe  # noqa: E402
from dnalm.training.shards import Shards  # noqa: E402

WORDS = [a + b for a in "ACGT" for b in "ACGT"]
MERGES = [tuple(word) for word in WORDS] + [(a, b) for a in WORDS for b in WORDS]
NAMES = ("v2_6mer", "overlapping_6mer", BPE)


class Anew(TrainingGenome):
    """A genome whose windows are tokenized from their letters."""

    def tokens(self, windows, window_bp, reader):
        return reader.encode_windows(self.bases(windows, window_bp))


def batch_maker(kind, fasta, shards, name, recipe):
    """Returns step -> batch, as pretrain.py makes them, and the seconds until the first one is there."""
    started = time.perf_counter()
    config_recipe, config = recipe, None
    if name == BPE:
        text = shards.folder.parents[1] / "tokenizer.json"
        text.write_text(bpe_text(MERGES))
        config_recipe, config = mlm.model_of(recipe, None, text)
    else:
        config_recipe, config = mlm.model_of(PretrainingRecipe(**{**vars(recipe), "tokenizer": name}))
    with Genome(fasta) as opened:
        data = kind(opened, [], recipe.window_bp, shards=shards)
    make = mlm.make_batches(config, data, config_recipe)
    make(0)
    return make, time.perf_counter() - started


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabases", type=float, default=20)
    parser.add_argument("--window-bp", type=int, default=6000)
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batches", type=int, default=8, help="of a round")
    arguments = parser.parse_args()
    recipe = PretrainingRecipe(window_bp=arguments.window_bp, batch_size=arguments.batch_size)
    with tempfile.TemporaryDirectory() as folder:
        fasta = Path(folder, "masked.fa")
        letters = np.random.default_rng(0).choice(list("ACGT"), round(arguments.megabases * 1e6))
        fasta.write_text(">chr1\n" + "".join(letters) + "\n")
        write_index(fasta)
        makers, starts = {}, {}
        for name in NAMES:
            for kind in (TrainingGenome, Anew):
                shards = Shards(Path(folder, name, kind.__name__))
                shards.folder.mkdir(parents=True)
                made = batch_maker(kind, fasta, shards, name, recipe)
                makers[name, kind], starts[name, kind] = made
        speeds = {key: [] for key in makers}
        for turn in range(arguments.rounds):
            for key, make in makers.items():
                started = time.perf_counter()
                tokens = sum(make(1 + turn * arguments.batches + i)[0].size for i in range(arguments.batches))
                speeds[key].append(tokens / (time.perf_counter() - started))
    bases = arguments.window_bp * arguments.batch_size
    print("tokenizer\ttokens/s\tMb/s\tto tokenizing anew\tfirst batch (s)\ttokenizing anew (s)")
    for name in NAMES:
        mapped, anew = speeds[name, TrainingGenome], speeds[name, Anew]
        ratio = statistics.median(one / other for one, other in zip(mapped, anew, strict=True))
        speed = statistics.median(mapped)
        size = makers[name, TrainingGenome](0)[0].size
        first = "\t".join(f"{starts[name, kind]:.2f}" for kind in (TrainingGenome, Anew))
        print(f"{name}\t{speed:,.0f}\t{speed * bases / size / 1e6:.1f}\t{ratio:.2f}\t{first}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
