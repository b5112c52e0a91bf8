"""Draws the headline scores of all tasks, baselines beside every model.

In: leaderboard.tsv (make_leaderboard.py).
Out: STEM.svg, STEM.png and STEM.tsv (the drawn scores).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--leaderboard", required=True, help="leaderboard.tsv")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import benchmark, style

    table = benchmark.gather(arguments.leaderboard)
    figure = benchmark.plot_tasks(table, benchmark.NOTE)
    style.save(figure, arguments.output_stem, table, "Probe tasks: scores of models and baselines")


if __name__ == "__main__":
    sys.exit(main())
