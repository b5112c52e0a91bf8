"""The embedding runs of a configuration: those that it names, and those that its expression runs need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RANDOM = "random_weights"  # the same network untrained: the baseline of every model
RANDOM_SEED = 0


def embedding_runs(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns run -> settings, from a resolved configuration."""
    runs = {name: dict(run) for name, run in settings["embeddings"].items()}
    for name, run in settings["expression"].items():
        for model in run["models"]:
            own = {**run, "model": model, "dtype": "float32", "parts": 1}
            runs[f"expression.{name}.{model}"] = own
            if RANDOM in run["baselines"]:
                runs[f"expression.{name}.{model}.{RANDOM}"] = {**own, "random_weights": RANDOM_SEED}
    return runs
