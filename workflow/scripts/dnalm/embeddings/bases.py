"""Values of tokens as values of bases, whatever the tokens: one, several or half a base apart."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int

from dnalm.errors import UserError
from dnalm.tokens import Tokenizer

RULES = ("centre", "mean")


def per_base(
    values: Float[np.ndarray, "L ..."],
    spans: Int[np.ndarray, "L 2"],
    length_bp: int,
    rule: str = "centre",
) -> Float[np.ndarray, "S ..."]:
    """Returns a value for each base of a sequence from its tokens' values; NaN where no token lies.

    A token that stands alone on its bases gives each of them its value. Where tokens overlap (k-mers one base
    apart), `centre` takes the token that starts (k - 1) // 2 bases before the base; the first and last token
    stand for the ends too (1 and 1 more bases for k = 3; 1 and 2 for 4; 2 and 2 for 5; 2 and 3 for 6). `mean`
    averages all tokens that cover the base.

    Args:
        values: of tokens, special ones included or not.
        spans: their bases, 0-based half-open (`Tokenizer.spans`); tokens without bases are left out.
        length_bp: S.
        rule: one of RULES.

    Raises:
        UserError: an unknown rule, or spans beyond the sequence.

    Source: for `centre`, BEND (Marin et al. 2024), utils/embedders.py.
    """
    if rule not in RULES:
        raise UserError("rule", f"found {rule!r}, expected {' or '.join(RULES)}", "Take one of these.")
    stands = spans[:, 1] > spans[:, 0]
    values, spans = values[stands], spans[stands]
    if len(spans) and spans[:, 1].max() > length_bp:
        raise UserError(
            "spans", f"end at base {spans[:, 1].max()} of {length_bp}", "Take those of this sequence."
        )
    result = np.full((length_bp, *values.shape[1:]), np.nan, values.dtype)
    if not len(spans):
        return result
    if rule == "centre":
        overlap = (spans[1:, 0] < spans[:-1, 1]).any()
        starts = spans[:, 0] + ((spans[:, 1] - spans[:, 0] - 1) // 2 if overlap else 0)
        starts[0] = spans[0, 0]
        token = np.searchsorted(starts, np.arange(length_bp), side="right") - 1
        covered = (token >= 0) & (np.arange(length_bp) < spans[:, 1].max())
        result[covered] = values[token[covered]]
        return result
    total = np.zeros((length_bp + 1, *values.shape[1:]), np.float64)
    count = np.zeros(length_bp + 1)
    for sums, added in ((total, values), (count, np.ones(len(spans)))):
        np.add.at(sums, spans[:, 0], added)
        np.subtract.at(sums, spans[:, 1], added)
    count = np.cumsum(count)[:-1].astype(int)
    sums = np.cumsum(total, axis=0)[:-1]
    shape = (-1, *[1] * (values.ndim - 1))
    result[count > 0] = (sums[count > 0] / count[count > 0].reshape(shape)).astype(values.dtype)
    return result


def bases_of(results: Mapping[str, np.ndarray], tokenizer: Tokenizer) -> dict[str, np.ndarray]:
    """Returns base_embeddings_L (B, S, D) of the embeddings_L (B, T, D) of `models.run.run_model`.

    S is the longest row's number of bases; rows are NaN beyond their own.
    """
    spans = [tokenizer.spans(row) for row in results["tokens"]]
    lengths = [int(own[:, 1].max()) for own in spans]
    found = {}
    for name, values in results.items():
        if name.startswith("embeddings_"):
            rows = np.full((len(values), max(lengths), values.shape[2]), np.nan, np.float32)
            for row, own, places, length in zip(rows, values, spans, lengths, strict=True):
                row[:length] = per_base(own, places, length)
            found[f"base_{name}"] = rows
    return found
