"""How often each token of a vocabulary occurs in a genome, and how much of it lies in soft-masked repeats."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float32, Int32, Int64, UInt8

from dnalm.checkpoints import Checkpoint
from dnalm.checkpoints.tensors import read_finite
from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.genome.letters import BASES
from dnalm.tokens import Tokenizer

COLUMNS = ("token", "id", "count", "length_bp", "gc", "soft_masked", "in_repeats")
CHUNK_BP = 999_960  # about 1 Mb, and a multiple of 3, 4, 5 and 6: cuts fall between k-mers
REPEAT_SHARE = 0.5  # of an occurrence's bases in lower case, from which on it lies in a repeat
LOWER_BIT = 0x20  # of the ASCII code of a lower-case letter
_KNOWN = np.isin(np.arange(256) & ~LOWER_BIT, np.frombuffer(BASES, np.uint8))

Spans = Mapping[str, Sequence[tuple[int, int]]]  # contig -> 0-based half-open spans in bp


@dataclass(frozen=True)
class Occurrences:
    """Sums over the occurrences of each id of a vocabulary.

    Args:
        count: occurrences.
        soft_bases: their bases in lower case.
        in_repeats: those of which REPEAT_SHARE or more of the bases are in lower case.
    """

    count: Int64[np.ndarray, " V"]
    soft_bases: Int64[np.ndarray, " V"]
    in_repeats: Int64[np.ndarray, " V"]

    @classmethod
    def none(cls, size: int) -> Occurrences:
        """Returns the sums of no occurrence, for so many ids."""
        return cls(*(np.zeros(size, np.int64) for _ in range(3)))

    def add(self, ids: Int32[np.ndarray, " L"], spans: Int32[np.ndarray, "L 2"], row: np.ndarray) -> None:
        """Adds the tokens of one stretch, whose ASCII codes tell lower from upper case."""
        size, before = len(self.count), np.concatenate([[0], np.cumsum((row & LOWER_BIT) != 0)])
        soft, widths = before[spans[:, 1]] - before[spans[:, 0]], spans[:, 1] - spans[:, 0]
        repeated = (widths > 0) & (soft >= REPEAT_SHARE * widths)
        self.count[:] += np.bincount(ids, minlength=size)
        self.soft_bases[:] += np.bincount(ids, weights=soft, minlength=size).astype(np.int64)
        self.in_repeats[:] += np.bincount(ids[repeated], minlength=size)


def count_tokens(
    genome: Genome,
    tokenizer: Tokenizer,
    regions: Spans,
    progress: Callable[[Iterable[Any], str, int], Iterable[Any]] = lambda items, *_: items,
) -> Occurrences:
    """Counts a tokenizer's tokens in regions of a genome, forward strand, both cases read alike.

    Letters other than A, C, G and T split the sequence. At most CHUNK_BP bases are in memory: a chunk ends
    after the last such letter in it, or where it has none at CHUNK_BP. No byte pair is joined across that
    cut and no overlapping k-mer spans it, which changes a few tokens in a million bases; k-mers side by side
    stay the same. Regions that overlap are counted once.
    """
    found = Occurrences.none(len(tokenizer.vocabulary))
    pieces = [(contig, *span) for contig, spans in regions.items() for span in _union(spans)]
    for contig, start, end in progress(pieces, "regions", len(pieces)):
        for rows in stretches(genome, contig, start, end):
            upper = [row & ~np.uint8(LOWER_BIT) for row in rows]
            encoded = tokenizer.encode_rows(upper, [contig] * len(rows))
            for row, ids in zip(rows, encoded, strict=True):
                found.add(ids, tokenizer.spans(ids), row)
    return found


def _union(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Returns spans as ascending ones that neither overlap nor touch."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def stretches(genome: Genome, contig: str, start: int, end: int) -> Iterator[list[UInt8[np.ndarray, " _"]]]:
    """Yields the stretches of A, C, G and T (ASCII, case kept) of a span in bp, one list per chunk."""
    while start < end:
        letters = np.frombuffer(genome.read(contig, start, min(start + CHUNK_BP, end)), np.uint8)
        known: Bool[np.ndarray, " S"] = _KNOWN[letters]
        if start + len(letters) < end and not known.all():
            whole = int(np.flatnonzero(~known)[-1]) + 1
            letters, known = letters[:whole], known[:whole]
        edges = np.flatnonzero(np.diff(known, prepend=False, append=False)).reshape(-1, 2)
        yield [letters[first:last] for first, last in edges]
        start += len(letters)


def describe(found: Occurrences, tokenizer: Tokenizer, where: object = "genome") -> pd.DataFrame:
    """Returns COLUMNS, a row per token of bases in the order of the ids; shares of no occurrence are NaN.

    `gc` is the token's own share of G and C; `soft_masked` the share of its occurrences' bases in lower case;
    `in_repeats` the share of its occurrences that lie in a repeat (REPEAT_SHARE).

    Raises:
        UserError: not one token was found.
    """
    bases = set(BASES.decode())
    ids = np.array([i for i, token in enumerate(tokenizer.vocabulary) if token and set(token) <= bases])
    tokens = [tokenizer.vocabulary[index] for index in ids]
    lengths = np.array([len(token) for token in tokens])
    count = found.count[ids]
    if not count.any():
        raise UserError(where, "holds no token of A, C, G and T", "Name a genome or regions with bases.")
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN: no occurrence
        shares = found.soft_bases[ids] / (count * lengths), found.in_repeats[ids] / count
    gc = [(token.count("G") + token.count("C")) / len(token) for token in tokens]
    columns = (tokens, ids, count, lengths, gc, *shares)
    return pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))


def input_embeddings(checkpoint: Checkpoint, ids: Sequence[int]) -> Float32[np.ndarray, "V D"]:
    """Returns the rows of a model's table of token embeddings, before positions and norms are added."""
    module = f"{checkpoint.config.root}/~/embed"
    table = read_finite(checkpoint.tensors[module]["embeddings"], f"{checkpoint.source}, {module}")
    return table[np.asarray(ids)]
