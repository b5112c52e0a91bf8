"""Fine-tunes a language model on a task: per fold an adapter of the frozen encoder, and a head.

In:  a task (make_task.py, import_task.py), a checkpoint.
Out: folds.tsv, sweep.tsv (the same), outputs.tsv (of several labels) and predictions.parquet in the form of
     train_probe.py; fold_N.safetensors (adapter and head of each fold), adapter.safetensors (that of the fold
     with the lowest validation loss), manifest.json.

Each fold stops when its validation fold gets no better: without an official test set the next fold, which is
then neither trained on nor scored. A run that was stopped or killed goes on from its last checkpoint when
started again with the same arguments, and gives the same result.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

from dnalm import cli
from dnalm.device import keep_compiled, select_device
from dnalm.models import precision
from dnalm.models.adapters import METHODS, PROJECTIONS, AdapterConfig


def parse_arguments(argv):
    parser = cli.make_parser(__doc__)
    add = parser.add_argument
    add("--task", type=Path, required=True, help="data.parquet of make_task.py")
    add("--checkpoint", required=True, help="folder, or name in resources/models.tsv")
    add("--name", help="what tables call the result (default: CHECKPOINT.METHOD)")
    add("--method", choices=METHODS, default="ia3", help="what of the encoder is trained (head: nothing)")
    add("--rank", type=int, default=8, help="of lora")
    add("--alpha", type=float, default=16.0, help="of lora: its scale is alpha / rank")
    add("--projections", nargs="+", choices=PROJECTIONS, default=["query", "value"], help="of lora")
    add("--pooling", choices=("mean", "mean_published", "max", "cls"), default="mean", help="before the head")
    add("--steps", type=int, default=10_000, help="at most, per fold")
    add("--batch-size", type=int, default=8, help="rows per micro-batch, over all devices")
    add("--accumulation", type=int, default=1, help="micro-batches per step")
    add("--learning-rate", type=float, default=3e-3)
    add("--schedule", choices=("constant", "cosine"), default="constant", help="of the learning rate")
    add("--warmup-fraction", type=float, default=0.0, help="of the steps, from 0 to the learning rate")
    add("--weight-decay", type=float, default=0.0, help="decoupled, of matrices")
    add("--clip-norm", type=float, default=1.0, help="of the gradient")
    add("--validate-every", type=int, default=500, help="steps")
    add("--patience", type=int, default=6, help="looks without a lower loss that end a fold (0: none does)")
    add("--seed", type=int, default=1)
    precision.add_argument(parser)
    add("--checkpoint-every", type=int, default=500, help="steps between two saved states")
    add("--log-every", type=int, default=100, help="steps")
    add("--work-dir", type=Path, help="folder of unfinished runs (default: .work beside the output folder)")
    add("--output-dir", type=Path, required=True, help="folder to write to")
    cli.add_device_argument(parser, several=True)
    return parser.parse_args(argv)


def read_recipe(arguments: argparse.Namespace):
    from dnalm.finetuning import FineTuneRecipe

    given = vars(arguments)
    names = {field.name for field in dataclasses.fields(FineTuneRecipe)} & set(given)
    adapter = AdapterConfig(arguments.method, arguments.rank, arguments.alpha, tuple(arguments.projections))
    return FineTuneRecipe(adapter=adapter, **{name: given[name] for name in names})


@cli.command
def main(argv=None) -> None:
    arguments = parse_arguments(argv)
    folder = arguments.output_dir
    work = arguments.work_dir or folder.parent / ".work"
    keep_compiled(select_device(arguments.device, arguments.devices), work)  # before anything touches JAX
    import jax

    from dnalm import checkpoints, files, tasks
    from dnalm.finetuning import fine_tune, write_result

    recipe, task = read_recipe(arguments), tasks.read_task(arguments.task)
    checkpoint = checkpoints.load_checkpoint(arguments.checkpoint)
    name = arguments.name or f"{Path(arguments.checkpoint).name}.{arguments.method}"
    inputs = {"task": arguments.task, **checkpoint.files}
    prints = files.fingerprints(inputs)
    result = fine_tune(task, checkpoint, recipe, name, work / "finetune", prints, jax.local_devices())
    write_result(result, folder, inputs)


if __name__ == "__main__":
    sys.exit(main())
