"""Compares a checkpoint with what is known of it: sha256, settings, shapes, values, and reference figures.

In: a folder that you already have (any published layout, or ours), or a name of resources/models.tsv, which
is taken from the hub's cache or fetched.
Out: one line per check on standard output; exit status 2 if any failed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dnalm import cli
from dnalm.checkpoints import registry
from dnalm.checkpoints.fetch import fetch_checkpoint
from dnalm.checkpoints.verification import FAILED, verify
from dnalm.device import select_device
from dnalm.errors import UserError


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("checkpoint", metavar="NAME_OR_FOLDER")
    parser.add_argument("--model", help="the model that a folder should be; default: found by its files")
    parser.add_argument("--no-run", action="store_true", help="compute no reference figures")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(argv)
    select_device(arguments.device)
    source = arguments.checkpoint
    if not Path(source).exists() and not registry.model_row(source)["folder"]:
        source = fetch_checkpoint(source)
    failed = 0
    for finding in verify(source, arguments.model, not arguments.no_run):
        print(f"{finding.outcome:<10} {finding.check:<18} {finding.detail}", flush=True)
        failed += finding.outcome == FAILED
    if failed:
        raise UserError(arguments.checkpoint, f"{failed} checks failed (above)", "Fetch it again.")


if __name__ == "__main__":
    sys.exit(main())
