"""The numbers that define a training run, read from a YAML file and checked."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from dnalm.errors import UserError
from dnalm.files import fingerprints, require_file
from dnalm.labels import FEATURES
from dnalm.models.config import ModelConfig
from dnalm.models.precision import PRECISIONS
from dnalm.tokens import BPE, GREEDY, KMERS, TOKENIZERS, Tokenizer, any_kmers, spacing
from dnalm.versions import VERSIONS

SIZES = ("embed_dim", "num_layers", "attention_heads", "ffn_embed_dim")  # of a recipe and of a model
TOKENS, SPANS = "tokens", "spans"
NT_V2, BERT = "nt_v2", "bert"
COSINE, INVERSE_SQRT, CONSTANT = "cosine", "inverse_sqrt", "constant"
CROSS_ENTROPY, FOCAL = "cross_entropy", "focal"
FULL, FROZEN, IA3 = "full", "frozen", "ia3"
CHOICES = {
    "masking": (TOKENS, SPANS),
    "architecture": (NT_V2, BERT),
    "schedule": (COSINE, INVERSE_SQRT, CONSTANT),
    "precision": PRECISIONS[:2],
    "loss": (CROSS_ENTROPY, FOCAL),
    "backbone": (FULL, FROZEN, IA3),
}


@dataclass(frozen=True)
class Recipe:
    """What both kinds of training share; every field may be set in the YAML file."""

    tokenizer: str = "v2_6mer"
    embed_dim: int = 128
    num_layers: int = 3
    attention_heads: int = 4
    ffn_embed_dim: int = 256
    window_bp: int = 3072
    batch_size: int = 4  # windows per step and micro-batch
    accumulation: int = 1  # micro-batches per step
    steps: int = 3000
    learning_rate: float = 8e-4  # peak; 2e-3 was seen to collapse to a constant output
    warmup_fraction: float = 0.08
    warmup_from: float = 0.0  # learning rate of the first step; published: half the peak
    schedule: str = COSINE  # after the warm-up: to zero, by the square root of the step (published), or none
    beta1: float = 0.9
    beta2: float = 0.98  # published for Nucleotide Transformer: 0.999
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema_decay: float = 0.995
    seed: int = 1
    log_every: int = 20  # steps
    checkpoint_every: int = 200  # steps
    precision: str = "float32"  # of the passes; what is trained, and its moments, stay float32
    remat: bool = False  # compute blocks again in the backward pass: less memory, a third more time
    compose_embedding: bool = True  # train the table as a sum of shared parts (see `composition`)
    validation: str = ""  # contig:start-end, kept out of training too: for choosing between runs
    validate_every: int = 0  # steps between two looks at the validation region; 0: none
    validation_windows: int = 64  # of one look
    patience: int = 0  # looks without a better score that end the run; 0: none does
    final_scoring: bool = True  # score the held-out region when done
    note: str = ""  # a line for the model card


@dataclass(frozen=True)
class SegmentationRecipe(Recipe):
    """Per-base labels on an encoder with a U-Net head."""

    features: tuple[str, ...] = ("exon", "intron", "splice_donor", "splice_acceptor", "CDS", "3UTR")
    splice_weight: float = 60.0  # of the donors' and acceptors' terms of the loss
    keep_unspliced: float = 0.35  # share of the windows without a splice site that is kept
    loss: str = CROSS_ENTROPY  # or focal: (1 - p)^gamma times it (de Almeida et al. 2025, Methods)
    focal_gamma: float = 2.0
    backbone: str = FULL  # or frozen, or ia3 (vectors in it alone); the head is always trained


@dataclass(frozen=True)
class PretrainingRecipe(Recipe):
    """Masked language modelling; the masking defaults are those of Dalla-Torre et al. 2023 (Methods).

    DNABERT's (Ji et al. 2021): architecture bert, an overlapping tokenizer, masking spans, random_lengths.
    """

    learning_rate: float = 1e-3
    masked_fraction: float = 0.15
    mask_token_fraction: float = 0.8  # of the masked positions; these read <mask>
    random_token_fraction: float = 0.1  # these read a random k-mer; the others stay
    masking: str = TOKENS  # or spans: of k neighbouring tokens, so that overlapping ones cannot be read off
    random_lengths: bool = False  # half of the rows end after a random number of tokens
    shortest_tokens: int = 5  # of these
    architecture: str = NT_V2  # or bert: learned positions, norms after each half of a block


# Keys younger than runs that may still go on, at the values of what those runs do: not in a run's key.
YOUNGER = {"warmup_from": 0.0}
AnyRecipe = TypeVar("AnyRecipe", bound=Recipe)
POSITIVE = (
    "embed_dim",
    "num_layers",
    "attention_heads",
    "ffn_embed_dim",
    "window_bp",
    "batch_size",
    "accumulation",
    "steps",
    "log_every",
    "checkpoint_every",
    "learning_rate",
    "shortest_tokens",
    "validation_windows",
)
NOT_NEGATIVE = ("validate_every", "patience", "focal_gamma")
FRACTIONS = (
    "warmup_fraction",
    "ema_decay",
    "beta1",
    "beta2",
    "keep_unspliced",
    "masked_fraction",
    "mask_token_fraction",
    "random_token_fraction",
)


def read_recipe(
    path: str | Path, kind: type[AnyRecipe], validation: str | None = None, tokenizer: str | None = None
) -> AnyRecipe:
    """Reads a recipe from YAML; what the file leaves out keeps its default.

    Args:
        validation: region of the genome at hand, instead of the file's.
        tokenizer: of the model that the run goes on from, instead of the file's.

    Raises:
        UserError: not YAML, an unknown key (the nearest valid one is named), a value of the wrong type or
            range, or a tokenizer that this kind cannot train with.
    """
    import yaml

    try:
        values = yaml.safe_load(require_file(path, "training recipe").read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise UserError(path, f"is not YAML ({fault})", "Correct it.") from fault
    if not isinstance(values, dict):
        raise UserError(path, "holds no `key: value` lines", "See config/examples for one.")
    fields = {field.name: field for field in dataclasses.fields(kind)}
    checked = {}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, 1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known keys: {', '.join(fields)}."
            raise UserError(path, f"unknown key {key!r}", hint)
        checked[key] = _converted(path, key, value, getattr(kind, key))
    given = {"validation": validation, "tokenizer": tokenizer}
    recipe = kind(**{**checked, **{key: value for key, value in given.items() if value}})
    known = [*KMERS] if kind is SegmentationRecipe else [*TOKENIZERS]
    if tokenizer and kind is PretrainingRecipe:
        known += [BPE, GREEDY]  # they come with a file
    if recipe.tokenizer not in known:
        whose = "tokenizer of the initial model" if tokenizer else "tokenizer"
        expected = f"expected {' or '.join(known)}"
        raise UserError(path, f"{whose}: found {recipe.tokenizer!r}, {expected}", "Name another.")
    _check_ranges(path, recipe)
    return recipe


def _converted(path: str | Path, key: str, value: Any, default: Any) -> Any:
    """Returns the value in its default's type; YAML reads 8e-4 as text, so text is tried as a number."""
    if isinstance(default, tuple) and isinstance(value, list):
        unknown = [name for name in value if name not in FEATURES]
        if unknown or not value or len(set(value)) < len(value):
            raise UserError(
                path,
                f"{key}: found {value}, expected different names of {', '.join(FEATURES)}",
                "Correct it.",
            )
        return tuple(value)
    try:
        if isinstance(default, bool) or isinstance(value, bool):
            matches = isinstance(default, bool) and isinstance(value, bool)
        elif isinstance(default, float):
            value, matches = float(value), True
        else:
            matches = type(value) is type(default)
    except (TypeError, ValueError):
        matches = False
    if not matches:
        raise UserError(path, f"{key}: found {value!r}, expected a value like {default!r}", "Correct it.")
    return value


