"""Writes one bigWig: blocks of data as the values come, zoom levels and indices in the end."""

from __future__ import annotations

import struct
import tempfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Float32, Shaped

from dnalm.bigwig import layout
from dnalm.bigwig.zooms import ZOOM_ITEMS, ZoomLevel, summarise, zoom_levels

BLOCK_BP = 8192  # bases that share a block of data: a multiple of the first zoom level's bin
ENTRY = np.dtype([("level", "<u4"), *layout.LEAF.descr])  # of the table of blocks; level 0 is the data


class BigWigWriter:
    """Writes one value per base, or none (NaN), of contigs in the order of `lengths`.

    The bytes depend on the values alone, not on the stretches in which they come. A block of many short
    runs is written base by base, which takes a third of the bytes, any other as runs. Blocks of the zoom
    levels and the table of all blocks are kept in unnamed files beside the bigWig until it is closed; then
    the table, 5 bytes per 1,000 bases, is held in memory.

    Args:
        lengths: contig -> bp; all of them are listed in the file, also those without a value.

    Raises:
        OSError: a write failed, as on a full disk; the file then does not end with `MAGIC`.
    """

    def __init__(self, path: Path, lengths: Mapping[str, int]) -> None:
        self._sizes = list(lengths.values())
        self._numbers = {contig: number for number, contig in enumerate(lengths)}
        self._contig, self._start = 0, 0  # of the tail
        self._tail = np.zeros(0, np.float32)  # bases held back until their block is full
        self._total = _Total()
        self._zooms = zoom_levels(max(self._sizes, default=0), self._write_bins)
        self._longest_block = 0
        self._file: BinaryIO = open(path, "wb")  # noqa: SIM115 (closed by close and discard)
        self._spool: BinaryIO = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115
        self._table: BinaryIO = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115
        self._file.write(bytes(layout.HEADERS_BYTES))
        layout.write_contigs(self._file, lengths)
        self._data_at = self._file.tell()
        self._file.write(struct.pack("<Q", 0))  # number of blocks, known in the end

    @property
    def covered_bp(self) -> int:
        """Bases with a value, of those in whole blocks."""
        return self._total.covered_bp

    def add(self, contig: str, start: int, values: Float32[np.ndarray, " S"]) -> None:
        """Appends the values of [start, start + S); stretches come in the order of contigs and bases."""
        number = self._numbers[contig]
        if (number, start) == (self._contig, self._start + len(self._tail)):
            values = np.concatenate([self._tail, values])
        else:
            self._end_stretch()
            if number != self._contig:
                self._end_contig()
            self._contig, self._start = number, start
        whole = max(self._start, (self._start + len(values)) // BLOCK_BP * BLOCK_BP)
        split = whole - self._start
        self._add_blocks(self._start, values[:split])
        self._start, self._tail = whole, values[split:]

    def _add_blocks(self, first: int, values: Float32[np.ndarray, " S"]) -> None:
        known = ~np.isnan(values)
        last = first + len(values)
        borders = [first, *range(first // BLOCK_BP * BLOCK_BP + BLOCK_BP, last, BLOCK_BP), last]
        for low, high in pairwise(borders):
            inside = slice(low - first, high - first)
            if known[inside].any():
                self._add_block(low, values[inside], known[inside])
        if self._zooms and len(values):
            self._zooms[0].add(summarise(first, values, known))

    def _add_block(
        self, start: int, values: Float32[np.ndarray, " S"], known: Bool[np.ndarray, " S"]
    ) -> None:
        end = start + len(values)
        borders = np.flatnonzero(values[1:] != values[:-1]) + 1  # NaN differs from itself
        firsts = np.concatenate([[0], borders])
        kept = known[firsts]
        runs = np.empty(int(kept.sum()), layout.RUN)
        if known.all() and runs.nbytes > values.nbytes:
            kind, step, items = layout.EVERY_BASE, 1, values.astype("<f4")
        else:
            kind, step, items = layout.RUNS, 0, runs
            runs["start"] = start + firsts[kept]
            runs["end"] = start + np.append(borders, len(values))[kept]
            runs["value"] = values[firsts[kept]]
            start, end = int(runs["start"][0]), int(runs["end"][-1])
        header = layout.BLOCK_HEADER.pack(self._contig, start, end, step, step, kind, 0, len(items))
        self._write_block(0, start, end, header + items.tobytes())
        self._total.add(values[known])

    def _write_bins(self, zoom: ZoomLevel, bins: Shaped[np.ndarray, " B"]) -> None:
        rows = np.empty(len(bins), layout.ZOOM_BIN)
        rows["contig"], rows["start"] = self._contig, bins["bin"] * zoom.bin_bp
        rows["end"] = np.minimum((bins["bin"] + 1) * zoom.bin_bp, self._sizes[self._contig])
        for name in ("count", *layout.STATISTICS):
            rows[name] = bins[name]
        level = 1 + self._zooms.index(zoom)
        self._write_block(level, int(rows["start"][0]), int(rows["end"][-1]), rows.tobytes())

    def _write_block(self, level: int, start: int, end: int, data: bytes) -> None:
        file = self._spool if level else self._file
        packed = zlib.compress(data)
        entry = (level, self._contig, start, self._contig, end, file.tell(), len(packed))
        file.write(packed)
        self._table.write(np.array([entry], ENTRY).tobytes())
        self._longest_block = max(self._longest_block, len(data))

    def _end_stretch(self) -> None:
        self._add_blocks(self._start, self._tail)
        self._tail = self._tail[:0]

    def _end_contig(self) -> None:
        for zoom in self._zooms:
            zoom.finish()

    def close(self) -> None:
        """Writes what is held back, then the zoom levels, the indices and the headers."""
        try:
            self._end_stretch()
            self._end_contig()
            self._table.seek(0)
            table = np.frombuffer(self._table.read(), ENTRY)
            blocks = self._blocks(table, 0)
            index_at = self._file.tell()
            layout.write_index(self._file, blocks, index_at, block_items=1)
            zooms = [self._close_zoom(zoom, self._blocks(table, 1 + n)) for n, zoom in enumerate(self._zooms)]
            self._file.write(struct.pack("<I", layout.MAGIC))
            self._write_headers(len(blocks), index_at, zooms)
        finally:
            self.discard()

    def _blocks(self, table: Shaped[np.ndarray, " N"], level: int) -> Shaped[np.ndarray, " M"]:
        rows = table[table["level"] == level]
        blocks = np.empty(len(rows), layout.LEAF)
        for name in layout.LEAF.names or ():
            blocks[name] = rows[name]
        return blocks

    def _close_zoom(self, zoom: ZoomLevel, blocks: Shaped[np.ndarray, " M"]) -> bytes:
        """Moves a level's blocks behind what is written, indexes them and returns the level's header."""
        data_at = self._file.tell()
        self._file.write(struct.pack("<I", len(blocks)))
        for block in blocks:
            self._spool.seek(int(block["at"]))
            block["at"] = self._file.tell()
            self._file.write(self._spool.read(int(block["size"])))
        index_at = self._file.tell()
        layout.write_index(self._file, blocks, index_at, block_items=ZOOM_ITEMS)
        return layout.ZOOM_HEADER.pack(zoom.bin_bp, 0, data_at, index_at)

    def _write_headers(self, blocks: int, index_at: int, zooms: list[bytes]) -> None:
        summary_at = layout.HEADERS_BYTES - layout.SUMMARY.size
        places = (layout.HEADERS_BYTES, self._data_at, index_at, 0, 0, 0, summary_at)
        head = (layout.MAGIC, layout.VERSION, len(zooms), *places, self._longest_block, 0)
        self._file.seek(0)
        self._file.write(layout.HEADER.pack(*head) + b"".join(zooms))
        self._file.seek(summary_at)
        self._file.write(self._total.packed())
        self._file.seek(self._data_at)
        self._file.write(struct.pack("<Q", blocks))
        self._file.close()

    def discard(self) -> None:
        """Lets go of the files, whole or not."""
        for file in (self._file, self._spool, self._table):
            with suppress(OSError):  # what a full disk did not take
                file.close()


class _Total:
    """Statistics of all values."""

    def __init__(self) -> None:
        self.covered_bp, self._min, self._max, self._sum, self._squares = 0, np.inf, -np.inf, 0.0, 0.0

    def add(self, values: Float32[np.ndarray, " S"]) -> None:
        exact = values.astype(np.float64)
        self.covered_bp += len(exact)
        self._min, self._max = min(self._min, exact.min()), max(self._max, exact.max())
        self._sum += exact.sum()
        self._squares += np.square(exact).sum()

    def packed(self) -> bytes:
        low, high = (self._min, self._max) if self.covered_bp else (0.0, 0.0)
        return layout.SUMMARY.pack(self.covered_bp, low, high, self._sum, self._squares)
