"""Draws probes' scores against the layer that they read, one facet per task.

In: summary.tsv of tasks (summarise_task.py); beside each its data's manifest and its probes' folders, named
    as the features, with folds.tsv and sweep.tsv (train_probe.py).
Out: STEM.svg and .png (180 mm wide), STEM.85mm.svg and .png, and STEM.tsv (the drawn scores).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--summaries", nargs="+", required=True, help="summary.tsv of each task")
    add("--metric", help="a column of the probes' tables (default: that by which each task is judged)")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures.papers import layer_scores, layers

    table = layer_scores.gather_layers(arguments.summaries, arguments.metric)

    def draw(width_mm):
        return layers.plot_layers(table, layers.LAYER_NOTE, width_mm)

    style.save_widths(draw, arguments.output_stem, table, "Probes' scores by layer")


if __name__ == "__main__":
    sys.exit(main())
