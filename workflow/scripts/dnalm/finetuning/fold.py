"""One fold: trained until the validation fold gets no better, then scored."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Num

from dnalm.finetuning.model import ADAPTER, HEAD, Tuned, scales_of, start
from dnalm.finetuning.recipe import FineTuneRecipe, make_optimiser
from dnalm.finetuning.rows import make_batches
from dnalm.finetuning.splits import Split
from dnalm.probe.targets import Targets
from dnalm.training import loop
from dnalm.training.validation import Validation

log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Found:
    """What one fold gives.

    Attributes:
        predicted: of the scored rows, as `Targets.read` gives it.
        adapter, head: as `AdapterFile` holds them.
        about: how the fold went.
    """

    predicted: Float[np.ndarray, "M C"]
    adapter: dict[str, dict[str, np.ndarray]]
    head: dict[str, np.ndarray]
    about: dict[str, Any]


@dataclass
class Folds:
    """What all folds of a task share.

    Args:
        labels: of all rows, those of a test set too.
        work_dir: of the unfinished folds. key: identifies the run.
    """

    labels: Num[np.ndarray, "N O"]
    targets: Targets
    tuned: Tuned
    recipe: FineTuneRecipe
    work_dir: Path
    key: str

    def __post_init__(self) -> None:
        self._optimiser = make_optimiser(self.recipe)

    def folder(self, split: Split) -> Path:
        """Returns where a fold's state lies."""
        return self.work_dir / self.key[:16] / f"fold_{split.fold}"

    @cached_property
    def _matrix(self) -> Float[np.ndarray, "N C"]:
        return Targets(self.targets.kind, self.labels, self.labels[:0], self.targets.classes).matrix

    @cached_property
    def _frozen(self) -> Float[np.ndarray, "N D"]:
        return self.tuned.embeddings(self._begin(np.arange(1))[ADAPTER])

    def _begin(self, training: Any) -> dict[str, Any]:
        return start(self.tuned.config, self.recipe, self.targets, self._matrix[training])

    def train(self, split: Split) -> Found:
        """Trains one fold, from its state where there is one, and predicts the rows that it is scored on.

        The head reads the last layer standardised by the training rows' frozen embeddings; values are learned
        standardised too.
        """
        recipe, targets, tuned, matrix = self.recipe, self.targets, self.tuned, self._matrix
        centre, unit = np.zeros(matrix.shape[1]), np.ones(matrix.shape[1])
        if targets.is_regression:
            centre, unit = matrix[split.training].mean(axis=0), matrix[split.training].std(axis=0)
            unit = np.where(unit > 0, unit, 1.0)
        scales = scales_of(self._frozen[split.training])

        def validate(trained: Any) -> float:
            output = tuned.outputs(trained, scales, split.validation) * unit + centre
            return targets.loss(self.labels[split.validation], output)

        trained = loop.train(
            self._begin(split.training),
            tuned.loss,
            make_batches(
                tuned.rows,
                ((matrix - centre) / unit).astype(np.float32),
                split.training,
                (recipe.accumulation, recipe.batch_size),
                (recipe.seed, split.fold),
            ),
            recipe,
            self.folder(split),
            f"{self.key}, fold {split.fold}",
            self._optimiser,
            (tuned.params, scales),
            Validation(validate, recipe.validate_every, recipe.patience),
        )
        step, loss = min(trained.progress.validation, key=lambda look: look[1])
        log.info("fold %d: best after %d of %d steps", split.fold, int(step), trained.progress.step)
        output = tuned.outputs(trained.params, scales, split.scored) * unit + centre
        adapter = {
            module: {name: np.asarray(leaf) for name, leaf in leaves.items()}
            for module, leaves in trained.params[ADAPTER].items()
        }
        head = {f"head/{name}": np.asarray(leaf) for name, leaf in trained.params[HEAD].items()}
        head |= {"head/centre": scales[0], "head/inverse": scales[1]}
        head |= {"head/value_centre": centre, "head/value_unit": unit}
        about = {"task_type": targets.kind, "pooling": recipe.pooling, "fold": split.fold}
        about |= {"best_step": int(step), "validation_loss": loss, "steps": trained.progress.step}
        return Found(targets.read(output), adapter, head, about)
