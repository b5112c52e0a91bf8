"""Non-overlapping k-mers, as the Nucleotide Transformer family reads DNA."""

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

LETTERS = (*ALPHABET, "N")
UNK, PAD, MASK, CLS, EOS, BOS = "<unk>", "<pad>", "<mask>", "<cls>", "<eos>", "<bos>"


@dataclass(frozen=True)
class KmerTokenizer(Kmers):
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
    def n_ids(self) -> tuple[int, ...]:
        return (self.ids["N"],)

    @property
    def bases_per_token(self) -> float:
        return float(self.k)

    def tokens_of(self, length_bp: int) -> int:
        return length_bp // self.k + length_bp % self.k + 1

    def longest_bp(self, max_tokens: int) -> int:
        return (max_tokens - 1) * self.k

    @property
    def letters(self) -> dict[str, int]:
        """Ids of the single letters A, T, C, G, N."""
        return {letter: self.ids[letter] for letter in LETTERS}

    @property
    def first_kmer_id(self) -> int:
        return self.ids[ALPHABET[0] * self.k]

    @property
    def step(self) -> int:
        return self.k

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
        values = digits()[bases]
        if (values == NOT_A_BASE).any():
            row, position = (int(i[0]) for i in np.nonzero(values == NOT_A_BASE))
            letter = chr(bases[row, position])
            raise UserError(
                f"window {row + 1}, position {position}",
                f"found letter {letter!r}, expected A, C, G or T",
                "Use encode() for windows with N; mask_genome.py removes other letters.",
            )
        kmers = kmer_numbers(values, self.k, self.k)
        ids = np.full((len(bases), kmers.shape[1] + 1), self.cls_id, np.int32)
        ids[:, 1:] = kmers + self.first_kmer_id
        return ids

    def encode_rows(
        self, letters: Sequence[UInt8[np.ndarray, " _"]], names: Sequence[str]
    ) -> list[Int32[np.ndarray, " _"]]:
        """Returns the ids of many sequences; those without N that are whole k-mers are encoded together."""
        rows: list[Int32[np.ndarray, " _"] | None] = [None] * len(letters)
        plain: dict[int, list[int]] = {}
        for place, row in enumerate(letters):
            if len(row) and len(row) % self.k == 0 and not (row == ord("N")).any():
                plain.setdefault(len(row), []).append(place)
            else:
                rows[place] = self.encode(row.tobytes().decode("ascii"), names[place])
        for places in plain.values():
            encoded = self.encode_windows(np.stack([letters[place] for place in places]))
            for place, ids in zip(places, encoded, strict=True):
                rows[place] = ids
        return [row for row in rows if row is not None]

    def count(self, sequence: str) -> int:
        return self.count_bytes(sequence.encode())

    def counts(self, sequences: Sequence[bytes]) -> Int32[np.ndarray, " N"]:
        return np.fromiter(map(self.count_bytes, sequences), np.int32, len(sequences))

    def count_bytes(self, sequence: bytes) -> int:
        """Counts <cls>, the k-mers between the Ns, single letters for their rests and for each N.

        Source: InstaDeepAI/nucleotide-transformer, nucleotide_transformer/tokenizers.py (k-mer tokenizers).
        """
        n_positions = np.flatnonzero(np.frombuffer(sequence, np.uint8) == ord("N"))
        pieces = np.diff(n_positions, prepend=-1, append=len(sequence)) - 1
        return int(len(n_positions) + (pieces // self.k + pieces % self.k).sum()) + 1

    def widths(self) -> Int32[np.ndarray, " V"]:
        """Returns the number of bases that each id of the vocabulary stands for (<mask>: k)."""
        special = {UNK: 0, PAD: 0, CLS: 0, EOS: 0, BOS: 0, MASK: self.k}
        return np.asarray([special.get(token, len(token)) for token in self.vocabulary], np.int32)

    def spans(self, ids: Int32[np.ndarray, " L"]) -> Int32[np.ndarray, "L 2"]:
        """Returns each token's bases in its sequence, 0-based half-open; empty spans for special tokens."""
        ends = np.cumsum(self.widths()[ids], dtype=np.int32)
        return np.stack([ends - self.widths()[ids], ends], axis=1)
