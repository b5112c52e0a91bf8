"""Overlapping k-mers and byte-pair encodings: strings cut by hand, and against the published way."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from toy_tokens import bpe_record, bpe_text

from dnalm.embeddings.bases import per_base
from dnalm.errors import UserError
from dnalm.tokens import BPE, GREEDY, KMERS, NAMES, OVERLAPPING, spacing, tokenizer
from dnalm.tokens.bpe import greedy_text

THREE, SIX = tokenizer("overlapping_3mer"), tokenizer("overlapping_6mer")
MERGES = [("A", "A"), ("T", "T"), ("T", "G"), ("C", "A"), ("AA", "TT"), ("CA", "CA")]
TEXT = bpe_text(MERGES)
READER = tokenizer(BPE, TEXT)
HOSTILE = st.text("ACGTNacgtnRYKMSWBDHVrykm", max_size=120)


def strings(seed, count=1000):
    """Random strings: plain, with N, soft-masked, with other letters, repeats, empty."""
    random = np.random.default_rng(seed)
    alphabets = ("ACGT", "ACGTN", "ACGTacgt", "ACGTNRYKMSWacgtn", "A", "AT", "N")
    return [
        "".join(random.choice(list(alphabets[number % len(alphabets)]), random.integers(0, 200)))
        for number in range(count)
    ]


# --- overlapping k-mers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "size", "newlines", "last"),
    [(3, 69, 68, "GGG"), (4, 261, 260, "GGGG"), (5, 1029, 1028, "GGGGG"), (6, 4101, 4100, "GGGGGG")],
)
def test_the_published_order(k, size, newlines, last):
    words = tokenizer(f"overlapping_{k}mer").vocabulary
    assert words[:5] == ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    assert words[5:9] == tuple("A" * (k - 1) + letter for letter in "ATCG") and words[-1] == last
    assert len(words) == size and "\n".join(words).count("\n") == newlines


@pytest.mark.parametrize(
    ("sequence", "tokens"),
    [
        ("", []),
        ("AC", []),  # shorter than k
        ("ACG", ["ACG"]),
        ("acgt", ["ACG", "CGT"]),
        ("ACGNACG", ["ACG", "[UNK]", "[UNK]", "[UNK]", "ACG"]),
        ("ACGRT", ["ACG", "[UNK]", "[UNK]"]),
    ],
)
def test_kmers_by_hand(sequence, tokens):
    found, ids = THREE.tokenize(sequence)
    assert found == ["[CLS]", *tokens, "[SEP]"] and len(ids) == THREE.count(sequence)


def test_the_longest_input_of_512_tokens():
    for k, length in ((3, 512), (4, 513), (5, 514), (6, 515)):
        reader = tokenizer(f"overlapping_{k}mer")
        assert reader.longest_bp(512) == length and len(reader.encode("A" * length)) == 512


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_kmers_against_a_bert_tokenizer(k):
    """The published way: k-mers of the upper-case sequence joined by blanks, looked up as words."""
    reader = tokenizer(f"overlapping_{k}mer")
    library = Tokenizer(
        models.WordPiece(
            {word: i for i, word in enumerate(reader.vocabulary)}, unk_token=reader.vocabulary[reader.unk_id]
        )
    )
    library.normalizer = normalizers.BertNormalizer(lowercase=False)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    for text in strings(k):
        words = " ".join(text.upper()[i : i + k] for i in range(len(text) - k + 1))
        expected = [reader.cls_id, *library.encode(words, add_special_tokens=False).ids, reader.sep_id]
        assert reader.encode(text).tolist() == expected, text


# --- byte-pair encoding -----------------------------------------------------------------------------


def test_merges_by_hand():
    found, ids = READER.tokenize("AATTCACANNaatgR")
    assert found == ["[CLS]", "AATT", "CACA", "[UNK]", "[UNK]", "AA", "TG", "[UNK]", "[SEP]"]
    spans = READER.spans(np.array(ids, np.int32)).tolist()
    assert spans == [[0, 0], [0, 4], [4, 8], [8, 9], [9, 10], [10, 12], [12, 14], [14, 15], [15, 15]]


def test_bpe_against_its_library():
    """On upper-case letters the same ids as the file itself gives, special tokens by its template."""
    library = Tokenizer.from_str(TEXT)
    for text in strings(9):
        assert READER.encode(text).tolist() == [
            READER.cls_id,
            *library.encode(text.upper(), add_special_tokens=False).ids,
            READER.sep_id,
        ], text


def test_a_file_with_an_empty_token_and_its_merges():
    """As GROVER's: 610 entries for 609 rows of embeddings."""
    record = bpe_record(MERGES)
    vocabulary = record["model"]["vocab"]
    last = len(vocabulary)
    vocabulary[""] = last
    pairs = [" ".join(pair) for pair in record["model"]["merges"]]
    record["model"]["merges"] = ["A ", "C ", "G ", "T ", *pairs]
    reader = tokenizer(BPE, json.dumps(record))
    assert len(reader.vocabulary) == last + 1 and reader.embedded == last
    for text in strings(3, 200):
        assert reader.encode(text).tolist() == READER.encode(text).tolist()


