"""What the configuration must know of a model that it trains, before the training."""

from __future__ import annotations

from pathlib import Path

from dnalm.config import ModelFacts
from dnalm.training.recipe import PretrainingRecipe, SegmentationRecipe, model_config, read_recipe


def trained_facts(
    name: str,
    kind: str,
    settings: str | Path,
    initial: ModelFacts | None = None,
    validation: str | None = None,
) -> ModelFacts:
    """Returns the facts of a model that `settings`, a recipe, makes.

    Args:
        kind: pretrain or segmentation, as in the configuration.
        initial: of the model that it goes on from, whose sizes it has.
        validation: region, instead of the recipe's.

    Raises:
        UserError: the recipe cannot be read, or does not fit the initial model's tokenizer.
    """
    tokenizer = initial.tokenizer if initial else None
    if kind == "pretrain":
        recipe = read_recipe(settings, PretrainingRecipe, validation, tokenizer)
        if initial:
            return ModelFacts(**{**vars(initial), "name": name, "features": (), "labels": ""})
        config = model_config(recipe, lm_head=True)
    else:
        recipe = read_recipe(settings, SegmentationRecipe, validation, tokenizer)
        config = model_config(recipe, recipe.features, "own_strand")
    sizes = (config.max_tokens, initial.num_layers if initial else config.num_layers)
    known = (initial.parameters, initial.embed_dim) if initial else (0, config.embed_dim)
    return ModelFacts(name, config.tokenizer, *sizes, config.features, config.labels, *known)
