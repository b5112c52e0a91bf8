"""Pretrains an encoder by masked language modelling, by the published recipe.

In:  a masked genome, a YAML recipe; held-out regions, which no window touches.
Out: a folder with params.safetensors, config.json, training.yaml, training.tsv, metrics.tsv, the model
     card and manifest.json.

A run that was stopped goes on from its last checkpoint when started again with the same arguments.
"""

import sys

from dnalm import cli, device


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--name", default="language model", help="name of the model, for its card")
    parser.add_argument(
        "--genome", nargs="+", required=True, metavar="[NAME=]FASTA",
        help="masked genome with index; several with names, and their contigs are NAME/contig",
    )  # fmt: skip
    parser.add_argument(
        "--held-out", nargs="*", default=[], metavar="CONTIG:START-END", help="0-based half-open"
    )
    parser.add_argument("--config", required=True, help="recipe (YAML)")
    parser.add_argument("--initial", help="language model to go on from, whose sizes replace the recipe's")
    parser.add_argument("--tokenizer", help="tokenizer.json of a byte-pair encoding, instead of k-mers")
    parser.add_argument("--validation", metavar="CONTIG:START-END", help="instead of the recipe's")
    parser.add_argument("--work-dir", required=True, help="folder of the unfinished run")
    parser.add_argument("--output-dir", required=True, help="folder to write")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    device.select_device(arguments.device)  # before anything else touches JAX
    from dnalm import checkpoints, files
    from dnalm.figures import training as follow
    from dnalm.genome.regions import parse_region
    from dnalm.tokens import BPE
    from dnalm.training import data, finish, loop, mlm, recipe, shards

    initial = checkpoints.load_checkpoint(arguments.initial) if arguments.initial else None
    own = initial.config.tokenizer if initial else BPE if arguments.tokenizer else None
    settings = recipe.read_recipe(arguments.config, recipe.PretrainingRecipe, arguments.validation, own)
    settings, config = mlm.model_of(settings, initial, arguments.tokenizer)
    regions = [parse_region(text) for text in arguments.held_out]
    unseen = regions + ([parse_region(settings.validation)] if settings.validation else [])
    paths = data.named_paths(arguments.genome)
    inputs = {f"genome {name}".strip(): path for name, path in paths.items()}
    with data.Genomes(paths) as opened:
        mapped = shards.Shards(arguments.work_dir, files.fingerprints(inputs))
        examples = data.TrainingGenome(opened, unseen, settings.window_bp, shards=mapped)
    params = mlm.start_params(config, settings, initial)

    inputs |= {f"initial {role}": path for role, path in initial.files.items()} if initial else {}
    inputs |= {"tokenizer": arguments.tokenizer} if arguments.tokenizer else {}
    key = recipe.run_key(settings, "pretrain", inputs, arguments.held_out)
    loss, batches = mlm.make_loss(config, settings), mlm.make_batches(config, examples, settings)
    looks = mlm.make_validation(config, examples, unseen[-1], settings) if settings.validate_every else None
    curves = follow.Curves(settings, arguments.work_dir, arguments.name)
    trained = loop.train(
        params, loss, batches, settings, arguments.work_dir, key, validation=looks, report=curves.update
    )

    def score(stored, region):
        return mlm.score_region(config, stored, examples, region, settings)

    run = finish.Finished(arguments.name, "pretrain", settings, config, trained, examples)
    follow.Curves(settings, arguments.output_dir, arguments.name).update(trained.progress)
    finish.finish(run, arguments.output_dir, inputs, arguments.held_out, score)
    mapped.discard()


if __name__ == "__main__":
    sys.exit(main())
