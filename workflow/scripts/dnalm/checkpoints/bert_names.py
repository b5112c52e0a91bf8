"""Names of parameters: DNABERT's, GROVER's and DNABERT-2's on the hub to the ones that our models use."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dnalm.checkpoints.tensors import Tensor
from dnalm.errors import UserError
from dnalm.models.config import ROOTS

ROOT = ROOTS["bert"]
_LAYER = rf"{ROOT}/attention_layer_\1/~/"
# torch module, after its prefix `bert.` -> (our module, the name of its weight)
BERT_NAMES = (
    (r"embeddings\.word_embeddings", f"{ROOT}/~/embed", "embeddings"),
    (r"embeddings\.position_embeddings", f"{ROOT}/~/positional_embed", "embeddings"),
    (r"embeddings\.token_type_embeddings", f"{ROOT}/~/type_embed", "embeddings"),
    (r"embeddings\.LayerNorm", f"{ROOT}/~/emb_layer_norm", "scale"),
    (
        r"encoder\.layer\.(\d+)\.attention\.self\.(query|key|value|Wqkv)",
        _LAYER + r"self_attention/\2",
        "w",
    ),
    (r"encoder\.layer\.(\d+)\.attention\.output\.dense", _LAYER + "self_attention/mha_output", "w"),
    (r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm", _LAYER + "self_attention_layer_norm", "scale"),
    (r"encoder\.layer\.(\d+)\.(?:intermediate\.dense|mlp\.gated_layers)", _LAYER + "fc1", "w"),
    (r"encoder\.layer\.(\d+)\.(?:output\.dense|mlp\.wo)", _LAYER + "fc2", "w"),
    (r"encoder\.layer\.(\d+)\.(?:output\.LayerNorm|mlp\.layernorm)", _LAYER + "final_layer_norm", "scale"),
    (r"cls\.predictions\.transform\.dense", f"{ROOT}/~/lm_head/~/fc1", "w"),
    (r"cls\.predictions\.transform\.LayerNorm", f"{ROOT}/~/lm_head/~/layer_norm", "scale"),
    (r"cls\.predictions(?:\.decoder)?", f"{ROOT}/~/lm_head", ""),  # its bias: both names are in use
)
_OLDER_LEAVES = {"gamma": "weight", "beta": "bias"}
# The decoder's matrix is the table of embeddings, whatever the file holds; the others are other heads.
_UNUSED = re.compile(
    r"cls\.predictions\.decoder\.weight|pooler\..*|cls\.seq_relationship\..*|embeddings\.position_ids"
)
FUSED = ("query", "key", "value")


def rename_bert(tensors: Mapping[str, Tensor], where: object) -> dict[str, dict[str, Tensor]]:
    """Returns the hub's tensors as a JAX tree; a fused projection becomes query, key and value.

    Raises:
        UserError: a tensor whose name is not known.
    """
    params: dict[str, dict[str, Tensor]] = {}
    for full_name, tensor in tensors.items():
        name = full_name.removeprefix("bert.")
        if _UNUSED.fullmatch(name):
            continue
        module, _, leaf = name.rpartition(".")
        leaf = _OLDER_LEAVES.get(leaf, leaf)
        target, weight = _target(module)
        if not target or leaf not in ("weight", "bias") or (leaf == "weight" and not weight):
            raise UserError(
                where, f"tensor {full_name} is no part of a known model", "Is this DNABERT or GROVER?"
            )
        kind = {"scale": "offset", "": "bias"}.get(weight, "b") if leaf == "bias" else weight
        if target.endswith("/Wqkv"):
            width = tensor.shape[0] // len(FUSED)
            for number, part in enumerate(FUSED):
                rows = tensor.rows(number * width, width)
                own = target.removesuffix("Wqkv") + part
                params.setdefault(own, {})[kind] = rows.reversed_axes() if kind == "w" else rows
        else:
            params.setdefault(target, {})[kind] = tensor.reversed_axes() if kind == "w" else tensor
    return params


def _target(module: str) -> tuple[str, str]:
    for pattern, target, weight in BERT_NAMES:
        if match := re.fullmatch(pattern, module):
            return match.expand(target), weight
    return "", ""
