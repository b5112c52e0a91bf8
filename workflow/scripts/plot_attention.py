"""Draws attention maps of chosen heads, one panel each.

In:  attention.npz (read_attention.py).
Out: STEM.svg, STEM.png (180 mm wide), STEM.85mm.svg, STEM.85mm.png and STEM.tsv (the drawn cells). At most 12
     heads are drawn; more than 400 tokens are binned by their maximum.
"""

import sys

from dnalm import cli


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--attention", required=True, help=".npz of read_attention.py")
    add("--model", default="", help="name of the model, for the line below the figure")
    add("--output-stem", required=True, help="path of the figure without its suffix")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.attention.maps import read_maps
    from dnalm.figures import style
    from dnalm.figures.papers import attention, attention_cells

    maps = read_maps(arguments.attention)
    note = f"Model: {arguments.model}." if arguments.model else ""

    def draw(width_mm):
        return attention.plot_attention(maps, note, width_mm)

    style.save_widths(draw, arguments.output_stem, attention_cells.map_table(maps), "Attention maps")


if __name__ == "__main__":
    sys.exit(main())
