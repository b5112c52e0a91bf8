"""Fetches a published benchmark task from the hub into the hub cache, every file verified.

In:  a suite and one of its tasks (resources/suites/).
Out: its folder in the cache on stdout; with --output, a record of what it is and where it lies, which
     import_task.py takes.
"""

import sys
from pathlib import Path

from dnalm import cli, files, suites


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--suite", choices=suites.SUITES, required=True)
    add("--task", required=True, help="a row of resources/suites/SUITE.tsv")
    add("--output", type=Path, help="record to write, JSON: revision, folder, each file's bytes and sha256")
    add("--cache-dir", type=Path, help="hub cache; without it HF_HUB_CACHE or HF_HOME say where")
    add("--endpoint", help="a mirror with the hub's paths; without it HF_ENDPOINT, else the public hub")
    add("--lock-file", type=Path, help="JSON with revisions and sha256: written once, then enforced")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm.tasks.fetch import fetch_task

    place = {key: getattr(arguments, key) for key in ("cache_dir", "endpoint", "lock_file")}
    record = fetch_task(arguments.suite, arguments.task, **place)
    if arguments.output:
        files.write_json(arguments.output, record)
    print(record["folder"])


if __name__ == "__main__":
    sys.exit(main())
