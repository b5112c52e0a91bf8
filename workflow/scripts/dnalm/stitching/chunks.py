"""Stretches that are predicted, kept and resumed as one, and how regions and pieces become them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dnalm.stitching.layout import Span


@dataclass(frozen=True)
class Chunk:
    """A stretch that is predicted, kept and resumed as one: it lies in one piece of one contig."""

    contig: str
    start: int
    end: int
    piece: Span


def make_chunks(
    pieces: Mapping[str, Sequence[Span]],
    regions: Mapping[str, Sequence[Span]],
    chunk_bp: int,
    context: Callable[[int, int], int] | None = None,
) -> Iterator[Chunk]:
    """Yields chunks of at most `chunk_bp` that cover the regions' bases without N, in ascending order.

    Args:
        pieces: contig -> stretches without long runs of N.
        regions: contig -> regions to predict; those that overlap or touch are joined.
        context: (start, end) -> bases on each side of a region that its windows may reach; by default they
            are those of the whole piece.
    """
    for contig, spans in regions.items():
        for first, last in merge_spans(spans):
            for piece in pieces[contig]:
                start, end = max(first, piece[0]), min(last, piece[1])
                if start < end:
                    around = piece if context is None else _around(start, end, piece, context(start, end))
                    for at in range(start, end, chunk_bp):
                        yield Chunk(contig, at, min(end, at + chunk_bp), around)


def _around(start: int, end: int, piece: Span, context_bp: int) -> Span:
    """Returns a region with its context; where the piece ends on one side, the other side gives more."""
    wanted = end - start + 2 * context_bp
    right = min(piece[1], max(piece[0], start - context_bp) + wanted)
    return max(piece[0], right - wanted), right


def centring_context(start: int, end: int, window_bp: int) -> int:
    """Returns the context that puts a short region in the middle of one window, a long one half a window."""
    return -(-(window_bp - (end - start)) // 2) if end - start < window_bp else window_bp // 2


def merge_spans(spans: Sequence[Span]) -> list[Span]:
    """Returns the union of spans, ascending, those that overlap or touch joined."""
    merged: list[Span] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            start, end = merged[-1][0], max(end, merged.pop()[1])
        merged.append((start, end))
    return merged
