"""The report of leaks: planted twins are counted exactly, groups stay whole, twins go on request."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_suites import random_dna

from dnalm import folds, tasks
from dnalm.errors import UserError
from dnalm.genome import reverse_complement_text
from dnalm.tasks import leakage
from dnalm.tasks.records import Record, collect


def one_letter_changed(text, place=40):
    return text[:place] + ("A" if text[place] != "A" else "C") + text[place + 1 :]


def planted_task(seed=0, length=300):
    """Returns 60 training and 20 test rows with known relations, 0-based rows of each."""
    generator = np.random.default_rng(seed)
    train, test = ([random_dna(generator, length) for _ in range(count)] for count in (60, 20))
    train[10] = train[11] = train[0]  # three equal rows
    train[12] = reverse_complement_text(train[1])
    test[0] = test[1] = train[0]  # two test rows equal to three training rows
    test[2] = reverse_complement_text(train[2])
    test[3] = one_letter_changed(train[3])
    test[4] = reverse_complement_text(one_letter_changed(train[3]))  # near row 3, other strand of test row 3
    test[5] = "ACGT" * (length // 4)  # its own other strand: no relation
    return train, test


def records_of(train, test=(), positions=None):
    rows = [("train", text) for text in train] + [("test", text) for text in test]
    return collect(
        Record(f"{split}{n}", text, (str(n % 2),), "x", split if test else "", "", (positions or {}).get(n))
        for n, (split, text) in enumerate(rows)
    )


def counts(table):
    return {
        (row.relation, row.rows_of, row.related_to): row.rows for row in table.itertuples() if row.rows > 0
    }


EXPECTED = {
    ("identical", "train", "train"): 3,
    ("identical", "train", "test"): 3,
    ("identical", "test", "train"): 2,
    ("identical", "test", "test"): 2,
    ("reverse_complement", "train", "train"): 2,
    ("reverse_complement", "train", "test"): 1,
    ("reverse_complement", "test", "train"): 1,
    ("reverse_complement", "test", "test"): 2,
    ("near_identical", "train", "test"): 1,
    ("near_identical", "test", "train"): 2,
}


@pytest.mark.parametrize("seed", range(3))
def test_planted_twins_are_counted_exactly(seed):
    task = tasks.assemble(records_of(*planted_task(seed)), "binary", 5)
    assert counts(task.leaks) == EXPECTED
    table = task.leaks.set_index(["relation", "rows_of", "related_to"])
    assert table.loc[("identical", "test", "train"), ["of", "share"]].tolist() == [20, 0.1]
    assert table.loc[("identical", "test", "train"), "example"] == "test60, train0"
    assert table.loc[("near_identical", "train", "test"), "example"] == "train3, test63"
    assert task.dropped == 0 and len(task.table) == 80


def test_rows_related_to_test_rows_are_dropped_on_request():
    task = tasks.assemble(records_of(*planted_task()), "binary", 5, "drop")
    gone = {"train0", "train10", "train11", "train2", "train3"}
    assert task.dropped == 5 and len(task.table) == 75 and not gone & set(task.table["name"])
    assert counts(task.leaks) == EXPECTED, "the report tells of the data as they were loaded"
    rows = tasks.in_folds(task.table)
    relations = leakage.relate(task.table)
    assert not leakage.leaks_from(relations, rows, ~rows).any()


def test_overlapping_windows_are_counted_exactly():
    generator = np.random.default_rng(1)
    train, test = ([random_dna(generator, 100) for _ in range(n)] for n in (40, 10))
    positions = {n: ("c", 1000 * n, 1000 * n + 100, "+") for n in range(50)}
    positions[41] = ("c", 1099, 1199, "-")  # the last base of row 1
    positions[42] = ("c", 2100, 2200, "+")  # touches row 2
    positions[43] = ("d", 3000, 3100, "+")  # row 3, of another contig
    positions[5] = positions[6] = ("c", 6050, 6150, "+")
    task = tasks.assemble(records_of(train, test, positions), "binary", 4)
    assert counts(task.leaks) == {
        ("overlapping", "train", "train"): 2,
        ("overlapping", "train", "test"): 1,
        ("overlapping", "test", "train"): 1,
    }
    group = task.table["group"]
    assert group[1] == group[41] and group[5] == group[6] and group[2] != group[42] and group.nunique() == 48


def test_rows_of_one_contig_inside_each_other():
    positions = {n: ("c", 0, 100, "+") for n in range(3)} | {
        n: ("c", 1000 * n, 1000 * n + 100, "+") for n in range(3, 40)
    }
    generator = np.random.default_rng(2)
    task = tasks.assemble(
        records_of([random_dna(generator, 100) for _ in range(40)], (), positions), "binary", 4
    )
    assert counts(task.leaks) == {("overlapping", "all", "all"): 3}


def test_folds_by_row_are_reported():
    """Folds made without regard to groups, as other programs make them."""
    train, _ = planted_task()
    task = tasks.assemble(records_of(train), "binary", 5).table
    task["fold"] = 0
    task.loc[[10, 12], "fold"] = 1  # a copy of row 0; the other strand of row 1
    found = counts(leakage.report(task, leakage.relate(task)))
    assert found[("identical", "folds", "other folds")] == 3
    assert found[("reverse_complement", "folds", "other folds")] == 2


def test_near_identical_as_all_pairs_say():
    generator = np.random.default_rng(4)
    texts = []
    for _ in range(8):
        ancestor = random_dna(generator, 200)
        texts += [ancestor, one_letter_changed(ancestor), ancestor[30:] + random_dna(generator, 30)]
    sets = [set(folds.kmer_set(text).tolist()) for text in texts]
    expected = [
        any(i != j and len(a & b) >= 0.8 * len(a | b) for j, b in enumerate(sets)) for i, a in enumerate(sets)
    ]
    table = pd.DataFrame({"sequence": texts})
    everyone = np.ones(len(texts), bool)
    found = leakage.relate(table).related("near_identical", everyone, everyone)
    assert found.tolist() == expected and 0 < found.sum() < len(texts)


rows = st.lists(
    st.tuples(st.integers(0, 25), st.sampled_from("=rn"), st.sampled_from(["train", "validation", "test"])),
    min_size=60,
    max_size=120,
)


@given(rows, st.integers(2, 5))
@settings(max_examples=25, deadline=None)
def test_grouped_folds_keep_every_group_whole(drawn, number):
    generator = np.random.default_rng(0)
    ancestors = [random_dna(generator, 120) for _ in range(26)]
    change = {"=": str, "r": reverse_complement_text, "n": one_letter_changed}
    records = collect(
        Record(f"w{n}", change[how](ancestors[who]), (str(n % 2),), "x", split)
        for n, (who, how, split) in enumerate(drawn)
    )
    try:
        task = tasks.assemble(records, "binary", number)
    except UserError as fault:
        assert any(word in str(fault) for word in ("too few", "one class", "has no row", "no training rows"))
        return
    table = task.table
    own = table[tasks.in_folds(table)]
    assert own.groupby("group")["fold"].nunique().max() == 1
    family = pd.Series([who for who, _, _ in drawn])
    assert table.groupby("group")["name"].apply(lambda names: family[names.index].nunique()).max() == 1
    assert not any(key[1] == "folds" for key in counts(task.leaks))
    for relation, kinds in (("identical", "=rn"), ("reverse_complement", "=rn")):
        for split in {split for _, _, split in drawn if split != "test"}:
            expected = brute_force(drawn, relation, split)
            assert counts(task.leaks).get((relation, "test", split), 0) == expected, (relation, kinds)


def brute_force(drawn, relation, split):
    """Counts test rows by their making: equal ones, or the ancestor and its other strand."""
    partner = {"identical": {"=": "=", "r": "r", "n": "n"}, "reverse_complement": {"=": "r", "r": "="}}[
        relation
    ]
    there = {(who, how) for who, how, place in drawn if place == split}
    return sum((who, partner.get(how)) in there for who, how, place in drawn if place == "test")
