"""Makes a genome browser of a run: one self-contained HTML page, for a file manager, a phone, an attachment.

In:  the genome, its annotation, a folder of tracks (segment.py), with its elements where they are called.
Out: one HTML file with igv.js, sequence, genes, probabilities and elements of the regions given, else of a
     stretch of the run's longest region. It loads nothing from elsewhere, and forbids browsers to.
"""

import sys
from pathlib import Path

from dnalm import cli
from dnalm.errors import UserError


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--genome", type=Path, required=True, help="FASTA of the genome that was segmented")
    add("--annotation", type=Path, help="annotation.parquet")
    add("--tracks", type=Path, required=True, help="folder of bigWigs with manifest.json, and elements.bed")
    add("--regions", nargs="+", default=[], help="contig:start-end, 0-based half-open; all of each is shown")
    add("--most-mb", type=float, default=12.0, help="megabytes of the page: 2 to 15")
    add("--resolution", default="0.01", help="step between two probabilities, or float32 for all digits")
    add("--title", required=True, help="heading of the page")
    add("--note", default="", help="a sentence below it, such as which bases no model was trained on")
    add("--output", type=Path, required=True, help="HTML file to write")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation, files
    from dnalm.browser import page, slices
    from dnalm.elements.sessions import ordered
    from dnalm.genome import Genome
    from dnalm.segmentation.evaluation import read_tracks
    from dnalm.tracks import parse_resolution

    if not page.LEAST_MB <= arguments.most_mb <= page.LARGEST_MB:
        expected = f"expected {page.LEAST_MB:g} to {page.LARGEST_MB:g}"
        raise UserError("--most-mb", f"is {arguments.most_mb:g} ({expected})", "Give 12, say.")
    resolution = parse_resolution(arguments.resolution)
    about = read_tracks(arguments.tracks)
    table = annotation.load_annotation(arguments.annotation) if arguments.annotation else None
    with Genome(arguments.genome) as genome:
        elements = slices.read_elements(arguments.tracks / "elements.bed")
        inputs = slices.Inputs(genome, arguments.tracks, ordered(about), table, elements)
        words = page.Words(arguments.title, arguments.note, resolution)
        regions = slices.joined_regions(arguments.regions or about["regions"], genome.lengths)
        make = page.page_of_regions if arguments.regions else page.page_of_longest
        files.write_text(arguments.output, make(inputs, regions, words, arguments.most_mb))


if __name__ == "__main__":
    sys.exit(main())
