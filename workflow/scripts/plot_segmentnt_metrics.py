"""Draws scores of predicted elements beside those of the SegmentNT paper.

In: R.metrics.tsv and R.beside_published.tsv (evaluate_segmentation.py).
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and STEM.tsv (the drawn scores,
one row per element).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--metrics", required=True, help="R.metrics.tsv")
    add("--published", required=True, help="R.beside_published.tsv: what can be compared, and why not")
    add("--model", default="", help="name of the model, for legend and note")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures.papers import segment_metrics, segment_scores

    table = segment_scores.gather(arguments.metrics, arguments.published)

    def draw(width_mm):
        return segment_metrics.plot_metrics(table, arguments.model, width_mm=width_mm)

    title = "Predicted elements: scores beside those of the SegmentNT paper"
    style.save_widths(draw, arguments.output_stem, table, title)


if __name__ == "__main__":
    sys.exit(main())