def _check_ranges(path: str | Path, recipe: Recipe) -> None:
    values = dataclasses.asdict(recipe)
    for key in POSITIVE:
        if key in values and not values[key] > 0:
            raise UserError(path, f"{key}: found {values[key]}, expected more than 0", "Correct it.")
    for key in NOT_NEGATIVE:
        if values.get(key, 0) < 0:
            raise UserError(path, f"{key}: found {values[key]}, expected 0 or more", "Correct it.")
    if not 0 <= recipe.warmup_from <= recipe.learning_rate:
        expected = f"0 to the learning rate ({recipe.learning_rate})"
        raise UserError(path, f"warmup_from: found {recipe.warmup_from}, expected {expected}", "Correct it.")
    if recipe.validate_every and not recipe.validation:
        raise UserError(path, "validate_every: there is no validation region", "Name one, or leave it out.")
    for key in FRACTIONS:
        if key in values and not 0 <= values[key] <= 1:
            raise UserError(path, f"{key}: found {values[key]}, expected 0 to 1", "Correct it.")
    for key, allowed in CHOICES.items():
        if key in values and values[key] not in allowed:
            problem = f"{key}: found {values[key]!r}, expected {' or '.join(allowed)}"
            raise UserError(path, problem, "Correct it.")
    step = spacing(recipe.tokenizer)
    # Rotary positions turn pairs of a head's numbers.
    for key, unit, what in (
        ("embed_dim", 2 * recipe.attention_heads, "twice attention_heads"),
        ("window_bp", int(step.bases_per_token) if step.exact else 1, f"the k of {recipe.tokenizer}"),
    ):
        if values[key] % unit:
            raise UserError(
                path,
                f"{key}: found {values[key]}, expected a multiple of {unit} ({what})",
                "Change one of them.",
            )


