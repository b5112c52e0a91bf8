"""Builds small checkpoints in every published layout, whole or broken; torch is not needed."""

from __future__ import annotations

import io
import json
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np

from dnalm import models
from dnalm.checkpoints.safetensors_file import write_safetensors
from dnalm.checkpoints.tensors import in_memory
from dnalm.models.config import ModelConfig

CONFIG = ModelConfig(
    "v2_3mer", 75, 64, embed_dim=8, num_layers=1, attention_heads=2, key_size=4, ffn_embed_dim=12
)
QUERY = "esm_transformer/attention_layer_0/~/self_attention/query"
HYPERPARAMS = {
    "k_for_kmers": 3,
    "max_positions": 64,
    "embed_scale": 1.0,
    "emb_layer_norm_before": False,
    "attention_heads": 2,
    "embed_dim": 8,
    "ffn_embed_dim": 12,
    "num_layers": 1,
    "token_dropout": False,
    "masking_ratio": 0.0,
    "masking_prob": 0.0,
    "use_rotary_embedding": True,
    "add_bias_ffn": False,
    "use_glu_in_ffn": True,
    "ffn_activation_name": "swish",
    "an_unknown_entry": "ignored",
}


def jax_folder(folder: Path, params=None, hyperparams=None) -> Path:
    """Writes jax_model/ with joblib itself, as the published files were made."""
    import joblib

    (folder / "jax_model").mkdir(parents=True)
    (folder / "jax_model" / "hyperparams.json").write_text(json.dumps(hyperparams or HYPERPARAMS))
    joblib.dump(params or models.init_params(CONFIG, 0), folder / "jax_model" / "pytree_ckpt.joblib")
    return folder


LAYER = {
    "self_attention/query": "attention.self.query",
    "self_attention/key": "attention.self.key",
    "self_attention/value": "attention.self.value",
    "self_attention/mha_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.LayerNorm",
    "final_layer_norm": "LayerNorm",
    "fc1": "intermediate.dense",
    "fc2": "output.dense",
}
OTHERS = {
    "esm_transformer/~/embed": "esm.embeddings.word_embeddings",
    "esm_transformer/~/esm_learned_positional_embeddings/~/embed": "esm.embeddings.position_embeddings",
    "esm_transformer/~/emb_layer_norm_before": "esm.embeddings.layer_norm",
    "esm_transformer/~/roberta_lm_head/~/emb_layer_norm_after": "esm.encoder.emb_layer_norm_after",
    "esm_transformer/~/roberta_lm_head/~/lm_head_fc_1": "lm_head.dense",
    "esm_transformer/~/roberta_lm_head/~/lm_head_layer_norm": "lm_head.layer_norm",
    "esm_transformer/~/roberta_lm_head/~/lm_final_fc": "lm_head.decoder",
    "u_net_head/~/fc": "fc",
}
UNET = {
    r"downsample_block_(\d)/~/conv(\d)": r"unet._downsample_blocks.\1.conv_layers.\2",
    r"upsample_block_(\d)/~/conv_transpose(\d)": r"unet._upsample_blocks.\1.conv_layers.\2",
    r"final_conv1_d/~/conv(\d)": r"unet.final_block.conv_layers.\1",
}


def _torch_module(module: str) -> str:
    if module in OTHERS:
        return OTHERS[module]
    if match := re.fullmatch(r"esm_transformer/attention_layer_(\d+)/~/(.+)", module):
        return f"esm.encoder.layer.{match[1]}.{LAYER[match[2]]}"
    rest = module.removeprefix("u_net_head/~/unet1_d_segmentation_head/~/")
    return next(re.sub(a, b, rest) for a, b in UNET.items() if re.fullmatch(a, rest))


def torch_names(params, with_unused: bool = True) -> dict[str, np.ndarray]:
    """Returns the tensors of a model under the hub's torch names, as views in whatever order they lie."""
    tensors = {}
    for module, leaves in params.items():
        name = _torch_module(module)
        for leaf, array in leaves.items():
            if leaf in ("w", "embeddings"):
                array = array[::-1] if "conv_transpose" in module else array
                tensors[f"{name}.weight"] = array if leaf == "embeddings" else array.T
            elif name == "lm_head.decoder":
                tensors["lm_head.bias"] = array
            else:
                tensors[f"{name}.{'weight' if leaf == 'scale' else 'bias'}"] = array
    if with_unused:  # in the hub's files, but no part of the computation
        dim = params["esm_transformer/~/embed"]["embeddings"].shape[1]
        if "esm.embeddings.position_embeddings.weight" not in tensors:
            tensors["esm.embeddings.position_embeddings.weight"] = np.zeros((66, dim), np.float32)
        tensors["esm.contact_head.regression.bias"] = np.zeros(1, np.float32)
        tensors["esm.encoder.layer.0.attention.self.rotary_embeddings.inv_freq"] = np.zeros(2, np.float32)
    return tensors


