"""Names of parameters: every published naming to the one that our models use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from dnalm.checkpoints.tensors import Tensor, Tensors
from dnalm.errors import UserError

ROOT, HEAD_ROOT = "esm_transformer", "u_net_head"
Change = Callable[[Tensor], Tensor]


def rename_jax(params: Tensors) -> dict[str, dict[str, Tensor]]:
    """Returns a published JAX tree under one root for the encoder and one for the segmentation head.

    The 2023 files say `mha` and `esm_roberta_lm_head` where later ones say `self_attention` and
    `roberta_lm_head`; SegmentNT's encoder has another root.
    """
    renamed: dict[str, dict[str, Tensor]] = {}
    for module, leaves in params.items():
        _, _, rest = module.partition("/")
        is_head = rest.startswith("~/unet1_d_segmentation_head/") or rest == "~/fc"
        rest = re.sub(r"/~/mha(?=/|$)", "/~/self_attention", rest)
        rest = rest.replace("/~/mha_layer_norm", "/~/self_attention_layer_norm")
        rest = re.sub(r"^~/esm_roberta_lm_head", "~/roberta_lm_head", rest)
        renamed[f"{HEAD_ROOT if is_head else ROOT}/{rest}"] = dict(leaves)
    return renamed


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _transpose(tensor: Tensor) -> Tensor:
    return tensor.reversed_axes()  # torch (out, in) or (out, in, kernel) to haiku's reversed order


def _transpose_and_flip(tensor: Tensor) -> Tensor:
    return tensor.reversed_axes(flip=True)  # torch runs a transposed convolution's kernel backwards


_LAYER, _HEAD = f"{ROOT}/attention_layer_{{0}}/~/", f"{ROOT}/~/roberta_lm_head/~/"
_UNET = f"{HEAD_ROOT}/~/unet1_d_segmentation_head/~/"
# torch module -> (haiku module, what happens to its weight, name of its weight)
TORCH_NAMES: tuple[tuple[str, str, Change, str], ...] = (
    (r"esm\.embeddings\.word_embeddings", f"{ROOT}/~/embed", _same, "embeddings"),
    (
        r"esm\.embeddings\.position_embeddings",
        f"{ROOT}/~/esm_learned_positional_embeddings/~/embed",
        _same,
        "embeddings",
    ),
    (r"esm\.embeddings\.layer_norm", f"{ROOT}/~/emb_layer_norm_before", _same, "scale"),
    (
        r"esm\.encoder\.layer\.(\d+)\.attention\.self\.(query|key|value)",
        _LAYER + "self_attention/{1}",
        _transpose,
        "w",
    ),
    (
        r"esm\.encoder\.layer\.(\d+)\.attention\.output\.dense",
        _LAYER + "self_attention/mha_output",
        _transpose,
        "w",
    ),
    (
        r"esm\.encoder\.layer\.(\d+)\.attention\.LayerNorm",
        _LAYER + "self_attention_layer_norm",
        _same,
        "scale",
    ),
    (r"esm\.encoder\.layer\.(\d+)\.LayerNorm", _LAYER + "final_layer_norm", _same, "scale"),
    (r"esm\.encoder\.layer\.(\d+)\.intermediate\.dense", _LAYER + "fc1", _transpose, "w"),
    (r"esm\.encoder\.layer\.(\d+)\.output\.dense", _LAYER + "fc2", _transpose, "w"),
    (r"esm\.encoder\.emb_layer_norm_after", _HEAD + "emb_layer_norm_after", _same, "scale"),
    (r"lm_head\.dense", _HEAD + "lm_head_fc_1", _transpose, "w"),
    (r"lm_head\.layer_norm", _HEAD + "lm_head_layer_norm", _same, "scale"),
    (r"lm_head\.decoder", _HEAD + "lm_final_fc", _transpose, "w"),
    (r"lm_head", _HEAD + "lm_final_fc", _same, "w"),  # its bias; the matrix is the decoder's
    (
        r"unet\._downsample_blocks\.(\d)\.conv_layers\.(\d)",
        _UNET + "downsample_block_{0}/~/conv{1}",
        _transpose,
        "w",
    ),
    (
        r"unet\._upsample_blocks\.(\d)\.conv_layers\.(\d)",
        _UNET + "upsample_block_{0}/~/conv_transpose{1}",
        _transpose_and_flip,
        "w",
    ),
    (r"unet\.final_block\.conv_layers\.(\d)", _UNET + "final_conv1_d/~/conv{0}", _transpose, "w"),
    (r"fc", f"{HEAD_ROOT}/~/fc", _transpose, "w"),
)
_OLDER_LEAVES = {"gamma": "weight", "beta": "bias"}  # of layer norms; transformers still writes them at times
# In the hub's files, but no part of the computation.
_UNUSED = re.compile(r"esm\.contact_head\..*|.*\.rotary_embeddings\.inv_freq|esm\.embeddings\.position_ids")


def rename_torch(tensors: Mapping[str, Tensor], rotary: bool, where: object) -> dict[str, dict[str, Tensor]]:
    """Returns the hub's torch-side tensors as a JAX tree.

    Args:
        rotary: the position table, present but unused in rotary models, is dropped.

    Raises:
        UserError: a tensor whose name is not known.
    """
    params: dict[str, dict[str, Tensor]] = {}
    for full_name, tensor in tensors.items():
        module, _, leaf = full_name.rpartition(".")
        leaf = _OLDER_LEAVES.get(leaf, leaf)
        if _UNUSED.fullmatch(full_name) or (rotary and module == "esm.embeddings.position_embeddings"):
            continue
        for pattern, target, change, weight in TORCH_NAMES:
            if (match := re.fullmatch(pattern, module)) and leaf in ("weight", "bias"):
                name = weight if leaf == "weight" else ("offset" if weight == "scale" else "b")
                changed = change(tensor) if leaf == "weight" else tensor
                params.setdefault(target.format(*match.groups()), {})[name] = changed
                break
        else:
            raise UserError(
                where, f"tensor {full_name} is no part of a known model", "Is this a Nucleotide Transformer?"
            )
    return params
