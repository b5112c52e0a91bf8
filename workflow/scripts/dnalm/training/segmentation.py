"""Training of the encoder with the U-Net head on per-base labels of the given strand."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Bool, Float

from dnalm import metrics, models
from dnalm.checkpoints import Checkpoint
from dnalm.errors import UserError
from dnalm.labels import label_track
from dnalm.models.adapters import AdapterConfig, adapted, init_adapter, merge
from dnalm.models.config import ROOTS, ModelConfig
from dnalm.tokens import kmer_tokenizer
from dnalm.training import composition
from dnalm.training.data import Region, TrainingGenome, Window, WindowSampler, batch_random, side_by_side
from dnalm.training.recipe import FOCAL, FULL, IA3, SIZES, SegmentationRecipe, model_config, tokens_of_window
from dnalm.training.validation import Validation

Params = dict[str, Any]  # module -> name -> array
HEAD = "u_net_head/~/fc"  # the last layer of the published head
LABELS = "own_strand"  # of what is trained here
ADAPTER = "adapter"  # what IA3 trains of the backbone, beside the model's own modules
IA3_SETTINGS = AdapterConfig("ia3")
RAREST = 1e-6  # a feature's frequency is taken to be at least this
SCORING_BATCH = 8  # windows
METRIC_COLUMNS = ("feature", "bases", "positives", "base_rate", "auprc", "auroc", "mcc", "mcc_best")


def model_of(
    recipe: SegmentationRecipe, initial: Checkpoint | None = None
) -> tuple[SegmentationRecipe, ModelConfig]:
    """Returns the recipe and the model's config; with a checkpoint, its encoder's sizes replace the recipe's.

    Raises:
        UserError: the checkpoint is of another family; see `tokens_of_window`.
    """
    if initial is None:
        return recipe, model_config(recipe, recipe.features, LABELS)
    own = initial.config
    if own.architecture != "esm":
        raise UserError(initial.source, "is no encoder that takes a U-Net head", "Name another model.")
    tokens = tokens_of_window(own, recipe.window_bp, initial.source)
    sizes = {name: getattr(own, name) for name in SIZES}
    changed = {"max_tokens": tokens, "lm_head": False, "features": recipe.features, "labels": LABELS}
    config = dataclasses.replace(own, rescaling_factor=None, **changed)
    return dataclasses.replace(recipe, tokenizer=own.tokenizer, **sizes), config


def start_params(
    config: ModelConfig,
    recipe: SegmentationRecipe,
    frequencies: Sequence[float],
    initial: Checkpoint | None = None,
) -> Params:
    """Returns the parameters to train: random, or with a checkpoint's encoder, and a fresh head.

    The head starts at each feature's frequency, so that the first steps are not spent on learning it. A
    checkpoint with a head for the same features gives its head too: so longer windows are trained from
    shorter ones, as the published SegmentNT was (de Almeida et al. 2025, Methods).
    """
    params = dict(models.init_params(config, recipe.seed))
    whole = initial is not None and initial.config.features == config.features
    if initial:
        params |= {
            name: initial.params[name]
            for name in params
            if (whole or name.startswith(ROOTS["esm"])) and name in initial.params
        }
    kmers = kmer_tokenizer(config.tokenizer)
    if recipe.compose_embedding and recipe.backbone == FULL:
        params = composition.add_composition(params, kmers, recipe.seed, keep_table=initial is not None)
    if whole:
        return params
    head = next(name for name in params if name.endswith(HEAD))
    shares = np.clip(frequencies, RAREST, 1 - RAREST)
    bias = np.zeros((kmers.k, len(shares), 2), np.float32)
    bias[..., 1] = np.log(shares / (1 - shares))
    params[head] = {**params[head], "b": jnp.asarray(bias.reshape(-1))}
    return params


def make_loss(config: ModelConfig, recipe: SegmentationRecipe) -> Callable[..., jax.Array]:
    """Returns (trained, (tokens, labels), frozen) -> the recipe's mean loss; splice sites weigh more.

    `trained` and `frozen` are the parts of `part`.
    """
    apply = models.forward(config, segmentation=True, precision=recipe.precision, remat=recipe.remat)
    call = adapted(apply, IA3_SETTINGS)
    features = jnp.asarray(composition.kmer_features(kmer_tokenizer(config.tokenizer)))
    weights = jnp.asarray(
        [recipe.splice_weight if name.startswith("splice_") else 1.0 for name in recipe.features]
    )
    gamma = recipe.focal_gamma if recipe.loss == FOCAL else 0.0

    def loss(trained: Params, batch: Any, frozen: Params) -> jax.Array:
        tokens, labels = batch
        adapter = trained.get(ADAPTER, {})
        params = {**frozen, **{name: leaves for name, leaves in trained.items() if name != ADAPTER}}
        logits = call(composition.fold(params, features), adapter, tokens)["segment_logits"]
        return weighted_loss(logits.astype(jnp.float32), labels, weights, gamma)

    return loss


def part(params: Params, config: ModelConfig, recipe: SegmentationRecipe) -> tuple[Params, Params]:
    """Returns what is trained and what is not: of a frozen backbone the head alone, or with its vectors."""
    if recipe.backbone == FULL:
        return params, {}
    encoder = {name: leaves for name, leaves in params.items() if name.startswith(ROOTS["esm"])}
    trained = {name: leaves for name, leaves in params.items() if name not in encoder}
    if recipe.backbone == IA3:
        trained[ADAPTER] = init_adapter(config, IA3_SETTINGS, recipe.seed)
    return trained, encoder


def joined(trained: Params, frozen: Params) -> Params:
    """Returns a whole model's parameters again; an adapter becomes part of the weights."""
    adapter = trained.get(ADAPTER, {})
    params = {**frozen, **{name: leaves for name, leaves in trained.items() if name != ADAPTER}}
    return merge(params, adapter, IA3_SETTINGS) if adapter else params


