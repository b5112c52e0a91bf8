"""Draws a map of window embeddings, coloured by what the windows overlap and by GC content.

In: an .h5ad file of embeddings; an annotation table, a genome (soft-masked or not), or both.
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and
STEM.tsv (one row per drawn window).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--embeddings", required=True, help=".h5ad file of windows of a genome")
    add("--layer", default="last", help="a layer's number, middle or last (of those in the file)")
    add("--model", default="", help="name of the model (default: that of the file of embeddings)")
    add("--annotation", help="annotation.parquet, for the classes exonic, intronic, intergenic")
    add("--genome", help="FASTA, for GC content and, where it has lower case, the class repeat")
    add("--seed", type=int, default=1, help="of the subsample and of t-SNE")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import embedding_map, map_data, style

    embedded = map_data.read_embedded(arguments.embeddings, arguments.layer, arguments.model)
    drawn = map_data.sample(embedded, arguments.seed)
    windows, rule = map_data.describe(drawn.windows, arguments.annotation, arguments.genome)
    projection = map_data.project(drawn.values, arguments.seed)
    windows = windows.assign(x=projection.coordinates[:, 0], y=projection.coordinates[:, 1])
    note = map_data.note(embedded, drawn, windows, projection, rule)
    style.save_widths(
        lambda width_mm: embedding_map.plot_map(windows, projection, note, width_mm),
        arguments.output_stem, windows, f"Map of window embeddings: {embedded.label}",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
