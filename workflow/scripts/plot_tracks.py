"""Draws predicted elements along genes, with the annotated gene models below.

In: a segmentation run's folder of bigWigs, an annotation table.
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and
STEM.tsv (the drawn probabilities, one row per bin).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tracks", required=True, help="folder with exon, intron, splice_donor and splice_acceptor bigWigs")
    add("--annotation", required=True, help="annotation.parquet")
    add(
        "--genes",
        nargs="+",
        default=["auto"],
        help="gene ids, or auto: chosen by a rule that sees no prediction",
    )
    add("--regions", nargs="+", default=[], help="contig:start-end, 0-based; auto chooses in the first one")
    add("--model", default="", help="name of the model, for the line below the figure")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation
    from dnalm.figures import genes, style, track_data, tracks

    table = annotation.load_annotation(arguments.annotation)
    lengths = track_data.contig_lengths(track_data.track_files(arguments.tracks))
    if arguments.genes == ["auto"]:
        chosen, how = genes.choose_genes(table, genes.first_region(arguments.regions, lengths))
    else:
        chosen, how = genes.find_genes(table, arguments.genes), "Genes named by the user."
    panels = [track_data.make_panel(arguments.tracks, table, gene, lengths) for gene in chosen]
    model = f"Model: {arguments.model}. " if arguments.model else ""
    title = f"Predicted elements of {', '.join(gene.name for gene in chosen)}"
    style.save_widths(
        lambda width_mm: tracks.plot_tracks(panels, model + how, width_mm),
        arguments.output_stem, track_data.track_table(panels), title,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
