"""Embeds windows of a genome, or sequences, with a DNA language model.

In:  a checkpoint; a masked genome and windows (BED), or sequences (FASTA or parquet with name, sequence).
Out: AnnData (.h5ad): obs = windows, obsm["layer_12"] = embeddings, uns["dnalm"] = how it was made;
     with --pooling none a Zarr folder of every token's embedding; and a manifest beside it.

A run that was killed goes on from its finished shards when started again with the same arguments.
"""

import sys
from pathlib import Path

from dnalm import cli
from dnalm.device import select_device
from dnalm.errors import UserError
from dnalm.models import precision


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, help="folder, or name in resources/models.tsv")
    add("--genome", type=Path, help="masked genome (FASTA with index)")
    rows = parser.add_mutually_exclusive_group(required=True)
    rows.add_argument("--windows", type=Path, help="windows of the genome (BED of make_windows.py)")
    rows.add_argument("--sequences", type=Path, help="sequences instead of windows (FASTA or parquet)")
    add("--layers", default="last", help="numbers from 1, middle, last or all; comma list")
    add("--pooling", choices=("mean", "mean_published", "cls", "none"), default="mean")
    add("--reverse-complement", action="store_true", help="average over both strands")
    add("--random-weights", type=int, metavar="SEED", help="random weights, as a baseline")
    add("--dtype", choices=("float16", "float32"), default="float32", help="of the output")
    precision.add_argument(parser)
    add("--batch-size", default="auto", help="windows per device and call")
    add("--work-dir", type=Path, help="folder of unfinished runs (default: .work beside the output)")
    add("--force", action="store_true", help="write per-token output of any size")
    add("--output", type=Path, required=True, help=".h5ad (or .zarr with --pooling none)")
    cli.add_device_argument(parser, several=True)
    return parser.parse_args(argv)


def read_source(arguments):
    """Returns what is embedded, and the files that it comes from by their role."""
    from dnalm import genome, windows
    from dnalm.embeddings import sources

    if arguments.sequences:
        return sources.read_source(arguments.sequences), {"sequences": arguments.sequences}
    if not arguments.genome:
        raise UserError("--windows", "needs the genome that they lie on", "Give --genome.")
    table = windows.read_windows(arguments.windows)
    inputs = {"genome": arguments.genome, "windows": arguments.windows}
    return sources.WindowSource(genome.Genome(arguments.genome), table), inputs


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    select_device(arguments.device, arguments.devices)  # before anything else touches JAX
    import jax

    from dnalm import checkpoints
    from dnalm.embeddings import run, settings
    from dnalm.engine import memory

    checkpoint = checkpoints.load_checkpoint(arguments.checkpoint)
    layers = settings.parse_layers(arguments.layers, checkpoint.config.num_layers)
    names = ("pooling", "reverse_complement", "dtype", "precision")
    wanted = settings.Settings(layers, **{name: getattr(arguments, name) for name in names})
    source, inputs = read_source(arguments)
    options = {
        "work_dir": arguments.work_dir,
        "random_seed": arguments.random_weights,
        "batch_size": memory.parse_batch_size(arguments.batch_size),
        "force": arguments.force,
    }
    devices = jax.local_devices()
    run.embed_source(arguments.output, source, inputs, checkpoint, wanted, devices, **options)


if __name__ == "__main__":
    sys.exit(main())
