"""k-mer tokenizers of the Nucleotide Transformer family: strings to ids and back to base spans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import product

import numpy as np
from jaxtyping import Int32, UInt8

from dnalm.errors import UserError

ALPHABET = "ATCG"  # order of the k-mers in every published vocabulary, first letter slowest
LETTERS = (*ALPHABET, "N")
UNK, PAD, MASK, CLS, EOS, BOS = "<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>"
NOT_A_BASE = 255


@dataclass(frozen=True)
class KmerTokenizer:
    """Cuts DNA into non-overlapping k-mers from the left; an N, and what it cuts off, becomes single letters.

    Args:
        name: v1_6mer, v2_6mer or v2_3mer.
        k: letters per k-mer.
        eos_at_end: <eos> and <bos> come last in the vocabulary (v1) instead of before the k-mers (v2);
            models of the first kind have no embedding for them.
    """

    name: str
    k: int
    eos_at_end: bool

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """All tokens, in the order of their ids."""
        kmers = tuple("".join(letters) for letters in product(ALPHABET, repeat=self.k))
        first, last = (UNK, PAD, MASK, CLS), (EOS, BOS)
        if self.eos_at_end:
            return (*first, *kmers, *LETTERS, *last)
        return (*first, *last, *kmers, *LETTERS)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token to id."""
        return {token: index for index, token in enumerate(self.vocabulary)}

    @property
    def embedded(self) -> int:
        """Number of ids that a model has an embedding for (4105, 4107 or 75)."""
        return len(self.vocabulary) - (2 if self.eos_at_end else 0)

    @property
    def unk_id(self) -> int:
        return self.ids[UNK]

    @property
    def pad_id(self) -> int:
        return self.ids[PAD]

    @property
    def mask_id(self) -> int:
        return self.ids[MASK]

    @property
    def cls_id(self) -> int:
        return self.ids[CLS]

    @property
    def special_ids(self) -> tuple[int, ...]:
        """Ids of tokens that stand for no bases: unk, pad, mask, cls, eos, bos."""
        return tuple(self.ids[token] for token in (UNK, PAD, MASK, CLS, EOS, BOS))

    @property
    def letters(self) -> dict[str, int]:
        """Ids of the single letters A, T, C, G, N."""
        return {letter: self.ids[letter] for letter in LETTERS}

    @property
    def first_kmer_id(self) -> int:
        return self.ids[ALPHABET[0] * self.k]

    def cut(self, sequence: str) -> list[str]:
        """Returns the tokens of a sequence after <cls>, known or not."""
        tokens: list[str] = []
        for index, piece in enumerate(sequence.split("N")):
            if index:
                tokens.append("N")
            whole = len(piece) - len(piece) % self.k
            tokens += [piece[start : start + self.k] for start in range(0, whole, self.k)]
            tokens += piece[whole:]
        return tokens

    def tokenize(self, sequence: str, where: str = "sequence") -> tuple[list[str], list[int]]:
        """Returns tokens and ids of a sequence, <cls> in front.

        Upper case A, C, G, T, N only (and `<mask>` on the border of a 6-mer, as published).

        Raises:
            UserError: another letter; names the token and its 0-based position.
        """
        tokens = [CLS, *self.cut(sequence)]
        try:
            return tokens, [self.ids[token] for token in tokens]
        except KeyError as fault:
            token = fault.args[0]
            position = sum(len(t) for t in tokens[1 : tokens.index(token)])
            raise UserError(
                f"{where}, position {position}",
                f"token {token!r} not found in the vocabulary of {self.name}",
                "Use upper case A, C, G, T and N only (mask_genome.py makes such a file).",
            ) from fault

    def encode(self, sequence: str, where: str = "sequence") -> Int32[np.ndarray, " L"]:
        """Returns the ids of a sequence, <cls> first; `where` names it in errors."""
        return np.asarray(self.tokenize(sequence, where)[1], np.int32)

    def encode_batch(self, sequences: Sequence[str], length: int | None = None) -> Int32[np.ndarray, "B L"]:
        """Returns the ids of sequences, padded on the right to the longest or to `length` tokens.

        Raises:
            UserError: a sequence has more than `length` tokens, or letters without a token.
        """
        rows = [self.encode(sequence, f"sequence {index + 1}") for index, sequence in enumerate(sequences)]
        return self.pad(rows, length)

    def pad(
        self, rows: Sequence[Int32[np.ndarray, " _"]], length: int | None = None
    ) -> Int32[np.ndarray, "B L"]:
        """Returns rows of ids as one array, padded on the right to the longest or to `length` tokens.

        Raises:
            UserError: a row has more than `length` tokens.
        """
        longest = max((len(row) for row in rows), default=1)
        length = longest if length is None else length
        batch = np.full((len(rows), length), self.pad_id, np.int32)
        for index, ids in enumerate(rows):
            if len(ids) > length:
                raise UserError(
                    f"sequence {index + 1}",
                    f"too long (found {len(ids)} tokens with <cls>, expected at most {length})",
                    "Use shorter windows.",
                )
            batch[index, : len(ids)] = ids
        return batch

    def encode_windows(self, bases: UInt8[np.ndarray, "B S"]) -> Int32[np.ndarray, "B L"]:
        """Returns the ids of equally long windows without N, about 15 times as fast as `encode`.

        Args:
            bases: upper-case ASCII A, C, G, T; S a multiple of k.

        Raises:
            UserError: another letter, or a length that is no multiple of k.
        """
        if bases.shape[1] % self.k:
            raise UserError(
                "windows", f"{bases.shape[1]} bases are no multiple of {self.k}", "Change their length."
            )
        digits = _digits()[bases]
        if (digits == NOT_A_BASE).any():
            row, position = (int(i[0]) for i in np.nonzero(digits == NOT_A_BASE))
            letter = chr(bases[row, position])
            raise UserError(
                f"window {row + 1}, position {position}",
                f"found letter {letter!r}, expected A, C, G or T",
                "Use encode() for windows with N; mask_genome.py removes other letters.",
            )
        kmers = np.zeros((len(bases), bases.shape[1] // self.k), np.int32)
        for offset in range(self.k):
            kmers = kmers * len(ALPHABET) + digits[:, offset :: self.k]
        ids = np.full((len(bases), kmers.shape[1] + 1), self.cls_id, np.int32)
        ids[:, 1:] = kmers + self.first_kmer_id
        return ids

    def count(self, sequence: str) -> int:
        """Returns the number of tokens of a sequence, <cls> included."""
        pieces = sequence.split("N")
        return len(pieces) + sum(len(piece) // self.k + len(piece) % self.k for piece in pieces)

    def widths(self) -> Int32[np.ndarray, " V"]:
        """Returns the number of bases that each id of the vocabulary stands for (<mask>: k)."""
        special = {UNK: 0, PAD: 0, CLS: 0, EOS: 0, BOS: 0, MASK: self.k}
        return np.asarray([special.get(token, len(token)) for token in self.vocabulary], np.int32)

    def spans(self, ids: Int32[np.ndarray, " L"]) -> Int32[np.ndarray, "L 2"]:
        """Returns each token's bases in its sequence, 0-based half-open; empty spans for special tokens."""
        ends = np.cumsum(self.widths()[ids], dtype=np.int32)
        return np.stack([ends - self.widths()[ids], ends], axis=1)


@cache
def _digits() -> UInt8[np.ndarray, " 256"]:
    table = np.full(256, NOT_A_BASE, np.uint8)
    for digit, letter in enumerate(ALPHABET):
        table[ord(letter)] = digit
    return table


TOKENIZERS = {
    "v1_6mer": KmerTokenizer("v1_6mer", 6, eos_at_end=True),  # 500M, 2B5, AgroNT
    "v2_6mer": KmerTokenizer("v2_6mer", 6, eos_at_end=False),  # v2 and SegmentNT
    "v2_3mer": KmerTokenizer("v2_3mer", 3, eos_at_end=False),  # codon
}


def tokenizer(name: str) -> KmerTokenizer:
    """Returns a tokenizer by name.

    Raises:
        UserError: no such tokenizer.
    """
    if name not in TOKENIZERS:
        raise UserError("tokenizer", f"{name!r} not known (expected one of {', '.join(TOKENIZERS)})")
    return TOKENIZERS[name]
