"""Trains a segmentation model: encoder and U-Net head on per-base labels of an annotation.

In:  a masked genome, an annotation table, a YAML recipe; held-out regions, which no window touches.
Out: a folder with params.safetensors, config.json, training.yaml, training.tsv, metrics.tsv, the model
     card and manifest.json.

A run that was stopped goes on from its last checkpoint when started again with the same arguments.
"""

import sys
from dataclasses import replace

from dnalm import cli, device


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    parser.add_argument("--name", default="segmentation model", help="name of the model, for its card")
    parser.add_argument("--genome", required=True, help="masked genome (FASTA with index)")
    parser.add_argument("--annotation", required=True, help="annotation.parquet of read_annotation.py")
    parser.add_argument(
        "--held-out", nargs="*", default=[], metavar="CONTIG:START-END", help="0-based half-open"
    )
    parser.add_argument("--homologs", help="gene_id, family (TSV): families of unseen genes are left out")
    parser.add_argument("--config", required=True, help="recipe (YAML)")
    parser.add_argument("--initial", help="checkpoint whose encoder, and same features' head, is the start")
    parser.add_argument("--validation", metavar="CONTIG:START-END", help="instead of the recipe's")
    parser.add_argument("--work-dir", required=True, help="folder of the unfinished run")
    parser.add_argument("--output-dir", required=True, help="folder to write")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    device.select_device(arguments.device)  # before anything else touches JAX
    from dnalm import annotation, checkpoints, files, genome
    from dnalm.figures import training as follow
    from dnalm.genome.regions import parse_region
    from dnalm.training import data, finish, homologs, loop, recipe, segmentation, shards

    initial = checkpoints.load_checkpoint(arguments.initial) if arguments.initial else None
    own = initial.config.tokenizer if initial else None
    settings = recipe.read_recipe(arguments.config, recipe.SegmentationRecipe, arguments.validation, own)
    settings, config = segmentation.model_of(settings, initial)
    table = annotation.load_annotation(arguments.annotation)
    regions = [parse_region(text) for text in arguments.held_out]
    unseen = regions + ([parse_region(settings.validation)] if settings.validation else [])
    families = homologs.read_families(arguments.homologs) if arguments.homologs else None
    related = [] if families is None else homologs.related_regions(table, families, unseen)
    inputs = {"genome": arguments.genome, "annotation": arguments.annotation}
    labels = (table, settings.features)
    with genome.Genome(arguments.genome) as opened:
        sums = {**files.fingerprints(inputs), "features": settings.features}
        mapped = shards.Shards(arguments.work_dir, sums)
        examples = data.TrainingGenome(opened, [*unseen, *related], settings.window_bp, *labels, mapped)
    whole = segmentation.start_params(config, settings, examples.frequencies(), initial)
    params, frozen = segmentation.part(whole, config, settings)
    inputs |= {f"initial {role}": path for role, path in initial.files.items()} if initial else {}
    inputs |= {"homologs": arguments.homologs} if arguments.homologs else {}
    key = recipe.run_key(settings, "train_segmentation", inputs, arguments.held_out)
    loss = segmentation.make_loss(config, settings)
    batches = segmentation.make_batches(config, examples, settings)
    looks = None
    if settings.validate_every:
        looks = segmentation.make_validation(config, examples, table, unseen[-1], settings, frozen)
    curves = follow.Curves(settings, arguments.work_dir, arguments.name)
    trained = loop.train(
        params, loss, batches, settings, arguments.work_dir, key,
        fixed=(frozen,), validation=looks, report=curves.update,
    )  # fmt: skip
    trained = replace(trained, params=segmentation.joined(trained.params, frozen))

    def score(stored, region):
        return segmentation.score_region(config, stored, examples, table, region, settings.window_bp)

    run = finish.Finished(arguments.name, "train_segmentation", settings, config, trained, examples)
    follow.Curves(settings, arguments.output_dir, arguments.name).update(trained.progress)
    finish.finish(
        run, arguments.output_dir, inputs, arguments.held_out, score,
        [segmentation.verified_note(table)], {} if families is None else {"related_regions": len(related)},
    )  # fmt: skip
    mapped.discard()


if __name__ == "__main__":
    sys.exit(main())
