"""What the configuration must know of a model, from its row of models.tsv or from its folder."""

from __future__ import annotations

from pathlib import Path

from dnalm.checkpoints import registry
from dnalm.config.resolve import ModelFacts


def model_facts(name: str, folder: str | Path | None = None) -> ModelFacts:
    """Returns the facts of a registered model, or of a folder in the hub's or our own layout.

    Raises:
        UserError: no such model or folder, or a folder without a readable configuration.
    """
    if folder is not None:
        from dnalm.checkpoints.load import read_config

        config = read_config(folder)
        sizes = (config.max_tokens, config.num_layers)
        weights = max((path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()), default=0)
        return ModelFacts(
            name, config.tokenizer, *sizes, config.features, config.labels, weights // 4, config.embed_dim
        )
    row = registry.model_row(name)
    features = tuple(feature for feature in row["features"].split(",") if feature)
    sizes = (int(row["max_tokens"]), int(row["num_layers"]))
    numbers = (int(row["parameters"]), int(row["embed_dim"]))
    return ModelFacts(name, row["tokenizer"], *sizes, features, row["labels"], *numbers)


def row_text(name: str) -> str:
    """Returns a model's row as one line: a parameter of its rule."""
    return "\t".join(registry.model_row(name).values())


def model_folder(name: str) -> str:
    """Returns the folder of a bundled model, relative to the repository; empty for published ones."""
    return registry.model_row(name)["folder"]
