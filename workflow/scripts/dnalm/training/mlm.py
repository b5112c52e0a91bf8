"""Masked language modelling by the published recipe, and what it reaches against plain token frequencies.

Source: Dalla-Torre et al. 2023, Methods: 15 % of the tokens are chosen; of these 80 % read <mask>, 10 % a
random k-mer and 10 % stay; the loss is the cross-entropy of the chosen tokens.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int, Int32

from dnalm import models
from dnalm.checkpoints import Checkpoint
from dnalm.errors import UserError
from dnalm.files import require_file
from dnalm.models.config import ModelConfig
from dnalm.tokens import BPE, Kmers, Tokenizer, tokenizer
from dnalm.training import composition
from dnalm.training.data import Region, TrainingGenome, WindowSampler, batch_random, side_by_side
from dnalm.training.recipe import SIZES, SPANS, PretrainingRecipe, model_config, tokens_of_window
from dnalm.training.validation import Validation

Params = dict[str, Any]  # module -> name -> array
SCORING_BATCH = 8  # windows
UNIGRAM_WINDOWS = 4000  # training windows counted for the token frequencies
PSEUDO_COUNT = 1.0


def mask_tokens(
    random: np.random.Generator,
    tokens: Int32[np.ndarray, "B L"],
    reader: Tokenizer,
    recipe: PretrainingRecipe,
) -> tuple[Int32[np.ndarray, "B L"], Bool[np.ndarray, "B L"]]:
    """Returns what the model reads, and which positions it is asked for (never <cls> or another special)."""
    if recipe.masking == SPANS:
        wanted = _span_tokens(random, tokens.shape, _kmers(reader).k, recipe.masked_fraction)
    else:
        wanted = random.random(tokens.shape) < recipe.masked_fraction
    chosen = wanted & ~np.isin(tokens, reader.special_ids)
    fate = random.random(tokens.shape)
    hidden = fate < recipe.mask_token_fraction
    replaced = ~hidden & (fate < recipe.mask_token_fraction + recipe.random_token_fraction)
    others = reader.known_ids[random.integers(0, len(reader.known_ids), tokens.shape, dtype=np.int32)]
    read = np.where(chosen & hidden, np.int32(reader.mask_id), tokens)
    return np.where(chosen & replaced, others, read), chosen


def _span_tokens(
    random: np.random.Generator, shape: tuple[int, ...], k: int, share: float
) -> Bool[np.ndarray, "B L"]:
    """Returns spans of k tokens, which may overlap: such a share of all tokens lies in one.

    A token that overlaps its neighbours can be read off them; of k masked ones the middle cannot.
    Source: Ji et al. 2021 (DNABERT), pretraining.
    """
    rows, length = shape
    starts = random.random((rows, length + k - 1)) < 1 - (1 - share) ** (1 / k)
    return np.lib.stride_tricks.sliding_window_view(starts, k, axis=1).any(axis=2)


def shorten(
    random: np.random.Generator, tokens: Int32[np.ndarray, "B L"], reader: Tokenizer, shortest: int
) -> Int32[np.ndarray, "B L"]:
    """Returns rows of which every second, on average, ends after a random number of own tokens.

    Args:
        shortest: own tokens at least. Source: Ji et al. 2021 (DNABERT), sequences of 5 to 510 tokens.
    """
    added = 1 + reader.end_tokens
    most = tokens.shape[1] - added
    numbers = random.integers(min(shortest, most), most + 1, len(tokens))
    numbers = np.where(random.random(len(tokens)) < 0.5, most, numbers)
    places, result = np.arange(tokens.shape[1]), tokens.copy()
    for row, number in zip(result, numbers, strict=True):
        filled = int((row != reader.pad_id).sum())
        number = min(number, filled - added)
        row[1 + number : added + number] = row[filled - reader.end_tokens : filled].copy()
        row[places >= number + added] = reader.pad_id
    return result


def _composed(config: ModelConfig, recipe: PretrainingRecipe) -> Kmers | None:
    """Returns the k-mers whose token table is trained as a composed one; None where it is a plain one."""
    reader = config.tokens
    return reader if recipe.compose_embedding and isinstance(reader, Kmers) else None


def _folding(config: ModelConfig, recipe: PretrainingRecipe) -> Callable[[Params], Params]:
    """Returns what makes trained parameters the network's: a composed table becomes a plain one."""
    kmers = _composed(config, recipe)
    if kmers is None:
        return lambda params: params
    features = composition.kmer_features(kmers)
    return lambda params: composition.fold(params, jnp.asarray(features))


def _kmers(reader: Tokenizer) -> Kmers:
    if isinstance(reader, Kmers):
        return reader
    raise UserError("masking: spans", f"needs k-mers, found {reader.name}", "Take masking: tokens.")


