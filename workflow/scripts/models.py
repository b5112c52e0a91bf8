"""Prints the models that a configuration can name, as a table.

In: resources/models.tsv.  Out: the table on standard output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from dnalm import cli
from dnalm.checkpoints import registry

SHOWN = (
    "model",
    "family",
    "tokenizer",
    "max_tokens",
    "embed_dim",
    "num_layers",
    "parameters",
    "memory_gb_float32",
    "memory_gb_bfloat16",
    "licence",
    "files",
)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--all-columns", action="store_true", help="print every column, tab-separated")
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    table = registry.read_models()
    if parse_arguments(argv).all_columns:
        table.to_csv(sys.stdout, sep="\t", index=False)
        return
    table["files"] = ["bundled" if folder else "to be fetched" for folder in table["folder"]]
    table["parameters"] = [f"{int(count):,}" for count in table["parameters"]]
    print(table[list(SHOWN)].to_string(index=False))


if __name__ == "__main__":
    sys.exit(main())
