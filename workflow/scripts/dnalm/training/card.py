"""The model card that is written with a trained checkpoint."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from dnalm import __version__
from dnalm.training.loop import Progress, bases_per_step
from dnalm.training.recipe import BERT, NT_V2, PretrainingRecipe, Recipe

NOTES = {
    "pretrain": (
        "Masked language modelling in minutes stays near the token frequencies: the table above says how "
        "near. The checkpoint shows the workflow's path; its embeddings are no claim about representation "
        "learning, and stand beside random weights wherever they are used.",
        "hidden_* are the scores of masked tokens that the model does not see. Of the others, left as they "
        "are or replaced, a model that copies what it reads gets half right.",
    ),
    "train_segmentation": (
        "The labels are those of the given strand: the reverse complement of a sequence gives the other "
        "strand's elements. Scores of models that mark either strand's elements have about twice the base "
        "rate and must not be put beside these.",
        "auprc is average precision, to be read against base_rate; mcc calls at 0.5, mcc_best at the "
        "threshold that is best on the scored bases themselves and is therefore optimistic. One pass, "
        "windows side by side, every base of both strands.",
        "Introns are the weak point: long ones fill whole windows and look like intergenic sequence.",
    ),
}


@dataclass(frozen=True)
class Card:
    """What a card says of a finished training run."""

    name: str
    step: str  # pretrain or train_segmentation
    recipe: Recipe
    progress: Progress
    parameters: int
    training_bp: int  # bases that windows were drawn from
    held_out: Sequence[str]
    inputs: Mapping[str, str]  # role -> sha256
    metrics: pd.DataFrame
    device: str  # JAX's name of the platform
    notes: Sequence[str] = ()


def write_card(run: Card) -> str:
    """Returns the card as Markdown: what it is, how it was made, what it reaches, what not to expect."""
    minutes = run.progress.seconds / 60
    seen = run.progress.step * bases_per_step(run.recipe) / 1e6
    kind = (
        "encoder with language-model head"
        if isinstance(run.recipe, PretrainingRecipe)
        else "encoder with U-Net head"
    )
    settings = "\n".join(
        f"| `{key}` | {_text(value)} |"
        for key, value in dataclasses.asdict(run.recipe).items()
        if key != "note"
    )
    inputs = "\n".join(f"* {role}: sha256 `{digest}`" for role, digest in run.inputs.items())
    notes = "\n".join(f"* {note}" for note in (run.recipe.note, *NOTES[run.step], *run.notes) if note)
    megabases = run.training_bp / 1e6
    held_out = ", ".join(run.held_out) or "nothing"
    machine = f"{os.cpu_count()} {platform.machine()} cores, {run.device}"
    started = any(role.startswith("initial") for role in run.inputs)
    form = (
        "BERT (DNABERT)"
        if getattr(run.recipe, "architecture", NT_V2) == BERT
        else "Nucleotide Transformer v2"
    )
    form = "The architecture of the checkpoint it goes on from" if started else f"{form} architecture"
    return f"""# {run.name}

{form}, {kind}, {run.parameters / 1e6:.2f} million parameters,
trained by this workflow (dnalm {__version__}, `snakemake train`).

## Training

{run.progress.step:,} steps on {seen:.1f} Mb of windows, drawn from {megabases:.2f} Mb of sequence on both
strands; seed {run.recipe.seed}; {minutes:.0f} minutes of wall time on {machine}.
Held out, so that no window touches it by one base: {held_out}.

{inputs}

| setting | value |
|---|---|
{settings}

## Held-out scores

{_table(run.metrics)}

## To know

{notes}

Licence: MIT for the weights. The training data's licence remarks are in its PROVENANCE.md.
"""


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _table(metrics: pd.DataFrame) -> str:
    """Returns a Markdown table; whole numbers with separators, others with four digits."""
    if metrics.empty:
        return "Nothing was held out, so nothing was scored."
    lines = [f"| {' | '.join(metrics.columns)} |", "|" + "---|" * len(metrics.columns)]
    for row in metrics.itertuples(index=False):
        lines.append(f"| {' | '.join(map(_cell, row))} |")
    return "\n".join(lines)


def _cell(value: object) -> str:
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4f}"
