"""Reads what a DNA language model attends to in a region of a genome.

In:  a checkpoint (folder or name), a masked genome, a region.
Out: .npz with the attention maps of chosen heads in one window: maps (N, L, L) float32, layers, heads,
     tokens, spans (bases on the contig), contig, weights; with --landscape a table of the attention that
     each base receives, the model's and that of random weights; with --motifs a table of the k-mers that are
     frequent where it is high; a manifest beside the .npz.

Layers count from 1, heads from 0 as they are stored (`attention_map_layer_L_number_n` of the published code
is head n + 1 here).
"""

import sys
from pathlib import Path

from dnalm import cli, device, files
from dnalm.errors import UserError


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, help="folder, or name in resources/models.tsv")
    add("--genome", type=Path, required=True, help="masked genome (FASTA with index)")
    add("--region", required=True, metavar="CONTIG:START-END", help="0-based half-open, or a whole contig")
    add("--heads", nargs="+", default=[], metavar="LAYER:HEAD", help="default: all of the last layer")
    add("--map-region", metavar="CONTIG:START-END", help="of the maps; default: the region or its start")
    add("--random-weights", action="store_true", help="maps of random weights instead of the checkpoint's")
    add("--output", type=Path, required=True, help=".npz of maps")
    add("--landscape", type=Path, help="TSV of the attention per base")
    add("--motifs", type=Path, help="TSV of k-mers in stretches of high attention (needs --landscape)")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


def check_outputs(arguments) -> list[Path]:
    tables = [path for path in (arguments.landscape, arguments.motifs) if path]
    if arguments.motifs and not arguments.landscape:
        raise UserError("--motifs", "needs the landscape that they are found in", "Give --landscape.")
    if any(path.parent != arguments.output.parent for path in tables):
        raise UserError("--landscape", "lies in another folder than --output", "One manifest covers all.")
    return [arguments.output, *tables]


def write_table(path, table) -> None:
    with files.atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n")


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    outputs = check_outputs(arguments)
    device.select_device(arguments.device)  # before anything else touches JAX
    import jax

    from dnalm.attention import RANDOM_SEED, landscape, maps, motifs
    from dnalm.engine import memory, weights
    from dnalm.genome import Genome

    checkpoint, devices = weights.open_checkpoint(arguments.checkpoint), jax.local_devices()
    config = checkpoint.config
    heads = maps.parse_heads(arguments.heads, config.num_layers, config.attention_heads)
    with Genome(arguments.genome) as genome:
        window = landscape.read_window(genome, arguments.region, config.tokens)
        long = arguments.landscape is not None
        shown = landscape.map_window(genome, arguments.map_region, window, config, shorten=long)
    files.manifest_path(arguments.output).unlink(missing_ok=True)  # of an earlier result
    mapped, found, prints = RANDOM_SEED if arguments.random_weights else None, [], {}
    for seed in (None, RANDOM_SEED) if arguments.landscape else (mapped,):
        reader, name = landscape.Reader(checkpoint, devices, seed), "random" if seed else "checkpoint"
        prints[name] = reader.weights
        if arguments.landscape:
            found.append(reader.landscape(window))
        if seed == mapped:
            maps.write_maps(arguments.output, reader.maps(shown, heads))
    if arguments.landscape:
        write_table(arguments.landscape, landscape.landscape_table(window, config, *found))
    if arguments.motifs:
        write_table(arguments.motifs, motifs.find_motifs(window.bases, *found))
    details = {"weights_sha256": prints, "model": config.summary(), "region": window.name}
    details |= {"tokens": len(window.ids), "map_region": shown.name, "heads": heads, "rule": landscape.RULE}
    inputs = {**checkpoint.files, "genome": arguments.genome}
    files.write_manifest(arguments.output, "attention", inputs, details, outputs, memory.describe(devices))


if __name__ == "__main__":
    sys.exit(main())
