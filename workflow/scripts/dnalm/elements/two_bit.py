"""A genome as UCSC's 2bit, which an assembly hub needs: two bits per base, runs of N and lower case apart.

Source of the layout: UCSC's description of the format; version 1 has offsets of 64 bits.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64

from dnalm.errors import UserError
from dnalm.files import atomic_path
from dnalm.genome import Genome

SIGNATURE = 0x1A412743
LONGEST_NAME = 255  # one byte holds its length
LONG_BP = 14_000_000_000  # larger genomes need offsets of 64 bits
SCAN_BP = 1 << 22  # bases read together, a multiple of four
_LETTERS = bytes(range(256))
PACKED = bytes(max(0, b"TCAG".find(letter)) for letter in _LETTERS.upper())  # T 0, C 1, A 2, G 3; N as T
UNKNOWN = bytes(letter not in b"ACGT" for letter in _LETTERS.upper())
LOWER = bytes(letter in b"abcdefghijklmnopqrstuvwxyz" for letter in _LETTERS)


def write_two_bit(genome: Genome, path: str | Path) -> None:
    """Writes a genome; whatever is not A, C, G or T becomes N, lower case is kept.

    Raises:
        UserError: a contig's name is too long for the format.
    """
    if too_long := [name for name in genome.lengths if len(name) > LONGEST_NAME]:
        raise UserError(
            genome.path,
            f"contig {too_long[0][:20]}... has a name of over {LONGEST_NAME} letters",
            "Rename it.",
        )
    is_long = sum(genome.lengths.values()) > LONG_BP
    offsets = dict.fromkeys(genome.lengths, 0)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        _write_index(handle, offsets, is_long)  # its size, first; the offsets are not known yet
        for contig in genome.lengths:
            offsets[contig] = handle.tell()
            _write_contig(handle, genome, contig)
        handle.seek(0)
        _write_index(handle, offsets, is_long)


def _write_index(handle: BinaryIO, offsets: dict[str, int], is_long: bool) -> None:
    handle.write(struct.pack("<4I", SIGNATURE, int(is_long), len(offsets), 0))
    for contig, offset in offsets.items():
        handle.write(bytes([len(contig)]) + contig.encode("ascii"))
        handle.write(struct.pack("<Q" if is_long else "<I", offset))


def _write_contig(handle: BinaryIO, genome: Genome, contig: str) -> None:
    length = genome.lengths[contig]
    handle.write(struct.pack("<I", length))
    for table in (UNKNOWN, LOWER):
        blocks = _blocks(genome, contig, table)
        handle.write(struct.pack("<I", len(blocks)))
        handle.write(
            blocks[:, 0].astype("<u4").tobytes() + (blocks[:, 1] - blocks[:, 0]).astype("<u4").tobytes()
        )
    handle.write(struct.pack("<I", 0))
    for start in range(0, length, SCAN_BP):
        codes = np.frombuffer(genome.read(contig, start, min(length, start + SCAN_BP), PACKED), np.uint8)
        quads = np.pad(codes, (0, -len(codes) % 4)).reshape(-1, 4)
        handle.write((quads[:, 0] << 6 | quads[:, 1] << 4 | quads[:, 2] << 2 | quads[:, 3]).tobytes())


def _blocks(genome: Genome, contig: str, table: bytes) -> Int64[np.ndarray, "N 2"]:
    """Returns start and end of each run of letters that the table marks."""
    length, edges, before = genome.lengths[contig], [], 0
    for start in range(0, length, SCAN_BP):
        marks = np.frombuffer(genome.read(contig, start, min(length, start + SCAN_BP), table), np.uint8)
        edges.append(np.flatnonzero(np.diff(marks, prepend=np.uint8(before)) != 0) + start)
        before = int(marks[-1])
    return np.concatenate([*edges, [length] * before]).astype(np.int64).reshape(-1, 2)
