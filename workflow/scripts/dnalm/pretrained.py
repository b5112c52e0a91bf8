"""Published models by name: parameters, function, tokenizer and config, as their users know them.

    parameters, forward_fn, tokenizer, config = get_pretrained_model("50M_multi_species_v2", max_positions=32)
    apply = jax.jit(hk.transform(forward_fn).apply)
    tokens = jnp.asarray([ids for _, ids in tokenizer.batch_tokenize(["ATTCCGATTCCGATTCCG"])])
    outputs = apply(parameters, jax.random.PRNGKey(0), tokens)

Arguments, results and their names are those of the published package (its documentation pages; its code was
not used). What differs, and why, is listed in docs/pretrained.md.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import haiku as hk
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from dnalm.checkpoints import load_checkpoint, registry
from dnalm.checkpoints.fetch import fetch_checkpoint
from dnalm.errors import UserError
from dnalm.models import PRECISIONS, ModelConfig
from dnalm.models.apply import untransformed
from dnalm.tokens import Tokenizer

DEFAULT_POSITIONS = 1024  # as published
Outputs = dict[str, Array]
Pretrained = tuple[
    dict[str, dict[str, Array]], Callable[..., Outputs], "PretrainedTokenizer", "PretrainedConfig"
]


@dataclass(frozen=True)
class PretrainedConfig(ModelConfig):
    """A model's configuration, which answers to the published names of its settings too."""

    embeddings_layers_to_save: tuple[int, ...] = ()
    attention_maps_to_save: tuple[tuple[int, int], ...] = ()

    @property
    def alphabet_size(self) -> int:
        return self.vocabulary_size

    @property
    def max_positions(self) -> int:
        return self.max_tokens

    @property
    def pad_token_id(self) -> int:
        return self.tokens.pad_id

    @property
    def mask_token_id(self) -> int:
        return self.tokens.mask_id

    @property
    def ffn_activation_name(self) -> str:
        return self.ffn_activation

    @property
    def use_rotary_embedding(self) -> bool:
        return self.positional_embedding == "rotary"


@dataclass(frozen=True)
class PretrainedTokenizer:
    """Cuts DNA into a model's tokens, and pads batches to one length.

    Args:
        tokens: the model's tokenizer.
        fixed_length: tokens, <cls> included, of every row of a batch.
        lower_case: takes a, c, g, t, n like A, C, G, T, N (soft-masked sequence); else they are refused.
    """

    tokens: Tokenizer
    fixed_length: int
    lower_case: bool = False

    @property
    def vocabulary(self) -> list[str]:
        return list(self.tokens.vocabulary)

    @property
    def vocabulary_size(self) -> int:
        return len(self.tokens.vocabulary)

    @property
    def special_tokens(self) -> list[str]:
        return [self.tokens.vocabulary[index] for index in sorted(self.tokens.special_ids)]

    @property
    def standard_tokens(self) -> list[str]:
        return [token for token in self.tokens.vocabulary if token not in self.special_tokens]

    @property
    def unk_token(self) -> str:
        return self.id_to_token(self.unk_token_id)

    @property
    def pad_token(self) -> str:
        return self.id_to_token(self.pad_token_id)

    @property
    def mask_token(self) -> str:
        return self.id_to_token(self.mask_token_id)

    @property
    def class_token(self) -> str:
        return self.id_to_token(self.class_token_id)

    @property
    def unk_token_id(self) -> int:
        return self.tokens.unk_id

    @property
    def pad_token_id(self) -> int:
        return self.tokens.pad_id

    @property
    def mask_token_id(self) -> int:
        return self.tokens.mask_id

    @property
    def class_token_id(self) -> int:
        return self.tokens.cls_id

    def token_to_id(self, token: str) -> int:
        """Returns a token's id.

        Raises:
            UserError: no such token.
        """
        if token not in self.tokens.ids:
            raise UserError(
                "token", f"{token!r} not in the vocabulary of {self.tokens.name}", "Use one of .vocabulary."
            )
        return self.tokens.ids[token]

    def id_to_token(self, token_id: int) -> str:
        """Returns the token of an id from 0."""
        return self.tokens.vocabulary[token_id]

    def tokenize(self, sequence: str) -> tuple[list[str], list[int]]:
        """Returns tokens and ids of one sequence with its special tokens, unpadded.

        Raises:
            UserError: a letter that no token stands for; names its position.
        """
        return self.tokens.tokenize(sequence.upper() if self.lower_case else sequence)

    def batch_tokenize(self, sequences: Sequence[str]) -> list[tuple[list[str], list[int]]]:
        """Returns tokens and ids of each sequence, padded to `fixed_length`.

        Raises:
            UserError: a sequence has more tokens, or a letter that no token stands for.
        """
        rows = []
        for index, sequence in enumerate(sequences):
            try:
                tokens, ids = self.tokenize(sequence)
            except UserError as fault:
                where = fault.where.replace("sequence", f"sequence {index + 1}", 1)
                raise UserError(where, fault.problem, fault.remedy) from fault
            missing = self.fixed_length - len(ids)
            if missing < 0:
                raise UserError(
                    f"sequence {index + 1}",
                    f"too long (found {len(ids)} tokens with <cls>, expected at most {self.fixed_length})",
                    "Ask for a larger max_positions, or cut the sequence.",
                )
            rows.append((tokens + [self.pad_token] * missing, ids + [self.tokens.pad_id] * missing))
        return rows


