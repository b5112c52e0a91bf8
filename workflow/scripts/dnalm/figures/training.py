"""Curves of a training run, drawn anew while it goes on: loss, and what the looks at the validation found."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from dnalm.figures import palette, style
from dnalm.files import write_text
from dnalm.training.loop import log_table
from dnalm.training.recipe import Recipe
from dnalm.training.state import Progress

PLOT_MM, LEFT_MM, TOP_MM, GAP_MM, AXIS_MM = 38.0, 14.0, 7.0, 16.0, 10.0
DRAWN_EVERY_S = 30.0  # while the run goes on
SMOOTHED = 50  # points of the drawn loss: means of as many stretches


def validation_table(progress: Progress) -> pd.DataFrame:
    """Returns one row per look: step, loss and its other scores."""
    return pd.DataFrame(
        [
            {"step": step, "loss": loss, **(scores[0] if scores else {})}
            for step, loss, *scores in progress.validation
        ]
    )


def plot_training(progress: Progress, name: str, width_mm: float = style.PAGE_MM) -> Figure:
    """Draws the loss of the steps so far, and the scores of the validation beside it."""
    looks = validation_table(progress)
    scores = [column for column in looks.columns if column not in ("step", "loss", "perplexity")]
    note = f"{name}, step {progress.step:,}. Loss: means of {SMOOTHED} stretches of steps."
    note += " Validation: a region that is not trained on." if len(looks) else ""
    with style.applied():
        height = TOP_MM + PLOT_MM + AXIS_MM + style.note_height_mm(note, width_mm)
        figure = style.new_figure(width_mm, height)
        panels = 2 if scores else 1
        wide_mm = (width_mm - LEFT_MM - 4 - GAP_MM * (panels - 1)) / panels
        axes = style.add_axes(figure, LEFT_MM, TOP_MM, wide_mm, PLOT_MM)
        parts = np.array_split(np.asarray(progress.losses), min(SMOOTHED, max(1, len(progress.losses))))
        ends = np.cumsum([len(part) for part in parts])
        axes.plot(
            ends,
            [part.mean() if len(part) else np.nan for part in parts],
            color=palette.BLUE,
            label="training",
        )
        if len(looks):
            axes.plot(
                looks["step"], looks["loss"], "o-", markersize=2, color=palette.ORANGE, label="validation"
            )
            axes.legend()
        axes.set(xlabel="Step", ylabel="Loss")
        style.panel_letter(figure, 1, 1, "a")
        if scores:
            left = LEFT_MM + wide_mm + GAP_MM
            axes = style.add_axes(figure, left, TOP_MM, wide_mm, PLOT_MM)
            for place, column in enumerate(scores):
                colour = palette.MODEL_COLOURS[place % len(palette.MODEL_COLOURS)]
                axes.plot(looks["step"], looks[column], "o-", markersize=2, color=colour,
                          label=column.removeprefix("auprc_").replace("_", " "))  # fmt: skip
            axes.set(xlabel="Step", ylabel="auPRC" if scores[0].startswith("auprc") else "Share")
            axes.set_ylim(bottom=0)
            axes.legend(ncols=2)
            style.panel_letter(figure, left - LEFT_MM + 1, 1, "b")
        style.add_note(figure, note)
    return figure


class Curves:
    """Keeps training.tsv, validation.tsv and training.png of an unfinished run up to date.

    Args:
        folder: of the unfinished run.
    """

    def __init__(self, recipe: Recipe, folder: str | Path, name: str) -> None:
        self._recipe, self._folder, self._name = recipe, Path(folder), name
        self._drawn = -math.inf

    def update(self, progress: Progress) -> None:
        """Writes the tables and draws the figure."""
        write_text(self._folder / "training.tsv", log_table(progress, self._recipe))
        if progress.validation:
            table = validation_table(progress)
            write_text(
                self._folder / "validation.tsv", table.to_csv(sep="\t", index=False, float_format="%.6g")
            )
        now = time.monotonic()
        if now - self._drawn >= DRAWN_EVERY_S or progress.step >= self._recipe.steps:
            style.write_png(plot_training(progress, self._name), self._folder / "training.png")
            self._drawn = now
