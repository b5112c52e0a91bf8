"""Makes a benchmark task from an annotation: labelled windows with cross-validation folds.

In:  a masked genome, an annotation table, the name of a task in resources/tasks.tsv.
Out: Parquet with name, contig, start, end, strand, sequence (as read on its strand), split (empty), label
     (1 true site, 0 decoy), group (windows that overlap or nearly agree) and fold (a group lies in one);
     leakage.tsv beside it (related windows within and between folds), and a manifest.
"""

import logging
import sys
from pathlib import Path

from dnalm import cli, files

log = logging.getLogger("dnalm")


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--genome", type=Path, required=True, help="masked FASTA")
    add("--annotation", type=Path, required=True, help="annotation.parquet")
    add("--task", required=True, help="row of the table of tasks")
    add("--tasks-table", type=Path, help="table of tasks (default: the repository's resources/tasks.tsv)")
    add("--regions", nargs="+", default=[], help="contig:start-end (0-based) or contig (default: everything)")
    add("--folds", type=int, default=10, help="number of folds")
    add("--max-examples", type=int, default=4000, help="of both classes together")
    add("--seed", type=int, default=0, help="of the choice of examples and folds")
    add("--length-bp", type=int, help="of the windows, a multiple of 6 (default: the table's)")
    add("--context-bp", type=int, help="bases kept in the middle of each window (default: all)")
    add("--output", type=Path, required=True, help="Parquet file to write")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import annotation, tasks
    from dnalm.genome import Genome
    from dnalm.tasks import leakage

    row = tasks.task_row(arguments.task, arguments.tasks_table)
    table = annotation.load_annotation(arguments.annotation)
    settings = {
        "regions": arguments.regions,
        "length_bp": arguments.length_bp or row["length_bp"],
        "fold_count": arguments.folds,
        "max_examples": arguments.max_examples,
        "seed": arguments.seed,
    }
    settings |= {"context_bp": arguments.context_bp} if arguments.context_bp else {}
    with Genome(arguments.genome) as genome:
        task = tasks.make_annotation_task(row["type"], genome, table, **settings)
    leaks = leakage.report(task, leakage.relate(task))
    leakage.say(leaks, arguments.task)
    report = leakage.write(leaks, arguments.output.with_name("leakage.tsv"))
    with files.atomic_path(arguments.output) as temporary:
        task.to_parquet(temporary, index=False)
    counts = {"examples": len(task), "true": int(task["label"].sum()), "groups": int(task["group"].nunique())}
    log.info("%s: %s", arguments.output, counts)
    inputs = {"genome": arguments.genome, "annotation": arguments.annotation}
    about = {"suite": "annotation", "task": arguments.task, "type": "binary", "metric": row["metric"]}
    details = {**about, "kind": row["type"], "settings": settings, **counts}
    details["leakage"] = leakage.summary(leaks)
    files.write_manifest(arguments.output, "task", inputs, details, [arguments.output, report])


if __name__ == "__main__":
    sys.exit(main())
