"""Predicts genomic elements for every base of a genome with a segmentation model.

In:  a checkpoint with features, a masked genome.
Out: a folder with one bigWig per feature (`exon.bw`; for models of one strand's labels `exon.plus.bw` and
     `exon.minus.bw`) and manifest.json. Bases without prediction (N, pieces below four tokens) are missing.

Windows overlap; each base is taken from the window in which it lies farthest from an edge. A run that was
killed goes on from its finished chunks when started again with the same arguments.
"""

import sys
from pathlib import Path

from dnalm import cli
from dnalm.device import select_device
from dnalm.models import precision


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, help="folder, or name in resources/models.tsv")
    add("--genome", type=Path, required=True, help="masked genome (FASTA with index)")
    add(
        "--regions",
        nargs="+",
        default=[],
        help="contig:start-end (0-based) or contig (default: all)",
    )
    add("--window-bp", type=int, help="multiple of four tokens (default: the model's training length)")
    add("--overlap", type=float, default=0.25, help="fraction of a window shared with the next one")
    add("--stitch", choices=("centre", "blend"), default="centre", help="deepest window, or weighted mean")
    add(
        "--frames",
        type=int,
        choices=(1, 2, 3, 6),
        default=1,
        help="k-mer frames averaged",
    )
    add("--reverse-complement", action="store_true", help="average both strands (models of either strand)")
    add("--resolution", type=float, default=0.001, help="step between two probabilities of a track")
    precision.add_argument(parser)
    add("--batch-size", default="auto", help="windows per device and call")
    add("--work-dir", type=Path, help="folder of unfinished runs (default: .work beside the output folder)")
    add("--output-dir", type=Path, required=True, help="folder for the tracks")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    select_device(arguments.device)  # before anything else touches JAX
    import jax

    from dnalm import checkpoints
    from dnalm.engine import memory
    from dnalm.genome import Genome, regions
    from dnalm.segmentation import run

    checkpoint = checkpoints.load_checkpoint(arguments.checkpoint)
    settings = ("window_bp", "overlap", "frames", "reverse_complement", "stitch")
    layout = run.make_layout(checkpoint.config, **{name: getattr(arguments, name) for name in settings})
    with Genome(arguments.genome) as genome:
        run.segment_genome(
            arguments.output_dir,
            genome,
            {"genome": arguments.genome},
            checkpoint,
            layout,
            regions.read_regions(arguments.regions, genome.lengths),
            arguments.resolution,
            jax.local_devices(),
            arguments.work_dir,
            memory.parse_batch_size(arguments.batch_size),
            arguments.precision,
        )


if __name__ == "__main__":
    sys.exit(main())
