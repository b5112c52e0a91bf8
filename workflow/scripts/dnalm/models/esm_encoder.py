"""The encoder of the Nucleotide Transformer family: pre-norm transformer blocks and a language-model head."""

from __future__ import annotations

from collections.abc import Callable, Collection

import haiku as hk
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32

from dnalm.models.attention import SelfAttention, choose_mapped, rotary_tables
from dnalm.models.config import ROOTS, ModelConfig


def activation(name: str) -> Callable[[Array], Array]:
    """Returns the activation that a config names."""
    return {
        "gelu-no-approx": lambda x: jax.nn.gelu(x, approximate=False),
        "gelu": lambda x: jax.nn.gelu(x, approximate=True),
        "swish": jax.nn.silu,
        "relu": jax.nn.relu,
    }[name]


def activated(hidden: Float[Array, "*B F"], config: ModelConfig) -> Float[Array, "*B G"]:
    """Returns the inner values of a feed-forward layer; of a gated one the activated half times the other."""
    activate = activation(config.ffn_activation)
    if not config.use_glu_in_ffn:
        return activate(hidden)
    gate, linear = jnp.split(hidden, 2, axis=-1)
    return activate(gate) * linear


class LayerNorm(hk.LayerNorm):
    """Layer norm over the last axis, computed in float32 whatever the input's type."""

    def __init__(self, eps: float, name: str) -> None:
        super().__init__(axis=-1, create_scale=True, create_offset=True, eps=eps, name=name)

    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B D"]:
        return super().__call__(x.astype(jnp.float32)).astype(x.dtype)


class LearnedPositions(hk.Module):
    """Adds a learned vector per position; pads take row `pad_id`, the first token row `pad_id` + 1."""

    def __init__(self, config: ModelConfig, name: str = "esm_learned_positional_embeddings") -> None:
        super().__init__(name=name)
        self.pad_id = config.tokens.pad_id
        self.table = hk.Embed(config.max_tokens + self.pad_id + 1, config.embed_dim, name="embed")

    def __call__(self, tokens: Int32[Array, "B L"]) -> Float[Array, "B L D"]:
        valid = (tokens != self.pad_id).astype(jnp.int32)
        return self.table(jnp.cumsum(valid, axis=1) * valid + self.pad_id)


class AttentionLayer(hk.Module):
    """One pre-norm block: self-attention, then a (gated) feed-forward layer."""

    def __init__(self, config: ModelConfig, mapped: bool, name: str) -> None:
        super().__init__(name=name)
        self.config = config
        width, bias = config.ffn_embed_dim, config.add_bias_ffn
        self.attention = SelfAttention(config.attention_heads, config.key_size, config.add_bias_kv, mapped)
        self.attention_norm = LayerNorm(config.layer_norm_eps, "self_attention_layer_norm")
        self.fc1 = hk.Linear(2 * width if config.use_glu_in_ffn else width, with_bias=bias, name="fc1")
        self.fc2 = hk.Linear(config.embed_dim, with_bias=bias, name="fc2")
        self.final_norm = LayerNorm(config.layer_norm_eps, "final_layer_norm")

    def __call__(
        self,
        x: Float[Array, "B L D"],
        mask: Bool[Array, "B _ L"],
        tables: tuple[Float[Array, "L K"], Float[Array, "L K"]] | None,
        weights: bool,
    ) -> tuple[Float[Array, "B L D"], Float[Array, "B H L M"] | None]:
        output, attention = self.attention(self.attention_norm(x), mask, tables, weights)
        x = x + output
        hidden = activated(self.fc1(self.final_norm(x)), self.config)
        return x + self.fc2(hidden), attention


