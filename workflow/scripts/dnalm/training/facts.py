"""What the configuration must know of a model that it trains, before the training."""

from __future__ import annotations

from pathlib import Path

from dnalm.config import ModelFacts
from dnalm.tokens import BPE, spacing
from dnalm.training.recipe import PretrainingRecipe, SegmentationRecipe, model_config, read_recipe


def trained_facts(
    name: str,
    kind: str,
    settings: str | Path,
    initial: ModelFacts | None = None,
    validation: str | None = None,
    learned: bool = False,
) -> ModelFacts:
    """Returns the facts of a model that `settings`, a recipe, makes.

    Args:
        kind: pretrain or segmentation, as in the configuration.
        initial: of the model that it goes on from, whose sizes it has.
        validation: region, instead of the recipe's.
        learned: it reads with a byte-pair encoding, whose file need not be there yet.

    Raises:
        UserError: the recipe cannot be read, or does not fit the initial model's tokenizer.
    """
    tokenizer = initial.tokenizer if initial else BPE if learned else None
    if kind == "pretrain":
        recipe = read_recipe(settings, PretrainingRecipe, validation, tokenizer)
        if initial:
            tokens = max(initial.max_tokens, spacing(initial.tokenizer).tokens_of(recipe.window_bp))
            changed = {"name": name, "max_tokens": tokens, "features": (), "labels": ""}
            return ModelFacts(**{**vars(initial), **changed})
        if learned:
            tokens = spacing(BPE).tokens_of(recipe.window_bp)
            return ModelFacts(name, BPE, tokens, recipe.num_layers, (), "", 0, recipe.embed_dim)
        config = model_config(recipe, lm_head=True)
    else:
        asked = read_recipe(settings, SegmentationRecipe, validation, tokenizer)
        config = model_config(asked, asked.features, "own_strand")
    sizes = (config.max_tokens, initial.num_layers if initial else config.num_layers)
    known = (initial.parameters, initial.embed_dim) if initial else (0, config.embed_dim)
    return ModelFacts(name, config.tokenizer, *sizes, config.features, config.labels, *known)
