"""What every tokenizer of DNA can do, whatever it cuts a sequence into."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from jaxtyping import Int32, UInt8, UInt16

from dnalm.errors import UserError
from dnalm.tokens.letters import ALPHABET, complements, ids_at_bases

MEAN, PUBLISHED_MEAN, MAXIMUM = "mean", "mean_published", "max"


class Spacing(ABC):
    """How many tokens a stretch of DNA takes, as far as it is known without its letters.

    Attributes:
        name: as models.tsv and configurations call it.
        bases_per_token: mean step from one token to the next.
        exact: `tokens_of` and `longest_bp` are not estimates.
    """

    name: str
    bases_per_token: float
    exact: bool = True

    @abstractmethod
    def tokens_of(self, length_bp: int) -> int:
        """Returns the tokens of a stretch without N, special ones included."""

    @abstractmethod
    def longest_bp(self, max_tokens: int) -> int:
        """Returns the bases without N that fit into so many tokens; a model's natural window length."""


class Tokenizer(Spacing):
    """Sequences to ids and back to the bases that each id stands for.

    Attributes:
        vocabulary: all tokens, in the order of their ids.
        embedded: number of ids that a model has an embedding for.
        unk_id, pad_id, mask_id, cls_id: of the special tokens.
        special_ids: ids that stand for no known bases, whatever the pooling.
        n_ids: ids that stand for bases that are not known.
        end_tokens: special tokens after the sequence; in front there is one.
        takes_lower_case: soft-masked letters are read like the others; else they are refused.
        known_ids: ids of the tokens that masked language modelling may put in another's place.
    """

    vocabulary: tuple[str, ...]
    embedded: int
    unk_id: int
    pad_id: int
    mask_id: int
    cls_id: int
    special_ids: tuple[int, ...]
    n_ids: tuple[int, ...]
    end_tokens: int = 0
    takes_lower_case: bool = False
    known_ids: Int32[np.ndarray, " C"]  # of tokens that stand for known bases and that masking may put in

    @abstractmethod
    def encode(self, sequence: str, where: str = "sequence") -> Int32[np.ndarray, " L"]:
        """Returns the ids of a sequence, <cls> first; `where` names it in errors.

        Raises:
            UserError: a letter that no token stands for; names its 0-based position.
        """

    @abstractmethod
    def spans(self, ids: Int32[np.ndarray, " L"]) -> Int32[np.ndarray, "L 2"]:
        """Returns each token's bases in its sequence, 0-based half-open; empty spans for special tokens."""

    @cached_property
    def ids(self) -> dict[str, int]:
        """Token to id."""
        return {token: index for index, token in enumerate(self.vocabulary)}

    def tokenize(self, sequence: str, where: str = "sequence") -> tuple[list[str], list[int]]:
        """Returns tokens and ids of a sequence (see `encode`)."""
        ids = self.encode(sequence, where).tolist()
        return [self.vocabulary[index] for index in ids], ids

    def count(self, sequence: str) -> int:
        """Returns the number of tokens of a sequence, special ones included."""
        return len(self.encode(sequence))

    def counts(self, sequences: Sequence[bytes]) -> Int32[np.ndarray, " N"]:
        """Returns the number of tokens of each sequence of A, C, G, T and N."""
        return np.fromiter((self.count(row.decode("ascii")) for row in sequences), np.int32, len(sequences))

    def encode_rows(
        self, letters: Sequence[UInt8[np.ndarray, " _"]], names: Sequence[str]
    ) -> list[Int32[np.ndarray, " _"]]:
        """Returns the ids of many sequences, upper-case ASCII; as `encode`, and as fast as may be."""
        pairs = zip(letters, names, strict=True)
        return [self.encode(row.tobytes().decode("ascii"), name) for row, name in pairs]

    def encode_windows(self, bases: UInt8[np.ndarray, "B S"]) -> Int32[np.ndarray, "B L"]:
        """Returns the ids of equally long windows, L the tokens of `tokens_of`: padded, or cut at the end.

        Args:
            bases: upper-case ASCII.
        """
        length = self.tokens_of(bases.shape[1])
        rows = self.encode_rows(list(bases), ["window"] * len(bases))
        last = length - self.end_tokens
        cut = [
            row if len(row) <= length else np.append(row[:last], row[len(row) - self.end_tokens :])
            for row in rows
        ]
        return self.pad(cut, length)

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

    def ignored(self, pooling: str) -> list[int]:
        """Returns the ids that a pooling leaves out; a window with no other token has no embedding (NaN).

        `mean` averages the tokens of known bases and `max` takes their maximum; `mean_published` averages
        those of unknown bases (N) too.
        """
        if pooling in (MEAN, MAXIMUM):
            return sorted({*self.special_ids, *self.n_ids})
        return sorted({*self.special_ids} - {*self.n_ids}) if pooling == PUBLISHED_MEAN else []


class Kmers(Tokenizer):
    """Tokens of k known bases each, side by side or overlapping; their ids follow one another.

    Attributes:
        k: letters per k-mer.
        step: bases from one k-mer's start to the next's.
        first_kmer_id: id of the first k-mer, in the order of ALPHABET.
    """

    k: int
    step: int
    first_kmer_id: int

    @cached_property
    def known_ids(self) -> Int32[np.ndarray, " C"]:
        return np.arange(self.first_kmer_id, self.first_kmer_id + len(ALPHABET) ** self.k, dtype=np.int32)

    def ids_at_bases(self, bases: UInt8[np.ndarray, " S"]) -> UInt16[np.ndarray, " S"]:
        """Returns the id of the k-mer that starts at each base; the unknown token's where none does."""
        return ids_at_bases(bases, self.k, self.first_kmer_id, self.unk_id)

    def complements(self) -> UInt16[np.ndarray, " V"]:
        """Returns the id of each id's reverse complement; of what is no k-mer, its own."""
        return complements(len(self.vocabulary), self.k, self.first_kmer_id)
