"""The encoders of DNABERT, GROVER and DNABERT-2: post-norm transformer blocks and a tied language-model head.

Source: Devlin et al. 2019 (BERT); Ji et al. 2021 (DNABERT); Sanabria et al. 2024 (GROVER); for DNABERT-2,
Zhou et al. 2024, Portes et al. 2023 (MosaicBERT) and Press et al. 2022 (ALiBi).
"""

from __future__ import annotations

from collections.abc import Collection

import haiku as hk
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int32

from dnalm.models.attention import SelfAttention, choose_mapped
from dnalm.models.config import ROOTS, ModelConfig
from dnalm.models.esm_encoder import LayerNorm, activated, activation

TOKEN_TYPES = 2  # of which DNA has the first


def alibi_slopes(heads: int) -> Float32[np.ndarray, " H"]:
    """Returns each head's slope: 2 ** (-8 h / n) for h = 1 to n, with n heads that are a power of 2.

    Other numbers of heads have those of the next smaller power of 2, then every second of the next larger's.
    """
    power = 1 << (heads.bit_length() - 1)
    slopes = [2 ** (-8 * (head + 1) / power) for head in range(power)]
    between = [2 ** (-8 * (head + 1) / (2 * power)) for head in range(0, 2 * power, 2)]
    return np.array([*slopes, *between][:heads], np.float32)


class PostNormLayer(hk.Module):
    """One block: self-attention, then a (gated) feed-forward layer, each added and then normalised."""

    def __init__(self, config: ModelConfig, mapped: bool, name: str) -> None:
        super().__init__(name=name)
        self.config = config
        width, epsilon = config.ffn_embed_dim, config.layer_norm_eps
        self.slopes = alibi_slopes(config.attention_heads) if config.positional_embedding == "alibi" else None
        self.attention = SelfAttention(config.attention_heads, config.key_size, False, mapped)
        self.attention_norm = LayerNorm(epsilon, "self_attention_layer_norm")
        inner = 2 * width if config.use_glu_in_ffn else width
        self.fc1 = hk.Linear(inner, with_bias=config.add_bias_ffn, name="fc1")
        self.fc2 = hk.Linear(config.embed_dim, name="fc2")
        self.final_norm = LayerNorm(epsilon, "final_layer_norm")

    def __call__(
        self, x: Float[Array, "B L D"], mask: Bool[Array, "B _ L"], weights: bool
    ) -> tuple[Float[Array, "B L D"], Float[Array, "B H L M"] | None]:
        output, attention = self.attention(x, mask, None, weights, self.slopes)
        x = self.attention_norm(x + output)
        hidden = activated(self.fc1(x), self.config)
        return self.final_norm(x + self.fc2(hidden)), attention


class TiedHead(hk.Module):
    """The masked-language-model head; its last matrix is the table of token embeddings."""

    def __init__(self, config: ModelConfig, name: str = "lm_head") -> None:
        super().__init__(name=name)
        self.size = config.vocabulary_size
        self.fc1 = hk.Linear(config.embed_dim, name="fc1")
        self.norm = LayerNorm(config.layer_norm_eps, "layer_norm")

    def __call__(self, x: Float[Array, "B L D"], table: Float[Array, "V D"]) -> Float[Array, "B L V"]:
        hidden = self.norm(activation("gelu-no-approx")(self.fc1(x)))
        return hidden @ table.T + hk.get_parameter("bias", (self.size,), x.dtype, init=jnp.zeros)


class BertEncoder(hk.Module):
    """Tokens to embeddings of chosen layers, attention maps and logits; stops at the deepest one needed."""

    def __init__(
        self, config: ModelConfig, mapped: bool | None, remat: bool = False, name: str = ROOTS["bert"]
    ) -> None:
        super().__init__(name=name)
        self.config, self.mapped, self.remat = config, mapped, remat
        self.table = hk.Embed(config.vocabulary_size, config.embed_dim, name="embed")
        if config.positional_embedding == "learned":
            self.positions = hk.Embed(config.max_tokens, config.embed_dim, name="positional_embed")
        self.types = hk.Embed(TOKEN_TYPES, config.embed_dim, name="type_embed")
        self.norm = LayerNorm(config.layer_norm_eps, "emb_layer_norm")
        if config.lm_head:
            self.head = TiedHead(config)

    def _embed(self, tokens: Int32[Array, "B L"]) -> Float[Array, "B L D"]:
        x = self.table(tokens) + self.types(jnp.zeros_like(tokens[:1]))
        if self.config.positional_embedding == "learned":
            x = x + self.positions(jnp.arange(tokens.shape[1]))
        return self.norm(x)

    def __call__(
        self,
        tokens: Int32[Array, "B L"],
        attention_mask: Bool[Array, "B 1 L L"] | None,
        layers: Collection[int],
        attention_layers: Collection[int],
        logits: bool,
        rescaling_factor: float | None,
    ) -> dict[str, Array]:
        """`rescaling_factor` is of rotary positions, which these models have not."""
        config, outputs = self.config, {}
        choose = choose_mapped(config.attention_heads, tokens.shape[1])
        mapped = choose if self.mapped is None else self.mapped
        valid = tokens != config.tokens.pad_id
        mask = valid[:, None, :] if attention_mask is None else attention_mask[:, 0]
        x = self._embed(tokens)
        depth = config.num_layers if logits else max([*layers, *attention_layers], default=0)
        for number in range(1, depth + 1):
            block = PostNormLayer(config, mapped, name=f"attention_layer_{number - 1}")
            weights = number in attention_layers
            if self.remat and not weights:
                x = hk.remat(lambda x, block=block: block(x, mask, False)[0])(x)
                attention = None
            else:
                x, attention = block(x, mask, weights)
            if attention is not None:
                outputs[f"attention_{number}"] = attention
            if number in layers:
                outputs[f"embeddings_{number}"] = x
        if logits:
            outputs["logits"] = jnp.where(valid[..., None], self.head(x, self.table.embeddings), 0)
        return outputs
