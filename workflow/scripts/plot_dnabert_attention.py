"""Draws an attention landscape along a region, with gene models and the motifs where attention is high.

In:  landscape.tsv and motifs.tsv (read_attention.py), and an annotation table where there is one.
Out: STEM.svg, STEM.png (180 mm wide), STEM.85mm.svg, STEM.85mm.png and STEM.tsv (the drawn bins and motifs).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--landscape", required=True, help="landscape.tsv")
    add("--motifs", required=True, help="motifs.tsv")
    add("--annotation", help="annotation.parquet")
    add("--model", required=True, help="name of the model, for the line below the figure")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation, attention
    from dnalm.figures import gene_models, style
    from dnalm.figures.papers import inputs, landscape_bins
    from dnalm.figures.papers import landscape as figure

    table = inputs.read_rows(arguments.landscape, attention.LANDSCAPE_COLUMNS, "landscape")
    motifs = inputs.read_rows(arguments.motifs, attention.MOTIF_COLUMNS, "table of motifs")
    region, models = landscape_bins.region_of(table), None
    if arguments.annotation:
        models = gene_models.model_parts(annotation.load_annotation(arguments.annotation), region)

    def draw(width_mm):
        return figure.plot_landscape(table, motifs, models, f"Model: {arguments.model}.", width_mm)

    title = f"Attention landscape of {region[0]}:{region[1]}-{region[2]}"
    style.save_widths(draw, arguments.output_stem, landscape_bins.drawn_table(table, motifs), title)


if __name__ == "__main__":
    sys.exit(main())
