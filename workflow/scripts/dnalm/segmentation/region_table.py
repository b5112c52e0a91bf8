"""One line per region of a BED file, strand and feature: what the tracks say there."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dnalm.files import atomic_path
from dnalm.tracks import open_track, read_values

if TYPE_CHECKING:
    import pandas as pd

REGION_COLUMNS = (
    "name",
    "contig",
    "start",
    "end",
    "feature",
    "strand",  # of the track, not of the region
    "mean",
    "max",
    "predicted_bases",
)


def write_region_table(path: Path, folder: Path, tracks: Mapping[str, Any], regions: pd.DataFrame) -> None:
    """Writes mean and highest probability of every region, NA where nothing is predicted.

    Args:
        folder: of the tracks.
        tracks: file -> feature and strand.
        regions: of `genome.read_bed`.
    """
    import pandas as pd

    rows = []
    with ExitStack() as stack:
        opened = {name: stack.enter_context(open_track(folder / name)) for name in tracks}
        for region in regions.itertuples():
            for name, track in tracks.items():
                values = read_values(opened[name], region.contig, region.start, region.end)
                known = values[~np.isnan(values)]
                mean, top = (known.mean(dtype=np.float64), known.max()) if len(known) else (np.nan, np.nan)
                place = (region.name, region.contig, region.start, region.end)
                rows.append((*place, track["feature"], track["strand"], mean, top, len(known)))
    table = pd.DataFrame(rows, columns=list(REGION_COLUMNS))
    with atomic_path(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", na_rep="NA", lineterminator="\n")