def old_jax_names(params) -> dict:
    """Returns a tree under the names of the files of 2023."""
    old = {
        "/self_attention/": "/mha/",
        "/self_attention_layer_norm": "/mha_layer_norm",
        "/roberta_lm_head": "/esm_roberta_lm_head",
    }
    renamed = {}
    for module, leaves in params.items():
        for new, name in old.items():
            module = module.replace(new, name)
        renamed[module] = leaves
    return renamed


TORCH_CONFIG = {
    "hidden_size": 8,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 12,
    "max_position_embeddings": 66,
    "position_embedding_type": "rotary",
    "token_dropout": False,
    "vocab_size": 75,
    "layer_norm_eps": 1e-12,
    "add_bias_fnn": False,
}


def torch_folder(folder: Path, params=None, kind="safetensors", config=None) -> Path:
    """Writes config.json and the weights: safetensors, bin, or either of them sharded in two."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config or TORCH_CONFIG))
    write_torch_weights(folder, torch_names(params or models.init_params(CONFIG, 0)), kind)
    return folder


def write_torch_weights(folder: Path, tensors: dict[str, np.ndarray], kind: str) -> None:
    """Writes one tensor at a time; kind is safetensors, shards, bin or bin_shards."""
    stem, suffix = ("pytorch_model", "bin") if kind.startswith("bin") else ("model", "safetensors")
    write = write_torch_zip if suffix == "bin" else _write_safetensors
    if not kind.endswith("shards"):
        write(folder / f"{stem}.{suffix}", tensors)
        return
    names = sorted(tensors)
    parts = {f"{stem}-0000{number}-of-00002.{suffix}": names[number - 1 :: 2] for number in (1, 2)}
    for part, keys in parts.items():
        write(folder / part, {key: tensors[key] for key in keys})
    weight_map = {key: part for part, keys in parts.items() for key in keys}
    index = {"metadata": {"total_size": sum(t.nbytes for t in tensors.values())}, "weight_map": weight_map}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))


def _write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    write_safetensors(path, {name: in_memory(tensor) for name, tensor in tensors.items()}, "float32")


class _TorchName:
    """Pickled as a bare global of a module that is not installed here."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class _Call:
    def __init__(self, function: _TorchName, arguments: tuple) -> None:
        self.function, self.arguments = function, arguments


class _TorchPickler(pickle._Pickler):
    """Writes what torch.save writes: global names, tensors rebuilt from storages named by persistent ids."""

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _TorchName):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, _Call):
            self.save(obj.function)
            self.save(obj.arguments)
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj):
        return obj.pid if isinstance(obj, _Storage) else None


class _Storage:
    def __init__(self, pid: tuple) -> None:
        self.pid = pid


def torch_pickle(handle, tensors: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Writes data.pkl of a state dictionary and returns the members that hold the numbers."""
    members, state = {}, {}
    for key, (name, tensor) in enumerate(tensors.items()):
        if not (tensor.flags.c_contiguous or tensor.flags.f_contiguous):
            tensor = np.ascontiguousarray(tensor)
        members[str(key)] = tensor
        rebuild = _TorchName("torch._utils", "_rebuild_tensor_v2")
        empty = _TorchName("collections", "OrderedDict")
        storage = _Storage(("storage", _TorchName("torch", kind), str(key), "cpu", tensor.size))
        strides = tuple(stride // tensor.itemsize for stride in tensor.strides)
        state[name] = _Call(rebuild, (storage, 0, tensor.shape, strides, False, _Call(empty, ())))
    _TorchPickler(handle, 2).dump(state)
    return members


def write_torch_zip(path: Path, tensors, compression=zipfile.ZIP_STORED, kind="FloatStorage") -> None:
    """Writes what torch.save writes; each member as its tensor lies in memory, column-major ones too."""
    data = io.BytesIO()
    members = torch_pickle(data, tensors, kind)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        for key, tensor in members.items():
            archive.writestr(f"archive/data/{key}", tensor.tobytes("A"))
