"""Our models in published words: names of tensors and settings, by turning the readers' maps around."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from dnalm.checkpoints.bert_config import ALIBI_KEY
from dnalm.checkpoints.bert_names import BERT_NAMES, rename_bert
from dnalm.checkpoints.hub_config import PADDING_ROWS
from dnalm.checkpoints.names import HEAD_ROOT, TORCH_NAMES, rename_torch
from dnalm.checkpoints.tensors import Tensor, Tensors, iterate
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig
from dnalm.tokens import BPE, GREEDY, KMERS

Parameter = tuple[str, str]  # module, name
# Several published spellings are read; these are not written for such positions. The decoders' matrix and
# bias follow transformers' EsmLMHead and BertLMPredictionHead, fused projections DNABERT-2 alone.
_OTHER_SPELLINGS = {
    ("esm", "learned"): r"lm_head\.weight|lm_head\.decoder\.bias",
    ("esm", "rotary"): r"lm_head\.weight|lm_head\.decoder\.bias",
    ("bert", "learned"): r".*\.(?:Wqkv|mlp)\..*|cls\.predictions\.decoder\..*",
    ("bert", "alibi"): r".*\.self\.(?:query|key|value)\..*|.*layer\.\d+\.(?:intermediate|output)\..*"
    r"|cls\.predictions\.decoder\..*",
}
_GROUP = re.compile(r"(\((?:\?:)?[^()]*\)\??)")
ROTARY_BASE = 10_000
ALIBI_POSITIONS = 512  # of DNABERT-2's settings, where the code makes tables to begin with
TOKEN_TYPES = 2  # of BERT
SEGMENT_ROOT = "dcnuc_v2_500M_multi_species"  # of the published SegmentNT's encoder, JAX


def spelled(pattern: str, count: int) -> Iterator[str]:
    """Yields the names that a pattern of the readers' maps stands for, numbers from 0 to `count` - 1."""
    parts: list[list[str]] = []
    for part in _GROUP.split(pattern):
        group = re.fullmatch(r"\((?:\?:)?([^()]*)\)(\??)", part)
        if group and group[1] in (r"\d", r"\d+"):
            parts.append([str(n) for n in range(count if group[1] == r"\d+" else min(count, 10))])
        elif group:
            parts.append([*group[1].split("|"), *([""] if group[2] else [])])
        else:
            parts.append([part])
    for chosen in product(*parts):
        yield "".join(chosen).replace("\\.", ".")


def _renamed(config: ModelConfig, name: str) -> dict[Parameter, Tensor]:
    """Returns what the reader makes of one published tensor; nothing where it knows no such tensor."""
    probe = {name: Tensor((3, 1, 1), "float32", lambda: np.zeros((3, 1, 1), np.float32))}
    try:
        if config.architecture == "bert":
            tree = rename_bert(probe, name)
        else:
            tree = rename_torch(probe, config.positional_embedding == "rotary", name)
    except UserError:
        return {}
    return {(module, leaf): tensor for module, leaves in tree.items() for leaf, tensor in leaves.items()}


def published_names(config: ModelConfig) -> dict[str, dict[Parameter, Tensor]]:
    """Returns, for every PyTorch name of a model, the parameters that the reader makes of it.

    A fused projection holds three; the flags of each tensor say how the reader turns it.

    Raises:
        UserError: a parameter has no published name, or has two.
    """
    from dnalm.models import parameter_shapes

    wanted = {(m, name) for m, leaves in parameter_shapes(config).items() for name in leaves}
    others = re.compile(_OTHER_SPELLINGS[config.architecture, config.positional_embedding])
    is_bert = config.architecture == "bert"
    found: dict[str, dict[Parameter, Tensor]] = {}
    for pattern, *_ in BERT_NAMES if is_bert else TORCH_NAMES:
        for module in spelled(pattern, max(config.num_layers, 2)):
            for leaf in ("weight", "bias"):
                name = f"{module}.{leaf}"
                parts = {} if others.fullmatch(name) else _renamed(config, name)
                if parts and set(parts) <= wanted:
                    prefix = "bert." if is_bert and not name.startswith("cls.") else ""
                    found[prefix + name] = parts
    named = [part for parts in found.values() for part in parts]
    if faults := sorted(wanted - set(named)) or sorted({part for part in named if named.count(part) > 1}):
        raise UserError(
            f"parameter {'/'.join(faults[0])}",
            "has no one name in the published PyTorch layout",
            "Export with --layout jax.",
        )
    return found


def torch_tensors(params: Tensors, config: ModelConfig) -> dict[str, Tensor]:
    """Returns a model's tensors under the published PyTorch names, unread (see `published_names`)."""
    return {
        name: _joined([_turned_back(params[module][leaf], like) for (module, leaf), like in parts.items()])
        for name, parts in published_names(config).items()
    }


