"""The published settings, hyperparams.json (JAX) and config.json (torch), as our one config."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnalm.errors import UserError
from dnalm.files import read_json
from dnalm.models.config import ModelConfig
from dnalm.tokens import KMERS, tokenizer

V1_MASKING = {"masking_ratio": 0.15, "masking_prob": 0.8}  # the torch side hard-codes their product, 0.12
PADDING_ROWS = 2  # of the torch side's position table
OWN_KEY = "dnalm"  # of config.json and hyperparams.json; published readers pass over it
# What the published settings may leave unsaid without another result; kept under OWN_KEY.
OWN_SETTINGS = ("labels", "layer_norm_eps", "masking_ratio", "masking_prob", "max_tokens")


def read_record(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds settings by name.

    Raises:
        UserError: it holds something else.
    """
    record = read_json(path)
    if not isinstance(record, dict):
        raise UserError(path, f"holds a {type(record).__name__}, expected settings by name")
    return record


def with_own_settings(config: ModelConfig, record: Mapping[str, Any]) -> ModelConfig:
    """Returns a config read from published settings with what the export kept beside them."""
    own = record.get(OWN_KEY)
    if not isinstance(own, dict):
        return config
    return dataclasses.replace(config, **{name: own[name] for name in OWN_SETTINGS if name in own})


def get(record: Mapping[str, Any], key: str, where: Path) -> Any:
    if key not in record:
        raise UserError(where, f"entry {key!r} missing", "Fetch the file again.")
    return record[key]


def _common(name: str, record: Mapping[str, Any], rotary: bool, max_positions: int) -> dict[str, Any]:
    scale, features = record.get("rescaling_factor"), tuple(record.get("features") or ())
    return {
        "tokenizer": name,
        "vocabulary_size": tokenizer(name).embedded,
        "positional_embedding": "rotary" if rotary else "learned",
        # SegmentNT was trained on windows longer than its encoder's, by the rescaling factor.
        "max_tokens": round(max_positions * scale) if scale else max_positions,
        "rescaling_factor": scale,
        "features": features,
        "labels": "either_strand" if features else "",
    }


def jax_config(record: Mapping[str, Any], where: Path) -> ModelConfig:
    """Turns the published hyperparams.json into our config; unknown entries are ignored.

    Raises:
        UserError: an entry is missing or does not fit.
    """
    heads, dim = int(get(record, "attention_heads", where)), int(get(record, "embed_dim", where))
    rotary = bool(record.get("use_rotary_embedding", False))
    k = get(record, "k_for_kmers", where)
    # A model's name does not tell v1 from v2; its positions do.
    name = f"v2_{k}mer" if rotary else f"v1_{k}mer"
    if name not in KMERS:
        raise UserError(
            where, f"k_for_kmers {k} with {'rotary' if rotary else 'learned'} positions not known"
        )
    needed = ("emb_layer_norm_before", "embed_scale", "token_dropout", "masking_ratio", "masking_prob")
    optional = {"add_bias_ffn": True, "use_glu_in_ffn": False, "add_bias_kv": False}
    return ModelConfig(
        embed_dim=dim,
        num_layers=int(get(record, "num_layers", where)),
        attention_heads=heads,
        key_size=int(record.get("key_dim") or record.get("key_size") or dim // heads),  # both names occur
        ffn_embed_dim=int(get(record, "ffn_embed_dim", where)),
        ffn_activation=record.get("ffn_activation_name", "gelu-no-approx"),
        **{key: get(record, key, where) for key in needed},
        **{key: bool(record.get(key, default)) for key, default in optional.items()},
        **_common(name, record, rotary, int(get(record, "max_positions", where))),
    )


def torch_config(record: Mapping[str, Any], where: Path) -> ModelConfig:
    """Turns the hub's config.json into our config, with the layer-norm epsilon of the JAX code (1e-5).

    Raises:
        UserError: an entry is missing or does not fit.
    """
    dim, heads = int(get(record, "hidden_size", where)), int(get(record, "num_attention_heads", where))
    rotary = record.get("position_embedding_type") == "rotary"
    size = get(record, "vocab_size", where)
    names = [name for name, kmers in KMERS.items() if kmers.embedded == size]
    if not names:
        sizes = sorted(kmers.embedded for kmers in KMERS.values())
        raise UserError(where, f"vocabulary of {size} tokens (expected one of {sizes})")
    dropout = bool(record.get("token_dropout", False))
    return ModelConfig(
        embed_dim=dim,
        num_layers=int(get(record, "num_hidden_layers", where)),
        attention_heads=heads,
        key_size=dim // heads,
        ffn_embed_dim=int(get(record, "intermediate_size", where)),
        use_glu_in_ffn=rotary,  # v2 has both, v1 neither; no entry says so
        ffn_activation="swish" if rotary else "gelu-no-approx",
        add_bias_ffn=bool(record.get("add_bias_fnn", True)),  # the published spelling
        emb_layer_norm_before=bool(record.get("emb_layer_norm_before", False)),
        token_dropout=dropout,
        lm_head=not record.get("features"),  # the torch SegmentNT has none
        **(V1_MASKING if dropout else {}),
        **_common(
            names[0], record, rotary, int(get(record, "max_position_embeddings", where)) - PADDING_ROWS
        ),
    )
