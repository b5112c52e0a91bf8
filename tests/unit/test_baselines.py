"""Baseline features: counted by hand, and by a slow definition on random sequences."""

from itertools import product

import numpy as np
import pytest

from dnalm import baselines
from dnalm.errors import UserError


def slow_counts(sequence: str, k: int) -> list[int]:
    words = ["".join(letters) for letters in product("ACGT", repeat=k)]
    seen = [sequence[i : i + k] for i in range(len(sequence) - k + 1)]
    return [seen.count(word) for word in words]


def test_counts_by_hand():
    counts = baselines.kmer_counts(["AACA", "TTTT", "acNG"], (1, 2))
    assert counts.dtype == np.float32 and counts.shape == (3, 20)
    assert counts[0, :4].tolist() == [3, 1, 0, 0]
    assert counts[0, 4:].nonzero()[0].tolist() == [0, 1, 4]  # AA, AC, CA
    assert counts[1, 3] == 4 and counts[1, 4 + 15] == 3
    assert counts[2, :4].tolist() == [1, 1, 1, 0]  # lower case counts, N does not
    assert counts[2, 4:].sum() == 1 and counts[2, 4 + 1] == 1  # AC alone: CN and NG hold N


def test_counts_are_those_of_the_definition(monkeypatch):
    generator = np.random.default_rng(1)
    sizes = generator.integers(0, 90, 30)
    sequences = ["".join(generator.choice(list("ACGTN"), size, p=[0.24] * 4 + [0.04])) for size in sizes]
    expected = [slow_counts(sequence, 2) + slow_counts(sequence, 3) for sequence in sequences]
    assert baselines.kmer_counts(sequences, (2, 3)).tolist() == expected
    monkeypatch.setattr(baselines, "BLOCK_BASES", 200)  # two sequences at a time
    assert baselines.kmer_counts(sequences, (2, 3)).tolist() == expected


def test_default_columns():
    assert baselines.kmer_counts(["ACGTACGT"]).shape == (1, 64 + 256 + 1024)
    assert baselines.kmer_counts([]).shape == (0, 1344)
    assert not baselines.kmer_counts(["AC"]).any()  # shorter than every k


def test_one_hot_by_hand():
    assert baselines.one_hot(["AC", "NT"]).tolist() == [[1, 0, 0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1]]


def test_one_hot_needs_one_length():
    with pytest.raises(UserError, match="differ in length \\(found 2 to 3 bp\\)"):
        baselines.one_hot(["AC", "ACG"])
