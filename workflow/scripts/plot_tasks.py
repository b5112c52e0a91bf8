"""Draws the probes' scores, one facet per task, baselines beside every model.

In: the summaries of tasks.
Out: STEM.svg, STEM.png and STEM.tsv (the drawn scores).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--summaries", nargs="+", required=True, help="summary.tsv of each task")
    add("--metric", default="mcc", help="metric to draw, as in the summaries")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import benchmark, style, tables

    table = benchmark.gather(arguments.summaries, arguments.metric)
    name = tables.METRIC_NAMES.get(arguments.metric, arguments.metric)
    figure = benchmark.plot_tasks(table, benchmark.NOTE, name)
    style.save(figure, arguments.output_stem, table, f"Probe tasks: {name} of models and baselines")


if __name__ == "__main__":
    sys.exit(main())
