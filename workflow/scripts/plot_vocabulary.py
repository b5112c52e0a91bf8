"""Draws next-k-mer accuracy against the number of merge cycles, and the tokens' length.

In: cycles.tsv of train_tokenizer.py.
Out: STEM.svg and STEM.png (180 mm wide), STEM.85mm.svg and STEM.85mm.png, and STEM.tsv (the drawn rows).
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--table", required=True, help="cycles.tsv")
    add("--species", default="", help="name of the species, for the title")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.figures import style, vocabulary

    table = vocabulary.read(arguments.table)
    species = arguments.species.replace("_", " ").capitalize()
    title = f"Byte-pair vocabularies{' of ' if species else ''}{species}: next-k-mer accuracy"
    style.save_widths(lambda width_mm: vocabulary.plot(table, width_mm), arguments.output_stem, table, title)


if __name__ == "__main__":
    sys.exit(main())
