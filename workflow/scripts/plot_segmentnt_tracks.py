"""Draws predicted elements along regions as the SegmentNT paper does: two a panel, gene models below.

In: a segmentation run's folder of bigWigs, an annotation table.
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and STEM.tsv (the drawn
probabilities, one row per bin).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tracks", required=True, help="folder of bigWigs, one per feature, or one per feature and strand")
    add("--annotation", required=True, help="annotation.parquet")
    add("--regions", nargs="+", required=True, help="contig:start-end, 0-based, one block of panels each")
    add("--model", default="", help="name of the model, for the notes")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation
    from dnalm.figures import style
    from dnalm.figures.papers import segment_data, segment_tracks

    regions = segment_data.find_regions(arguments.regions, arguments.tracks)
    table = annotation.load_annotation(arguments.annotation)
    blocks = [segment_data.read_block(arguments.tracks, table, region) for region in regions]

    def draw(width_mm):
        return segment_tracks.plot_segments(blocks, arguments.model, width_mm=width_mm)

    title = f"Predicted elements of {', '.join(arguments.regions)}"
    style.save_widths(draw, arguments.output_stem, segment_data.block_table(blocks), title)


if __name__ == "__main__":
    sys.exit(main())
