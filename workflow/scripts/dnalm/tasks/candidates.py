"""Which windows become examples: the annotation's own sites, and as many others."""

from __future__ import annotations

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int

from dnalm.genome import Genome
from dnalm.tasks.sites import (
    DINUCLEOTIDES,
    Shape,
    Spans,
    Stretch,
    covered,
    dinucleotides,
    splice_anchors,
    start_anchors,
    stretches,
)

STRANDS = ("+", "-")
DRAWS = 20  # background windows tried per window wanted
TRUE, INSIDE, ELSEWHERE = "true", "inside", "elsewhere"  # pools; the last two are of label 0
COLUMNS = ["contig", "start", "strand"]


def splice_candidates(
    kind: str, genome: Genome, table: pd.DataFrame, spans: Spans, shape: Shape, wanted: int, seed: int
) -> pd.DataFrame:
    """Returns annotated splice sites and decoys: the same two letters where no transcript has a site.

    Decoys come from two pools: inside genes on the strand of transcription, and all others.

    Returns:
        contig, start, strand, pool, key; in each pool the windows of smallest random `key`, at least
        `wanted` of them where the regions hold so many.
    """
    sites, genes = splice_anchors(table, kind), table[table["type"] == "gene"]
    generator, parts = np.random.default_rng(seed), []
    for stretch in stretches(genome, spans):
        for strand in STRANDS:
            anchors = dinucleotides(stretch, DINUCLEOTIDES[kind], strand)
            anchors = anchors[stretch.holds(shape.start(anchors, strand), shape.length)]
            own, around = (
                rows[(rows["contig"] == stretch.contig) & (rows["strand"] == strand)]
                for rows in (sites, genes)
            )
            true, inside = np.isin(anchors, own["anchor"].to_numpy()), covered(anchors, around)
            pools = {TRUE: true, INSIDE: ~true & inside, ELSEWHERE: ~true & ~inside}
            for pool, members in pools.items():
                starts = shape.start(anchors[members], strand)
                parts.append(_draw(stretch, starts, strand, pool, wanted, generator))
    return pd.concat(parts, ignore_index=True)


def promoter_candidates(
    genome: Genome, table: pd.DataFrame, spans: Spans, shape: Shape, wanted: int, seed: int
) -> pd.DataFrame:
    """Returns windows about gene starts, and windows from anywhere that overlap none of any transcript.

    Returns:
        as `splice_candidates`.
    """
    sites = start_anchors(table)
    total = sum(end - start for pairs in spans.values() for start, end in pairs)
    generator, parts = np.random.default_rng(seed), []
    for stretch in stretches(genome, spans):
        near = sites[sites["contig"] == stretch.contig]
        tried = -(-DRAWS * wanted * (stretch.end - stretch.start) // total)
        last = max(stretch.end - shape.length, stretch.start)
        drawn = np.unique(generator.integers(stretch.start, last + 1, tried))
        drawn = drawn[stretch.holds(drawn, shape.length) & ~_overlaps(drawn, near, shape)]
        reverse = generator.random(len(drawn)) < 0.5
        for strand in STRANDS:
            known = near.loc[near["known"] & (near["strand"] == strand), "anchor"].to_numpy()
            starts = shape.start(known, strand)
            starts = starts[stretch.holds(starts, shape.length)]
            parts.append(_draw(stretch, starts, strand, TRUE, wanted, generator))
            others = drawn[reverse == (strand == "-")]
            parts.append(_draw(stretch, others, strand, ELSEWHERE, wanted, generator))
    return pd.concat(parts, ignore_index=True)


def balance(found: pd.DataFrame, wanted: int) -> pd.DataFrame:
    """Takes as many examples of each class, at most `wanted`; the pools of label 0 in equal parts."""
    found = found.drop_duplicates(COLUMNS).sort_values(["key", *COLUMNS])
    true, inside, elsewhere = (found[found["pool"] == pool] for pool in (TRUE, INSIDE, ELSEWHERE))
    count = min(len(true), len(inside) + len(elsewhere), wanted)
    from_inside = min(len(inside), max(count // 2, count - len(elsewhere)))
    others = pd.concat([inside[:from_inside], elsewhere[: count - from_inside]])
    return pd.concat([true[:count].assign(label=1), others.assign(label=0)])[[*COLUMNS, "label", "pool"]]


def _draw(
    stretch: Stretch,
    starts: Int[np.ndarray, " N"],
    strand: str,
    pool: str,
    wanted: int,
    generator: np.random.Generator,
) -> pd.DataFrame:
    """Gives each candidate a random key and keeps the smallest: a fair sample over all regions."""
    keys = generator.random(len(starts))
    kept = np.sort(np.argpartition(keys, wanted)[:wanted]) if len(keys) > wanted else np.arange(len(keys))
    columns = {"contig": stretch.contig, "start": starts[kept], "strand": strand, "pool": pool}
    return pd.DataFrame({**columns, "key": keys[kept]})


def _overlaps(starts: Int[np.ndarray, " N"], sites: pd.DataFrame, shape: Shape) -> Bool[np.ndarray, " N"]:
    """Says which windows overlap a window about a transcript's start, on either strand."""
    about = [
        shape.start(sites.loc[sites["strand"] == strand, "anchor"].to_numpy(), strand) for strand in STRANDS
    ]
    left = np.concatenate(about)
    return covered(starts, pd.DataFrame({"start": left - shape.length + 1, "end": left + shape.length}))
