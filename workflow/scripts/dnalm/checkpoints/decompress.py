"""Unpacks a compressed joblib file (the hub holds some) into a temporary one, in small pieces."""

from __future__ import annotations

import bz2
import logging
import lzma
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dnalm.errors import UserError

CHUNK_BYTES = 1 << 20
LARGEST_RATIO = 8  # trained weights shrink by some per cent; what grows more than this is no checkpoint
ZLIB_OR_GZIP = 47  # zlib's window size that takes either header
LZ4 = b"\x04\x22\x4d\x18"
log = logging.getLogger("dnalm")


def is_compressed(path: Path) -> bool:
    """Says whether a file starts like one that joblib compressed: zlib, gzip, bz2, xz, lzma or lz4."""
    with open(path, "rb") as handle:
        head = handle.read(6)
    zlib_header = head[:1] == b"x" and len(head) > 1 and int.from_bytes(head[:2], "big") % 31 == 0
    return zlib_header or head.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"]\x00\x00", LZ4))


def decompress(path: Path) -> tempfile._TemporaryFileWrapper:
    """Returns a temporary file (below TMPDIR) with the content; it is gone when nobody holds it any more.

    Raises:
        UserError: truncated, damaged, of a kind that cannot be read here, growing beyond reason, or no room.
    """
    target = tempfile.NamedTemporaryFile(prefix="dnalm-", suffix=".joblib")  # noqa: SIM115 (outlives this)
    limit, size = LARGEST_RATIO * path.stat().st_size + CHUNK_BYTES, 0
    log.info("%s: compressed, unpacking below %s", path.name, tempfile.gettempdir())
    try:
        for piece in _pieces(path):
            size += len(piece)
            if size > limit:
                raise UserError(path, f"refused: grows to more than {LARGEST_RATIO} times its size")
            target.write(piece)
        target.flush()
    except (zlib.error, lzma.LZMAError, EOFError) as fault:
        raise UserError(path, f"truncated or damaged ({fault})", "Fetch the file again.") from fault
    except OSError as fault:
        if fault.errno is None:  # what bz2 raises for invalid data
            raise UserError(path, f"truncated or damaged ({fault})", "Fetch the file again.") from fault
        raise UserError(
            tempfile.gettempdir(), f"cannot hold the unpacked {path.name} ({fault.strerror})", "Set TMPDIR."
        ) from fault
    return target


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as handle:
        head = handle.read(6)
        handle.seek(0)
        if head.startswith(LZ4):
            raise UserError(path, "is compressed with lz4", "Unpack it with the lz4 program first.")
        if head.startswith((b"x", b"\x1f\x8b")):
            yield from _zlib_pieces(handle)
            return
        with bz2.BZ2File(handle) if head.startswith(b"BZh") else lzma.LZMAFile(handle) as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece


def _zlib_pieces(handle: BinaryIO) -> Iterator[bytes]:
    stream = zlib.decompressobj(ZLIB_OR_GZIP)
    while not stream.eof:
        data = stream.unconsumed_tail or handle.read(CHUNK_BYTES)
        if not data:
            raise EOFError("the stream ends early")
        yield stream.decompress(data, CHUNK_BYTES)
