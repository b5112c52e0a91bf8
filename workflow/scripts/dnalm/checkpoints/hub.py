"""Folders in the hub's layout: jax_model/ (joblib) or the torch-side files (safetensors or .bin)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dnalm.checkpoints.joblib_file import read_joblib
from dnalm.checkpoints.names import HEAD_ROOT, ROOT, rename_jax, rename_torch
from dnalm.checkpoints.tensors import Params, read_safetensors
from dnalm.checkpoints.torch_file import read_torch
from dnalm.errors import UserError
from dnalm.files import read_json
from dnalm.models.config import ModelConfig
from dnalm.tokens import TOKENIZERS

HYPERPARAMS, PYTREE = "hyperparams.json", "pytree_ckpt.joblib"
CONFIG = "config.json"
SINGLE = {"model.safetensors": read_safetensors, "pytorch_model.bin": read_torch}
V1_MASKING = {"masking_ratio": 0.15, "masking_prob": 0.8}  # the torch side hard-codes their product, 0.12


def read_hub(folder: Path) -> tuple[Params, ModelConfig]:
    """Reads a folder that holds jax_model/ or is one, else one with the torch-side files.

    Raises:
        UserError: neither, or files that cannot be read.
    """
    for jax_folder in (folder / "jax_model", folder):
        if (jax_folder / PYTREE).exists() or (jax_folder / HYPERPARAMS).exists():
            params = rename_jax(read_joblib(jax_folder / PYTREE))
            return params, jax_config(_object(jax_folder / HYPERPARAMS), params, jax_folder / HYPERPARAMS)
    if (folder / CONFIG).exists():
        record = _object(folder / CONFIG)
        rotary = record.get("position_embedding_type") == "rotary"
        params = rename_torch(_torch_tensors(folder), rotary, folder)
        return params, torch_config(record, params, folder / CONFIG)
    raise UserError(
        folder,
        "no checkpoint in this folder (expected jax_model/, config.json with model.safetensors or "
        "pytorch_model.bin, or params.safetensors)",
        "Name the folder that holds these files.",
    )


def _object(path: Path) -> dict[str, Any]:
    record = read_json(path)
    if not isinstance(record, dict):
        raise UserError(path, f"holds a {type(record).__name__}, expected settings by name")
    return record


def _torch_tensors(folder: Path) -> dict[str, np.ndarray]:
    for name, read in SINGLE.items():
        if (folder / name).exists():
            return read(folder / name)
        index = folder / f"{name}.index.json"  # the weights lie in several files
        if index.exists():
            parts = sorted(set(_object(index)["weight_map"].values()))
            if any(Path(part).name != part for part in parts):
                raise UserError(index, "names files outside its folder")
            return {key: array for part in parts for key, array in read(folder / part).items()}
    raise UserError(folder, f"no weights (expected {' or '.join(SINGLE)})", "Fetch the weights too.")


def _get(record: Mapping[str, Any], key: str, where: Path) -> Any:
    if key not in record:
        raise UserError(where, f"entry {key!r} missing", "Fetch the file again.")
    return record[key]


def _table(params: Params, where: Path) -> np.ndarray:
    try:
        return params[f"{ROOT}/~/embed"]["embeddings"]
    except KeyError as fault:
        raise UserError(where.parent, "no token embeddings among the weights") from fault


def _tokenizer(vocabulary_size: int, where: object) -> str:
    # The sizes 4105, 4107 and 75 tell the tokenizers apart; a model's name does not.
    for name, kmers in TOKENIZERS.items():
        if kmers.embedded == vocabulary_size:
            return name
    sizes = [kmers.embedded for kmers in TOKENIZERS.values()]
    raise UserError(where, f"vocabulary of {vocabulary_size} tokens (expected one of {sizes})")


def _common(params: Params, max_positions: int, scale: float | None, where: Path) -> dict[str, Any]:
    size = len(_table(params, where))
    features = f"{HEAD_ROOT}/~/fc" in params
    return {
        "tokenizer": _tokenizer(size, where),
        "vocabulary_size": size,
        # SegmentNT was trained on windows longer than its encoder by the rescaling factor.
        "max_tokens": round(max_positions * scale) if scale else max_positions,
        "rescaling_factor": scale,
        "lm_head": f"{ROOT}/~/roberta_lm_head/~/lm_final_fc" in params,
        "labels": "either_strand" if features else "",
    }


def jax_config(record: Mapping[str, Any], params: Params, where: Path) -> ModelConfig:
    """Turns the published hyperparams.json into our config; unknown entries are ignored."""
    heads, dim = int(_get(record, "attention_heads", where)), int(_get(record, "embed_dim", where))
    rotary = bool(record.get("use_rotary_embedding", False))
    names = ("emb_layer_norm_before", "embed_scale", "token_dropout", "masking_ratio", "masking_prob")
    optional = {"add_bias_ffn": True, "use_glu_in_ffn": False, "add_bias_kv": False}
    return ModelConfig(
        embed_dim=dim,
        num_layers=int(_get(record, "num_layers", where)),
        attention_heads=heads,
        key_size=int(record.get("key_dim") or dim // heads),
        ffn_embed_dim=int(_get(record, "ffn_embed_dim", where)),
        positional_embedding="rotary" if rotary else "learned",
        ffn_activation=record.get("ffn_activation_name", "gelu-no-approx"),
        features=tuple(record.get("features") or ()),
        **{name: _get(record, name, where) for name in names},
        **{name: bool(record.get(name, default)) for name, default in optional.items()},
        **_common(params, int(_get(record, "max_positions", where)), record.get("rescaling_factor"), where),
    )


def torch_config(record: Mapping[str, Any], params: Params, where: Path) -> ModelConfig:
    """Turns the hub's config.json into our config, with the layer-norm epsilon of the JAX code (1e-5)."""
    dim, heads = int(_get(record, "hidden_size", where)), int(_get(record, "num_attention_heads", where))
    width = int(_get(record, "intermediate_size", where))
    rotary = record.get("position_embedding_type") == "rotary"
    first = params.get(f"{ROOT}/attention_layer_0/~/fc1", {})
    gated = "w" in first and first["w"].shape[1] == 2 * width
    dropout = bool(record.get("token_dropout", False))
    return ModelConfig(
        embed_dim=dim,
        num_layers=int(_get(record, "num_hidden_layers", where)),
        attention_heads=heads,
        key_size=dim // heads,
        ffn_embed_dim=width,
        positional_embedding="rotary" if rotary else "learned",
        use_glu_in_ffn=gated,
        add_bias_ffn="b" in first,
        ffn_activation="swish" if gated else "gelu-no-approx",
        emb_layer_norm_before=bool(record.get("emb_layer_norm_before", False)),
        token_dropout=dropout,
        features=tuple(record.get("features") or ()),
        **(V1_MASKING if dropout else {}),
        # two rows of the position table belong to padding
        **_common(
            params,
            int(_get(record, "max_position_embeddings", where)) - 2,
            record.get("rescaling_factor"),
            where,
        ),
    )
