"""Reading sequences that a user hands over: FASTA, or text with one sequence per line."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from jaxtyping import Int32

from dnalm.errors import UserError
from dnalm.files import open_binary
from dnalm.tokens import KmerTokenizer, Tokenizer

log = logging.getLogger("dnalm")


def read_sequences(path: str | Path) -> list[tuple[str, str]]:
    """Returns (name, sequence) of a FASTA file or of a text file with one sequence per line.

    FASTA is told by its first letter, ">". Lines of a text file are named by their number. Letters keep
    their case. Either may be compressed with gzip.

    Raises:
        UserError: no sequences, an empty line between sequences, or a malformed FASTA file.
    """
    path = Path(path)
    with open_binary(path, "file of sequences") as handle:
        data = handle.read()
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b">"):
        return _read_fasta(path)
    try:
        lines = data.decode("utf-8-sig").rstrip().splitlines()
    except UnicodeDecodeError as fault:
        raise UserError(
            path, "neither FASTA nor text (not UTF-8)", "Give one sequence per line, or FASTA."
        ) from fault
    if not lines:
        raise UserError(path, "holds no sequences", "Give one sequence per line, or FASTA.")
    for number, line in enumerate(lines, start=1):
        if not line:
            raise UserError(f"{path}:{number}", "empty line between sequences", "Remove it.")
    return [(f"line {number}", line) for number, line in enumerate(lines, start=1)]


def _read_fasta(path: Path) -> list[tuple[str, str]]:
    from dnalm.genome.fasta import Header, read_chunks, read_fasta

    sequences: list[tuple[str, list[bytes]]] = []
    with open_binary(path, "FASTA") as handle:
        for item in read_fasta(read_chunks(handle, path), path):
            if isinstance(item, Header):
                sequences.append((item.name, []))
            else:
                sequences[-1][1].append(item)
    return [(name, b"".join(pieces).decode("ascii")) for name, pieces in sequences]


def encode(
    path: str | Path, tokenizer: Tokenizer, per_base: bool, lower_case: bool = False
) -> tuple[list[str], Int32[np.ndarray, "B L"]]:
    """Returns names and token ids, padded to the longest, of a file of sequences.

    Args:
        per_base: the ids are for predictions per base; warns where these will not line up with the
            sequence (an N, or a length that is no multiple of k, makes single letters of k outputs each).
        lower_case: takes soft-masked letters (a, c, g, t, n) like the others; else they are refused.

    Raises:
        UserError: see `read_sequences`; or a letter that the tokenizer has no token for.
    """
    names, sequences = zip(*read_sequences(path), strict=True)
    sequences = [sequence.upper() if lower_case else sequence for sequence in sequences]
    if per_base and isinstance(tokenizer, KmerTokenizer):
        for name, sequence in zip(names, sequences, strict=True):
            if "N" in sequence or len(sequence) % tokenizer.k:
                log.warning(
                    "%s: has N or a length (%d) that is no multiple of %d: each single letter takes %d "
                    "positions of the segmentation",
                    name, len(sequence), tokenizer.k, tokenizer.k,
                )  # fmt: skip
    rows = [
        tokenizer.encode(sequence, f"{path}, {name}") for name, sequence in zip(names, sequences, strict=True)
    ]
    return list(names), tokenizer.pad(rows)
