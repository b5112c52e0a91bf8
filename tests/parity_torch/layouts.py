"""The layouts in which torch-side checkpoints are published, and some that a reader should know as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from cases import TOKENS, Case
from safetensors.torch import save_file
from torch import Tensor
from transformers import EsmForMaskedLM

Tensors = dict[str, Tensor]
Folder = Callable[[str], Path]


def write_json(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, indent=2) + "\n")


def column_major(tensor: Tensor) -> Tensor:
    """Returns the same matrix with its columns one after the other in memory."""
    return tensor.t().contiguous().t()


def published_tensors(model: EsmForMaskedLM) -> Tensors:
    """Returns the weights as published .bin files hold them: column-major matrices, int64 position ids."""
    tensors = model.state_dict()
    for name in list(tensors):
        if name.endswith("dense.weight") or name.endswith("decoder.weight"):
            tensors[name] = column_major(tensors[name])
    tensors["esm.embeddings.position_ids"] = torch.arange(TOKENS + 2)[None]
    return tensors


def save_bin_shards(folder: Path, tensors: Tensors, count: int) -> None:
    """Writes .bin files and their index as transformers 4 did; version 5 writes safetensors only."""
    names, weight_map = list(tensors), {}
    for number in range(count):
        file = f"pytorch_model-{number + 1:05d}-of-{count:05d}.bin"
        part = names[number * len(names) // count : (number + 1) * len(names) // count]
        torch.save({name: tensors[name] for name in part}, folder / file)
        weight_map |= dict.fromkeys(part, file)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    index = {"metadata": {"total_size": size}, "weight_map": weight_map}
    write_json(folder / "pytorch_model.bin.index.json", index)


# Of mixed files; the weights are rounded from the start, so that these types hold them exactly.
MIXED = {
    "esm.embeddings.word_embeddings.weight": torch.float16,
    "esm.encoder.layer.0.attention.self.query.weight": torch.bfloat16,
    "esm.encoder.layer.0.output.dense.bias": torch.bfloat16,
    "lm_head.decoder.weight": torch.float64,
}


def round_weights(case: Case, model: EsmForMaskedLM) -> None:
    """Rounds what some file of a case stores in 16 bits, so that all its files hold the same numbers."""
    for name, tensor in model.state_dict().items():
        if case.name == "norm_before":
            tensor.copy_(tensor.bfloat16().half())  # fewer digits of the one, shorter range of the other
        elif case.name == "nt_v1_3mer":
            tensor.copy_(tensor.to(MIXED.get(name, tensor.dtype)))


def mix(tensors: Tensors) -> Tensors:
    """Returns the tensors in MIXED types, as parts of one storage, and one as a parameter."""
    mixed = {name: tensor.to(MIXED.get(name, tensor.dtype)) for name, tensor in tensors.items()}
    names = [f"esm.encoder.layer.1.attention.self.{name}.weight" for name in ("query", "key", "value")]
    fused = torch.cat([tensors[name] for name in names])
    mixed |= dict(zip(names, fused.chunk(3), strict=True))
    mixed["lm_head.dense.weight"] = torch.nn.Parameter(column_major(tensors["lm_head.dense.weight"]))
    return mixed


def save_safetensors(model: EsmForMaskedLM, folder: Path, **options: Any) -> None:
    """Writes published names; by default, transformers 5 names gamma and beta in a model made anew."""
    model.save_pretrained(folder, save_original_format=False, **options)


def save_nt_v1(model: EsmForMaskedLM, folder: Folder) -> None:
    save_safetensors(model, folder("safetensors"))
    save_bin_shards(folder("bin_shards"), published_tensors(model), 2)


def save_nt_v1_3mer(model: EsmForMaskedLM, folder: Folder) -> None:
    save_safetensors(model, folder("safetensors"))
    save_safetensors(model, folder("safetensors_shards"), max_shard_size="30KB")
    torch.save(model.state_dict(), folder("bin") / "pytorch_model.bin")
    torch.save(published_tensors(model), folder("bin_published") / "pytorch_model.bin")
    save_bin_shards(folder("bin_shards"), published_tensors(model), 3)
    mixed = mix(model.state_dict())
    torch.save(mixed, folder("bin_mixed") / "pytorch_model.bin")
    contiguous = {name: tensor.detach().clone().contiguous() for name, tensor in mixed.items()}
    save_file(contiguous, folder("safetensors_mixed") / "model.safetensors", metadata={"format": "pt"})


def save_agro_nt(model: EsmForMaskedLM, folder: Folder) -> None:
    save_safetensors(model, folder("safetensors_shards"), max_shard_size="40KB")


def save_norm_before(model: EsmForMaskedLM, folder: Folder) -> None:
    save_safetensors(model, folder("safetensors"))
    model.save_pretrained(folder("safetensors_gamma_beta"))
    for dtype in (torch.float16, torch.bfloat16):
        kind = str(dtype).removeprefix("torch.")
        save_safetensors(model.to(dtype), folder(f"safetensors_{kind}"))
        torch.save(model.state_dict(), folder(f"bin_{kind}") / "pytorch_model.bin")
        model.float()


SAVERS = {
    "nt_v1": save_nt_v1,
    "nt_v1_3mer": save_nt_v1_3mer,
    "agro_nt": save_agro_nt,
    "norm_before": save_norm_before,
}
