"""What is embedded: windows of a genome, or named sequences; both as token ids in the reading direction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int32, Int64

from dnalm.errors import UserError
from dnalm.files import require_file
from dnalm.genome import Genome, reverse_complement
from dnalm.genome.letters import TO_ACGTN
from dnalm.sequences import read_sequences
from dnalm.tokens import Tokenizer

if TYPE_CHECKING:
    import pandas as pd

PARQUET_MAGIC = b"PAR1"
ROWS_AT_ONCE = 1024  # whose letters are in memory while tokens are counted


class Source(ABC):
    """Rows to embed.

    Attributes:
        obs: one row per sequence, indexed by name; the columns that the output keeps.
        lengths_bp: Int64 (N,).
    """

    obs: pd.DataFrame
    lengths_bp: Int64[np.ndarray, " N"]

    @abstractmethod
    def bases(self, row: int) -> bytes:
        """Returns a row's letters, A, C, G, T and N only, in its reading direction."""

    def token_counts(self, tokenizer: Tokenizer) -> Int32[np.ndarray, " N"]:
        """Returns each row's number of tokens, special ones included."""
        blocks = range(0, len(self.obs), ROWS_AT_ONCE)
        last = len(self.obs)
        counts = [
            tokenizer.counts([self.bases(row) for row in range(first, min(first + ROWS_AT_ONCE, last))])
            for first in blocks
        ]
        return np.concatenate([np.zeros(0, np.int32), *counts])

    def encode(
        self, first: int, last: int, tokenizer: Tokenizer, minus: bool = False
    ) -> list[Int32[np.ndarray, " _"]]:
        """Returns the token ids of rows [first, last), or of their reverse complements."""
        letters = [np.frombuffer(self.bases(row), np.uint8) for row in range(first, last)]
        if minus:
            letters = [reverse_complement(row) for row in letters]
        return tokenizer.encode_rows(letters, [str(name) for name in self.obs.index[first:last]])


class WindowSource(Source):
    """Windows of a genome (`windows.read_windows`); those on the minus strand are reverse-complemented.

    As `mask_genome.py` does, soft-masked letters count and letters other than A, C, G and T are N.
    """

    def __init__(self, genome: Genome, windows: pd.DataFrame) -> None:
        self._genome = genome
        for column in ("contig", "strand"):
            windows = windows.astype({column: "category"})
        self.obs = windows.drop(columns=["name", "score"]).set_index(windows["name"].rename(None))
        self._contigs, self._strands = (windows[column].tolist() for column in ("contig", "strand"))
        self._starts, self._ends = (windows[column].tolist() for column in ("start", "end"))
        self.lengths_bp = (windows["end"] - windows["start"]).to_numpy(np.int64)

    def bases(self, row: int) -> bytes:
        contig, start, end = self._contigs[row], self._starts[row], self._ends[row]
        bases = self._genome.read(contig, start, end, TO_ACGTN)
        if self._strands[row] != "-":
            return bases
        return reverse_complement(np.frombuffer(bases, np.uint8)).tobytes()


class SequenceSource(Source):
    """Named sequences in memory."""

    def __init__(self, names: Sequence[str], sequences: Sequence[bytes], where: str | Path) -> None:
        import pandas as pd

        index = pd.Index(names, dtype=str)
        if index.has_duplicates:
            repeated = index[index.duplicated()][0]
            raise UserError(where, f"holds the name {repeated!r} twice", "Give every sequence its own name.")
        self.obs = pd.DataFrame(index=index)
        self._sequences = list(sequences)
        self.lengths_bp = np.array([len(sequence) for sequence in sequences], np.int64)

    def bases(self, row: int) -> bytes:
        return self._sequences[row]


def read_source(path: str | Path) -> SequenceSource:
    """Reads sequences from FASTA, text with one per line, or parquet with columns name and sequence.

    Letters other than A, C, G and T become N, as `mask_genome.py` does.

    Raises:
        UserError: none of these, or without sequences.
    """
    with open(require_file(path, "sequences"), "rb") as handle:
        parquet = handle.read(4) == PARQUET_MAGIC
    rows = _read_parquet(Path(path)) if parquet else read_sequences(path)
    if not rows:
        raise UserError(path, "holds no sequences", "Give at least one.")
    letters = [text.encode("ascii", "replace").translate(TO_ACGTN) for _, text in rows]
    return SequenceSource([name for name, _ in rows], letters, path)


def _read_parquet(path: Path) -> list[tuple[str, str]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=["name", "sequence"])
    except (pyarrow.ArrowException, OSError) as fault:
        raise UserError(path, f"cannot be read as parquet ({fault})", "Make it again.") from fault
    if table.num_columns != 2:
        raise UserError(path, "lacks the columns name and sequence", "Make it with make_task.py.")
    names, sequences = (table[column].to_pylist() for column in ("name", "sequence"))
    return list(zip(map(str, names), sequences, strict=True))
