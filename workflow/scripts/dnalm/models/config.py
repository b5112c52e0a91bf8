"""Every switch of the models in one frozen record."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from dnalm.errors import UserError
from dnalm.tokens import BPE, GREEDY, KmerTokenizer, Tokenizer, kmer_tokenizer, tokenizer

# The published JAX code always uses 1e-5; the hub's torch configs often say 1e-12 for the same weights,
# which moves embeddings by up to 4e-4.
LAYER_NORM_EPS = 1e-5
ACTIVATIONS = ("gelu-no-approx", "gelu", "swish", "relu")
# SegmentNT, trained on 30 kb, was shown to hold up to 50 kb (its paper, Fig. 3); nobody measured beyond.
LONGEST_STRETCH = 5 / 3
LABELS = ("own_strand", "either_strand", "")
ROOTS = {"esm": "esm_transformer", "bert": "bert"}  # architecture -> first part of its parameters' names
POSITIONS = {"esm": ("learned", "rotary"), "bert": ("learned", "alibi")}


def stretched(max_tokens: int) -> int:
    """Returns the tokens that rescaled rotary positions are trusted for beyond the trained ones."""
    return int(max_tokens * LONGEST_STRETCH)


@dataclass(frozen=True)
class ModelConfig:
    """One model: NT v1, v2, AgroNT, codon, SegmentNT (with `features`), DNABERT, DNABERT-2 or GROVER.

    Args:
        tokenizer: one of `tokens.NAMES`.
        max_tokens: tokens, special ones included, that the model was trained for.
        embed_dim: D. key_size: width of one head's keys (times attention_heads need not be D).
        ffn_embed_dim: width of the feed-forward layer (of each half with a gated linear unit).
        positional_embedding: learned or rotary; with BERT learned or alibi (a slope per head on distances).
        token_dropout, masking_ratio, masking_prob: v1 rescales its token embeddings by
            (1 - masking_ratio * masking_prob) / (1 - observed share of <mask>), at inference too.
        rescaling_factor: s of the rotary base 10000 * s ** (key / (key - 2)); None is 1.
        lm_head: the weights include the language-model head.
        features: names of the segmentation head's outputs; () for language models.
        labels: strand convention of a segmentation model: own_strand, either_strand, or "" without features.
        architecture: esm (norms before each half of a block) or bert (norms after; token types; a tied head).
        tokenizer_json: the tokenizer of a byte-pair encoding, as the `tokenizers` library writes it.
    """

    tokenizer: str
    vocabulary_size: int
    max_tokens: int
    embed_dim: int
    num_layers: int
    attention_heads: int
    key_size: int
    ffn_embed_dim: int
    positional_embedding: str = "rotary"
    use_glu_in_ffn: bool = True
    add_bias_ffn: bool = False
    ffn_activation: str = "swish"
    add_bias_kv: bool = False
    emb_layer_norm_before: bool = False
    embed_scale: float = 1.0
    token_dropout: bool = False
    masking_ratio: float = 0.0
    masking_prob: float = 0.0
    layer_norm_eps: float = LAYER_NORM_EPS
    rescaling_factor: float | None = None
    lm_head: bool = True
    features: tuple[str, ...] = ()
    labels: str = ""
    architecture: str = "esm"
    tokenizer_json: str = ""

    def __post_init__(self) -> None:
        faults = {
            "architecture": self.architecture not in ROOTS,
            "positional_embedding": self.positional_embedding not in POSITIONS.get(self.architecture, ()),
            "ffn_activation": self.ffn_activation not in ACTIVATIONS,
            "labels": self.labels not in LABELS,
            "key_size": self.positional_embedding == "rotary" and self.key_size % 2 == 1,
            # rotary tables have one row per token, the added key would need another
            "add_bias_kv": self.positional_embedding == "rotary" and self.add_bias_kv,
            "vocabulary_size": self.vocabulary_size != self.tokens.embedded,
            "features": bool(self.features) and not isinstance(self.tokens, KmerTokenizer),
        }
        if self.tokenizer in (BPE, GREEDY):  # rows beyond the vocabulary are never asked for
            faults["vocabulary_size"] = self.vocabulary_size < self.tokens.embedded
        for name, wrong in faults.items():
            if wrong:
                raise UserError(
                    f"model config, {name}", f"{getattr(self, name)!r} does not fit", "See ModelConfig."
                )

    @property
    def tokens(self) -> Tokenizer:
        """The model's tokenizer."""
        return tokenizer(self.tokenizer, self.tokenizer_json)

    @property
    def kmers(self) -> KmerTokenizer:
        """The tokenizer of a model that reads non-overlapping k-mers, as all with `features` do."""
        return kmer_tokenizer(self.tokenizer)

    @property
    def root(self) -> str:
        """The first part of the encoder's parameter names."""
        return ROOTS[self.architecture]

    @property
    def backbone_tokens(self) -> int:
        """Tokens, CLS included, that the encoder was trained for before its positions were rescaled."""
        return round(self.max_tokens / (self.rescaling_factor or 1))

    @property
    def longest_tokens(self) -> int:
        """Tokens, CLS included, that a segmentation model can be stretched to by rescaling."""
        return self.max_tokens if self.positional_embedding == "learned" else stretched(self.max_tokens)

    def token_limit(self, rescaling_factor: float | None = None) -> int:
        """Returns the most tokens, CLS included, that the model takes.

        A larger rescaling factor than the model's own stretches the limit of a rotary model in proportion.
        """
        if self.positional_embedding == "learned" or rescaling_factor is None:
            return self.max_tokens
        return max(self.max_tokens, round(self.max_tokens * rescaling_factor / (self.rescaling_factor or 1)))

    def to_dict(self) -> dict[str, Any]:
        """Returns all settings; of the esm architecture without those that it has no use for."""
        found = dataclasses.asdict(self)
        if self.architecture == "esm":
            del found["architecture"]
            if not self.tokenizer_json:
                del found["tokenizer_json"]
        return found

    def summary(self) -> dict[str, Any]:
        """Returns the settings that are in use, for manifests; of a byte-pair encoding its sha256."""
        found = {name: value for name, value in json.loads(self.to_json()).items() if value not in (None, [])}
        if self.tokenizer_json:
            found["tokenizer_json"] = hashlib.sha256(self.tokenizer_json.encode()).hexdigest()
        return found

    def to_json(self) -> str:
        """Returns the config as JSON text."""
        return json.dumps(self.to_dict(), indent=2)

    @classmethod
    def from_json(cls, text: str, where: object = "model config") -> ModelConfig:
        """Reads what `to_json` wrote.

        Raises:
            UserError: unknown or missing keys, or values that do not fit.
        """
        return cls.from_dict(json.loads(text), where)

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: object = "model config") -> ModelConfig:
        """Reads a config from a dictionary; unknown and missing keys are a UserError."""
        known = {field.name: field for field in dataclasses.fields(cls)}
        unknown = sorted(set(data) - set(known))
        needed = {name for name, field in known.items() if field.default is dataclasses.MISSING}
        missing = sorted(needed - set(data))
        if unknown or missing:
            raise UserError(
                where, f"unknown keys {unknown}, missing keys {missing}", "Convert the model again."
            )
        return cls(**{**data, "features": tuple(data.get("features", ()))})