def _turned_back(tensor: Tensor, like: Tensor) -> Tensor:
    def load() -> np.ndarray:
        array = tensor.read()[::-1] if like.flipped else tensor.read()
        return array.T if like.transposed else array

    return Tensor(tensor.shape[::-1] if like.transposed else tensor.shape, "float32", load)


def _joined(parts: list[Tensor]) -> Tensor:
    if len(parts) == 1:
        return parts[0]
    shape = (sum(part.shape[0] for part in parts), *parts[0].shape[1:])
    return Tensor(shape, "float32", lambda: np.concatenate([part.read() for part in parts]))


def unused_tensors(config: ModelConfig, dtype: str) -> dict[str, Tensor]:
    """Returns what the hub's files of the esm form hold beside the model, for loaders that want every name.

    Zeros for the contact head and a rotary model's table of positions. The frequencies of rotary positions
    are written as float32 only: rounded ones would spoil a loader that takes them from the file. With these,
    files of the published 50M and 100M models of NT v2 have the published sizes to the byte.
    """
    if config.architecture != "esm":
        return {}
    regression = "esm.contact_head.regression"
    found = {
        f"{regression}.weight": zeros((1, config.num_layers * config.attention_heads)),
        f"{regression}.bias": zeros((1,)),
    }
    if config.positional_embedding == "rotary":
        shape = (config.backbone_tokens + PADDING_ROWS, config.embed_dim)
        found["esm.embeddings.position_embeddings.weight"] = zeros(shape)
        if dtype == "float32" and not config.features:  # the published SegmentNT works them out
            powers = np.arange(0, config.key_size, 2) / config.key_size
            values = (1 / ROTARY_BASE**powers).astype(np.float32)
            for layer in range(config.num_layers):
                name = f"esm.encoder.layer.{layer}.attention.self.rotary_embeddings.inv_freq"
                found[name] = Tensor(values.shape, "float32", lambda: values)
    return found


def zeros(shape: tuple[int, ...]) -> Tensor:
    """Returns a tensor of zeros that takes no memory until it is read."""
    return Tensor(shape, "float32", lambda: np.zeros(shape, np.float32))


def jax_tensors(params: Tensors, config: ModelConfig) -> dict[str, dict[str, Tensor]]:
    """Returns a model's tensors under the published JAX names, those of the v2 files, sorted.

    They are ours but for the root of the published SegmentNT's encoder.
    """
    tree: dict[str, dict[str, Tensor]] = {}
    for module, name, tensor in iterate(params):
        root, _, rest = module.partition("/")
        root = SEGMENT_ROOT if config.features and root != HEAD_ROOT else root
        tree.setdefault(f"{root}/{rest}", {})[name] = tensor
    return tree


def jax_record(config: ModelConfig) -> dict[str, Any]:
    """Returns the published hyperparams.json of a model of the esm form."""
    rotary = config.positional_embedding == "rotary"
    segment = {"rescaling_factor": config.rescaling_factor, "features": list(config.features)}
    return {
        "k_for_kmers": config.kmers.k,
        "max_positions": config.backbone_tokens,
        "embed_scale": config.embed_scale,
        "emb_layer_norm_before": config.emb_layer_norm_before,
        "key_dim": config.key_size,
        "attention_heads": config.attention_heads,
        "embed_dim": config.embed_dim,
        "ffn_embed_dim": config.ffn_embed_dim,
        "num_layers": config.num_layers,
        "token_dropout": config.token_dropout,
        "masking_ratio": config.masking_ratio,
        "masking_prob": config.masking_prob,
        "positional_embedding": None if rotary else "learned",
        "lm_head": "roberta",
        "add_bias_kv": config.add_bias_kv,
        "add_bias_ffn": config.add_bias_ffn,
        "use_rotary_embedding": rotary,
        "ffn_activation_name": config.ffn_activation,
        "use_glu_in_ffn": config.use_glu_in_ffn,
        **(segment if config.features else {}),
    }


def classes(modules: Mapping[str, str], repository: str) -> dict[str, str]:
    """Returns an `auto_map` whose modules lie in a repository ("" for the folder itself)."""
    return {name: f"{repository}--{place}" if repository else place for name, place in modules.items()}


_ESM = {
    "attention_probs_dropout_prob": 0.0,
    "esmfold_config": None,
    "hidden_dropout_prob": 0.0,
    "initializer_range": 0.02,
    "is_folding_model": False,
    "tie_word_embeddings": False,
    "use_cache": False,
    "vocab_list": None,
}
_V2_CLASSES = ("EsmForMaskedLM", "EsmForTokenClassification", "EsmForSequenceClassification")
_V2_MAP = {
    "AutoConfig": "esm_config.EsmConfig",
    **{name.replace("Esm", "AutoModel"): f"modeling_esm.{name}" for name in _V2_CLASSES},
}
_SEGMENT_MAP = {
    "AutoConfig": "segment_nt_config.SegmentNTConfig",
    "AutoModel": "modeling_segment_nt.SegmentNT",
}
_ALIBI_MAP = {
    "AutoConfig": "configuration_bert.BertConfig",
    "AutoModelForMaskedLM": "bert_layers.BertForMaskedLM",
}


