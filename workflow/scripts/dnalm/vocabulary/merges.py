"""Learns merges of a genome's bases, as GROVER's tokenizer was made.

Source: Sanabria et al. 2024 (GROVER), Methods: byte-pair encoding of the whole genome, one pair per cycle.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import UInt8

from dnalm.tokens.overlapping import SPECIAL

# Merges are learned in pieces: joining a pair costs the library time with the square of a text's length.
# A merge across a border is not seen: one place in a thousand.
PIECE_BP = 1024


def texts(stretches: Iterable[UInt8[np.ndarray, " _"]]) -> Iterator[str]:
    """Yields stretches without N as texts of at most PIECE_BP bases."""
    for stretch in stretches:
        for start in range(0, len(stretch), PIECE_BP):
            yield stretch[start : start + PIECE_BP].tobytes().decode("ascii")


def learn(stretches: Iterable[UInt8[np.ndarray, " _"]], cycles: int) -> str:
    """Returns the tokenizer.json of so many merges, or of fewer where no pair is left to join.

    The commonest pair is joined in each cycle; of equally common ones that with the lower ids. So the same
    stretches always give the same merges, and fewer cycles are the first ones of more.
    """
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors, trainers

    library = tokenizers.Tokenizer(models.BPE(unk_token=SPECIAL[1]))
    library.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=len(SPECIAL) + 4 + cycles,
        special_tokens=list(SPECIAL),
        initial_alphabet=list("ACGT"),
        show_progress=False,
    )
    library.train_from_iterator(texts(stretches), trainer)
    ends = [(token, library.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    library.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return library.to_str()


def first_cycles(text: str, cycles: int) -> str:
    """Returns the tokenizer.json of the first merges of another."""
    record = json.loads(text)
    model = record["model"]
    words = sorted(model["vocab"], key=model["vocab"].get)[: len(SPECIAL) + 4 + cycles]
    model["vocab"] = {word: index for index, word in enumerate(words)}
    model["merges"] = model["merges"][:cycles]
    return json.dumps(record)


def merges_of(text: str) -> list[tuple[str, str]]:
    """Returns the pairs in the order in which they were joined."""
    return [tuple(pair) for pair in json.loads(text)["model"]["merges"]]


def token_lengths(vocabulary: Sequence[str]) -> list[int]:
    """Returns the bases of each token but the special ones."""
    return [len(token) for token in vocabulary if token and token not in SPECIAL]
