"""Downloads a published checkpoint from the hub, each file verified by its known sha256.

In: the name of a model of resources/models.tsv.
Out: a folder in the hub's layout, for convert_checkpoint.py, run_model.py or `models:` of the configuration.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dnalm import cli
from dnalm.checkpoints import pins


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--model", required=True, help="a name or alias of resources/models.tsv")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to fill")
    parser.add_argument("--base-url", default=pins.HUB, help="the hub, or a mirror with its layout")
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(argv)
    for path in pins.fetch_checkpoint(arguments.model, arguments.output_dir, arguments.base_url):
        print(path)


if __name__ == "__main__":
    sys.exit(main())
