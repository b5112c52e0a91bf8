"""The tokenizers against 900 strings tokenized by the published implementation."""

import ast
import json
from pathlib import Path

import numpy as np
import pytest

from dnalm.errors import UserError
from dnalm.tokens import KMERS, tokenizer

HERE = Path(__file__).parent / "tokenizer"


@pytest.fixture(params=sorted(KMERS))
def case(request):
    return tokenizer(request.param), json.loads((HERE / f"{request.param}.json").read_text())


def test_vocabulary(case):
    kmers, golden = case
    assert len(kmers.vocabulary) == golden["vocab_size"]
    assert kmers.embedded == golden["model_alphabet_size"]
    assert {token: kmers.ids[token] for token in golden["special_ids"]} == golden["special_ids"]
    assert kmers.letters == golden["standalone_ids"]
    assert kmers.vocabulary[kmers.first_kmer_id] == golden["first_kmer"]


def test_every_string(case):
    kmers, golden = case
    faults = 0
    for row in golden["rows"]:
        if "error" in row:
            faults += 1
            token = (
                ast.literal_eval(row["message"])
                .removeprefix("Token ")
                .removesuffix(" not found in vocabulary")
            )
            with pytest.raises(UserError) as fault:
                kmers.tokenize(row["sequence"])
            assert f"token {token!r} not found" in fault.value.problem
            position = int(fault.value.where.rpartition(" ")[2])
            assert row["sequence"][position:].startswith(token)
        else:
            assert kmers.tokenize(row["sequence"]) == (row["tokens"], row["ids"])
            assert kmers.count(row["sequence"]) == len(row["ids"]) or "<mask>" in row["sequence"]
    assert faults == golden["n_error"] and len(golden["rows"]) == golden["n_error"] + golden["n_ok"]


def test_padding_to_a_length(case):
    kmers, golden = case
    batch = golden["fixed_length_batch"]
    found = kmers.encode_batch(batch["sequences"], batch["fixed_length"])
    np.testing.assert_array_equal(found, batch["ids"])
    with pytest.raises(UserError, match=r"sequence 1: too long \(found \d+ tokens.*at most 12\)"):
        kmers.encode_batch(["N" * 30], batch["fixed_length"])


# The worked examples of the published documentation and of the model cards on the hub.
EXAMPLES = {
    "ATCCCGGNNTCGACACN": "ATCCCG G N N TCGACA C N",
    "ACGTGTACNTGCACGGANCGACTAGTCTGA": "ACGTGT A C N TGCACG G A N CGACTA GTCTGA",
    "ACGTGTACGTGCACGGACGACTAGTCAGCA": "ACGTGT ACGTGC ACGGAC GACTAG TCAGCA",
}


@pytest.mark.parametrize("name", ["v1_6mer", "v2_6mer"])
@pytest.mark.parametrize("sequence", EXAMPLES)
def test_published_worked_examples(name, sequence):
    tokens, ids = tokenizer(name).tokenize(sequence)
    assert tokens == ["<cls>", *EXAMPLES[sequence].split()]
    assert [tokenizer(name).vocabulary[number] for number in ids] == tokens


def test_the_worked_examples_in_three_letters():
    tokens, _ = tokenizer("v2_3mer").tokenize("ATCCCGGNNTCGACACN")
    assert tokens == ["<cls>", "ATC", "CCG", "G", "N", "N", "TCG", "ACA", "C", "N"]
