"""What a segmentation run will do, decided before the model is loaded: layout, pieces, chunks, shares."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import UInt8

from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.models import ModelConfig
from dnalm.segmentation.predict import OWN_STRAND
from dnalm.stitching import (
    HEAD_TOKENS,
    OVERLAP,
    SCAN_BP,
    Chunk,
    Layout,
    Span,
    Stitch,
    centring_context,
    join_spans,
    known_spans,
    make_chunks,
    merge_spans,
)

CHUNK_BP = 1 << 19  # a few seconds on two cores for the demo's model, under 150 MB for 14 features
CENTRED = -1  # context of a region that puts it in the middle of a window
MAX_FILLED_N = 5  # default: single unknown bases, not gaps of an assembly
log = logging.getLogger("dnalm")


def make_layout(
    config: ModelConfig,
    window_bp: int | None = None,
    overlap: float = OVERLAP,
    frames: int = 1,
    reverse_complement: bool = False,
    stitch: Stitch = "centre",
) -> Layout:
    """Returns how a checkpoint tiles a genome; its window is by default that of its training.

    Args:
        reverse_complement: average both strands; a model of one strand's labels always reads both.

    Raises:
        UserError: a window that is too long or no multiple of four tokens; a language model.
    """
    if not config.features:
        raise UserError(
            "checkpoint", "is a language model, it predicts no features", "Name a segmentation model."
        )
    k, trained = config.kmers.k, (config.max_tokens - 1) // HEAD_TOKENS * HEAD_TOKENS
    tokens = trained if window_bp is None else window_bp // k
    if window_bp is not None and window_bp % (k * HEAD_TOKENS):
        raise UserError("--window-bp", f"{window_bp} is no multiple of {k * HEAD_TOKENS}", "Round it.")
    if tokens + 1 > config.longest_tokens:
        longest = (config.longest_tokens - 1) // HEAD_TOKENS * HEAD_TOKENS
        raise UserError(
            "--window-bp",
            f"{window_bp} bp are {tokens + 1} tokens, the model takes at most {config.longest_tokens} "
            f"({longest * k} bp; it was trained on {config.max_tokens})",
            f"Give at most {longest * k}.",
        )
    both = reverse_complement or config.labels == OWN_STRAND
    return Layout(tokens, k, overlap, frames, both, stitch)


def rescaling_factor(config: ModelConfig, layout: Layout) -> float | None:
    """Returns the factor of the rotary positions: the checkpoint's, or for longer windows than it was
    trained on (DNA tokens + 1) / the tokens that its encoder was trained on.

    Source: documentation of SegmentNT (8,333 / 2,048 for 49,992 bp).
    """
    tokens = layout.window_tokens + 1
    if tokens <= config.max_tokens:
        return config.rescaling_factor
    factor = tokens / config.backbone_tokens
    log.info("windows of %d tokens, trained on %d: rescaling factor %.6g", tokens, config.max_tokens, factor)
    return factor


@dataclass(frozen=True)
class Pieces:
    """What of a genome is predicted: contig -> stretches, and the short runs of N filled within them."""

    spans: dict[str, list[Span]]
    filled: dict[str, list[Span]]


def find_genome_pieces(genome: Genome, contigs: Sequence[str], max_filled_n: int) -> Pieces:
    """Reads the contigs once, in parts.

    Raises:
        UserError: a negative length.
    """
    if max_filled_n < 0:
        raise UserError("--max-filled-n", f"found {max_filled_n}, expected 0 or more", "0 fills none.")
    found = Pieces({}, {})
    for contig in contigs:
        spans = known_spans(_parts(genome, contig))
        found.spans[contig], found.filled[contig] = join_spans(spans, max_filled_n)
    return found


def _parts(genome: Genome, contig: str) -> Iterator[UInt8[np.ndarray, " _"]]:
    length = genome.lengths[contig]
    for start in range(0, length, SCAN_BP):
        yield np.frombuffer(genome.read(contig, start, min(length, start + SCAN_BP)), np.uint8)


def filled_within(pieces: Pieces, regions: Mapping[str, Sequence[Span]]) -> Iterator[tuple[str, int, int]]:
    """Yields the filled Ns that regions cover: contig, start, end."""
    for contig, spans in regions.items():
        for first, last in merge_spans(spans):
            for start, end in pieces.filled[contig]:
                if start < last and first < end:
                    yield contig, max(start, first), min(end, last)


def plan_groups(
    pieces: Pieces,
    regions: Mapping[str, Sequence[Span]],
    layout: Layout,
    chunk_bp: int,
    context_bp: int | None,
) -> list[list[Chunk]]:
    """Returns chunks in order, short ones in groups that are worth a batch; a group is a shard.

    Args:
        context_bp: bases on each side of a region that its windows may reach; None: the whole contig, as in
            a run over all of it; CENTRED: what puts the region in the middle of a window.
    """
    window_bp = layout.window_tokens * layout.k
    context = None if context_bp is None else partial(_context, context_bp, window_bp)
    groups: list[list[Chunk]] = []
    room = 0
    for chunk in make_chunks(pieces.spans, regions, chunk_bp, context):
        cost = layout.expected_windows(chunk.end - chunk.start)
        if not groups or cost > room:
            groups.append([])
            room = layout.expected_windows(chunk_bp)
        groups[-1].append(chunk)
        room -= cost
    return groups


def _context(context_bp: int, window_bp: int, start: int, end: int) -> int:
    return centring_context(start, end, window_bp) if context_bp == CENTRED else context_bp


def windows_of(group: Sequence[Chunk], layout: Layout) -> int:
    """Returns about how many windows a group's chunks take."""
    return sum(layout.expected_windows(chunk.end - chunk.start) for chunk in group)
