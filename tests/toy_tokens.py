"""Small byte-pair encodings for tests, as the `tokenizers` library writes them."""

import json

SPECIAL = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")  # DNABERT-2's order


def bpe_record(merges, special=SPECIAL, fuse_unk=False):
    """Returns a tokenizer.json's record with the given merges, in their order."""
    words = [*special, *"ACGT", *("".join(pair) for pair in merges)]
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": "[UNK]",
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": fuse_unk,
        "byte_fallback": False,
        "vocab": {word: index for index, word in enumerate(words)},
        "merges": [list(pair) for pair in merges],
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": model,
    }


def bpe_text(merges, **options):
    return json.dumps(bpe_record(merges, **options))


def bpe_of_size(size):
    """Returns the text of a vocabulary of so many tokens: ever longer runs of A."""
    return bpe_text([("A", "A" * length) for length in range(1, size - len(SPECIAL) - 4 + 1)])
