"""Tokenizers on strings that can be cut by hand; the published strings are in tests/golden/."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnalm.errors import UserError
from dnalm.tokens import KMERS, tokenizer

SIX, THREE, ONE = tokenizer("v2_6mer"), tokenizer("v2_3mer"), tokenizer("v1_6mer")


@pytest.mark.parametrize(
    ("sequence", "tokens"),
    [
        ("", []),
        ("ATTCCG", ["ATTCCG"]),
        ("ATTCCGAC", ["ATTCCG", "A", "C"]),
        ("ACNACGTACG", ["A", "C", "N", "ACGTAC", "G"]),  # an N breaks the frame
        ("NN", ["N", "N"]),
        ("ATTCCGN", ["ATTCCG", "N"]),
    ],
)
def test_cut(sequence, tokens):
    found, ids = SIX.tokenize(sequence)
    assert found == ["<cls>", *tokens] and len(ids) == SIX.count(sequence)
    assert [SIX.vocabulary[i] for i in ids] == found


@pytest.mark.parametrize(
    ("kmers", "token", "expected"),
    [
        (SIX, "AAAAAA", 6),
        (SIX, "AAAAAT", 7),  # the alphabet's order is A, T, C, G
        (SIX, "TAAAAA", 6 + 4**5),
        (SIX, "GGGGGG", 4101),
        (SIX, "N", 4106),
        (THREE, "GGG", 69),
        (THREE, "A", 70),
        (ONE, "AAAAAA", 4),
        (ONE, "N", 4104),
    ],
)
def test_ids(kmers, token, expected):
    assert kmers.encode(token).tolist() == [3, expected]


def test_sizes_and_special_ids():
    assert [(k.embedded, len(k.vocabulary)) for k in (SIX, THREE, ONE)] == [
        (4107, 4107),
        (75, 75),
        (4105, 4107),
    ]
    assert (SIX.unk_id, SIX.pad_id, SIX.mask_id, SIX.cls_id) == (0, 1, 2, 3)
    assert SIX.special_ids == (0, 1, 2, 3, 4, 5) and ONE.special_ids == (0, 1, 2, 3, 4105, 4106)


def test_spans_cover_the_sequence():
    sequence = "ACNACGTACGT"
    spans = SIX.spans(SIX.encode_batch([sequence], 9)[0])
    assert spans.tolist() == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 9], [9, 10], [10, 11], [11, 11], [11, 11]]


@pytest.mark.parametrize(
    ("sequence", "token", "position"),
    [("ACGTACacgtac", "acgtac", 6), ("NAR", "R", 2), ("ACGUAC", "ACGUAC", 0), ("ACGTAC ", " ", 6)],
)
def test_other_letters_are_refused_with_their_place(sequence, token, position):
    with pytest.raises(UserError, match=rf"^chr1, position {position}: token '{token}' not found") as fault:
        SIX.encode(sequence, "chr1")
    assert "upper case" in str(fault.value)


def test_a_batch_names_the_sequence_at_fault():
    with pytest.raises(UserError, match=r"^sequence 2, position 0: token 'x'"):
        SIX.encode_batch(["A", "x"])
    with pytest.raises(
        UserError, match=r"^sequence 2: too long \(found 4 tokens with <cls>, expected at most 3"
    ):
        SIX.encode_batch(["A", "ACG"], 3)


@settings(deadline=None, max_examples=50)
@given(st.sampled_from(sorted(KMERS)), st.lists(st.text("ACGT", min_size=18, max_size=18), min_size=1))
def test_fast_windows_equal_the_slow_way(name, windows):
    kmers = tokenizer(name)
    bases = np.frombuffer("".join(windows).encode(), np.uint8).reshape(len(windows), 18)
    np.testing.assert_array_equal(kmers.encode_windows(bases), kmers.encode_batch(windows))


@settings(deadline=None, max_examples=50)
@given(st.text("ACGTN", max_size=60))
def test_spans_and_count_fit_any_sequence(sequence):
    ids = SIX.encode(sequence)
    spans = SIX.spans(ids)
    assert len(ids) == SIX.count(sequence) and spans[-1, 1] == len(sequence)
    cut = [sequence[start:end] for start, end in spans[1:]]
    assert cut == SIX.cut(sequence) and "".join(cut) == sequence


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (b"ACGTA", "5 bases are no multiple of 6"),
        (b"ACGTNA", "window 1, position 4: found letter 'N'"),
        (b"acgtaa", "window 1, position 0: found letter 'a'"),
    ],
)
def test_fast_windows_refuse_the_rest(window, message):
    with pytest.raises(UserError, match=message):
        SIX.encode_windows(np.frombuffer(window, np.uint8)[None])


def test_unknown_tokenizer():
    with pytest.raises(UserError, match="'bpe' not known"):
        tokenizer("bpe")
