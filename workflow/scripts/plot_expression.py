"""Draws observed against predicted expression, and the R2 of every set of features beside it.

In: the table and the predictions of one expression run.
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and STEM.tsv (the drawn genes).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add(
        "--metrics",
        required=True,
        help="expression table, one row per features, layer, subset and kind of folds",
    )
    add("--predictions", required=True, help="predictions.parquet of the same run")
    add("--value-column", help="expression column to draw (default: the first)")
    add("--features", help="model whose predictions are drawn (default: the first)")
    add("--layer", help="its layer (default: the deepest)")
    add("--unit", default="log2", help="unit of the expression table (counts, cpm, tpm, log2), for the axes")
    add("--species", default="", help="name of the species, for the title")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import expression, style, tables

    metrics = tables.read_table(arguments.metrics, tables.EXPRESSION_COLUMNS, "expression table")
    predictions = tables.read_table(arguments.predictions, tables.PREDICTION_COLUMNS, "table of predictions")
    chosen = expression.choose(predictions, arguments.value_column, arguments.features, arguments.layer)
    label = tables.feature_label(str(chosen["features"].iloc[0]), chosen["layer"].iloc[0])
    column, genes, folds = chosen["value_column"].iloc[0], len(chosen), chosen["fold"].nunique()
    note = (
        f"{column}. Panel a: ridge regression on {label}, windows around the TSS, n = {genes:,} genes, "
        f"{folds} folds; genes with overlapping or near-identical windows share a fold."
    )
    species = arguments.species.replace("_", " ").capitalize()
    title = f"Expression{' of ' if species else ''}{species}, observed against predicted: {label}"
    style.save_widths(
        lambda width_mm: expression.plot_expression(chosen, metrics, note, arguments.unit, width_mm),
        arguments.output_stem, chosen, title,
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
