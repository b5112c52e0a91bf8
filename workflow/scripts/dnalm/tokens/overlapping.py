"""Overlapping k-mers, one per base, as DNABERT reads DNA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from jaxtyping import Int32, UInt8

from dnalm.errors import UserError
from dnalm.tokens.form import Kmers
from dnalm.tokens.letters import ALPHABET, NOT_A_BASE, digits, kmer_numbers

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")  # the first ids of every such vocabulary
PAD, UNK, CLS, SEP, MASK = range(len(SPECIAL))
ADDED = 2  # tokens around the k-mers: [CLS], [SEP]


def upper_letters(sequence: str, where: str) -> UInt8[np.ndarray, " S"]:
    """Returns a sequence as upper-case ASCII.

    Raises:
        UserError: something that is no letter; names its 0-based position.
    """
    if sequence and not (sequence.isascii() and sequence.isalpha()):
        position = next(i for i, letter in enumerate(sequence) if not (letter.isascii() and letter.isalpha()))
        raise UserError(
            f"{where}, position {position}",
            f"found {sequence[position]!r}, expected a letter",
            "Give letters only: A, C, G, T and N.",
        )
    return np.frombuffer(sequence.upper().encode("ascii"), np.uint8)


@dataclass(frozen=True)
class OverlappingTokenizer(Kmers):
    """[CLS], the k-mer that starts at each base, [SEP]; [UNK] for a k-mer with anything but A, C, G, T.

    Lower case is read like upper case (the published code turns it into [UNK]; what its tokenizer_config.json
    says would turn every k-mer into [UNK]). Fewer than k bases have no k-mer.

    Args:
        name: overlapping_3mer to overlapping_6mer.
        k: letters per k-mer.

    Source: Ji et al. 2021 (DNABERT); jerryji1993/DNABERT, dnabert-config/bert-config-K/vocab.txt.
    """

    name: str
    k: int

    unk_id, pad_id, mask_id, cls_id, sep_id = UNK, PAD, MASK, CLS, SEP
    special_ids = (PAD, UNK, CLS, SEP, MASK)
    n_ids = (UNK,)
    first_kmer_id = len(SPECIAL)
    step = 1
    bases_per_token = 1.0
    end_tokens = 1
    takes_lower_case = True

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens, in the order of their ids."""
        return (*SPECIAL, *("".join(letters) for letters in product(ALPHABET, repeat=self.k)))

    @property
    def embedded(self) -> int:
        """Number of ids: 69, 261, 1029 or 4101."""
        return len(self.vocabulary)

    def tokens_of(self, length_bp: int) -> int:
        return max(0, length_bp - self.k + 1) + ADDED

    def longest_bp(self, max_tokens: int) -> int:
        return max_tokens - ADDED + self.k - 1

    def encode(self, sequence: str, where: str = "sequence") -> Int32[np.ndarray, " L"]:
        return self.encode_windows(upper_letters(sequence, where)[None])[0]

    def encode_windows(self, bases: UInt8[np.ndarray, "B S"]) -> Int32[np.ndarray, "B L"]:
        """Returns the ids of equally long windows, upper-case ASCII."""
        values = digits()[bases]
        count = max(0, bases.shape[1] - self.k + 1)
        ids = np.full((len(bases), count + ADDED), CLS, np.int32)
        ids[:, -1] = SEP
        if count:
            unknown = np.lib.stride_tricks.sliding_window_view(values == NOT_A_BASE, self.k, axis=1).any(
                axis=2
            )
            kmers = kmer_numbers(values % len(ALPHABET), self.k, 1) + self.first_kmer_id
            ids[:, 1:-1] = np.where(unknown, UNK, kmers)
        return ids

    def encode_rows(
        self, letters: Sequence[UInt8[np.ndarray, " _"]], names: Sequence[str]
    ) -> list[Int32[np.ndarray, " _"]]:
        return [self.encode_windows(row[None])[0] for row in letters]

    def counts(self, sequences: Sequence[bytes]) -> Int32[np.ndarray, " N"]:
        return np.array([self.tokens_of(len(sequence)) for sequence in sequences], np.int32)

    def spans(self, ids: Int32[np.ndarray, " L"]) -> Int32[np.ndarray, "L 2"]:
        stands = ~np.isin(ids, (PAD, CLS, SEP))
        starts = np.cumsum(stands, dtype=np.int32) - stands
        ends = np.where(stands, starts + self.k, starts)
        return np.stack([starts, ends], axis=1).astype(np.int32)
