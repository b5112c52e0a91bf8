"""What a finished training run leaves behind: weights, settings, log, held-out scores, card, manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import pandas as pd

from dnalm import checkpoints, files
from dnalm.genome.regions import parse_region
from dnalm.models.config import ModelConfig
from dnalm.tokens import any_kmers
from dnalm.training import composition
from dnalm.training.card import Card, write_card
from dnalm.training.data import Region, TrainingGenome
from dnalm.training.loop import Trained, log_table
from dnalm.training.recipe import Recipe


@dataclass(frozen=True)
class Finished:
    """A run at its last step."""

    name: str
    step: str  # pretrain or train_segmentation
    recipe: Recipe
    config: ModelConfig
    trained: Trained
    data: TrainingGenome


def finish(
    run: Finished,
    output_dir: str | Path,
    inputs: Mapping[str, str | Path],
    held_out: Sequence[str],
    score: Callable[[Any, Region], pd.DataFrame],
    notes: Sequence[str] = (),
    counted: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Folds the embedding table, scores the first held-out region, writes the folder; returns the scores.

    Args:
        score: (parameters, region) -> table of metrics.
        notes: lines for the card.
        counted: what else belongs into the manifest.
    """
    folder, recipe = Path(output_dir), run.recipe
    params = run.trained.params
    if composition.MODULE in params:
        params = composition.fold(params, composition.kmer_features(any_kmers(recipe.tokenizer)))
    written = checkpoints.write_checkpoint(
        folder, params, run.config, {"trained_by": run.step}, dtype="float16"
    )
    metrics = pd.DataFrame()
    if held_out and recipe.final_scoring:
        # The stored numbers are scored, not the float32 ones that they were rounded from.
        metrics = score(checkpoints.load_checkpoint(folder).params, parse_region(held_out[0]))
    for file, text in {
        "training.tsv": log_table(run.trained.progress, recipe),
        "metrics.tsv": metrics.to_csv(sep="\t", index=False, float_format="%.6g"),
        "training.yaml": settings_text(recipe),
    }.items():
        files.write_text(folder / file, text)
        written.append(folder / file)
    digests = files.fingerprints(inputs)
    files.write_text(folder / "MODEL_CARD.md", write_card(_about(run, digests, held_out, metrics, notes)))
    details = {"recipe": dataclasses.asdict(recipe), "held_out": list(held_out), **(counted or {})}
    files.write_manifest(folder, run.step, inputs, details, files=list(written))
    return metrics


def _about(
    run: Finished,
    digests: dict[str, str],
    held_out: Sequence[str],
    metrics: pd.DataFrame,
    notes: Sequence[str],
) -> Card:
    validation = [f"{run.recipe.validation} (validation)"] if run.recipe.validation else []
    return Card(
        name=run.name,
        step=run.step,
        recipe=run.recipe,
        progress=run.trained.progress,
        parameters=sum(leaf.size for leaf in jax.tree.leaves(run.trained.params)),
        training_bp=sum(piece.end - piece.start for piece in run.data.segments),
        held_out=[*held_out, *validation],
        inputs=digests,
        metrics=metrics,
        device=jax.default_backend(),
        notes=notes,
    )


def settings_text(recipe: Recipe) -> str:
    """Returns the recipe as YAML that `read_recipe` reads."""
    import yaml

    values = {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in dataclasses.asdict(recipe).items()
    }
    return yaml.safe_dump(values, sort_keys=False)
