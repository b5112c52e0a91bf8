"""The published settings of DNABERT, GROVER and DNABERT-2, config.json and vocabulary, as our one config."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnalm.checkpoints.hub_config import get
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig
from dnalm.tokens import BPE, GREEDY, OVERLAPPING, tokenizer
from dnalm.tokens.bpe import greedy_text

ACTIVATIONS = {"gelu": "gelu-no-approx", "relu": "relu"}  # BERT's gelu is the one by erf
ALIBI_KEY = "alibi_starting_size"  # in DNABERT-2's settings alone
# These positions have no limit. DNABERT-2's authors trained on up to 10,000 bp at 0.25 tokens a base.
ALIBI_TOKENS = 2500
log = logging.getLogger("dnalm")


def bert_config(record: Mapping[str, Any], where: Path, vocabulary: Path | None) -> ModelConfig:
    """Turns a config.json of model_type bert into our config.

    Args:
        vocabulary: tokenizer.json or vocab.txt beside it.

    Raises:
        UserError: an entry is missing or does not fit, or the vocabulary is.
    """
    dim, heads = int(get(record, "hidden_size", where)), int(get(record, "num_attention_heads", where))
    name, size = str(record.get("hidden_act", "gelu")), int(get(record, "vocab_size", where))
    if name not in ACTIVATIONS:
        raise UserError(where, f"hidden_act {name!r} (expected one of {', '.join(ACTIVATIONS)})")
    is_alibi = ALIBI_KEY in record
    reader, text = _tokenizer(size, where, vocabulary)
    return ModelConfig(
        tokenizer=reader,
        tokenizer_json=text,
        vocabulary_size=size,
        max_tokens=ALIBI_TOKENS if is_alibi else int(get(record, "max_position_embeddings", where)),
        embed_dim=dim,
        num_layers=int(get(record, "num_hidden_layers", where)),
        attention_heads=heads,
        key_size=dim // heads,
        ffn_embed_dim=int(get(record, "intermediate_size", where)),
        positional_embedding="alibi" if is_alibi else "learned",
        use_glu_in_ffn=is_alibi,
        add_bias_ffn=not is_alibi,  # of the first layer; the second always has one
        ffn_activation=ACTIVATIONS[name],
        layer_norm_eps=float(record.get("layer_norm_eps", 1e-12)),
        lm_head=all(kind.endswith(("MaskedLM", "PreTraining")) for kind in record.get("architectures") or ()),
        architecture="bert",
    )


def _tokenizer(size: int, where: Path, vocabulary: Path | None) -> tuple[str, str]:
    """Returns the tokenizer's name and, of a byte-pair encoding, its text."""
    overlapping = next((name for name, kmers in OVERLAPPING.items() if kmers.embedded == size), "")
    if overlapping:
        if vocabulary is not None and vocabulary.name == "vocab.txt":
            _check_vocabulary(overlapping, vocabulary)
        return overlapping, ""
    if vocabulary is None:
        raise UserError(
            where,
            f"a vocabulary of {size} tokens, but no tokenizer.json beside it",
            "Fetch tokenizer.json too.",
        )
    text = _read_text(vocabulary)
    if vocabulary.name == "tokenizer.json":
        return BPE, text
    log.warning(
        "%s: APPROXIMATE tokens: vocab.txt does not say which merges made the vocabulary, so the longest "
        "known token is taken from the left; embeddings are not those of the published tokenizer. Fetch "
        "tokenizer.json.",
        vocabulary,
    )
    return GREEDY, greedy_text(text.splitlines())


def _check_vocabulary(name: str, path: Path) -> None:
    """Compares a vocab.txt, whose last line may lack its end, with the order that is generated."""
    lines, expected = _read_text(path).splitlines(), tokenizer(name).vocabulary
    if tuple(lines) != expected:
        number = next(
            (i for i, (found, known) in enumerate(zip(lines, expected, strict=False)) if found != known),
            min(len(lines), len(expected)),
        )
        raise UserError(
            f"{path}:{number + 1}",
            f"another vocabulary than {name} (found {''.join(lines[number : number + 1])!r}, expected "
            f"{''.join(expected[number : number + 1])!r})",
            "Fetch it again.",
        )


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as fault:
        raise UserError(path, "is no text", "Fetch it again.") from fault
