"""Learns a byte-pair encoding of a genome and chooses its number of merge cycles by next-k-mer prediction.

In:  a masked genome; held-out regions, of which no merge and no network sees a base.
Out: a folder with tokenizer.json, cycles.tsv (accuracy per number of cycles, k and part) and manifest.json.
"""

import dataclasses
import sys

from dnalm import cli, device


def parse_arguments(argv):
    from dnalm.vocabulary.recipe import CYCLES, VocabularyRecipe

    defaults, parser = VocabularyRecipe(), cli.make_parser(__doc__)
    add = parser.add_argument
    add("--genome", required=True, help="masked genome (FASTA with index)")
    add("--held-out", nargs="*", default=[], metavar="CONTIG:START-END", help="0-based half-open")
    add("--cycles", type=int, nargs="+", default=list(CYCLES), help="numbers of merges to compare")
    add("--k", type=int, nargs="+", default=list(defaults.k), help="bases to predict")
    add("--context-tokens", type=int, default=defaults.context_tokens, help="tokens to predict from")
    add("--steps", type=int, default=defaults.steps, help="of the network that predicts")
    add("--positions", type=int, default=defaults.positions, help="places that an accuracy is taken from")
    add("--seed", type=int, default=defaults.seed)
    add("--output-dir", required=True, help="folder to write")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    device.select_device(arguments.device)  # before anything else touches JAX
    from pathlib import Path

    from dnalm import files, genome, vocabulary
    from dnalm.genome.regions import parse_region
    from dnalm.vocabulary import run

    lists = {"cycles": tuple(arguments.cycles), "k": tuple(arguments.k)}
    numbers = ("context_tokens", "steps", "positions", "seed")
    recipe = vocabulary.VocabularyRecipe(**lists, **{name: getattr(arguments, name) for name in numbers})
    regions = [parse_region(text) for text in arguments.held_out]
    with genome.Genome(arguments.genome) as opened:
        stretches = run.read_stretches(opened, regions, recipe.validation_share)
    found = vocabulary.train_vocabulary(stretches, recipe, cli.progress)
    folder = Path(arguments.output_dir)
    written = [folder / "tokenizer.json", folder / "cycles.tsv"]
    with files.atomic_path(written[0]) as temporary:
        temporary.write_text(found.text, encoding="utf-8")
    with files.atomic_path(written[1]) as temporary:
        found.table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    details = {"cycles": found.cycles, "held_out": arguments.held_out, "recipe": dataclasses.asdict(recipe)}
    files.write_manifest(folder, "tokenizer", {"genome": arguments.genome}, details, files=list(written))


if __name__ == "__main__":
    sys.exit(main())
