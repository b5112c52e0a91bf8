"""What fine-tuning gives over the frozen probe: a task of the demo's arm, one checkpoint, the same folds.

Makes the task on the region that no checkpoint was trained on, probes the frozen embeddings (layer and
penalty chosen inside the training rows) and fine-tunes an adapter per fold. The probe trains on all
other folds together; fine-tuning leaves one of them out to stop by. Printed: the means over folds with 2 SD,
each fold's difference, what was trained, and the seconds of each step. Further arguments go to finetune.py.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
SCRIPTS, DEMO = ROOT / "workflow" / "scripts", ROOT / "resources" / "demo"
sys.path.insert(0, str(SCRIPTS))

from dnalm.files import read_manifest  # noqa: E402

METRICS = ("mcc", "auroc", "auprc")
ANNOTATION = ("--annotation", DEMO / "dmel_chr2R" / "dm3_chr2R.BDGP5.25.62.gtf.gz")


def call(step: str, *words: object) -> float:
    """Runs a script; returns its seconds."""
    begun = time.monotonic()
    command = [sys.executable, str(SCRIPTS / f"{step}.py"), *map(str, words)]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        raise SystemExit(f"{step}: {found.stderr}")
    return time.monotonic() - begun


def make_task(folder: Path, task: str, examples: int, folds: int) -> Path:
    genome, table = folder / "masked.fa", folder / "annotation.parquet"
    output = folder / f"{task}.{examples}.{folds}" / "data.parquet"
    if not table.exists():
        call(
            "fetch_genome",
            "--source",
            DEMO / "dmel_chr2R" / "dm3_chr2R.fa.gz",
            "--output",
            folder / "genome.fa",
        )
        call(
            "mask_genome",
            "--genome",
            folder / "genome.fa",
            "--output",
            genome,
            "--report",
            folder / "masked.tsv",
        )
        call("read_annotation", *ANNOTATION, "--genome", genome, "--output", table)
    if not output.exists():
        where = ("--regions", "chr2R:2000000-7000000", "--folds", folds, "--max-examples", examples)
        call(
            "make_task", "--genome", genome, "--annotation", table, "--task", task, *where, "--output", output
        )
    return output


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="demo_segment_nt")
    parser.add_argument("--task", default="splice_donor")
    parser.add_argument("--examples", type=int, default=2000)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--folder", type=Path, required=True, help="for what is made")
    arguments, more = parser.parse_known_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    task = make_task(arguments.folder, arguments.task, arguments.examples, arguments.folds)
    model, seconds = DEMO / "models" / arguments.model, {}
    probe, tuned, embedded = (
        task.parent / f"{arguments.model}.{word}" for word in ("probe", "tuned", "h5ad")
    )
    words = ("--checkpoint", model, "--sequences", task, "--layers", "all", "--output", embedded)
    seconds["embed"] = call("embed", *words)
    seconds["probe"] = call("train_probe", "--task", task, "--features", embedded, "--output-dir", probe)
    seconds["finetune"] = call(
        "finetune", "--task", task, "--checkpoint", model, "--output-dir", tuned, *more
    )
    tables = {
        name: pd.read_csv(path / "folds.tsv", sep="\t").set_index("fold")
        for name, path in (("probe", probe), ("tuned", tuned))
    }
    for metric in METRICS:
        both = {name: table[metric] for name, table in tables.items()}
        shown = [f"{name} {values.mean():.3f} +- {2 * values.std():.3f}" for name, values in both.items()]
        change = both["tuned"] - both["probe"]
        print(metric, *shown, "difference", *(f"{value:+.3f}" for value in change), sep="  ")
    content = read_manifest(tuned)["content"]
    print(
        "trained", content["trained"], "best steps", [fold["best_step"] for fold in content["folds"].values()]
    )
    print("seconds", {name: round(value) for name, value in seconds.items()})


if __name__ == "__main__":
    main()
