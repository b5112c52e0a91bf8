"""SegmentNT's head: a one-dimensional U-Net over token embeddings, giving logits per base and feature."""

from __future__ import annotations

from collections.abc import Callable

import haiku as hk
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

KERNEL = 3
POOLS = 2  # average pools of 2: the token count is padded to a multiple of 4
Convolution = Callable[..., hk.Module]


class Convolutions(hk.Module):
    """Two convolutions over the valid positions, each followed by swish (the last one if `end` says so)."""

    def __init__(self, channels: int, kind: Convolution, prefix: str, end: bool, name: str) -> None:
        super().__init__(name=name)
        self.end = end
        self.steps = [
            kind(channels, kernel_shape=KERNEL, padding="SAME", name=f"{prefix}{index}") for index in range(2)
        ]

    def __call__(self, x: Float[Array, "B L C"], valid: Bool[Array, "B L"]) -> Float[Array, "B L E"]:
        for index, step in enumerate(self.steps):
            # Padding looks to the convolution like the end of the window.
            x = step(jnp.where(valid[..., None], x, 0))
            if self.end or index == 0:
                x = jax.nn.silu(x)
        return x


def halve(
    x: Float[Array, "B L C"], valid: Bool[Array, "B L"]
) -> tuple[Float[Array, "B M C"], Bool[Array, "B M"]]:
    """Averages pairs of positions, padding counted as 0; a pair is valid if one of it is."""
    x = jnp.where(valid[..., None], x, 0)
    pairs = x.reshape(x.shape[0], -1, 2, x.shape[2]).mean(axis=2)
    return pairs, valid.reshape(valid.shape[0], -1, 2).any(axis=2)


class UNet(hk.Module):
    """Two levels down (D, 2 D channels), two levels up, a skip connection at each."""

    def __init__(self, embed_dim: int, name: str = "unet1_d_segmentation_head") -> None:
        super().__init__(name=name)
        widths = [embed_dim * 2**level for level in range(POOLS)]
        self.down = [
            Convolutions(width, hk.Conv1D, "conv", True, f"downsample_block_{level}")
            for level, width in enumerate(widths)
        ]
        self.up = [
            Convolutions(width, hk.Conv1DTranspose, "conv_transpose", True, f"upsample_block_{level}")
            for level, width in enumerate(reversed(widths))
        ]
        self.final = Convolutions(2 * (embed_dim // 2), hk.Conv1D, "conv", False, "final_conv1_d")

    def __call__(self, x: Float[Array, "B L D"], valid: Bool[Array, "B L"]) -> Float[Array, "B L E"]:
        skips = []
        for block in self.down:
            skip = block(x, valid)
            skips.append((skip, valid))
            x, valid = halve(skip, valid)
        for block in self.up:
            x = jnp.repeat(block(x, valid), 2, axis=1)
            skip, valid = skips.pop()
            x = x + skip
        return self.final(x, valid)


class SegmentationHead(hk.Module):
    """Token embeddings (CLS dropped) to float32 logits per base and feature.

    Padding never changes a valid position: pads are zero before every convolution and pool, so that
    they look like the window's end. A row of n tokens gives what it gives alone when n is a multiple
    of 4; other rows give what they give padded to the next multiple of 4 (the published code refuses
    those and lets padding leak).
    """

    def __init__(self, embed_dim: int, features: int, bases_per_token: int, name: str = "u_net_head") -> None:
        super().__init__(name=name)
        self.features, self.bases = features, bases_per_token
        self.unet = UNet(embed_dim)
        self.final = hk.Linear(bases_per_token * 2 * features, name="fc")

    def __call__(
        self, x: Float[Array, "B L D"], valid: Bool[Array, "B L"]
    ) -> Float[Array, "B S {self.features} 2"]:
        length = x.shape[1]
        extra = -length % 2**POOLS
        x = jnp.pad(x, ((0, 0), (0, extra), (0, 0)))
        hidden = self.unet(x, jnp.pad(valid, ((0, 0), (0, extra))))[:, :length]
        # The last product in float32: rounded logits would move probabilities by more than a track's step.
        logits = self.final(jax.nn.silu(hidden).astype(jnp.float32))
        return logits.reshape(len(x), length * self.bases, self.features, 2)
