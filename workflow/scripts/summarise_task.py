"""Sums up the probes of one task: mean, SD and 2 SD over folds of every metric.

In:  folds.tsv of several probes (train_probe.py), or their folders.
Out: TSV with one row per set of features, layer and metric, and a manifest.
"""

import sys
from pathlib import Path

from dnalm import cli, files
from dnalm.errors import UserError


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--probes", type=Path, nargs="+", required=True, help="folds.tsv of each probe, or its folder")
    add("--name", help="name of the task (default: the output's folder)")
    add("--output", type=Path, required=True, help="TSV to write")
    return parser.parse_args(argv)


def read_folds(path, columns):
    import pandas as pd

    path = files.require_file(path, "probe's folds")
    table = pd.read_csv(path, sep="\t", dtype={"features": str}, keep_default_na=False, na_values=["NA"])
    if tuple(table.columns) != columns or table.empty:
        raise UserError(path, f"is no table of folds (columns {list(table.columns)})", "Run train_probe.py.")
    return table


def check_same_task(paths):
    """Probes of different versions of a task are not comparable."""
    task = {path: files.read_manifest(path.parent)["content"]["inputs"]["task"] for path in paths}
    for path in paths[1:]:
        if task[path] != task[paths[0]]:
            raise UserError(path, f"comes from another task than {paths[0]}", "Run train_probe.py again.")


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import probe

    paths = [path / "folds.tsv" if path.is_dir() else path for path in arguments.probes]
    tables = [(str(path), read_folds(path, probe.FOLD_COLUMNS)) for path in paths]
    check_same_task(paths)
    name = arguments.name or arguments.output.resolve().parent.name
    summary = probe.summarise(tables, name)
    with files.atomic_path(arguments.output) as temporary:
        summary.to_csv(
            temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n"
        )
    inputs = {f"folds_{number}": path for number, path in enumerate(paths)}
    files.write_manifest(arguments.output, "probe", inputs, {"task": name})


if __name__ == "__main__":
    sys.exit(main())
