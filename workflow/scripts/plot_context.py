"""Draws scores against the length of sequence that tasks of one kind keep, one facet per kind and species.

In: summary.tsv of tasks (summarise_task.py); beside each data.parquet and its manifest.
Out: STEM.svg and .png (180 mm wide), STEM.85mm.svg and .png, and STEM.tsv (the drawn scores).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--summaries", nargs="+", required=True, help="summary.tsv of each task")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures.papers import context

    table = context.gather_context(arguments.summaries)

    def draw(width_mm):
        return context.plot_context(table, context.CONTEXT_NOTE, width_mm)

    style.save_widths(draw, arguments.output_stem, table, "Scores by length of sequence")


if __name__ == "__main__":
    sys.exit(main())
