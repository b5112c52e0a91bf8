"""Draws how a vocabulary is used: frequency, length, GC content, map, merge cycles, repeats.

In:  a table of count_tokens.py; where there are, cycles.tsv of train_tokenizer.py and the table of
     plot_embedding_map.py with the windows' classes.
Out: STEM.svg, STEM.png (180 mm), STEM.85mm.svg, STEM.85mm.png and STEM.tsv (the drawn tokens).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--tokens", required=True, help="table of count_tokens.py")
    add("--cycles", help="cycles.tsv")
    add("--map", help="table of plot_embedding_map.py (x, y, overlaps)")
    add("--map-model", default="", help="name of the model whose embeddings --map shows")
    add("--name", required=True, help="name of the tokenizer or model")
    add("--species", required=True, help="name of the species")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style
    from dnalm.figures import vocabulary as cycle_figure
    from dnalm.figures.papers import inputs, vocabulary

    tokens = inputs.read_rows(arguments.tokens, vocabulary.TOKEN_COLUMNS, "table of tokens")
    cycles = inputs.read_rows(arguments.cycles, cycle_figure.COLUMNS, "table of vocabularies")
    regions = inputs.read_rows(arguments.map, vocabulary.REGION_COLUMNS[:2], "table of an embedding map")
    species = arguments.species.replace("_", " ").capitalize()
    note = vocabulary.note(tokens, cycles, regions, arguments.name, species, arguments.map_model)
    vocabulary.warn_of_gaps(tokens, cycles, regions)
    style.save_widths(
        lambda width_mm: vocabulary.plot_tokens(tokens, cycles, regions, note, width_mm),
        arguments.output_stem,
        tokens,
        f"Vocabulary of {arguments.name} in {species}",
    )


if __name__ == "__main__":
    sys.exit(main())
