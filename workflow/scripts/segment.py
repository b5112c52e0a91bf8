"""Predicts genomic elements for every base of a genome, or of regions, with a segmentation model.

In:  a checkpoint with features, a masked genome.
Out: a folder with one bigWig per feature (`exon.bw`; for models of one strand's labels `exon.plus.bw` and
     `exon.minus.bw`), filled_n.bed and manifest.json; with --bed also regions.tsv. Bases without prediction
     (N, pieces below four tokens) are missing.

Windows overlap; each base is taken from the window in which it lies farthest from an edge. A run that was
killed goes on from its finished chunks when started again with the same arguments.
"""

import sys
from pathlib import Path

from dnalm import cli, stitching
from dnalm.checkpoints import adapter_file
from dnalm.device import keep_compiled, select_device
from dnalm.models import precision


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, help="folder, or name in resources/models.tsv")
    adapter_file.add_argument(parser)
    add("--genome", type=Path, required=True, help="masked genome (FASTA with index)")
    add("--regions", nargs="+", default=[], help="contig:start-end (0-based) or contig (default: all)")
    add("--bed", type=Path, help="BED of regions instead, each predicted in the middle of its context")
    add("--context-bp", type=int, help="with --bed: bases on each side (default: fill one window)")
    add("--window-bp", type=int, help="multiple of four tokens (default: the model's training length)")
    add(
        "--overlap",
        type=float,
        default=stitching.OVERLAP,
        help="fraction of a window shared with the next one",
    )
    add("--stitch", choices=("centre", "blend"), default="centre", help="deepest window, or weighted mean")
    add("--frames", type=int, choices=(1, 2, 3, 6), default=1, help="k-mer frames averaged")
    add("--reverse-complement", action="store_true", help="average both strands (models of either strand)")
    add("--max-filled-n", type=int, default=5, help="longest run of N that does not end a piece")
    add("--resolution", default="0.001", help="step between two probabilities of a track, or float32")
    precision.add_argument(parser)
    add("--batch-size", default="auto", help="windows per device and call")
    add("--work-dir", type=Path, help="folder of unfinished runs (default: .work beside the output folder)")
    add("--part", help="i/n: compute this share alone; --output-dir is then the JSON file that says so")
    add("--gather", type=Path, nargs="+", help="write the tracks from these parts' files; computes nothing")
    add("--output-dir", type=Path, required=True, help="folder for the tracks")
    cli.add_device_argument(parser, several=True)
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    device = "cpu" if arguments.gather else arguments.device
    output = arguments.output_dir
    work = arguments.work_dir or output.parent / ".work"
    platform = select_device(device, arguments.devices)  # before anything else touches JAX
    keep_compiled(platform, work)
    import jax

    from dnalm.engine.memory import parse_batch_size
    from dnalm.engine.parts import parse_part
    from dnalm.genome import Genome
    from dnalm.segmentation import command, run

    with Genome(arguments.genome) as genome:
        job = command.make_job(arguments, genome)
        if arguments.gather:
            run.gather_parts(job, output, arguments.gather)
            return
        batch, devices = parse_batch_size(arguments.batch_size), jax.local_devices()
        if arguments.part:
            run.segment_part(job, parse_part(arguments.part), output, devices, work, batch)
        else:
            run.segment_genome(job, output, devices, work, batch)


if __name__ == "__main__":
    sys.exit(main())
