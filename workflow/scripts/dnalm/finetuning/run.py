"""A fine-tuning of one task: an adapter and a head per fold, their scores and predictions."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dnalm.checkpoints import Checkpoint
from dnalm.checkpoints.adapter_file import AdapterFile
from dnalm.engine.memory import batch_rows, is_out_of_memory, memory_fault
from dnalm.engine.weights import load_weights
from dnalm.finetuning.fold import Folds, Found
from dnalm.finetuning.model import Tuned
from dnalm.finetuning.recipe import FineTuneRecipe
from dnalm.finetuning.rows import Rows
from dnalm.finetuning.splits import Split, make_splits
from dnalm.finetuning.tables import Tables
from dnalm.probe.targets import Targets
from dnalm.tasks import in_folds, label_values, task_type
from dnalm.versions import VERSIONS

STEP = "finetune"
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class FineTuned:
    """What a fine-tuning gives.

    Attributes:
        tables: folds, outputs and predictions.
        adapters: fold -> its adapter and head.
        best: the fold whose validation loss is lowest; its score is no better to report than another's.
        facts: for the manifest.
        work_dir: of the folds' states, which `forget` removes.
    """

    tables: Tables
    adapters: Mapping[int, AdapterFile]
    best: int
    facts: Mapping[str, Any]
    work_dir: Path

    def forget(self) -> None:
        """Removes the folds' states, once the result is written."""
        shutil.rmtree(self.work_dir, ignore_errors=True)


def fine_tune(
    task: pd.DataFrame,
    checkpoint: Checkpoint,
    recipe: FineTuneRecipe,
    name: str,
    work_dir: Path,
    inputs: Mapping[str, str],
    devices: Sequence[Any],
) -> FineTuned:
    """Trains and scores every fold; a fold that was stopped or killed goes on from its last checkpoint.

    Args:
        name: what tables call the result.
        work_dir: of the unfinished folds.
        inputs: role -> what tells this file from others, for the key of the unfinished folds.

    Raises:
        UserError: rows that the model does not take, too few folds, no room on the device, or a loss that is
            not finite.
    """
    config, splits = checkpoint.config, make_splits(task)
    rows = Rows(task["sequence"].tolist(), task["name"].astype(str).tolist(), config, recipe.pooling)
    recipe = dataclasses.replace(recipe, window_bp=config.tokens.longest_bp(int(rows.lengths.max())))
    cross, labels, kind = in_folds(task), label_values(task), task_type(task)
    classes = int(labels.max()) + 1 if kind == "multiclass" else 0
    targets = Targets(kind, labels[cross], labels[~cross], classes)
    base, params = load_weights(checkpoint, recipe.precision, devices)
    at_once = len(devices) * batch_rows(config, rows.nominal, devices, len(task), recipe.precision)
    tuned = Tuned(params, config, recipe, targets, rows, at_once)
    about = {"step": STEP, "version": VERSIONS[STEP], "weights": base, "recipe": recipe.science()}
    key = hashlib.sha256(json.dumps({**about, "inputs": dict(inputs)}, sort_keys=True).encode()).hexdigest()
    folds = Folds(labels, targets, tuned, recipe, work_dir, key)
    tables = Tables(task, name, recipe.adapter.method, recipe.pooling, targets)
    found = {}
    for split in splits:
        log.info("fold %d: %d rows to train on", split.fold, len(split.training))
        found[split.fold] = _train(folds, split, devices)
        tables.add(split.fold, split.scored, len(split.training), found[split.fold].predicted)
    adapters = {
        fold: AdapterFile(one.adapter, recipe.adapter, base, one.head, one.about)
        for fold, one in found.items()
    }
    best = min(found, key=lambda fold: found[fold].about["validation_loss"])
    facts = {
        "weights_sha256": base,
        "recipe": recipe.science(),
        "trained": trained_sizes(found[best], checkpoint.size),
        "folds": {fold: one.about for fold, one in found.items()},
        "best_fold": best,
    }
    return FineTuned(tables, adapters, best, facts, folds.folder(splits[0]).parent)


def trained_sizes(found: Found, weights: int) -> dict[str, int]:
    """Returns how many numbers are trained, beside those of the model."""
    adapter = sum(leaf.size for leaves in found.adapter.values() for leaf in leaves.values())
    return {
        "adapter": adapter,
        "head": found.head["head/w"].size + found.head["head/b"].size,
        "model": weights,
    }


def _train(folds: Folds, split: Split, devices: Sequence[Any]) -> Found:
    import jax

    try:
        return folds.train(split)
    except jax.errors.JaxRuntimeError as fault:
        if not is_out_of_memory(fault):
            raise
        size = folds.recipe.batch_size
        what = f"a step of {size} rows (lower the batch size, accumulate more)"
        raise memory_fault(devices, what, fault) from fault