def test_greedy_takes_the_longest_known_token():
    reader = tokenizer(GREEDY, greedy_text(READER.vocabulary))
    assert reader.tokenize("AATTGCAN")[0] == ["[CLS]", "AATT", "G", "CA", "[UNK]", "[SEP]"]
    assert READER.tokenize("ATTG")[0] == ["[CLS]", "A", "TT", "G", "[SEP]"]
    assert reader.tokenize("CACAnnR")[0] == ["[CLS]", "CACA", "[UNK]", "[UNK]", "[UNK]", "[SEP]"]
    for text in strings(4, 200):
        spans = reader.spans(reader.encode(text))
        assert spans[-1, 1] == len(text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("{", r"tokenizer\.json: is no tokenizer"),
        ('{"model": {"type": "BPE"}}', "is no tokenizer"),
        (bpe_text(MERGES, special=("[UNK]", "[CLS]")), r"has no \[PAD\], \[SEP\], \[MASK\]"),
        (bpe_text(MERGES, fuse_unk=True), "joins unknown letters"),
    ],
)
def test_other_files_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        _ = tokenizer(BPE, change).vocabulary


# --- all ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*KMERS, *OVERLAPPING, BPE])
def test_spans_rebuild_the_sequence(name):
    reader = READER if name == BPE else tokenizer(name)
    for text in strings(6, 300):
        text = text.upper().translate({ord(letter): "N" for letter in "RYKMSW"})
        found = reader.spans(reader.encode(text))
        kept = [pair for pair in found.tolist() if pair[1] > pair[0]]
        if name in OVERLAPPING:
            assert kept == [[i, i + reader.k] for i in range(len(text) - reader.k + 1)]
        else:
            assert "".join(text[start:end] for start, end in kept) == text


@settings(deadline=None, max_examples=100)
@given(HOSTILE, st.sampled_from([*OVERLAPPING, BPE]))
def test_lower_case_is_read_like_upper_case(text, name):
    reader = READER if name == BPE else tokenizer(name)
    assert reader.encode(text).tolist() == reader.encode(text.upper()).tolist()
    counts = reader.counts([text.upper().encode()])
    assert counts.tolist() == [len(reader.encode(text))]


@pytest.mark.parametrize("name", [*OVERLAPPING, BPE])
@pytest.mark.parametrize(
    ("text", "position"), [("ACG T", 3), ("ACGT\n", 4), ("AC1", 2), ("Ä", 0), ("AC-GT", 2)]
)
def test_what_is_no_letter_is_refused(name, text, position):
    reader = READER if name == BPE else tokenizer(name)
    with pytest.raises(UserError, match=rf"^chr1, position {position}: found .* expected a letter"):
        reader.encode(text, "chr1")


def test_names_and_spacing():
    assert set(NAMES) == {*KMERS, *OVERLAPPING, BPE, GREEDY}
    assert not spacing(BPE).exact and spacing("overlapping_4mer") is OVERLAPPING["overlapping_4mer"]
    with pytest.raises(UserError, match="'bpe' not known"):
        tokenizer(BPE)


# --- values of tokens as values of bases ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "first", "last"), [(3, 2, 2), (4, 2, 3), (5, 3, 3), (6, 3, 4)]
)  # bases of the end tokens
def test_the_middle_of_overlapping_kmers(k, first, last):
    reader, sequence = tokenizer(f"overlapping_{k}mer"), "ACGTACGTACGT"
    spans = reader.spans(reader.encode(sequence))
    found = per_base(np.arange(len(spans), dtype=np.float32), spans, len(sequence))
    kmers = len(sequence) - k + 1
    expected = [*[1] * first, *range(2, kmers), *[kmers] * last]
    assert found.tolist() == expected


def test_the_mean_of_overlapping_kmers():
    spans = THREE.spans(THREE.encode("ACGTA"))
    values = np.array([9, 1, 2, 6, 9], np.float32)  # [CLS] and [SEP] count for nothing
    assert per_base(values, spans, 5, "mean").tolist() == [1, 1.5, 3, 4, 6]


@pytest.mark.parametrize("rule", ["centre", "mean"])
def test_tokens_side_by_side(rule):
    ids = READER.encode("AATTCACAG")
    values = np.stack([np.arange(len(ids)), -np.arange(len(ids))], axis=1).astype(np.float32)
    found = per_base(values, READER.spans(ids), 10, rule)
    assert found[:, 0].tolist()[:9] == [1, 1, 1, 1, 2, 2, 2, 2, 3]
    assert np.isnan(found[9]).all() and np.array_equal(found[:9, 1], -found[:9, 0])


def test_nothing_to_spread():
    spans = THREE.spans(THREE.encode("AC"))
    assert np.isnan(per_base(np.zeros(2, np.float32), spans, 2)).all()
    with pytest.raises(UserError, match=r"rule: found 'max', expected centre or mean"):
        per_base(np.zeros(2, np.float32), spans, 2, "max")
    with pytest.raises(UserError, match="spans: end at base 3 of 2"):
        per_base(np.zeros(1, np.float32), np.array([[0, 3]]), 2)