def get_pretrained_model(
    model_name: str | Path,
    compute_dtype: Any = jnp.float32,
    param_dtype: Any = jnp.float32,
    output_dtype: Any = jnp.float32,
    embeddings_layers_to_save: Sequence[int] = (),
    attention_maps_to_save: Sequence[tuple[int, int]] | None = None,
    max_positions: int | None = None,
    verbose: bool = True,
    *,
    lower_case: bool = False,
    layer_norm_eps: float | None = None,
    **fetching: Any,
) -> Pretrained:
    """Returns a language model of the Nucleotide Transformer family.

    `forward_fn(tokens, attention_mask=None)`, to be passed to `hk.transform`, returns logits (B, L, V),
    embeddings_{layer} (B, L, D) and attention_map_layer_{layer}_number_{head} (B, L, L). The last layer's
    embeddings are taken after the encoder's last layer norm, as published.

    Args:
        model_name: a name or alias of resources/models.tsv (fetched from the hub at first use, verified,
            and kept in the hub's cache), or a folder.
        compute_dtype: float32, bfloat16 or float16, of this function alone.
        param_dtype: the returned parameters really have it.
        output_dtype: of every output.
        embeddings_layers_to_save: numbered from 1.
        attention_maps_to_save: pairs of layer, from 1, and head, from 0.
        max_positions: tokens, <cls> included, that the tokenizer pads to; default 1024, or the model's limit
            where that is lower.
        verbose: says what is fetched.
        lower_case: the tokenizer takes soft-masked (lower-case) sequence.
        layer_norm_eps: default 1e-5, as the published JAX code; 1e-12 to match the hub's torch outputs.
        fetching: layout, cache_dir, endpoint, lock_file, accept_unpinned of `fetch_checkpoint`.

    Raises:
        UserError: unknown model, layer, head or type; more positions than the model takes; see also
            `fetch_checkpoint` and `load_checkpoint`.
    """
    settings = (compute_dtype, param_dtype, output_dtype, embeddings_layers_to_save, attention_maps_to_save)
    return _pretrained(
        model_name, settings, max_positions, None, False, verbose, lower_case, layer_norm_eps, fetching
    )


def get_pretrained_segment_nt_model(
    model_name: str | Path,
    rescaling_factor: float | None = None,
    compute_dtype: Any = jnp.float32,
    param_dtype: Any = jnp.float32,
    output_dtype: Any = jnp.float32,
    embeddings_layers_to_save: Sequence[int] = (),
    attention_maps_to_save: Sequence[tuple[int, int]] | None = None,
    max_positions: int | None = None,
    verbose: bool = True,
    *,
    lower_case: bool = False,
    layer_norm_eps: float | None = None,
    **fetching: Any,
) -> Pretrained:
    """Returns a segmentation model: see `get_pretrained_model`, which describes the other arguments.

    `forward_fn` returns as logits (B, S, F, 2) those of the segmentation head: absence and presence of each
    of `config.features` at each base, S = k * (L - 1). Probabilities are `jax.nn.softmax(logits)[..., 1]`.

    Args:
        rescaling_factor: of the rotary positions; default: the checkpoint's. Beyond its training length it is
            (DNA tokens + 1) / 2048 for models on NT v2.
    """
    settings = (compute_dtype, param_dtype, output_dtype, embeddings_layers_to_save, attention_maps_to_save)
    return _pretrained(
        model_name,
        settings,
        max_positions,
        rescaling_factor,
        True,
        verbose,
        lower_case,
        layer_norm_eps,
        fetching,
    )


def _pretrained(
    model_name: str | Path,
    settings: tuple[Any, Any, Any, Sequence[int], Sequence[tuple[int, int]] | None],
    max_positions: int | None,
    rescaling_factor: float | None,
    segmentation: bool,
    verbose: bool,
    lower_case: bool,
    layer_norm_eps: float | None,
    fetching: Mapping[str, Any],
) -> Pretrained:
    compute, param, output = (_precision(dtype) for dtype in settings[:3])
    layers = tuple(int(layer) for layer in settings[3])
    maps = tuple((int(layer), int(head)) for layer, head in settings[4] or ())
    checkpoint = load_checkpoint(_source(model_name, verbose, fetching), layer_norm_eps)
    config = PretrainedConfig(
        **{f.name: getattr(checkpoint.config, f.name) for f in dataclasses.fields(ModelConfig)},
        embeddings_layers_to_save=layers,
        attention_maps_to_save=maps,
    )
    max_positions = max_positions or min(DEFAULT_POSITIONS, config.token_limit(rescaling_factor))
    _check(config, str(model_name), segmentation, rescaling_factor, max_positions)
    forward_fn = _forward(config, compute, output, segmentation, rescaling_factor)
    tokenizer = PretrainedTokenizer(config.tokens, max_positions, lower_case)
    return checkpoint.load(param), forward_fn, tokenizer, config


