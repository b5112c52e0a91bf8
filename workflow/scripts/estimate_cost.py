"""Estimates what the model runs of a configuration take, before they start: jobs, hours, memory, disk.

In:  settings.json, the completed configuration that the workflow writes.
Out: a table, one row per species and run; the same on standard output with its totals.

Hours are those of one GPU, or of two cores on a CPU. Rates of GPUs are assumed, not measured (dnalm/cost.py):
take them as an order of magnitude until results/runtimes/ of your own runs says more.
"""

import sys
from pathlib import Path

from dnalm import cli, files


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--settings", type=Path, required=True, help="settings.json of the workflow's results")
    add("--results", type=Path, default=Path("results"), help="folder of the results, to see what is done")
    add("--device", choices=("cpu", "cuda"), default="cpu", help="whose hours are counted")
    add("--output", type=Path, required=True, help="table to write (TSV)")
    return parser.parse_args(argv)


def resource(name):
    """Returns a path of the configuration: from the working directory, else from the repository."""
    inside = Path(__file__).parents[2] / name
    return str(inside) if inside.exists() and not Path(name).exists() else str(name)


def summary(table, device):
    """Returns the lines below the table: what is left to do."""
    left = table[table["done"] == "no"]
    unit = "GPU hours" if device == "cuda" else "hours of two cores"
    yield f"{len(left)} of {len(table)} runs to do: {int(left['jobs'].sum())} jobs, "
    yield f"{left['hours'].sum():,.1f} {unit}, {left['disk_gb'].sum():,.1f} GB of disk."
    assumed = sorted(set(table.loc[table["size_from"] == "assumed", "species"]))
    if assumed:
        names = ", ".join(assumed[:5]) + (" ..." if len(assumed) > 5 else "")
        yield f" Sizes of {len(assumed)} genomes are assumed ({names}): give their genome_mb."


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import config, cost

    settings = files.read_json(arguments.settings)
    folders = settings["models"]
    table = cost.cost_table(
        settings,
        lambda name: config.model_facts(name, resource(folders[name]) if name in folders else None),
        arguments.device,
        arguments.results,
        resource,
    )
    with files.atomic_path(arguments.output) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
    print(table.to_string(index=False, float_format=lambda value: f"{value:,.2f}"))
    print("".join(summary(table, arguments.device)))


if __name__ == "__main__":
    sys.exit(main())
