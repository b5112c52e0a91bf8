"""Byte-pair encoding of DNA, as DNABERT-2 and GROVER read it, by the `tokenizers` library."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32, UInt8

from dnalm.errors import UserError
from dnalm.tokens.form import Spacing, Tokenizer
from dnalm.tokens.letters import ALPHABET
from dnalm.tokens.overlapping import SPECIAL, upper_letters

if TYPE_CHECKING:
    import tokenizers

BPE, GREEDY = "bpe", "bpe_approximate"
ADDED = 2  # [CLS], [SEP]
# The published vocabularies read 4 to 5 bases per token; repeats and their long tokens pull the mean up.
SHORT_TOKEN_BP = 3
RANDOM_BP, MARGIN = 30_000, 1.15  # letters that a vocabulary is measured on; windows differ so much from them


class BpeSpacing(Spacing):
    """Tokens of a vocabulary that is not at hand: an estimate by which nearly every window fits."""

    name = BPE
    bases_per_token = float(SHORT_TOKEN_BP)
    exact = False

    def tokens_of(self, length_bp: int) -> int:
        return -(-length_bp // SHORT_TOKEN_BP) + ADDED

    def longest_bp(self, max_tokens: int) -> int:
        return (max_tokens - ADDED) * SHORT_TOKEN_BP


@dataclass(frozen=True)
class BpeTokenizer(BpeSpacing, Tokenizer):
    """[CLS], tokens of learned lengths that follow one another, [SEP]; [UNK] for each letter but A, C, G, T.

    Lower case is read like upper case (the published tokenizers know no lower case: all [UNK]).

    Args:
        text: the contents of a tokenizer.json.
        name: bpe, or bpe_approximate for greedy longest matches in a vocabulary whose merges are not known.

    Raises:
        UserError: no such tokenizer, without the special tokens of BERT, or one that joins unknown letters.
    """

    text: str
    name: str = BPE

    end_tokens = 1
    takes_lower_case = True

    @cached_property
    def _library(self) -> tokenizers.Tokenizer:
        return load_library(self.text)

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens, in the order of their ids; "" where an id has none."""
        known = {index: token for token, index in self._library.get_vocab(with_added_tokens=True).items()}
        return tuple(known.get(index, "") for index in range(max(known) + 1))

    @property
    def embedded(self) -> int:
        """Number of ids up to the last that a sequence can have (GROVER's file ends with an empty token)."""
        return 1 + max(index for index, token in enumerate(self.vocabulary) if token)

    @cached_property
    def _short_token_bp(self) -> float:
        """Bases per token that nearly every window reaches: below the estimate where there are few merges."""
        letters = np.random.default_rng(0).choice(np.frombuffer(b"ACGT", np.uint8), RANDOM_BP)
        tokens = len(self.encode_rows([letters], ["random DNA"])[0]) - ADDED
        return min(float(SHORT_TOKEN_BP), max(1.0, RANDOM_BP / tokens / MARGIN))

    def tokens_of(self, length_bp: int) -> int:
        return math.ceil(length_bp / self._short_token_bp) + ADDED

    def longest_bp(self, max_tokens: int) -> int:
        return int((max_tokens - ADDED) * self._short_token_bp)

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        return tuple(self.ids[token] for token in SPECIAL)

    @property
    def pad_id(self) -> int:
        return self.special_ids[0]

    @property
    def unk_id(self) -> int:
        return self.special_ids[1]

    @property
    def cls_id(self) -> int:
        return self.special_ids[2]

    @property
    def sep_id(self) -> int:
        return self.special_ids[3]

    @property
    def mask_id(self) -> int:
        return self.special_ids[4]

    @property
    def n_ids(self) -> tuple[int, ...]:
        return (self.unk_id,)

    @cached_property
    def known_ids(self) -> Int32[np.ndarray, " C"]:
        known = [
            index for index, token in enumerate(self.vocabulary) if token and set(token) <= set(ALPHABET)
        ]
        return np.array(known, np.int32)

    def encode(self, sequence: str, where: str = "sequence") -> Int32[np.ndarray, " L"]:
        return self.encode_rows([upper_letters(sequence, where)], [where])[0]

    def encode_rows(
        self, letters: Sequence[UInt8[np.ndarray, " _"]], names: Sequence[str]
    ) -> list[Int32[np.ndarray, " _"]]:
        texts = [row.tobytes().decode("ascii") for row in letters]
        found = self._library.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array([self.cls_id, *one.ids, self.sep_id], np.int32) for one in found]

    def counts(self, sequences: Sequence[bytes]) -> Int32[np.ndarray, " N"]:
        rows = [np.frombuffer(sequence, np.uint8) for sequence in sequences]
        return np.array([len(row) for row in self.encode_rows(rows, [""] * len(rows))], np.int32)

    @cached_property
    def widths(self) -> Int32[np.ndarray, " V"]:
        """The number of bases that each id stands for (1 for [UNK] and [MASK])."""
        widths = np.array([len(token) for token in self.vocabulary], np.int32)
        widths[list(self.special_ids)] = 0
        widths[[self.unk_id, self.mask_id]] = 1
        return widths

    def spans(self, ids: Int32[np.ndarray, " L"]) -> Int32[np.ndarray, "L 2"]:
        widths = self.widths[ids]
        ends = np.cumsum(widths, dtype=np.int32)
        return np.stack([ends - widths, ends], axis=1)


def load_library(text: str) -> tokenizers.Tokenizer:
    """Returns the library's tokenizer of a tokenizer.json, without truncation or padding.

    Raises:
        UserError: see BpeTokenizer.
    """
    import tokenizers

    try:
        library = tokenizers.Tokenizer.from_str(text)
    except Exception as fault:  # the library raises nothing more special
        raise UserError("tokenizer.json", f"is no tokenizer ({fault})", "Fetch it again.") from fault
    known = library.get_vocab(with_added_tokens=True)
    if missing := [token for token in SPECIAL if token not in known]:
        raise UserError(
            "tokenizer.json", f"has no {', '.join(missing)}", "Take that of a BERT-like DNA model."
        )
    if getattr(library.model, "fuse_unk", False):
        raise UserError("tokenizer.json", "joins unknown letters (fuse_unk)", "Set fuse_unk to false.")
    library.no_truncation()
    library.no_padding()
    return library


def greedy_text(vocabulary: Sequence[str]) -> str:
    """Returns a tokenizer.json that takes the longest known token from the left: not the merges' tokens.

    Args:
        vocabulary: the lines of a vocab.txt.
    """
    longest_first = sorted((token for token in vocabulary if set(token) <= set("ACGT") and token), key=len)[
        ::-1
    ]
    return json.dumps(
        {
            "version": "1.0",
            "added_tokens": [],
            "normalizer": None,
            "pre_tokenizer": {
                "type": "Split",
                "pattern": {"Regex": "|".join([*longest_first, "."])},
                "behavior": "Isolated",
                "invert": False,
            },
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "WordLevel",
                "unk_token": SPECIAL[1],
                "vocab": {token: index for index, token in enumerate(vocabulary)},
            },
        }
    )
