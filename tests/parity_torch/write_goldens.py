"""Writes tests/golden/torch: small random checkpoints in every torch-side layout, and torch's outputs.

Runs in .venv-parity (`make parity-torch`); the tests that read these files need no torch.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here comes from a hub

import numpy as np
import torch
import transformers
from cases import (
    CASES,
    COMPARED_EPS,
    MASK,
    NT_V2,
    PAD,
    PUBLISHED_EPS,
    TOKENS,
    Case,
    key_mask,
    make_tokens,
    randomise,
)
from layouts import SAVERS, round_weights, write_json
from safetensors.torch import save_file
from torch import Tensor
from transformers import EsmConfig, EsmForMaskedLM
from v2_encoder import encode, rotary_frequencies, shapes

LOGIT_COLUMNS = 96  # of a large vocabulary; one token of each row has them all
Outputs = tuple[list[Tensor], list[Tensor], Tensor]


def write_outputs(path: Path, tokens: Tensor, mask: Tensor, outputs: Outputs) -> None:
    """Writes tokens and outputs, numbered from 1, as float32."""
    embeddings, attentions, logits = outputs
    vocabulary = logits.shape[-1]
    columns = np.unique(np.linspace(0, vocabulary - 1, min(vocabulary, LOGIT_COLUMNS)).astype(int))
    arrays = {"tokens": tokens.numpy().astype(np.int32), "attention_mask": mask.contiguous().numpy()}
    for number, (embedding, attention) in enumerate(zip(embeddings, attentions, strict=True), start=1):
        arrays[f"embeddings_{number}"] = embedding.float().numpy()
        arrays[f"attention_{number}"] = attention.float().numpy()
    arrays |= {"logit_columns": columns, "logits_columns": logits.float().numpy()[..., columns]}
    arrays["logits_token_1"] = logits.float().numpy()[:, 1]
    np.savez(path, **arrays)


def run_transformers(model: EsmForMaskedLM, tokens: Tensor) -> Outputs:
    """Runs the class of transformers; hidden_states[0], the input embeddings, has no counterpart."""
    found = model(
        tokens,
        attention_mask=(tokens != PAD).long(),
        output_hidden_states=True,
        output_attentions=True,
    )
    embeddings, attentions = list(found.hidden_states[1:]), list(found.attentions)
    if not torch.equal(model.lm_head(embeddings[-1]), found.logits):
        raise SystemExit("hidden_states[-1] is not what the language-model head takes")
    return embeddings, attentions, found.logits


def make_model(case: Case, eps: float) -> EsmForMaskedLM:
    """Builds EsmForMaskedLM with random weights; its config then says what the hub's do."""
    config = EsmConfig(
        vocab_size=case.vocabulary,
        hidden_size=case.dim,
        num_hidden_layers=case.layers,
        num_attention_heads=case.heads,
        intermediate_size=case.ffn,
        max_position_embeddings=TOKENS + 2,
        position_embedding_type="absolute",
        layer_norm_eps=eps,
        pad_token_id=PAD,
        mask_token_id=MASK,
        tie_word_embeddings=False,
        attn_implementation="eager",
        **case.switches,
    )
    model = EsmForMaskedLM(config).eval()
    randomise(dict(model.named_parameters()), case.seed)
    model.config.layer_norm_eps = PUBLISHED_EPS
    return model


def write_case(case: Case, root: Path) -> dict[str, Any]:
    """Writes the files of one set of weights of transformers; returns its record."""
    tokens, folders = make_tokens(case.vocabulary, case.seed), []

    def folder(kind: str) -> Path:
        path = root / case.name / kind
        path.mkdir(parents=True)
        model.config.save_pretrained(path)
        folders.append(kind)
        return path

    (root / case.name).mkdir()
    for eps in case.eps:
        model = make_model(case, eps)
        round_weights(case, model)
        if torch.equal(model.lm_head.decoder.weight, model.esm.embeddings.word_embeddings.weight):
            raise SystemExit(f"{case.name}: the decoder is tied to the embeddings")
        outputs = run_transformers(model, tokens)
        name = "io.npz" if eps == COMPARED_EPS else f"io_eps_{eps:g}.npz"
        write_outputs(root / case.name / name, tokens, key_mask(tokens), outputs)
    SAVERS[case.name](model, folder)
    return {"implementation": "transformers.EsmForMaskedLM", "formats": folders, **asdict(case)}


def write_v2(case: Case, root: Path) -> dict[str, Any]:
    """Writes the v2 checkpoint with the outputs of the encoder beside this file; returns its record."""
    names = shapes(case.vocabulary, case.dim, case.layers, case.heads, case.ffn, TOKENS + 2)
    tensors = {name: torch.empty(shape) for name, shape in names.items()}
    randomise(tensors, case.seed)
    for number in range(case.layers):
        name = f"esm.encoder.layer.{number}.attention.self.rotary_embeddings.inv_freq"
        tensors[name] = rotary_frequencies(case.dim // case.heads).float()
    config = {
        "architectures": ["EsmForMaskedLM"],
        "model_type": "esm",
        "vocab_size": case.vocabulary,
        "hidden_size": case.dim,
        "num_hidden_layers": case.layers,
        "num_attention_heads": case.heads,
        "intermediate_size": case.ffn,
        "max_position_embeddings": TOKENS + 2,
        "position_embedding_type": "rotary",
        "layer_norm_eps": PUBLISHED_EPS,
        "pad_token_id": PAD,
        "mask_token_id": MASK,
        "emb_layer_norm_before": False,
        "tie_word_embeddings": False,
        **case.switches,
    }
    for kind in ("safetensors", "bin"):
        (root / case.name / kind).mkdir(parents=True)
        write_json(root / case.name / kind / "config.json", config)
    save_file(tensors, root / case.name / "safetensors" / "model.safetensors", metadata={"format": "pt"})
    torch.save(tensors, root / case.name / "bin" / "pytorch_model.bin")
    tokens = make_tokens(case.vocabulary, case.seed)
    mask = key_mask(tokens).clone()
    mask[0, 0, 2:9, 3:6] = False  # holes: some queries do not see some keys
    outputs = encode(tensors, tokens, mask, case.layers, case.heads, COMPARED_EPS)
    write_outputs(root / case.name / "io.npz", tokens, mask, outputs)
    formats = ["safetensors", "bin"]
    return {"implementation": "tests/parity_torch/v2_encoder.py", "formats": formats, **asdict(case)}


def main(target: Path) -> None:
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # the same sums in the same order every time
    versions = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "numpy": np.__version__,
    }
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary, torch.no_grad():
        root = Path(temporary)
        cases = {case.name: write_case(case, root) for case in CASES}
        cases[NT_V2.name] = write_v2(NT_V2, root)
        write_json(root / "goldens.json", {"versions": versions, "cases": cases})
        for old in target.iterdir():
            if old.is_dir():
                shutil.rmtree(old)
        for new in root.iterdir():
            os.replace(new, target / new.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
