"""Draws the benchmark bars of the Nucleotide Transformer paper: models, baselines, published scores beside.

In: leaderboard.tsv (make_leaderboard.py).
Out: STEM.svg and .png (180 mm wide), STEM.85mm.svg and .png, and STEM.tsv (the drawn scores).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--leaderboard", required=True, help="leaderboard.tsv")
    add("--suite", choices=("nt_revised", "nt_original"), default="nt_revised", help="they share names only")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures.benchmark_rows import SUITE_NAMES
    from dnalm.figures.papers import benchmark, benchmark_note, benchmark_scores

    suite = arguments.suite
    table = benchmark_scores.gather(arguments.leaderboard, suite)

    def draw(width_mm):
        return benchmark.plot_benchmark(table, benchmark_note.NOTES[suite], width_mm, suite)

    style.save_widths(draw, arguments.output_stem, table, f"{SUITE_NAMES[suite]}: models and baselines")


if __name__ == "__main__":
    sys.exit(main())
