"""Sums up the probes of one task: mean, SD and 2 SD over folds, intervals, distance to the best baseline.

In:  folds.tsv of several probes (train_probe.py), predictions.parquet and sweep.tsv beside; or the folders.
Out: TSV with one row per set of features, layer and metric; beside it sweep.tsv, the same of every layer with
     the fixed penalty (the best of them was found on the scored rows: no score to report); and a manifest,
     which names the features that were left out and why.
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


def left_out(paths):
    """Returns why features are without a score, by the probe's folder."""
    contents = {path: files.read_manifest(path.parent)["content"] for path in paths}
    return {path: content["left_out"] for path, content in contents.items() if "left_out" in content}


def check_same_task(paths):
    """Probes of different versions of a task are not comparable."""
    task = {path: files.read_manifest(path.parent)["content"]["inputs"]["task"] for path in paths}
    for path in paths[1:]:
        if task[path] != task[paths[0]]:
            raise UserError(path, f"comes from another task than {paths[0]}", "Run train_probe.py again.")


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    import pandas as pd

    from dnalm import probe

    paths = [path / "folds.tsv" if path.is_dir() else path for path in arguments.probes]
    paths = [files.require_file(path, "probe's folds") for path in paths]
    check_same_task(paths)
    absent = left_out(paths)
    paths = [path for path in paths if path not in absent]
    if not paths:
        raise UserError("--probes", "all features are left out", "Give others.")
    folds = [probe.read_folds(path) for path in paths]
    name, output = arguments.name or arguments.output.resolve().parent.name, arguments.output
    predictions = [files.require_file(path.with_name("predictions.parquet")) for path in paths]
    rows = [pd.read_parquet(path) for path in predictions]
    probe.write_table(probe.summarise(list(zip(map(str, paths), folds, rows, strict=True)), name), output)
    swept = [path.with_name("sweep.tsv") for path in paths]
    sweep = [(str(path), probe.read_folds(path), None) for path in swept]
    probe.write_table(probe.summarise(sweep, name), output.with_name("sweep.tsv"))
    inputs = {f"folds_{number}": path for number, path in enumerate(paths)}
    details = {"task": name}
    details |= {"left_out": {path.parent.name: why for path, why in absent.items()}} if absent else {}
    files.write_manifest(output, "probe", inputs, details)


if __name__ == "__main__":
    sys.exit(main())
