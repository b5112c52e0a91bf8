"""Builds small checkpoints in every published layout, whole or broken; torch is not needed."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from dnalm import models
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


def torch_names(params) -> dict[str, np.ndarray]:
    """Returns the tensors of a one-layer v2 model under the hub's torch names."""
    layer, head = "esm_transformer/attention_layer_0/~/", "esm_transformer/~/roberta_lm_head/~/"
    torch = "esm.encoder.layer.0."
    linear = {
        layer + "self_attention/query": torch + "attention.self.query",
        layer + "self_attention/key": torch + "attention.self.key",
        layer + "self_attention/value": torch + "attention.self.value",
        layer + "self_attention/mha_output": torch + "attention.output.dense",
        layer + "fc1": torch + "intermediate.dense",
        layer + "fc2": torch + "output.dense",
        head + "lm_head_fc_1": "lm_head.dense",
    }
    norms = {
        layer + "self_attention_layer_norm": torch + "attention.LayerNorm",
        layer + "final_layer_norm": torch + "LayerNorm",
        head + "emb_layer_norm_after": "esm.encoder.emb_layer_norm_after",
        head + "lm_head_layer_norm": "lm_head.layer_norm",
    }
    tensors = {
        "esm.embeddings.word_embeddings.weight": params["esm_transformer/~/embed"]["embeddings"],
        "lm_head.decoder.weight": params[head + "lm_final_fc"]["w"].T,
        "lm_head.bias": params[head + "lm_final_fc"]["b"],
        # in the hub's files, but unused
        "esm.embeddings.position_embeddings.weight": np.zeros((66, 8), np.float32),
        "esm.contact_head.regression.bias": np.zeros(1, np.float32),
        torch + "attention.self.rotary_embeddings.inv_freq": np.zeros(2, np.float32),
    }
    for ours, theirs in linear.items():
        tensors[theirs + ".weight"] = params[ours]["w"].T
        if "b" in params[ours]:
            tensors[theirs + ".bias"] = params[ours]["b"]
    for ours, theirs in norms.items():
        tensors[theirs + ".weight"], tensors[theirs + ".bias"] = params[ours]["scale"], params[ours]["offset"]
    return {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}


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


def torch_folder(folder: Path, params=None, kind="safetensors") -> Path:
    """Writes config.json and the weights: safetensors, sharded safetensors, or torch's zip."""
    folder.mkdir(parents=True)
    tensors = torch_names(params or models.init_params(CONFIG, 0))
    (folder / "config.json").write_text(json.dumps(TORCH_CONFIG))
    if kind == "safetensors":
        save_file(tensors, folder / "model.safetensors")
    elif kind == "shards":
        names = sorted(tensors)
        parts = {"model-1.safetensors": names[::2], "model-2.safetensors": names[1::2]}
        for part, keys in parts.items():
            save_file({key: tensors[key] for key in keys}, folder / part)
        index = {"weight_map": {key: part for part, keys in parts.items() for key in keys}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    else:
        write_torch_zip(folder / "pytorch_model.bin", tensors)
    return folder


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


def torch_pickle(handle, tensors: dict[str, np.ndarray], kind: str) -> dict[str, bytes]:
    """Writes data.pkl of a state dictionary and returns the members that hold the numbers."""
    members, state = {}, {}
    rebuild = _TorchName("torch._utils", "_rebuild_tensor_v2")
    empty = _TorchName("collections", "OrderedDict")
    for key, (name, tensor) in enumerate(tensors.items()):
        members[str(key)] = tensor.tobytes("A")  # as it lies in memory
        storage = _Storage(("storage", _TorchName("torch", kind), str(key), "cpu", tensor.size))
        strides = tuple(stride // tensor.itemsize for stride in tensor.strides)
        rebuild, empty = (
            _TorchName("torch._utils", "_rebuild_tensor_v2"),
            _TorchName("collections", "OrderedDict"),
        )
        state[name] = _Call(rebuild, (storage, 0, tensor.shape, strides, False, _Call(empty, ())))
    pickler = _TorchPickler(handle, 2)
    pickler.dump(state)
    return members


def write_torch_zip(path: Path, tensors, compression=zipfile.ZIP_STORED, kind="FloatStorage") -> None:
    data = io.BytesIO()
    members = torch_pickle(data, tensors, kind)
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", data.getvalue())
        for key, content in members.items():
            archive.writestr(f"archive/data/{key}", content)
