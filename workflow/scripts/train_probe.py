"""Probes frozen features on a task: cross-validated logistic regression, one fit per layer and fold.

In:  a task (make_task.py); embeddings of its sequences (embed.py), or kmer (counts of 3-, 4- and 5-mers) or
     one_hot, which are computed from the sequences.
Out: folds.tsv (one row per layer and fold), predictions.parquet (out of fold), manifest.json.

Features are standardised by the training folds; the penalty is fixed (C = 1), so nothing is tuned.
"""

import logging
import sys
from pathlib import Path

from dnalm import cli, files

log = logging.getLogger("dnalm")


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--task", type=Path, required=True, help="data.parquet of make_task.py")
    add("--features", required=True, help="FILE.h5ad (all layers), FILE.h5ad:LAYER, kmer or one_hot")
    add("--name", help="what tables call the features (default: the file's name, kmer or one_hot)")
    add("--output-dir", type=Path, required=True, help="folder to write to")
    return parser.parse_args(argv)


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    from dnalm import baselines, probe, tasks

    task = tasks.read_task(arguments.task)
    features = arguments.features
    embedded = features if Path(features).exists() else features.rpartition(":")[0]
    name = arguments.name or (features if features in baselines.BASELINES else Path(embedded).stem)
    scores, predictions = probe.run_probe(task, features, name)
    folder = arguments.output_dir
    with files.atomic_path(folder / "predictions.parquet") as temporary:
        predictions.to_parquet(temporary, index=False)
    with files.atomic_path(folder / "folds.tsv") as temporary:
        scores.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n")
    for layer, own in scores.groupby("layer", dropna=False):
        means = ", ".join(f"{metric} {own[metric].mean():.3f}" for metric in probe.METRICS)
        what = name if layer != layer else f"{name}, layer {layer:g}"  # NaN: features without layers
        log.info("%s: %s (means of %d folds)", what, means, len(own))
    inputs = {"task": arguments.task}
    if features not in baselines.BASELINES:
        inputs["embeddings"] = embedded
    details = {"features": name, "examples": len(task), "penalty_c": probe.INVERSE_PENALTY}
    outputs = [folder / "folds.tsv", folder / "predictions.parquet"]
    files.write_manifest(folder, "probe", inputs, details, outputs)


if __name__ == "__main__":
    sys.exit(main())
