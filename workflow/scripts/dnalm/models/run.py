"""Runs a model on a batch of tokens and gives every published output by name, as run_model.py writes it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Int32

from dnalm.errors import UserError
from dnalm.files import require_file
from dnalm.models.config import ModelConfig
from dnalm.models.precision import DEFAULT_PRECISION

OUTPUTS = ("embeddings", "attention", "logits", "segmentation")


def parse_layers(text: str, config: ModelConfig) -> tuple[int, ...]:
    """Returns the layers that `all` or `1,2,...` names, numbered from 1.

    Raises:
        UserError: not a number, or a layer that the model does not have.
    """
    if text == "all":
        return tuple(range(1, config.num_layers + 1))
    layers = []
    for word in text.split(","):
        if not word.strip().isdecimal() or not 1 <= int(word) <= config.num_layers:
            raise UserError(
                "--layers", f"no layer {word.strip()!r} (expected 1 to {config.num_layers}, or all)"
            )
        layers.append(int(word))
    return tuple(sorted(set(layers)))


def parse_outputs(text: str, config: ModelConfig) -> tuple[str, ...]:
    """Returns the outputs that a comma list names.

    Raises:
        UserError: an unknown output, or one that the checkpoint cannot give.
    """
    outputs = tuple(word.strip() for word in text.split(","))
    for output in outputs:
        if output not in OUTPUTS:
            raise UserError("--outputs", f"{output!r} not known (expected some of {','.join(OUTPUTS)})")
    if "segmentation" in outputs and not config.features:
        raise UserError(
            "--outputs", "this checkpoint has no segmentation head", "Use a SegmentNT checkpoint."
        )
    if "logits" in outputs and not config.lm_head:
        raise UserError("--outputs", "this checkpoint has no language-model head", "Leave logits out.")
    return outputs


def read_tokens(path: Path) -> Int32[np.ndarray, "B L"]:
    """Reads token ids, any integer type, from a .npy file.

    Raises:
        UserError: no such array.
    """
    tokens = _read_npy(path)
    if tokens.ndim != 2 or tokens.dtype.kind not in "iu" or tokens.size == 0:
        raise UserError(path, f"found {tokens.dtype} of shape {tokens.shape}, expected integers (B,T)")
    return np.clip(tokens, -1, np.iinfo(np.int32).max).astype(np.int32)


def read_attention_mask(path: Path, tokens: Int32[np.ndarray, "B L"]) -> Bool[np.ndarray, "B 1 L L"]:
    """Reads an attention mask that fits the tokens from a .npy file: true where a query may see a key.

    Raises:
        UserError: no such array, or another shape.
    """
    mask, (rows, length) = _read_npy(path), tokens.shape
    if mask.shape != (rows, 1, length, length) or mask.dtype != np.bool_:
        raise UserError(
            path, f"found {mask.dtype} of shape {mask.shape}, expected bool {(rows, 1, length, length)}"
        )
    return mask


def _read_npy(path: Path) -> np.ndarray:
    try:
        array = np.load(require_file(path, "array"), allow_pickle=False)
    except (ValueError, EOFError, OSError) as fault:
        raise UserError(path, f"no .npy file of numbers ({fault})") from fault
    if not isinstance(array, np.ndarray):
        raise UserError(path, "holds several arrays (.npz), expected one (.npy)")
    return array


def check_input(
    config: ModelConfig,
    tokens: Int32[np.ndarray, "B L"],
    rescaling_factor: float | None,
    names: Sequence[str] | None = None,
) -> None:
    """Checks a batch of tokens against what a model can take.

    Raises:
        UserError: an id without an embedding, more tokens than the model takes, or a rescaling factor
            that is not positive or of a model without rotary positions.
    """
    rotary = config.positional_embedding == "rotary"
    if rescaling_factor is not None and not (rotary and 0 < rescaling_factor < float("inf")):
        raise UserError(
            "--rescaling-factor",
            f"{rescaling_factor} with {config.positional_embedding} positions "
            "(expected a positive number and rotary positions)",
        )
    if tokens.size == 0 or tokens.min() < 0 or tokens.max() >= config.vocabulary_size:
        found = f"{tokens.min()} to {tokens.max()}" if tokens.size else "none"
        raise UserError("tokens", f"ids {found} (expected 0 to {config.vocabulary_size - 1})")
    limit = config.token_limit(rescaling_factor)
    counts = (tokens != config.tokens.pad_id).sum(axis=1)
    if counts.max() > limit:
        row = int(counts.argmax())
        stretch = ", or a larger --rescaling-factor" if rotary else ""
        raise UserError(
            names[row] if names else f"row {row + 1}",
            f"window too long for the model (found {counts[row]} tokens, expected at most {limit})",
            f"Use shorter windows{stretch}.",
        )


def run_model(
    params: Mapping[str, Mapping[str, Any]],
    config: ModelConfig,
    tokens: Int32[np.ndarray, "B L"],
    attention_mask: Bool[np.ndarray, "B 1 L L"] | None,
    layers: Collection[int],
    outputs: Collection[str],
    rescaling_factor: float | None = None,
    batch_size: int = 8,
    precision: str = DEFAULT_PRECISION,
) -> dict[str, np.ndarray]:
    """Returns the outputs of all rows, float32, by the names of `models.forward`, and `features`.

    Args:
        precision: that the model computes in (see `models.forward`).

    Raises:
        UserError: a batch size below 1, an unknown precision, or values that the precision cannot hold.
    """
    import jax

    from dnalm.models import forward

    if batch_size < 1:
        raise UserError("--batch-size", f"found {batch_size}, expected at least 1")
    apply = jax.jit(
        forward(
            config,
            layers=layers if "embeddings" in outputs else (),
            attention_layers=layers if "attention" in outputs else (),
            logits="logits" in outputs,
            segmentation="segmentation" in outputs,
            rescaling_factor=rescaling_factor,
            precision=precision,
        )
    )
    on_device = jax.device_put(params)
    batches = []
    for start in range(0, len(tokens), batch_size):
        rows = slice(start, start + batch_size)
        mask = () if attention_mask is None else (attention_mask[rows],)
        batch = jax.device_get(apply(on_device, tokens[rows], *mask))
        batches.append({name: values.astype(np.float32, copy=False) for name, values in batch.items()})
    results = {name: np.concatenate([batch[name] for batch in batches]) for name in sorted(batches[0])}
    for name, values in results.items():
        if not np.isfinite(values).all():
            raise UserError(
                name,
                f"NaN or infinite values computed in {precision}",
                "Check the checkpoint; with --precision float16 use bfloat16.",
            )
    return {
        "tokens": tokens,
        **results,
        **({"features": np.array(config.features)} if config.features else {}),
    }