def torch_record(config: ModelConfig, dtype: str, repository: str) -> dict[str, Any]:
    """Returns the hub's config.json of a model.

    For published models of NT v1, v2 and AgroNT it is the hub's to the byte (their sha256), but for the
    version of transformers, which differs between files of one form.

    Args:
        dtype: of the weights.
        repository: of the hub, with the PyTorch code that reads such a model; unused where transformers does.
    """
    if config.architecture == "bert":
        return _bert_record(config, dtype, repository)
    record: dict[str, Any] = {
        **_ESM,
        "architectures": ["EsmForMaskedLM"],
        "emb_layer_norm_before": config.emb_layer_norm_before,
        "hidden_size": config.embed_dim,
        "intermediate_size": config.ffn_embed_dim,
        "layer_norm_eps": config.layer_norm_eps,
        "mask_token_id": config.tokens.mask_id,
        "max_position_embeddings": config.backbone_tokens + PADDING_ROWS,
        "num_attention_heads": config.attention_heads,
        "num_hidden_layers": config.num_layers,
        "pad_token_id": config.tokens.pad_id,
        "position_embedding_type": "absolute",
        "token_dropout": config.token_dropout,
        "torch_dtype": dtype,
        "transformers_version": "4.29.0.dev0",
        "vocab_size": config.vocabulary_size,
    }
    if config.positional_embedding == "rotary":
        record |= {
            "add_bias_fnn": config.add_bias_ffn,  # the published spelling
            "architectures": list(_V2_CLASSES),
            "auto_map": classes(_V2_MAP, repository),
            "position_embedding_type": "rotary",
            "transformers_version": "4.32.0.dev0",
        }
    else:
        record["model_type"] = "esm"
    if config.features:
        record |= {
            "architectures": ["SegmentNT"],
            "auto_map": classes(_SEGMENT_MAP, repository),
            "features": list(config.features),
            "num_layers_head": 2,
            "rescaling_factor": config.rescaling_factor,
        }
    return dict(sorted(record.items()))


def _bert_record(config: ModelConfig, dtype: str, repository: str) -> dict[str, Any]:
    is_alibi = config.positional_embedding == "alibi"
    record: dict[str, Any] = {
        "architectures": ["BertForMaskedLM" if config.lm_head else "BertModel"],
        "attention_probs_dropout_prob": 0.0 if is_alibi else 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": config.embed_dim,
        "initializer_range": 0.02,
        "intermediate_size": config.ffn_embed_dim,
        "layer_norm_eps": config.layer_norm_eps,
        "max_position_embeddings": ALIBI_POSITIONS if is_alibi else config.max_tokens,
        "model_type": "bert",
        "num_attention_heads": config.attention_heads,
        "num_hidden_layers": config.num_layers,
        "pad_token_id": config.tokens.pad_id,
        "torch_dtype": dtype,
        "type_vocab_size": TOKEN_TYPES,
        "vocab_size": config.vocabulary_size,
    }
    if is_alibi:
        record |= {ALIBI_KEY: ALIBI_POSITIONS, "auto_map": classes(_ALIBI_MAP, repository)}
    return dict(sorted(record.items()))


def tokenizer_files(config: ModelConfig) -> dict[str, Any]:
    """Returns the files of a tokenizer by name: JSON records, or text as it is.

    Those of the NT family are the hub's to the byte (their sha256). DNABERT's say `do_lower_case` false: the
    published true makes every k-mer [UNK].

    Raises:
        UserError: the tokenizer is an approximation.
    """
    if config.tokenizer == GREEDY:
        raise UserError(
            "tokenizer", "is approximate, without the published merges", "Fetch its tokenizer.json first."
        )
    length = {"model_max_length": config.backbone_tokens}
    if config.tokenizer in KMERS:
        names = {"cls_token": "<cls>", "mask_token": "<mask>", "pad_token": "<pad>", "unk_token": "<unk>"}
        about = {"clean_up_tokenization_spaces": True, "eos_token": None, **length}
        kind = "EsmTokenizer"
    else:
        words = ("cls", "mask", "pad", "sep", "unk")
        names = {f"{word}_token": f"[{word.upper()}]" for word in words}
        about, kind = {"do_lower_case": False, **length}, "BertTokenizer"
    vocabulary = {"vocab.txt": "\n".join(filter(None, config.tokens.vocabulary))}
    if config.tokenizer == BPE:
        about, kind, vocabulary = length, "PreTrainedTokenizerFast", {"tokenizer.json": config.tokenizer_json}
    return {
        **vocabulary,
        "special_tokens_map.json": names,
        "tokenizer_config.json": {**about, "tokenizer_class": kind},
    }