def start_params(config: ModelConfig, recipe: PretrainingRecipe, initial: Checkpoint | None = None) -> Params:
    """Returns the parameters to train: random ones, or a checkpoint's.

    Raises:
        UserError: the checkpoint has no language-model head.
    """
    params = initial.params if initial else models.init_params(config, recipe.seed)
    kmers = _composed(config, recipe)
    if kmers is None:
        return dict(params)
    return composition.add_composition(dict(params), kmers, recipe.seed, keep_table=initial is not None)


def model_of(
    recipe: PretrainingRecipe, initial: Checkpoint | None = None, tokenizer_json: str | Path | None = None
) -> tuple[PretrainingRecipe, ModelConfig]:
    """Returns the recipe and the model's config: of the recipe's sizes, or of a checkpoint's.

    Args:
        tokenizer_json: file of a byte-pair encoding, instead of the recipe's k-mers.

    Raises:
        UserError: see `continued`; a checkpoint and a tokenizer.
    """
    if initial and tokenizer_json:
        raise UserError(tokenizer_json, f"{initial.source} has its own tokenizer", "Leave one of them out.")
    if initial:
        return continued(recipe, initial)
    if not tokenizer_json:
        return recipe, model_config(recipe, lm_head=True)
    text = require_file(tokenizer_json, "tokenizer").read_text(encoding="utf-8", errors="replace")
    reader = tokenizer(BPE, text)
    if recipe.masking == SPANS:
        _kmers(reader)
    recipe = dataclasses.replace(recipe, tokenizer=BPE)
    return recipe, model_config(recipe, lm_head=True, reader=reader)


def continued(recipe: PretrainingRecipe, initial: Checkpoint) -> tuple[PretrainingRecipe, ModelConfig]:
    """Returns the recipe with the sizes of the checkpoint that it goes on from, and the model's config.

    Longer windows make it a model of longer windows.

    Raises:
        UserError: no language-model head; see `tokens_of_window`.
    """
    config = initial.config
    if not config.lm_head:
        raise UserError(initial.source, "has no language-model head", "Name a language model.")
    tokens = max(config.max_tokens, tokens_of_window(config, recipe.window_bp, initial.source))
    sizes = {name: getattr(config, name) for name in SIZES}
    recipe = dataclasses.replace(recipe, tokenizer=config.tokenizer, **sizes)
    return recipe, dataclasses.replace(config, max_tokens=tokens)


def make_loss(config: ModelConfig, recipe: PretrainingRecipe) -> Callable[[Params, Any], jax.Array]:
    """Returns (params, (read, tokens, chosen)) -> mean cross-entropy of the chosen positions, in nats."""
    apply = models.forward(config, logits=True, precision=recipe.precision, remat=recipe.remat)
    folded = _folding(config, recipe)

    def loss(params: Params, batch: Any) -> jax.Array:
        read, tokens, chosen = batch
        logits = apply(folded(params), read)["logits"].astype(jnp.float32)
        surprise = jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, tokens[..., None], -1)[..., 0]
        return jnp.sum(surprise * chosen) / jnp.maximum(1, jnp.sum(chosen))

    return loss


def make_batches(
    config: ModelConfig, data: TrainingGenome, recipe: PretrainingRecipe
) -> Callable[[int], Any]:
    """Returns step -> (read, tokens, chosen), each (A, B, L); a function of seed and step alone."""
    sampler = WindowSampler(data.segments, recipe.window_bp)
    reader = config.tokens
    shape = (recipe.accumulation, recipe.batch_size, -1)

    def make_batch(step: int) -> Any:
        random = batch_random(recipe.seed, step)
        windows = sampler.draw(random, recipe.accumulation * recipe.batch_size)
        tokens = data.tokens(windows, recipe.window_bp, reader)
        if recipe.random_lengths:
            tokens = shorten(random, tokens, reader, recipe.shortest_tokens)
        read, chosen = mask_tokens(random, tokens, reader, recipe)
        return read.reshape(shape), tokens.reshape(shape), chosen.reshape(shape)

    return make_batch