def weighted_loss(
    logits: Float[Array, "B S F 2"],
    labels: Bool[Array, "B S F"],
    weights: Float[Array, " F"],
    gamma: float = 0.0,
) -> Float[Array, ""]:
    """Mean over bases and features of -(1 - p)^gamma log p, p the label's probability, times weights.

    Source: gamma 0 is cross-entropy; focal loss: Lin et al. 2017; gamma 2: SegmentNT (de Almeida et al. 2025,
    Methods).
    """
    odds = (logits[..., 1] - logits[..., 0]) * jnp.where(labels, 1, -1)
    surprise = jax.nn.softplus(-odds)
    focus = jax.nn.sigmoid(-odds) ** gamma if gamma else 1.0
    return jnp.mean(weights * focus * surprise)


def make_batches(
    config: ModelConfig, data: TrainingGenome, recipe: SegmentationRecipe
) -> Callable[[int], Any]:
    """Returns step -> (tokens (A, B, L), labels (A, B, S, F)), a function of seed and step alone."""
    sampler = WindowSampler(data.segments, recipe.window_bp, data.splice_sites(), recipe.keep_unspliced)
    shape = (recipe.accumulation, recipe.batch_size)

    def make_batch(step: int) -> Any:
        windows = sampler.draw(batch_random(recipe.seed, step), shape[0] * shape[1])
        tokens = data.tokens(windows, recipe.window_bp, config.tokens)
        labels = data.labels(windows, recipe.window_bp)
        return tokens.reshape(*shape, -1), labels.reshape(*shape, *labels.shape[1:])

    return make_batch


