"""Shifted samplings: the regions cut into windows whose first start is shifted ten times.

SegmentNT scores its test chromosomes on ten samplings with shifted window starts and prints mean and
standard deviation. Here the tracks are stitched, so that a sampling chooses bases and where segments are
cut, nothing else: the whole windows of a region follow each other without a gap, and two samplings differ
at the ends of the regions. Each base is counted once, in the piece between two such ends; a sampling is the
sum of its pieces.

Source: de Almeida et al. 2025, SegmentNT, Methods (samplings of the test set).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Int

from dnalm.errors import UserError
from dnalm.stitching import Span, merge_spans

SAMPLINGS = 10
log = logging.getLogger("dnalm")


def shifts(window_bp: int) -> list[int]:
    """Returns the start of each sampling's first window in a region, in bases."""
    return [number * window_bp // SAMPLINGS for number in range(SAMPLINGS)]


def kept_span(start: int, end: int, shift: int, window_bp: int) -> Span:
    """Returns the bases of a region in whole windows of a sampling; empty where none fits."""
    first = min(start + shift, end)
    return first, first + (end - first) // window_bp * window_bp


def kept_windows(spans: Sequence[Span], shift: int, window_bp: int) -> Int[np.ndarray, "W 2"]:
    """Returns start and end of a sampling's windows on a contig, ascending."""
    kept = [kept_span(start, end, shift, window_bp) for start, end in merge_spans(spans)]
    starts = np.concatenate([np.arange(first, last, window_bp) for first, last in kept])
    return np.stack([starts, starts + window_bp], axis=1)


def make_pieces(start: int, end: int, window_bp: int) -> Iterator[tuple[int, int, Bool[np.ndarray, " N"]]]:
    """Yields the pieces of a region: start, end, and which samplings hold all of it (the others none)."""
    kept = np.array([kept_span(start, end, shift, window_bp) for shift in shifts(window_bp)])
    for left, right in pairwise(np.unique([start, end, *kept.ravel()]).tolist()):
        yield left, right, (kept[:, 0] <= left) & (right <= kept[:, 1])


def choose_window(
    asked: int | None, trained: int | None, regions: Mapping[str, Sequence[Span]]
) -> int | None:
    """Returns the samplings' window: the one asked for, else the tracks' own where a region holds it.

    Raises:
        UserError: the one asked for is too short for ten shifts, or longer than every region.
    """
    longest = max((end - start for spans in regions.values() for start, end in merge_spans(spans)), default=0)
    if asked is None:
        if trained is None or trained > longest:
            log.warning("no region holds a window of %s bp: no samplings", trained)
            return None
        return trained
    if asked < SAMPLINGS:
        raise UserError("--window-bp", f"is {asked} (expected {SAMPLINGS} or more)", "Give 3072, say.")
    if asked > longest:
        raise UserError(
            "--window-bp",
            f"{asked} is longer than every region (the longest has {longest} bp)",
            f"Give at most {longest}.",
        )
    return asked
