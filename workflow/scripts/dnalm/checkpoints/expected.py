"""What a row of models.tsv says a checkpoint must be, and the comparison with what its files say it is."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Mapping
from typing import Any

from dnalm.checkpoints.hub_config import V1_MASKING
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig
from dnalm.tokens import tokenizer

log = logging.getLogger("dnalm")

_V1 = {
    "positional_embedding": "learned",
    "ffn_activation": "gelu-no-approx",
    "use_glu_in_ffn": False,
    "add_bias_ffn": True,
}
_V2 = {
    "positional_embedding": "rotary",
    "ffn_activation": "swish",
    "use_glu_in_ffn": True,
    "add_bias_ffn": False,
}
_BERT = {"architecture": "bert", "ffn_activation": "gelu-no-approx", "token_dropout": False}
# The switches that all members of a family share. AgroNT is v1 without token dropout.
FAMILIES: dict[str, dict[str, Any]] = {
    "nt_v1": {**_V1, "token_dropout": True, **V1_MASKING},
    "agro_nt": {**_V1, "token_dropout": False},
    "nt_v2": {**_V2, "token_dropout": False},
    "segment_nt": {**_V2, "token_dropout": False},
    "dnabert": {**_BERT, "positional_embedding": "learned", "use_glu_in_ffn": False},
    "dnabert_2": {**_BERT, "positional_embedding": "alibi", "use_glu_in_ffn": True},
    "grover": {**_BERT, "positional_embedding": "learned", "use_glu_in_ffn": False},
}
BERT_EPS = 1e-12
BACKBONE_TOKENS = 2048  # of NT v2, which every published SegmentNT extends
COMPARED = (
    "architecture",
    "tokenizer",
    "embed_dim",
    "num_layers",
    "attention_heads",
    "ffn_embed_dim",
    "positional_embedding",
    "ffn_activation",
    "use_glu_in_ffn",
    "add_bias_ffn",
    "token_dropout",
    "features",
)
DEFAULTS = {field.name: field.default for field in dataclasses.fields(ModelConfig)}


def expected_settings(row: Mapping[str, str]) -> dict[str, Any]:
    """Returns what a row says of each setting of ModelConfig but its vocabulary.

    Raises:
        UserError: a family that is not known.
    """
    if row["family"] not in FAMILIES:
        raise UserError(
            f"models.tsv, {row['model']}", f"unknown family {row['family']!r}", "Correct the row."
        )
    dim, heads = int(row["embed_dim"]), int(row["attention_heads"])
    features, tokens = tuple(name for name in row["features"].split(",") if name), int(row["max_tokens"])
    family = FAMILIES[row["family"]]
    if family.get("architecture") == "bert":
        family = {**family, "add_bias_ffn": not family["use_glu_in_ffn"], "layer_norm_eps": BERT_EPS}
    return {
        **DEFAULTS,
        "tokenizer": row["tokenizer"],
        "max_tokens": tokens,
        "embed_dim": dim,
        "num_layers": int(row["num_layers"]),
        "attention_heads": heads,
        "key_size": dim // heads,
        "ffn_embed_dim": int(row["ffn_embed_dim"]),
        "rescaling_factor": tokens / BACKBONE_TOKENS if features and tokens > BACKBONE_TOKENS else None,
        "lm_head": not (features and row["folder"]),  # the segmentation models of this repository have none
        "features": features,
        "labels": row["labels"],
        **family,
    }


def expected_config(row: Mapping[str, str], tokenizer_json: str = "") -> ModelConfig:
    """Returns the configuration that a row describes.

    Args:
        tokenizer_json: of a byte-pair encoding.
    """
    size = tokenizer(row["tokenizer"], tokenizer_json).embedded
    return ModelConfig(
        **{**expected_settings(row), "vocabulary_size": size, "tokenizer_json": tokenizer_json}
    )


def check_row(config: ModelConfig, row: Mapping[str, str], where: object) -> ModelConfig:
    """Compares a checkpoint's configuration with its row of models.tsv.

    Returns:
        The configuration with the row's token limit and strand convention, which no published file holds.

    Raises:
        UserError: the files are another model's, or predict other features, than the row says.
    """
    expected = expected_settings(row)
    for name in COMPARED:
        found, wanted = getattr(config, name), expected[name]
        if found != wanted:
            raise UserError(
                f"{where}, {name}",
                f"another model than {row['model']} (found {_text(found)}, expected {_text(wanted)})",
                "Fetch it again, or correct its row in resources/models.tsv.",
            )
    if config.max_tokens != expected["max_tokens"]:
        log.warning(
            "%s: the files allow %d tokens, models.tsv says %d, which is taken",
            row["model"], config.max_tokens, expected["max_tokens"],
        )  # fmt: skip
    return dataclasses.replace(config, max_tokens=expected["max_tokens"], labels=expected["labels"])


def _text(value: object) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)