def make_validation(
    config: ModelConfig, data: TrainingGenome, region: Region, recipe: PretrainingRecipe
) -> Validation:
    """Returns looks at masked tokens of a region that is not trained on, the same ones at every look."""
    reader, random = config.tokens, batch_random(recipe.seed, recipe.steps + 2)
    starts = side_by_side(data.sequences[region[0]], region, recipe.window_bp)
    windows = [(region[0], start, strand) for start in starts for strand in "+-"]
    windows = windows[:: max(1, len(windows) // recipe.validation_windows)][: recipe.validation_windows]
    tokens = data.tokens(windows, recipe.window_bp, reader)
    read, chosen = mask_tokens(random, tokens, reader, recipe)
    folded = _folding(config, recipe)
    apply = models.forward(config, logits=True, precision=recipe.precision)

    @jax.jit
    def judge(params: Params, batch: Any) -> tuple[jax.Array, jax.Array]:
        read, tokens, chosen = batch
        logits = apply(folded(params), read)["logits"].astype(jnp.float32)
        surprise = jax.nn.logsumexp(logits, -1) - jnp.take_along_axis(logits, tokens[..., None], -1)[..., 0]
        right = logits.argmax(-1) == tokens
        return jnp.sum(surprise * chosen), jnp.sum(right & chosen)

    def look(params: Params) -> tuple[float, dict[str, float]]:
        size = min(SCORING_BATCH, len(windows))
        totals = np.zeros(3)
        for first in range(0, len(windows) - size + 1, size):  # whole batches: one compilation
            rows = slice(first, first + size)
            nats, right = judge(params, (read[rows], tokens[rows], chosen[rows]))
            totals += float(nats), float(right), chosen[rows].sum()
        loss, right = (float(total / max(1, totals[2])) for total in totals[:2])
        return loss, {"perplexity": float(np.exp(loss)), "masked_accuracy": right}

    return Validation(look, recipe.validate_every, recipe.patience)


def token_frequencies(
    config: ModelConfig, data: TrainingGenome, recipe: PretrainingRecipe
) -> Float[np.ndarray, " V"]:
    """Returns each token's share in random training windows, smoothed: the model to beat."""
    reader, sampler = config.tokens, WindowSampler(data.segments, recipe.window_bp)
    windows = sampler.draw(batch_random(recipe.seed, recipe.steps), UNIGRAM_WINDOWS)
    tokens = data.tokens(windows, recipe.window_bp, reader)
    tokens = tokens[~np.isin(tokens, reader.special_ids)]
    counts = np.bincount(tokens.reshape(-1), minlength=config.vocabulary_size).astype(np.float64)
    counts[reader.known_ids] += PSEUDO_COUNT
    return counts / counts.sum()


def score_region(
    config: ModelConfig, params: Params, data: TrainingGenome, region: Region, recipe: PretrainingRecipe
) -> pd.DataFrame:
    """Scores masked tokens of a region, from windows side by side on both strands.

    Returns:
        metric, model, unigram: cross-entropy in nats, share of tokens and, of k-mers, of bases inside them
        that the most likely token gets right; unigram is the training part's token frequencies. Then the
        same as hidden_*: without the masked tokens that are left as they are or replaced, of which a model
        that copies what it reads gets half right.
    """
    frequencies = token_frequencies(config, data, recipe)
    known, guessed, surprise, hidden = (
        np.concatenate(values) for values in zip(*_masked(config, params, data, region, recipe), strict=True)
    )

    def rows(count: str, prefix: str, chosen: Bool[np.ndarray, " M"]) -> list[tuple[str, float, float]]:
        true, told = known[chosen], guessed[chosen]
        common = np.full_like(true, int(frequencies.argmax()))
        here = [
            (count, float(len(true)), float(len(true))),
            (f"{prefix}cross_entropy_nats", surprise[chosen].mean(), -np.log(frequencies[true]).mean()),
            (f"{prefix}token_accuracy", (told == true).mean(), (common == true).mean()),
        ]
        if isinstance(kmers := config.tokens, Kmers):
            right = _bases_right(told, true, kmers), _bases_right(common, true, kmers)
            here.append((f"{prefix}base_accuracy", *right))
        return here

    table = rows("masked_tokens", "", np.ones(len(known), bool))
    if hidden.any():
        table += rows("hidden_tokens", "hidden_", hidden)
    return pd.DataFrame(table, columns=["metric", "model", "unigram"])


def _masked(
    config: ModelConfig, params: Params, data: TrainingGenome, region: Region, recipe: PretrainingRecipe
) -> Iterator[
    tuple[Int[np.ndarray, " M"], Int[np.ndarray, " M"], Float[np.ndarray, " M"], Bool[np.ndarray, " M"]]
]:
    """Yields per batch the true tokens of the masked positions, the likeliest ones, -log p(true) and which of
    the positions the model reads as <mask>."""
    contig = region[0]
    apply = jax.jit(models.forward(config, logits=True))
    reader, random = config.tokens, batch_random(recipe.seed, recipe.steps + 1)
    starts = side_by_side(data.sequences[contig], region, recipe.window_bp)
    windows = [(contig, start, strand) for start in starts for strand in "+-"]
    size = min(SCORING_BATCH, len(windows))
    for first in range(0, len(windows) - size + 1, size):  # whole batches: one shape, one compilation
        tokens = data.tokens(windows[first : first + size], recipe.window_bp, reader)
        read, chosen = mask_tokens(random, tokens, reader, recipe)
        logits = np.asarray(apply(params, read)["logits"], np.float64)[chosen]
        surprise = np.logaddexp.reduce(logits, -1) - logits[np.arange(len(logits)), tokens[chosen]]
        yield tokens[chosen], logits.argmax(-1), surprise, read[chosen] == reader.mask_id


def _bases_right(guessed: Int[np.ndarray, " M"], known: Int[np.ndarray, " M"], kmers: Kmers) -> float:
    """Returns the share of positions inside k-mers where both have the same base."""
    powers = 4 ** np.arange(kmers.k)
    digits = [(ids[:, None] - kmers.first_kmer_id) // powers % 4 for ids in (guessed, known)]
    return float((digits[0] == digits[1]).mean())
