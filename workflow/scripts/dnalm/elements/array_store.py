"""All tracks of a run as Zarr, for programs: {contig}/levels (bases, tracks), chunks of all tracks.

A level times the attribute `resolution` is the probability; `MISSING_LEVEL` (65535, also the fill value)
stands where there is none. Runs of resolution float32 hold that type, and NaN.
"""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, UInt16

from dnalm.elements.source import Source
from dnalm.tracks import MISSING_LEVEL, open_track, read_levels, read_values

CHUNK_BP = 1 << 17
READ_BP = 1 << 20  # whole chunks, read together


def write_array_store(source: Source, path: Path) -> dict[str, str]:
    """Writes the store, moved into place when whole; returns contig -> sha256 of its values.

    Every contig of the genome gets an array, those without a prediction an empty one.
    """
    import zarr

    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    about, digests = source.about, {}
    names = list(about["tracks"])
    resolution = None if about["resolution"] == "float32" else float(about["resolution"])
    try:
        with ExitStack() as stack:
            tracks = [stack.enter_context(open_track(source.folder / name)) for name in names]
            root = zarr.open_group(temporary, mode="w", zarr_format=2)
            root.attrs["dnalm"] = {
                "tracks": [{"file": name, **about["tracks"][name]} for name in names],
                "resolution": about["resolution"],
                "missing": None if resolution is None else MISSING_LEVEL,
                "genome_sha256": about["inputs"]["genome"],
            }
            for contig, length in source.lengths.items():
                array = root.create_array(
                    f"{contig}/levels",
                    shape=(length, len(names)),
                    dtype="float32" if resolution is None else "uint16",
                    chunks=(min(CHUNK_BP, length), len(names)),
                    fill_value=np.nan if resolution is None else MISSING_LEVEL,
                )
                digest = hashlib.sha256()
                for start in range(0, length if contig in source.spans else 0, READ_BP):
                    end = min(length, start + READ_BP)
                    array[start:end] = values = _read(tracks, contig, start, end, resolution)
                    digest.update(values)
                digests[contig] = digest.hexdigest()
        if path.exists():
            shutil.rmtree(path)
        temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return digests


def _read(
    tracks: Sequence[Any], contig: str, start: int, end: int, resolution: float | None
) -> UInt16[np.ndarray, "S T"] | Float32[np.ndarray, "S T"]:
    columns = [
        read_values(track, contig, start, end)
        if resolution is None
        else read_levels(track, contig, start, end, resolution)
        for track in tracks
    ]
    return np.ascontiguousarray(np.stack(columns, axis=1))
