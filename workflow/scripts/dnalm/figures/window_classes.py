"""What windows overlap: exons, introns, the rest, repeats; and their GC content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from jaxtyping import Float

if TYPE_CHECKING:
    from dnalm.genome import Genome

CLASSES = ("exonic", "intronic", "intergenic")
REPEAT_SHARE = 0.5  # of a window's bases in lower case
RULE = "A window's class is what covers most of its bases on either strand: exons, introns, between genes"
REPEAT_RULE = f"{RULE}; repeat where {REPEAT_SHARE:.0%} or more of its bases are soft-masked"
GC, ACGT = np.frombuffer(b"GC", np.uint8), np.frombuffer(b"ACGT", np.uint8)


def covered_share(windows: pd.DataFrame, intervals: pd.DataFrame) -> Float[np.ndarray, " B"]:
    """Returns the share of each window's bases that the union of the intervals covers, on either strand."""
    import pyranges

    if intervals.empty:
        return np.zeros(len(windows))
    names = {"contig": "Chromosome", "start": "Start", "end": "End"}
    frame = windows[list(names)].rename(columns=names).assign(row=np.arange(len(windows)))
    union = pyranges.PyRanges(intervals[list(names)].rename(columns=names)).merge()
    covered = pyranges.PyRanges(frame).coverage(union).df  # comes back sorted by contig
    return covered.sort_values("row")["FractionOverlaps"].to_numpy(float)


def classify_windows(
    windows: pd.DataFrame, annotation: pd.DataFrame, soft_masked: Float[np.ndarray, " B"] | None = None
) -> pd.DataFrame:
    """Returns per window the shares exonic, intronic and intergenic, and `overlaps`, its class by `RULE`.

    Args:
        windows: contig, start, end (0-based half-open).
        soft_masked: share of lower-case bases per window, for the class repeat.
    """
    transcribed = annotation[annotation["type"].isin(("gene", "transcript", "exon"))]
    exonic = covered_share(windows, annotation[annotation["type"] == "exon"])
    genic = covered_share(windows, transcribed)
    shares = pd.DataFrame({"exonic": exonic, "intronic": genic - exonic, "intergenic": 1 - genic})
    shares["overlaps"] = np.array(CLASSES)[np.argmax(shares.to_numpy(), axis=1)]
    if soft_masked is not None:
        shares.loc[soft_masked >= REPEAT_SHARE, "overlaps"] = "repeat"
    return shares.set_index(windows.index)


def composition(windows: pd.DataFrame, genome: Genome) -> pd.DataFrame:
    """Returns per window `gc` (share of its A, C, G, T; NaN where it has none) and `soft_masked`."""
    rows = []
    for window in windows.itertuples():
        letters = np.frombuffer(genome.fetch(window.contig, window.start, window.end).encode(), np.uint8)
        upper = letters & 0xDF  # clears the bit that makes a letter lower case
        known = np.isin(upper, ACGT).sum()
        gc = np.isin(upper, GC).sum() / known if known else np.nan
        rows.append((gc, float((letters >= ord("a")).mean())))
    return pd.DataFrame(rows, columns=["gc", "soft_masked"], index=windows.index)
