"""Puts the headline scores of all tasks and models into one table, published ones of the same data beside.

In:  summary.tsv of each task (summarise_task.py), the task's data.parquet with its manifest beside; the
     repository's table of published scores.
Out: TSV, see dnalm.leaderboard.COLUMNS; and a manifest.
"""

import sys
from pathlib import Path

from dnalm import cli, files


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--summaries", type=Path, nargs="+", required=True, help="summary.tsv of each task, in its folder")
    add("--published", type=Path, help="table of published scores (default: the repository's)")
    add("--output", type=Path, required=True, help="TSV to write")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import leaderboard, probe

    published = leaderboard.read_published(arguments.published or leaderboard.PUBLISHED)
    entries = leaderboard.read_entries(arguments.summaries)
    table = leaderboard.make_leaderboard(entries, published)
    probe.write_table(table, arguments.output)
    inputs = {f"summary_{number}": path for number, path in enumerate(arguments.summaries)}
    counts = {"tasks": len(entries), "published": int((table["origin"] == leaderboard.ELSEWHERE).sum())}
    files.write_manifest(arguments.output, "leaderboard", inputs, counts)


if __name__ == "__main__":
    sys.exit(main())
