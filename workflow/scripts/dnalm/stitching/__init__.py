"""Where windows lie on a contig and which of their bases are kept.

A contig is cut at its long runs of N into pieces; isolated Ns are filled for the input, and missing in the
result. A piece is tiled with equal, overlapping windows; the last one ends at the piece's end. Neighbouring
windows share the k-mer frame, but for that last one, whose frame depends on the piece's length. The minus
strand is tiled alike from its own first base, so that the tracks of a reverse-complemented piece are the
mirror image of the piece's own. All coordinates given out are those of the forward strand, 0-based and
half-open.
"""

from dnalm.stitching.chunks import Chunk, centring_context, make_chunks, merge_spans
from dnalm.stitching.layout import (
    HEAD_TOKENS,
    OVERLAP,
    Layout,
    Span,
    Stitch,
    Tiling,
    base_weights,
    kept_spans,
    tile,
    window_starts,
)
from dnalm.stitching.pieces import (
    SCAN_BP,
    fill,
    fill_margin,
    find_pieces,
    join_spans,
    known_bases,
    known_spans,
)

__all__ = [
    "HEAD_TOKENS",
    "OVERLAP",
    "SCAN_BP",
    "Chunk",
    "Layout",
    "Span",
    "Stitch",
    "Tiling",
    "base_weights",
    "centring_context",
    "fill",
    "fill_margin",
    "find_pieces",
    "join_spans",
    "kept_spans",
    "known_bases",
    "known_spans",
    "make_chunks",
    "merge_spans",
    "tile",
    "window_starts",
]