def make_validation(
    config: ModelConfig,
    data: TrainingGenome,
    table: pd.DataFrame,
    region: Region,
    recipe: SegmentationRecipe,
    frozen: Params,
) -> Validation:
    """Returns looks at a region that is not trained on: 1 - mean auPRC of the features is what is lowered."""
    contig, begin, end = region
    length = min(end - begin, -(-recipe.validation_windows // 2) * recipe.window_bp)
    shown = (contig, begin, begin + length)
    features = composition.kmer_features(kmer_tokenizer(config.tokenizer))

    def look(trained: Params) -> tuple[float, dict[str, float]]:
        params = composition.fold(joined(trained, frozen), features)
        scores = score_region(config, params, data, table, shown, recipe.window_bp)
        known = scores.set_index("feature")["auprc"].dropna()
        if known.empty:
            where = f"validation {contig}:{begin}-{begin + length}"
            raise UserError(where, "holds no element to score", "Choose another region, or more windows.")
        return 1 - float(known.mean()), {f"auprc_{name}": float(value) for name, value in known.items()}

    return Validation(look, recipe.validate_every, recipe.patience)


@functools.lru_cache(maxsize=2)
def scoring_program(config: ModelConfig) -> Callable[..., Any]:
    """Returns the compiled pass of every look at a region: one of a training, not one a look."""
    return jax.jit(models.forward(config, segmentation=True))


def predict_region(
    config: ModelConfig, params: Params, data: TrainingGenome, region: Region, window_bp: int
) -> dict[str, Float[np.ndarray, "S F"]]:
    """Returns per strand the probabilities of a region, in genome order, from windows side by side.

    The last window is moved back to end with the region. Bases of windows with N are NaN.
    """
    contig, begin, end = region
    apply = scoring_program(config)
    kmers = kmer_tokenizer(config.tokenizer)
    starts = side_by_side(data.sequences[contig], region, window_bp)
    result = {}
    for strand in "+-":
        track = np.full((end - begin, len(config.features)), np.nan, np.float32)
        for first in range(0, len(starts), SCORING_BATCH):
            windows: list[Window] = [
                (contig, start, strand) for start in starts[first : first + SCORING_BATCH]
            ]
            padded = windows + windows[:1] * (SCORING_BATCH - len(windows))  # one shape, one compilation
            tokens = data.tokens(padded, window_bp, kmers)
            values = np.asarray(apply(params, tokens)["segment_probabilities"])
            for (_, start, _), rows in zip(windows, values, strict=False):
                track[start - begin : start - begin + window_bp] = rows[:: -1 if strand == "-" else 1]
        result[strand] = track
    return result


def score_region(
    config: ModelConfig,
    params: Params,
    data: TrainingGenome,
    table: pd.DataFrame,
    region: Region,
    window_bp: int,
) -> pd.DataFrame:
    """Scores one pass over a region on its own strand's labels, both strands' bases counted together.

    CDS and UTRs are scored where the annotation's CDS is verified. Columns: `METRIC_COLUMNS`.
    """
    contig, begin, end = region
    probabilities = predict_region(config, params, data, region, window_bp)
    truth = {
        strand: label_track(
            table, contig, end - begin, config.features, strand, verified_only=True, start=begin
        )
        for strand in "+-"
    }
    rows = []
    for column, feature in enumerate(config.features):
        counts = [
            metrics.count_scores(truth[s][0][known, column], probabilities[s][known, column])
            for s in "+-"
            for known in [truth[s][1][:, column]]
        ]
        both = counts[0] + counts[1]
        rows.append(
            (
                feature,
                both.count,
                int(both.positives.sum()),
                both.base_rate,
                metrics.average_precision_of(both),
                metrics.auroc_of(both),
                metrics.mcc_at(both),
                metrics.best_mcc(both)[0],
            )
        )
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def verified_note(table: pd.DataFrame) -> str:
    """Returns what the card says of the annotation's CDS."""
    coding = table[table["type"] == "CDS"]
    share = f"{coding['cds_verified'].mean():.0%}" if len(coding) else "None"
    return (
        f"{share} of the annotation's CDS rows are verified. Training used all of them, so that elsewhere a "
        "predicted CDS may be the habit of the program that wrote the annotation (such as the longest open "
        "reading frame); CDS and UTR scores use verified transcripts only."
    )
