"""Probes frozen features on a task: one probe per fold, all that is chosen chosen inside its training rows.

In:  a task (make_task.py); embeddings of its sequences (embed.py), or a baseline computed from the sequences:
     kmer (counts of 3-, 4- and 5-mers), one_hot, gc_length, constant (the majority, or the mean).
Out: folds.tsv (one row per fold: the headline), sweep.tsv (every layer with one fixed penalty: a look at
     layers, no score to report), outputs.tsv (each of several labels, and all pooled), predictions.parquet,
     manifest.json.

Without an official test set each fold is predicted by the probe of the other folds; penalty, layer and
pooling are those that predict these other folds best, each left out in turn. With one, each fold's probe is
chosen by its own held-out fold and scored on the test set. Features are standardised by the training rows.
A baseline that the task does not allow is a fault, or with --optional tables without rows and a manifest that
says why (`left_out`).
"""

import logging
import math
import sys
from pathlib import Path

from dnalm import cli, files
from dnalm.device import select_device
from dnalm.errors import UserError

log = logging.getLogger("dnalm")


def parse_penalties(text):
    values = [float(part) for part in text.split(",")]
    if not all(0 < value < math.inf for value in values):
        raise ValueError(text)
    return values


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--task", type=Path, required=True, help="data.parquet of make_task.py")
    add("--features", nargs="+", required=True, help="FILE.h5ad (all layers), FILE.h5ad:LAYER, or a baseline")
    add("--name", help="what tables call the features (default: the first file's name, or the baseline's)")
    add(
        "--head",
        choices=("linear", "mlp", "best"),
        default="linear",
        help="regression, an MLP, or the better",
    )
    add("--choose", choices=("layer", "penalty"), default="layer", help="penalty: a probe for every layer")
    add("--penalties", type=parse_penalties, help="on the sum of losses, as 0.1,1,10 (default: 0.1 to 1e6)")
    add("--optional", action="store_true", help="leave a baseline out that the task does not allow")
    add("--device", choices=("cpu", "cuda", "tpu"), default="cpu", help="where logistic probes and MLPs run")
    add("--output-dir", type=Path, required=True, help="folder to write to")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import baselines, probe, tasks

    task, features = tasks.read_task(arguments.task), arguments.features
    if len(features) > 1 and set(features) & set(baselines.BASELINES):
        raise UserError("--features", "a baseline beside other features", "Probe it by itself.")
    paths = [text if Path(text).exists() else text.rpartition(":")[0] for text in features]
    name = arguments.name or (features[0] if features[0] in baselines.BASELINES else Path(paths[0]).stem)
    select_device(arguments.device)
    penalties = arguments.penalties or probe.PENALTIES
    why = baselines.left_out(features[0], task["sequence"].tolist()) if arguments.optional else ""
    if why:
        log.warning("%s: left out, %s", name, why)
        result = probe.no_result()
    else:
        result = probe.run_probe(task, features, name, arguments.head, arguments.choose, penalties)
    folder = arguments.output_dir
    outputs = {folder / "folds.tsv": result.folds, folder / "sweep.tsv": result.sweep}
    outputs |= {folder / "outputs.tsv": result.outputs} if len(result.outputs) else {}
    for path, table in outputs.items():
        probe.write_table(table, path)
    with files.atomic_path(folder / "predictions.parquet") as temporary:
        result.predictions.to_parquet(temporary, index=False)
    probe.log_scores(result.folds)
    inputs = {"task": arguments.task}
    if features[0] not in baselines.BASELINES:
        embedded = list(dict.fromkeys(paths))
        names = ["embeddings"] if len(embedded) == 1 else [f"embeddings_{i}" for i in range(len(embedded))]
        inputs |= dict(zip(names, embedded, strict=True))
    details = {"features": name, "examples": len(task), "head": arguments.head, "choose": arguments.choose}
    details |= {"penalties": list(penalties)} if arguments.head != "mlp" else {}
    details |= {"left_out": why} if why else {}
    files.write_manifest(folder, "probe", inputs, details, [*outputs, folder / "predictions.parquet"])


if __name__ == "__main__":
    sys.exit(main())
