"""Fetches a published checkpoint from the hub into the hub cache, every file verified.

In: the name of a model of resources/models.tsv.
Out: its folder in the cache on stdout, for convert_checkpoint.py, run_model.py or `models:` of the
configuration; with --output, a record of what it is and where it lies, which they take as well.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dnalm import cli, files
from dnalm.checkpoints import fetch, layouts


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--model", required=True, help="a name or alias of resources/models.tsv")
    add("--output", type=Path, help="record to write, JSON: revision, folder, each file's bytes and sha256")
    add("--layout", choices=layouts.NAMES, default="auto", help="which of the published files to take")
    add(
        "--accept-unpinned",
        action="store_true",
        help="fetch .joblib and .bin files whose sha256 is not known, and print the rows that would pin them",
    )
    add("--cache-dir", type=Path, help="hub cache; without it HF_HUB_CACHE or HF_HOME say where")
    add("--endpoint", help="a mirror with the hub's paths; without it HF_ENDPOINT, else the public hub")
    add("--lock-file", type=Path, help="JSON with sources' revisions and sha256: written once, then enforced")
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(argv)
    record = fetch.fetch_checkpoint(
        arguments.model,
        layout=arguments.layout,
        accept_unpinned=arguments.accept_unpinned,
        cache_dir=arguments.cache_dir,
        endpoint=arguments.endpoint,
        lock_file=arguments.lock_file,
    )
    if arguments.output:
        files.write_json(arguments.output, record)
    for row in fetch.pin_rows(record) if arguments.accept_unpinned else []:
        print(row)
    print(record["folder"])


if __name__ == "__main__":
    sys.exit(main())
