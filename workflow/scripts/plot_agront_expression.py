"""Draws expression of crops, observed against predicted, beside baselines, a shuffle and published scores.

In: result folders of probes or fine-tunings on gene_exp tasks of the Plant Genomic Benchmark (the task's
manifest lies beside each), or table and predictions of expression runs (predict_expression.py), or both.
The first model given of a species is drawn gene by gene; its baselines stand beside it.
Shuffled control: observed values are dealt anew among genes 100 times (seeded) and scored against the same
predictions. This shuffles the evaluation, a control of the statistic; no probe is trained on shuffled labels.
Out: STEM.svg, STEM.png, STEM.85mm.svg, STEM.85mm.png and STEM.tsv (the drawn scores).
"""

import sys
from functools import partial

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--probes", nargs="*", default=[], metavar="FOLDER", help="results/tasks/TASK/FEATURES")
    run = {"nargs": 3, "action": "append", "default": [], "metavar": ("METRICS", "PREDICTIONS", "SPECIES")}
    add("--expression", **run, help="table and predictions of an expression run (may be given again)")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures.papers import crops, expression_runs, predictions, published

    known = published.read_published(published.EXPRESSION)
    found = predictions.read_probes(arguments.probes, (predictions.EXPRESSION_KIND,))
    for metrics, values, species in arguments.expression:
        found += expression_runs.read_expression_run(metrics, values, species)
    predictions.check_once(found)
    scores = crops.gather(found, known)
    places = crops.places_of(found, bool(arguments.probes))
    draw = partial(crops.plot_crops, found, scores, places, crops.note_of(found, scores))
    style.save_widths(
        draw, arguments.output_stem, scores, "Gene expression of crops, observed against predicted"
    )


if __name__ == "__main__":
    sys.exit(main())
