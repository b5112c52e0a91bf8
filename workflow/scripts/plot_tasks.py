"""Draws the headline scores of all tasks, baselines beside every model.

In: leaderboard.tsv (make_leaderboard.py).
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and STEM.tsv (the drawn scores).
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
    style.save_widths(
        lambda width_mm: benchmark.plot_tasks(table, benchmark.NOTE, width_mm),
        arguments.output_stem, table, "Probe tasks: scores of models and baselines",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