class LanguageHead(hk.Module):
    """The masked-language-model head; its first layer norm also ends the encoder."""

    def __init__(self, config: ModelConfig, name: str = "roberta_lm_head") -> None:
        super().__init__(name=name)
        self.last_norm = LayerNorm(config.layer_norm_eps, "emb_layer_norm_after")
        self.fc1 = hk.Linear(config.embed_dim, name="lm_head_fc_1")
        self.norm = LayerNorm(config.layer_norm_eps, "lm_head_layer_norm")
        self.final = hk.Linear(config.vocabulary_size, name="lm_final_fc")

    def __call__(self, embeddings: Float[Array, "B L D"]) -> Float[Array, "B L V"]:
        return self.final(self.norm(activation("gelu-no-approx")(self.fc1(embeddings))))


class Encoder(hk.Module):
    """Tokens to embeddings of chosen layers, attention maps and logits; stops at the deepest one needed."""

    def __init__(
        self, config: ModelConfig, mapped: bool | None, remat: bool = False, name: str = ROOTS["esm"]
    ) -> None:
        super().__init__(name=name)
        self.config, self.mapped, self.remat = config, mapped, remat
        self.table = hk.Embed(config.vocabulary_size, config.embed_dim, name="embed")
        if config.positional_embedding == "learned":
            self.positions = LearnedPositions(config)
        if config.emb_layer_norm_before:
            self.norm_before = LayerNorm(config.layer_norm_eps, "emb_layer_norm_before")
        self.head = LanguageHead(config)

    def _drop_tokens(self, x: Float[Array, "B L D"], tokens: Int32[Array, "B L"]) -> Float[Array, "B L D"]:
        """Zeroes <mask> and rescales by the share of masked tokens, in training and inference alike."""
        config, reader = self.config, self.config.tokens
        masked = tokens == reader.mask_id
        count = jnp.maximum((tokens != reader.pad_id).sum(axis=1), 1)  # 1: a row of pads only
        kept = 1 - masked.sum(axis=1) / count
        scale = (1 - config.masking_ratio * config.masking_prob) / jnp.where(kept > 0, kept, 1)
        return (jnp.where(masked[..., None], 0, x) * scale[:, None, None]).astype(x.dtype)

    def _embed(self, tokens: Int32[Array, "B L"]) -> Float[Array, "B L D"]:
        x = self.table(tokens) * self.config.embed_scale
        if self.config.token_dropout:
            x = self._drop_tokens(x, tokens)
        if self.config.positional_embedding == "learned":
            x = x + self.positions(tokens)
        return self.norm_before(x) if self.config.emb_layer_norm_before else x

    def __call__(
        self,
        tokens: Int32[Array, "B L"],
        attention_mask: Bool[Array, "B 1 L L"] | None,
        layers: Collection[int],
        attention_layers: Collection[int],
        logits: bool,
        rescaling_factor: float | None,
    ) -> dict[str, Array]:
        config, outputs, length = self.config, {}, tokens.shape[1]
        mapped = choose_mapped(config.attention_heads, length) if self.mapped is None else self.mapped
        valid = tokens != config.tokens.pad_id
        mask = valid[:, None, :] if attention_mask is None else attention_mask[:, 0]
        tables = None
        if config.positional_embedding == "rotary":
            tables = rotary_tables(length, config.key_size, rescaling_factor)
        x = self._embed(tokens)
        depth = config.num_layers if logits else max([*layers, *attention_layers], default=0)
        for number in range(1, depth + 1):
            block = AttentionLayer(config, mapped, name=f"attention_layer_{number - 1}")
            weights = number in attention_layers
            if self.remat and not weights:
                x = hk.remat(lambda x, block=block: block(x, mask, tables, False)[0])(x)
                attention = None
            else:
                x, attention = block(x, mask, tables, weights)
            if attention is not None:
                outputs[f"attention_{number}"] = attention
            if number == config.num_layers and (number in layers or logits):
                x = self.head.last_norm(x)  # the published last embedding is the normalised one
            if number in layers:
                outputs[f"embeddings_{number}"] = x
        if logits:
            outputs["logits"] = jnp.where(valid[..., None], self.head(x), 0)
        return outputs
