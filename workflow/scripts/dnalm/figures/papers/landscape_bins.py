"""What the figure of an attention landscape draws: bins of a region, the first motifs, and words."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dnalm.attention.motifs import find_stretches
from dnalm.figures.genes import Region
from dnalm.figures.track_data import MAX_BINS, bin_values

MOST_MOTIFS = 10
PEAKED = 15.0  # of a bin, the region's mean being 1


def region_of(landscape: pd.DataFrame) -> Region:
    """Returns the contig, start and end that a landscape's rows cover; an empty one has no place."""
    if landscape.empty:
        return "", 0, 1
    return str(landscape["contig"].iloc[0]), int(landscape["start"].min()), int(landscape["end"].max())


def bin_landscape(landscape: pd.DataFrame) -> pd.DataFrame:
    """Returns at most 1,000 bins (means) of a landscape; `in_stretch` is the share of bases in stretches."""
    size = max(1, -(-len(landscape) // MAX_BINS))
    marked = np.zeros(len(landscape))
    for start, end in find_stretches(landscape["attention"].to_numpy(float)):
        marked[start:end] = 1.0
    own = landscape.assign(in_stretch=marked)
    ends = own["end"].iloc[np.minimum(np.arange(0, len(own), size) + size, len(own)) - 1].to_numpy()
    table = own.iloc[::size][["contig", "start"]].assign(end=ends).reset_index(drop=True)
    for column in ("attention", "attention_random", "in_stretch"):
        table[column] = bin_values(own[column].to_numpy(float), size)
    return table


def choose_motifs(motifs: pd.DataFrame) -> pd.DataFrame:
    """Returns the ten k-mers with the smallest p; of equal ones the more enriched, then by name."""
    order = motifs.assign(more=-motifs["log2_enrichment"].astype(float))
    chosen = order.sort_values(["p", "more", "kmer"]).head(MOST_MOTIFS)
    return chosen.drop(columns="more").reset_index(drop=True)


def drawn_table(landscape: pd.DataFrame, motifs: pd.DataFrame) -> pd.DataFrame:
    """Returns what both panels draw: rows of panel a are bins, those of panel b k-mers."""
    bins, kmers = bin_landscape(landscape).assign(panel="a"), choose_motifs(motifs).assign(panel="b")
    columns = ["panel", *bins.columns.drop("panel"), *kmers.columns.drop("panel")]
    parts = [part for part in (bins, kmers) if len(part)]
    return pd.concat(parts, ignore_index=True).reindex(columns=columns) if parts else bins[["panel"]]


def is_peaked(table: pd.DataFrame) -> bool:
    """Says whether the highest bin would flatten the rest: the axis is then that of square roots."""
    return bool(table[["attention", "attention_random"]].max(axis=None) > PEAKED)


def describe(landscape: pd.DataFrame, motifs: pd.DataFrame) -> str:
    """Says n, how much lies in stretches, bins, windows and marks, as far as they are drawn."""
    size = max(1, -(-len(landscape) // MAX_BINS))
    lines = [f"n = {len(landscape):,} bases"]
    for column, name in (("attention", "model"), ("attention_random", "random weights")):
        found = find_stretches(landscape[column].to_numpy(float))
        lines.append(f"{name}: {len(found):,} stretches, {sum(end - start for start, end in found):,} bases")
    text = "; ".join(lines) + "."
    if size > 1:
        text += f" Lines: means of {size} bases."
    if len(landscape) and is_peaked(bin_landscape(landscape)):
        text += " Attention on a square-root scale."
    if len(landscape) and landscape["n_windows"].max() > 1:
        text += " The model read overlapping windows; each base is taken from the one where it lies deeper."
    if landscape["attention"].isna().any():
        text += " Hatched: no known bases."
    if len(motifs):
        text += " Right of the bars: k-mers in stretches, of all in the region. Diamonds: random weights"
        missing = choose_motifs(motifs)["log2_enrichment_random"].isna().any()
        text += " (no mark: none in their stretches)." if missing else "."
    return text
