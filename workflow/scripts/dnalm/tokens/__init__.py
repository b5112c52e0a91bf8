"""Tokenizers of DNA language models: sequences to ids, and ids back to the bases that they stand for."""

from functools import lru_cache

from dnalm.errors import UserError
from dnalm.tokens.bpe import BPE, GREEDY, BpeSpacing, BpeTokenizer
from dnalm.tokens.form import Kmers, Spacing, Tokenizer
from dnalm.tokens.kmers import CLS, LETTERS, MASK, PAD, UNK, KmerTokenizer
from dnalm.tokens.letters import ALPHABET
from dnalm.tokens.overlapping import OverlappingTokenizer

__all__ = [
    "ALPHABET",
    "BPE",
    "CLS",
    "GREEDY",
    "KMERS",
    "LETTERS",
    "MASK",
    "NAMES",
    "OVERLAPPING",
    "PAD",
    "TOKENIZERS",
    "UNK",
    "BpeTokenizer",
    "KmerTokenizer",
    "Kmers",
    "OverlappingTokenizer",
    "Spacing",
    "Tokenizer",
    "any_kmers",
    "kmer_tokenizer",
    "spacing",
    "tokenizer",
]

KMERS = {
    "v1_6mer": KmerTokenizer("v1_6mer", 6, eos_at_end=True),  # 500M, 2B5, AgroNT
    "v2_6mer": KmerTokenizer("v2_6mer", 6, eos_at_end=False),  # v2 and SegmentNT
    "v2_3mer": KmerTokenizer("v2_3mer", 3, eos_at_end=False),  # codon
}
OVERLAPPING = {f"overlapping_{k}mer": OverlappingTokenizer(f"overlapping_{k}mer", k) for k in (3, 4, 5, 6)}
TOKENIZERS: dict[str, Tokenizer] = {**KMERS, **OVERLAPPING}
NAMES = (*TOKENIZERS, BPE, GREEDY)


def tokenizer(name: str, text: str = "") -> Tokenizer:
    """Returns a tokenizer by name.

    Args:
        text: the tokenizer.json of a byte-pair encoding.

    Raises:
        UserError: no such tokenizer, or a byte-pair encoding without its text.
    """
    if name in (BPE, GREEDY) and text:
        return _of_text(text, name)
    if name not in TOKENIZERS:
        raise UserError("tokenizer", f"{name!r} not known (expected one of {', '.join(TOKENIZERS)})")
    return TOKENIZERS[name]


@lru_cache(maxsize=8)
def _of_text(text: str, name: str) -> BpeTokenizer:
    return BpeTokenizer(text, name)


def kmer_tokenizer(name: str) -> KmerTokenizer:
    """Returns a tokenizer of non-overlapping k-mers by name.

    Raises:
        UserError: no such tokenizer.
    """
    if name not in KMERS:
        raise UserError("tokenizer", f"{name!r} not known (expected one of {', '.join(KMERS)})")
    return KMERS[name]


def any_kmers(name: str) -> Kmers:
    """Returns a tokenizer of k-mers, side by side or overlapping, by name.

    Raises:
        UserError: no such tokenizer.
    """
    return OVERLAPPING[name] if name in OVERLAPPING else kmer_tokenizer(name)


def spacing(name: str) -> Spacing:
    """Returns how many tokens a tokenizer makes of a stretch of DNA, where its vocabulary is not at hand too.

    Raises:
        UserError: no such tokenizer.
    """
    return BpeSpacing() if name in (BPE, GREEDY) else tokenizer(name)