def model_config(
    recipe: Recipe,
    features: tuple[str, ...] = (),
    labels: str = "",
    lm_head: bool = False,
    reader: Tokenizer | None = None,
) -> ModelConfig:
    """Returns the NT-v2 form (rotary positions, SwiGLU, no bias in the feed-forward) at the recipe's size.

    Or, where the recipe says so, DNABERT's form.

    Args:
        reader: a byte-pair encoding, instead of the recipe's k-mers.
    """
    reader = reader or any_kmers(recipe.tokenizer)
    bert = {
        "positional_embedding": "learned",
        "use_glu_in_ffn": False,
        "add_bias_ffn": True,
        "ffn_activation": "gelu-no-approx",
        "layer_norm_eps": 1e-12,
        "architecture": "bert",
    }
    return ModelConfig(
        tokenizer=reader.name,
        tokenizer_json=getattr(reader, "text", ""),
        vocabulary_size=reader.embedded,
        max_tokens=reader.tokens_of(recipe.window_bp),
        embed_dim=recipe.embed_dim,
        num_layers=recipe.num_layers,
        attention_heads=recipe.attention_heads,
        key_size=recipe.embed_dim // recipe.attention_heads,
        ffn_embed_dim=recipe.ffn_embed_dim,
        lm_head=lm_head,
        features=features,
        labels=labels,
        **(bert if getattr(recipe, "architecture", NT_V2) == BERT else {}),
    )


def tokens_of_window(config: ModelConfig, window_bp: int, source: str | Path) -> int:
    """Returns the tokens of a window that a model goes on learning with.

    Args:
        source: names the model in errors.

    Raises:
        UserError: more than its table of positions has; rotary positions and slopes have no such end.
    """
    tokens = config.tokens.tokens_of(window_bp)
    if config.positional_embedding == "learned" and tokens > config.max_tokens:
        raise UserError(
            source,
            f"takes {config.max_tokens} tokens, windows of {window_bp} bp have {tokens}",
            "Shorten window_bp.",
        )
    return tokens


def run_key(recipe: Recipe, step: str, inputs: Mapping[str, str | Path], held_out: list[str]) -> str:
    """Returns what identifies a run: a state of another key must not be resumed."""
    values = dataclasses.asdict(recipe)
    left_out = {"note", *(name for name, value in YOUNGER.items() if values[name] == value)}
    about = {
        "recipe": {name: value for name, value in values.items() if name not in left_out},
        "version": VERSIONS[step],
        "inputs": fingerprints(inputs),
        "held_out": held_out,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()
