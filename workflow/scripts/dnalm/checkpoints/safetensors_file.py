"""Reads and writes safetensors one tensor at a time, so that memory holds no more than one of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32

from dnalm.checkpoints.tensors import BFLOAT16, Tensor, read_finite, read_range, sniff
from dnalm.errors import UserError
from dnalm.files import atomic_path, require_file

# Names of the format's types: numpy's name, and the type of the bytes on disk.
KINDS = {
    "F32": ("float32", "<f4"),
    "F16": ("float16", "<f2"),
    "BF16": (BFLOAT16, "<u2"),
    "F64": ("float64", "<f8"),
    "I64": ("int64", "<i8"),
    "I32": ("int32", "<i4"),
}
CODES = {name: code for code, (name, _) in KINDS.items()}
LENGTH_BYTES = 8  # of the header, in front of it
ALIGNMENT = 8  # the header is padded with blanks to a multiple


def read_safetensors(path: str | Path) -> dict[str, Tensor]:
    """Returns the tensors of a safetensors file, unread.

    Raises:
        UserError: missing, truncated or no safetensors file, or a type that holds no weights.
    """
    from safetensors import SafetensorError, safe_open

    path = require_file(path, "weights file")
    try:
        with safe_open(path, framework="numpy"):  # checks that the header's parts tile the file
            pass
        with open(path, "rb") as handle:
            length = int.from_bytes(handle.read(LENGTH_BYTES), "little")
            header = json.loads(handle.read(length))
    except (SafetensorError, ValueError, OSError) as fault:
        problem = sniff(path) or f"damaged or truncated ({fault})"
        raise UserError(path, f"no usable safetensors file: {problem}", "Fetch the file again.") from fault
    header.pop("__metadata__", None)
    return {name: _tensor(path, LENGTH_BYTES + length, name, entry) for name, entry in header.items()}


def _tensor(path: Path, start: int, name: str, entry: Mapping) -> Tensor:
    if entry["dtype"] not in KINDS:
        raise UserError(f"{path}, {name}", f"type {entry['dtype']} (expected one of {', '.join(KINDS)})")
    stored, code = KINDS[entry["dtype"]]
    shape, offset, dtype = tuple(entry["shape"]), start + entry["data_offsets"][0], np.dtype(code)

    def load() -> np.ndarray:
        return read_range(path, offset, int(np.prod(shape, dtype=np.int64)), dtype).reshape(shape)

    return Tensor(shape, stored, load)


def write_safetensors(path: str | Path, tensors: Mapping[str, Tensor], dtype: str) -> None:
    """Writes tensors sorted by name, each cast to one type; the same values give the same bytes.

    Args:
        dtype: float32, float16 or bfloat16.

    Raises:
        UserError: a value is not finite, in the source or in that type.
    """
    names, width, entries, end = sorted(tensors), np.dtype(KINDS[CODES[dtype]][1]).itemsize, {}, 0
    for name in names:
        start, end = end, end + width * tensors[name].size
        entries[name] = {
            "dtype": CODES[dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [start, end],
        }
    header = json.dumps(entries, separators=(",", ":"), ensure_ascii=False).encode()
    header += b" " * (-len(header) % ALIGNMENT)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        handle.write(len(header).to_bytes(LENGTH_BYTES, "little") + header)
        for name in names:
            _write(handle, name, tensors[name], dtype)


def _write(handle: BinaryIO, name: str, tensor: Tensor, dtype: str) -> None:
    array = cast_finite(read_finite(tensor, name), dtype, name)
    handle.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def cast_finite(array: Float32[np.ndarray, "..."], dtype: str, where: object) -> np.ndarray:
    """Returns finite values in one of the types that models compute in.

    Raises:
        UserError: a value is too large for that type.
    """
    if dtype == "float32":
        return array
    if dtype == BFLOAT16:
        from jax.numpy import bfloat16 as wanted
    else:
        wanted = np.dtype(dtype)
    with np.errstate(over="ignore"):  # told below, with the parameter's name
        changed = array.astype(wanted)
    if not np.isfinite(changed).all():
        raise UserError(where, f"not finite as {dtype}", "Check the weights.")
    return changed
