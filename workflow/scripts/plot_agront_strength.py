"""Draws strength of promoters and terminators, observed against predicted, beside published scores.

In: result folders of probes or fine-tunings on promoter_strength and terminator_strength tasks of the Plant
Genomic Benchmark (the task's manifest lies beside each). The first model given of a task is drawn.
Out: STEM.svg, STEM.png, STEM.85mm.svg, STEM.85mm.png and STEM.tsv (the drawn scores).
"""

import sys
from functools import partial

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--probes", nargs="*", default=[], metavar="FOLDER", help="results/tasks/TASK/FEATURES")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures.papers import predictions, published, strength

    known = published.read_published(published.STRENGTH)
    found = predictions.read_probes(arguments.probes, strength.KINDS)
    scores = strength.gather(found, known)
    draw = partial(strength.plot_strength, found, scores, strength.note_of(found, scores))
    title = "Strength of promoters and terminators, observed against predicted"
    style.save_widths(draw, arguments.output_stem, scores, title)


if __name__ == "__main__":
    sys.exit(main())
