"""Embeds windows of a genome, or sequences, with a DNA language model.

In:  a checkpoint; a masked genome and windows (BED), or sequences (FASTA or parquet with name, sequence).
Out: AnnData (.h5ad): obs = windows, obsm["layer_12"] = embeddings, uns["dnalm"] = how it was made;
     with --pooling none a Zarr folder of every token's embedding; and a manifest beside it.

A run that was killed goes on from its finished shards when started again with the same arguments.
"""

import sys
from pathlib import Path

from dnalm import cli
from dnalm.checkpoints import adapter_file
from dnalm.device import keep_compiled, select_device
from dnalm.models import precision


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, help="folder, or name in resources/models.tsv")
    adapter_file.add_argument(parser)
    add("--genome", type=Path, help="masked genome (FASTA with index)")
    rows = parser.add_mutually_exclusive_group(required=True)
    rows.add_argument("--windows", type=Path, help="windows of the genome (BED of make_windows.py)")
    rows.add_argument("--sequences", type=Path, help="sequences instead of windows (FASTA or parquet)")
    add("--layers", default="last", help="numbers from 1, middle, last or all; comma list")
    add("--pooling", choices=("mean", "mean_published", "max", "cls", "none"), default="mean")
    add("--long-inputs", choices=("refuse", "split"), default="refuse", help="beyond the model's tokens")
    add("--split-overlap", type=int, default=0, help="tokens that neighbouring pieces share")
    add("--reverse-complement", action="store_true", help="average over both strands")
    add("--random-weights", type=int, metavar="SEED", help="random weights, as a baseline")
    add("--dtype", choices=("float16", "float32"), default="float32", help="of the output")
    precision.add_argument(parser)
    add("--batch-size", default="auto", help="windows per device and call")
    add("--work-dir", type=Path, help="folder of unfinished runs (default: .work beside the output)")
    add("--part", help="i/n: compute this share alone; --output is then the JSON file that says so")
    add("--gather", type=Path, nargs="+", help="write the output from these parts' files; computes nothing")
    add("--force", action="store_true", help="write per-token output of any size")
    add("--output", type=Path, required=True, help=".h5ad (or .zarr with --pooling none)")
    cli.add_device_argument(parser, several=True)
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    device = "cpu" if arguments.gather else arguments.device
    output = arguments.output
    work = arguments.work_dir or output.parent / ".work"
    platform = select_device(device, arguments.devices)  # before anything else touches JAX
    keep_compiled(platform, work)
    import jax

    from dnalm.embeddings import command, run
    from dnalm.engine import memory, parts

    job = command.make_job(arguments)
    if arguments.gather:
        run.gather_parts(job, output, arguments.gather)
        return
    batch, devices = memory.parse_batch_size(arguments.batch_size), jax.local_devices()
    if arguments.part:
        part = parts.parse_part(arguments.part)
        run.embed_part(job, part, output, devices, work, batch)
    else:
        run.embed_source(job, output, devices, work, batch)


if __name__ == "__main__":
    sys.exit(main())
