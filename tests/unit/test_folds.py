"""Folds: related windows never part, folds are even, leaks are found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm import folds
from dnalm.errors import UserError
from dnalm.genome import reverse_complement_text


def windows(*rows):
    return pd.DataFrame(rows, columns=["contig", "start", "end"])


def random_sequence(generator, length):
    return "".join(generator.choice(list("ACGT"), length))


def mutate(generator, sequence, count):
    letters = list(sequence)
    for place in generator.choice(len(letters), count, replace=False):
        letters[place] = generator.choice([letter for letter in "ACGT" if letter != letters[place]])
    return "".join(letters)


POSITIONS = [
    ("overlap by one base", [("a", 0, 10), ("a", 9, 20), ("a", 30, 40)], 0, [0, 0, 1]),
    ("touching", [("a", 0, 10), ("a", 10, 20)], 0, [0, 0]),
    ("one base apart", [("a", 0, 10), ("a", 11, 20)], 0, [0, 1]),
    ("neighbours at most 5 bp apart", [("a", 0, 10), ("a", 15, 20), ("a", 26, 30)], 5, [0, 0, 1]),
    ("other contigs", [("a", 0, 10), ("b", 0, 10), ("a", 5, 15)], 0, [0, 1, 0]),
    ("chain, out of order", [("a", 20, 30), ("a", 0, 10), ("a", 8, 22)], 0, [0, 0, 0]),
    ("inside a long one", [("a", 0, 100), ("a", 10, 20), ("a", 50, 60), ("a", 90, 99)], 0, [0, 0, 0, 0]),
    ("none", [], 0, []),
]


@pytest.mark.parametrize(
    ("rows", "apart", "expected"), [case[1:] for case in POSITIONS], ids=[c[0] for c in POSITIONS]
)
def test_windows_group_by_position(rows, apart, expected):
    assert folds.group_windows(windows(*rows), neighbour_bp=apart).tolist() == expected


def test_kmers_of_both_strands_are_one():
    # 12-mers of 14 bases: three, and the same three from the other strand
    sequence = "ACGTTGCAAGTCCA"
    assert len(folds.kmer_set(sequence)) == 3
    for other in (reverse_complement_text(sequence), sequence.lower()):
        assert np.array_equal(folds.kmer_set(sequence), folds.kmer_set(other))
    assert folds.kmer_set("AC", 2).tolist() == [1] and folds.kmer_set("GT", 2).tolist() == [1]
    assert len(folds.kmer_set("ACGTTGNAAGTCCA", 6)) == 3, "a k-mer with N was taken"
    assert len(folds.kmer_set("ACGT")) == 0


def brute_force(sequences, jaccard):
    """Joins by all pairs of Python sets."""
    sets = []
    for text in sequences:
        kmers = {text[i : i + 12] for i in range(len(text) - 11)}
        sets.append({min(kmer, reverse_complement_text(kmer)) for kmer in kmers})
    groups = list(range(len(sets)))
    for i, one in enumerate(sets):
        for j, other in enumerate(sets[:i]):
            if len(one & other) >= jaccard * len(one | other):
                groups = [groups[i] if group == groups[j] else group for group in groups]
    return pd.factorize(np.array(groups))[0].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_near_identical_windows_as_all_pairs_say(seed):
    generator = np.random.default_rng(seed)
    sequences = []
    for _ in range(12):  # families: copies with more and more differences, shifts, other strands
        ancestor = random_sequence(generator, int(generator.integers(200, 500)))
        sequences += [mutate(generator, ancestor, count) for count in (0, 1, 2, 4, 8)]
        sequences += [ancestor[shift:] + random_sequence(generator, shift) for shift in (5, 20, 60)]
    sequences = [reverse_complement_text(s) if generator.random() < 0.5 else s for s in sequences]
    found = folds.group_windows(pd.DataFrame(index=range(len(sequences))), sequences).tolist()
    assert found == brute_force(sequences, 0.8)
    assert 12 < max(found) + 1 < len(sequences)


def test_a_tandem_array_is_one_group():
    """Windows of an array of repeats start anywhere in the unit and lie far apart."""
    generator = np.random.default_rng(0)
    array = random_sequence(generator, 375) * 40
    starts = range(0, 13_000, 1_300)
    copies = [mutate(generator, array[start : start + 1_200], 1) for start in starts]
    others = [random_sequence(generator, 1_200) for _ in range(10)]
    groups = folds.group_windows(
        windows(*[("c", 10_000 * i, 10_000 * i + 1_200) for i in range(20)]), copies + others
    )
    assert set(groups[:10]) == {0} and groups[10:].tolist() == list(range(1, 11))


def test_texts_without_kmers_group_when_equal():
    found = folds.group_windows(pd.DataFrame(index=range(4)), ["ACG", "CGT", "AAA", "NNNNNNNNNNNNNN"])
    assert found.tolist() == [0, 0, 1, 2]


def test_position_and_sequence_chain():
    generator = np.random.default_rng(1)
    twin = random_sequence(generator, 100)
    table = windows(("a", 0, 100), ("a", 90, 190), ("b", 0, 100), ("b", 500, 600))
    sequences = [random_sequence(generator, 100), twin, twin, random_sequence(generator, 100)]
    assert folds.group_windows(table, sequences).tolist() == [0, 0, 0, 1]


@given(
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 1)), min_size=20, max_size=200),
    st.integers(2, 6),
    st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_a_group_stays_in_one_fold(rows, number, seed):
    groups = pd.factorize(np.array([group for group, _ in rows]))[0].astype(np.int64)
    labels = np.array([label for _, label in rows])
    if groups.max() + 1 < number:
        with pytest.raises(UserError, match="too few groups"):
            folds.grouped_folds(groups, labels, number, seed)
        return
    fold = folds.grouped_folds(groups, labels, number, seed)
    assert pd.Series(fold).groupby(groups).nunique().max() == 1
    assert set(fold) == set(range(number))
    assert np.array_equal(fold, folds.grouped_folds(groups, labels, number, seed))


def test_folds_are_even_and_stratified():
    generator = np.random.default_rng(3)
    groups = np.sort(generator.integers(0, 400, 2_000))
    groups = np.unique(groups, return_inverse=True)[1]
    labels = (generator.random(2_000) < 0.2).astype(np.int64)
    fold = folds.grouped_folds(groups, labels, 10, seed=0)
    assert np.ptp(np.bincount(fold)) <= 10
    assert np.ptp(np.bincount(fold[labels == 1])) <= 3
    assert (fold != folds.grouped_folds(groups, labels, 10, seed=1)).mean() > 0.5


def test_a_large_group_has_a_fold_nearly_to_itself():
    groups = np.array([0] * 50 + list(range(1, 51)))
    fold = folds.grouped_folds(groups, folds=2)
    assert len(set(fold[:50])) == 1 and np.bincount(fold).tolist() == [50, 50]


def test_a_leak_is_found():
    generator = np.random.default_rng(5)
    table = windows(*[("c", 1_000 * i, 1_000 * i + 300) for i in range(6)]).assign(name=list("abcdef"))
    sequences = [random_sequence(generator, 300) for _ in range(6)]
    fold = np.array([0, 0, 1, 1, 2, 2])
    folds.check_leaks(table, fold, sequences)
    repeated = [*sequences[:5], reverse_complement_text(sequences[1])]
    with pytest.raises(UserError, match=r"^x\.parquet: 2 windows share .* b in fold 0 and f in fold 2\)"):
        folds.check_leaks(table, fold, repeated, "x.parquet")
    overlapping = table.assign(start=table["start"].where(table["name"] != "d", 1_290))
    overlapping["end"] = overlapping["start"] + 300
    with pytest.raises(UserError, match="b in fold 0 and d in fold 1"):
        folds.check_leaks(overlapping, fold)
    folds.check_leaks(overlapping, np.array([0, 0, 1, 0, 2, 2]))


CLASSES = [
    ("one class", [1] * 40, r"one class only \(found \{1: 40\}"),
    ("nine of a class", [1] * 31 + [0] * 9, r"too few rows .*0: 9, 1: 31.*at least 10"),
    ("a fold without a class", [0, 1] * 20, r"fold 1 has no row of class 0"),
]


@pytest.mark.parametrize(
    ("labels", "pattern"), [case[1:] for case in CLASSES], ids=[case[0] for case in CLASSES]
)
def test_labels_that_cannot_be_cross_validated(labels, pattern):
    fold = np.arange(40) % 4
    with pytest.raises(UserError, match=f"^t: .*{pattern}"):
        folds.check_classes(np.array(labels), fold, "t")


def test_labels_that_can():
    folds.check_classes(np.array([0, 1] * 20), np.arange(40) // 2 % 4, "t")