def _precision(dtype: Any) -> str:
    name = jnp.dtype(dtype).name
    if name not in PRECISIONS:
        raise UserError("dtype", f"{name} (expected one of {', '.join(PRECISIONS)})", "Use one of these.")
    return name


def _source(
    model_name: str | Path, verbose: bool, fetching: Mapping[str, Any]
) -> str | Path | Mapping[str, Any]:
    if Path(model_name).exists():
        return model_name
    row = registry.model_row(str(model_name))
    if row["folder"]:
        return str(row["model"])
    with _messages(verbose):
        return fetch_checkpoint(row["model"], **{"lock_file": user_lock_file(), **fetching})


@contextmanager
def _messages(verbose: bool) -> Iterator[None]:
    """Shows what is fetched, its licence first, while the block runs; leaves logging as it was."""
    log = logging.getLogger("dnalm")
    level, handler = log.level, logging.StreamHandler()
    if verbose and not log.hasHandlers():  # a program that set up logging has its own
        handler.setFormatter(logging.Formatter("%(message)s"))
        log.addHandler(handler)
    log.setLevel(logging.INFO if verbose else logging.WARNING)
    try:
        yield
    finally:
        log.setLevel(level)
        log.removeHandler(handler)


def user_lock_file() -> Path:
    """Returns where first uses are recorded when no workflow's lock file is named: beside the hub cache."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME) / "dnalm.lock.json"


def _check(
    config: PretrainedConfig,
    model: str,
    segmentation: bool,
    rescaling_factor: float | None,
    max_positions: int,
) -> None:
    if segmentation and not config.features:
        raise UserError(model, "has no segmentation head", "Use get_pretrained_model.")
    if not segmentation and not config.lm_head:
        raise UserError(model, "has no language-model head", "Use get_pretrained_segment_nt_model.")
    layers = (*config.embeddings_layers_to_save, *(layer for layer, _ in config.attention_maps_to_save))
    for layer in layers:
        if not 1 <= layer <= config.num_layers:
            raise UserError(
                model, f"no layer {layer} (expected 1 to {config.num_layers})", "Layers count from 1."
            )
    for _, head in config.attention_maps_to_save:
        if not 0 <= head < config.attention_heads:
            last = config.attention_heads - 1
            raise UserError(model, f"no attention head {head} (expected 0 to {last})", "Heads count from 0.")
    if rescaling_factor is not None and not (config.use_rotary_embedding and rescaling_factor > 0):
        raise UserError(
            model, f"rescaling factor {rescaling_factor} (expected above 0, with rotary positions)"
        )
    limit = config.token_limit(rescaling_factor)
    if not 1 <= max_positions <= limit:
        raise UserError(
            "max_positions",
            f"found {max_positions}, expected 1 to {limit}, the most tokens that {model} takes",
            "Lower it, or raise rescaling_factor." if segmentation else "Lower it.",
        )


def _forward(
    config: PretrainedConfig,
    compute: str,
    output: str,
    segmentation: bool,
    rescaling_factor: float | None,
) -> Callable[..., Outputs]:
    maps = config.attention_maps_to_save
    run = untransformed(
        config,
        config.embeddings_layers_to_save,
        {layer for layer, _ in maps},
        logits=not segmentation,
        segmentation=segmentation,
        pooling=None,
        rescaling_factor=rescaling_factor,
        mapped=None,
    )
    limit = config.token_limit(rescaling_factor)

    def cast(next_getter: Callable[[Array], Array], value: Array, context: Any) -> Array:
        return next_getter(value).astype(compute)

    def forward_fn(tokens: Array | np.ndarray, attention_mask: Array | np.ndarray | None = None) -> Outputs:
        if tokens.ndim != 2 or tokens.shape[1] > limit:
            raise UserError(
                "tokens", f"shape {tokens.shape}, expected (rows, at most {limit})", "Use shorter sequences."
            )
        with hk.custom_getter(cast):
            outputs = run(tokens, attention_mask)
        results = {"logits": outputs["segment_logits" if segmentation else "logits"]}
        for layer in config.embeddings_layers_to_save:
            results[f"embeddings_{layer}"] = outputs[f"embeddings_{layer}"]
        for layer, head in maps:
            results[f"attention_map_layer_{layer}_number_{head}"] = outputs[f"attention_{layer}"][:, head]
        return {name: value.astype(output) for name, value in results.items()}

    return forward_fn
