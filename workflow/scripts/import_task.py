"""Makes a task of labelled sequences: a published one (fetch_task.py), or files of one's own.

In:  the record of a fetched task; or FASTA (>name|label), CSV, TSV or Parquet with the columns sequence and
     label (label_1, label_2, ... for several), and name, split, group, contig, start, end, strand if known.
Out: Parquet with name, sequence (letters other than A, C, G, T are N), split, the labels as numbers, group
     (related rows), fold (a group lies in one; -1: test rows), positions where known; leakage.tsv beside it
     (rows related to rows of another split or fold), and a manifest.
"""

import logging
import sys
from pathlib import Path

from dnalm import cli, files, suites

log = logging.getLogger("dnalm")


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--record", type=Path, help="record of a fetched task, JSON (fetch_task.py)")
    add("--data", type=Path, help="file of one's own; with --test-data, of the training rows")
    add("--validation-data", type=Path, help="its validation rows")
    add("--test-data", type=Path, help="its test rows")
    add("--type", choices=suites.TYPES, help="of one's own data")
    add("--metric", help="by which one's own task is judged (default: by type)")
    add("--suite", choices=suites.SUITES, help="the files of --data are a task of this suite")
    add("--task", default="", help="task of --suite, or rows to take from a table with a column task")
    add("--folds", type=int, default=10, help="number of folds")
    add("--duplicates", choices=("report", "drop"), default="report",
        help="drop: leave out training rows that are related to test rows")  # fmt: skip
    add("--max-examples", type=int, help="at most so many rows of each split, chosen at random")
    add("--seed", type=int, default=0, help="of the choice of rows and of the folds")
    add("--context-bp", type=int, help="bases kept in the middle of each sequence (default: all)")
    add("--output", type=Path, required=True, help="Parquet file to write")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import tasks
    from dnalm.tasks import expectations, leakage, load

    own = {"train": arguments.data, "validation": arguments.validation_data, "test": arguments.test_data}
    source = load.find_source(arguments.record, own, arguments.suite, arguments.task, arguments.type)
    records = load.load_records(source, arguments.max_examples, arguments.seed)
    settings = {"fold_count": arguments.folds, "duplicates": arguments.duplicates, "seed": arguments.seed}
    settings |= {"context_bp": arguments.context_bp} if arguments.context_bp else {}
    task = tasks.assemble(records, source.type, **settings, where=source.name)
    differences = expectations.compare(source.published, records, task.classes) if source.published else []
    leakage.say(task.leaks, source.name)
    report = leakage.write(task.leaks, arguments.output.with_name("leakage.tsv"))
    with files.atomic_path(arguments.output) as temporary:
        task.table.to_parquet(temporary, index=False)
    counts = {
        "examples": len(task.table),
        "groups": int(task.table["group"].nunique()),
        "dropped": task.dropped,
    }
    log.info("%s: %s", arguments.output, counts)
    details = {
        **source.about(arguments.metric),
        **{"classes": task.classes, "read": records.read, "iupac_letters": records.iupac_letters},
        "settings": {**settings, "max_examples": arguments.max_examples},
        **{**counts, "differences": differences, "leakage": leakage.summary(task.leaks)},
    }
    inputs = {split or "data": path for split, path in source.files.items()}
    files.write_manifest(arguments.output, "task", inputs, details, [arguments.output, report])


if __name__ == "__main__":
    sys.exit(main())
