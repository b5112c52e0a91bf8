"""Writes tests/golden/bert: small random DNABERT, GROVER and DNABERT-2 checkpoints, and torch's outputs.

With --full FOLDER it also writes them at their published sizes, for compare_full_size.py; these are not kept.
Runs in .venv-parity (`make parity-torch`); the tests that read these files need no torch.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # nothing here comes from a hub

import numpy as np
import torch
import transformers
from cases import randomise
from dnabert2_encoder import EPS, encode, shapes
from layouts import write_json
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import BertConfig, BertForMaskedLM

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
BPE_SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")  # DNABERT-2's order
LONG, KEPT = 1500, 25  # tokens of one long row; of these every so many are kept
FULL = {"dim": 768, "layers": 12, "heads": 12, "ffn": 3072}


@dataclass(frozen=True)
class Case:
    """One set of weights; `k` of overlapping k-mers, else a byte-pair encoding of `vocabulary` tokens."""

    name: str
    seed: int
    k: int
    vocabulary: int
    dim: int
    layers: int
    heads: int
    ffn: int
    positions: int
    alibi: bool = False

    @property
    def pad(self) -> int:
        return SPECIAL.index("[PAD]") if self.k else BPE_SPECIAL.index("[PAD]")


SMALL = (
    Case("dnabert_3", 1, 3, 69, 24, 2, 4, 40, 32),
    Case("dnabert_6", 2, 6, 4101, 16, 2, 2, 24, 32),
    Case("grover", 3, 0, 101, 24, 3, 3, 48, 32),
    Case("dnabert_2", 4, 0, 128, 48, 2, 12, 40, 0, alibi=True),
)
LARGE = (
    Case("dnabert_6", 5, 6, 4101, positions=512, **FULL),
    Case("grover", 6, 0, 609, positions=512, **FULL),
    Case("dnabert_2", 7, 0, 4096, positions=0, alibi=True, **FULL),
)


def write_vocabulary(case: Case, folder: Path) -> None:
    """Writes vocab.txt without a last newline, as published for k = 3, 4, 5, or a trained tokenizer.json."""
    if case.k:
        kmers = ["".join(letters) for letters in product("ATCG", repeat=case.k)]
        (folder / "vocab.txt").write_text("\n".join([*SPECIAL, *kmers]))
        return
    random = np.random.default_rng(case.seed)
    text = ["".join(random.choice(list("ACGT"), 400, p=[0.4, 0.1, 0.2, 0.3])) for _ in range(400)]
    tokenizer = Tokenizer(models.BPE(unk_token=SPECIAL[1]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    size = case.vocabulary - (1 if case.name == "grover" else 0)
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=list(BPE_SPECIAL), show_progress=False)
    tokenizer.train_from_iterator(text, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    record = json.loads(tokenizer.to_str())
    if case.name == "grover":  # its file ends with an empty token that no row of the embeddings is for
        vocabulary = record["model"]["vocab"]
        vocabulary["N"] = len(vocabulary)
        vocabulary[""] = len(vocabulary)
        pairs = [["A", ""], ["C", ""], ["G", ""], ["T", ""], *record["model"]["merges"]]
        record["model"]["merges"] = [" ".join(pair) for pair in pairs]
    write_json(folder / "tokenizer.json", record)


def make_tokens(case: Case, rows: int, length: int) -> Tensor:
    """Returns rows over the whole vocabulary: full, padded, with [MASK] and [UNK]."""
    generator = torch.Generator().manual_seed(1000 + case.seed)
    special = {name: (SPECIAL if case.k else BPE_SPECIAL).index(name) for name in SPECIAL}
    tokens = torch.randint(len(SPECIAL), case.vocabulary, (rows, length), generator=generator)
    tokens[:, 0], tokens[:, -1] = special["[CLS]"], special["[SEP]"]
    tokens[0, 1:4] = torch.tensor([len(SPECIAL), case.vocabulary - 1, special["[UNK]"]])
    if rows > 1:
        tokens[1, -4], tokens[1, -3:] = special["[SEP]"], case.pad
        tokens[-1, 2:9:3] = special["[MASK]"]
    return tokens


def run_transformers(model: BertForMaskedLM, tokens: Tensor, pad: int) -> tuple[Any, Any, Tensor]:
    mask = (tokens != pad).long()
    found = model(tokens, attention_mask=mask, output_hidden_states=True, output_attentions=True)
    return list(found.hidden_states[1:]), list(found.attentions), found.logits


def randomise_bert(tensors: dict[str, Tensor], case: Case) -> None:
    """Draws every tensor; small embeddings, as the logits are products with their table.

    Matrices of the published size have about BERT's own deviation of 0.02; the small ones a larger one.
    """
    randomise(tensors, case.seed)
    for name, tensor in tensors.items():
        if name.endswith("embeddings.weight"):
            tensor /= case.dim**0.5
        elif tensor.ndim == 2 and case.layers == FULL["layers"]:
            tensor *= 0.4


def make_bert(case: Case) -> BertForMaskedLM:
    config = BertConfig(
        vocab_size=case.vocabulary,
        hidden_size=case.dim,
        num_hidden_layers=case.layers,
        num_attention_heads=case.heads,
        intermediate_size=case.ffn,
        max_position_embeddings=case.positions,
        layer_norm_eps=EPS,
        pad_token_id=case.pad,
        attn_implementation="eager",
    )
    model = BertForMaskedLM(config).eval()
    randomise_bert(dict(model.named_parameters()), case)
    model.tie_weights()
    return model


def write_case(case: Case, folder: Path, is_small: bool) -> dict[str, Any]:
    """Writes config, vocabulary, weights and outputs of one case; returns its record."""
    folder.mkdir(parents=True)
    write_vocabulary(case, folder)
    rows = 4 if is_small else 2
    tokens = make_tokens(case, rows, 20 if is_small else (case.positions or 300))
    config = {
        "architectures": ["BertForMaskedLM"],
        "model_type": "bert",
        "vocab_size": case.vocabulary,
        "hidden_size": case.dim,
        "num_hidden_layers": case.layers,
        "num_attention_heads": case.heads,
        "intermediate_size": case.ffn,
        "max_position_embeddings": case.positions or 512,
        "type_vocab_size": 2,
        "hidden_act": "gelu",
        "layer_norm_eps": EPS,
    }
    if case.alibi:
        tensors = {
            name: torch.empty(size)
            for name, size in shapes(case.vocabulary, case.dim, case.layers, case.ffn).items()
        }
        randomise_bert(tensors, case)
        tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
        torch.save(tensors, folder / "pytorch_model.bin")
        config["alibi_starting_size"] = 512
        outputs = encode(tensors, tokens, case.pad, case.layers, case.heads)
        long = make_tokens(case, 1, LONG)
        found = encode(tensors, long, case.pad, case.layers, case.heads)
        write_outputs(folder / "io_long.npz", long, found, KEPT)
    else:
        model = make_bert(case)
        tensors = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        torch.save(tensors, folder / "pytorch_model.bin")
        if case.name == "grover" and is_small:
            os.remove(folder / "pytorch_model.bin")
            model.save_pretrained(folder, save_original_format=False)
        outputs = run_transformers(model, tokens, case.pad)
    write_json(folder / "config.json", config)
    write_outputs(folder / "io.npz", tokens, outputs, 1 if is_small else KEPT)
    return asdict(case)


def write_outputs(path: Path, tokens: Tensor, outputs: tuple[Any, Any, Tensor], every: int) -> None:
    """Writes tokens and outputs of every so many tokens, layers numbered from 1, as float32."""
    embeddings, attentions, logits = outputs
    arrays = {"tokens": tokens.numpy().astype(np.int32), "every": np.int32(every)}
    for number, (embedding, attention) in enumerate(zip(embeddings, attentions, strict=True), start=1):
        arrays[f"embeddings_{number}"] = embedding[:, ::every].float().numpy()
        arrays[f"attention_{number}"] = attention[:, :, ::every, ::every].float().numpy()
    arrays["logits"] = logits[:, ::every, :101].float().numpy()  # of a large vocabulary the first tokens
    np.savez(path, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", type=Path)
    parser.add_argument("--full", type=Path)
    arguments = parser.parse_args()
    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(1)  # the same sums in the same order every time
    with torch.no_grad():
        shutil.rmtree(arguments.target, ignore_errors=True)
        cases = {case.name: write_case(case, arguments.target / case.name, True) for case in SMALL}
        versions = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "numpy": np.__version__,
        }
        write_json(arguments.target / "goldens.json", {"versions": versions, "cases": cases})
        if arguments.full:
            shutil.rmtree(arguments.full, ignore_errors=True)
            for case in LARGE:
                write_case(case, arguments.full / case.name, False)


if __name__ == "__main__":
    main()
