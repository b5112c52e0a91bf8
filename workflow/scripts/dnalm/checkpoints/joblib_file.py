"""Reads the published pytree_ckpt.joblib (a dictionary of dictionaries of arrays) without joblib."""

from __future__ import annotations

import math
import mmap
import os
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import numpy as np

from dnalm.checkpoints.decompress import decompress, is_compressed
from dnalm.checkpoints.tensors import Tensor, in_memory, read_range, sniff
from dnalm.checkpoints.unpickler import ClosedUnpickler, RefusedNameError, read_pickle
from dnalm.errors import UserError

LONG_BYTES = 1 << 16  # from here on Python's pickler writes bytes outside its frames
KINDS = "biuf"  # no objects: their bytes would be another pickle


class _DType:
    """Stands for numpy.dtype: a code such as `f4` and, as its state, a byte order."""

    def __init__(self, code: str, align: bool = False, copy: bool = True) -> None:
        self.code, self.order = str(code), "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = str(state[1]).replace("|", "=")

    def numpy(self) -> np.dtype[Any]:
        dtype = np.dtype(self.order + self.code)
        if dtype.kind not in KINDS:
            raise RefusedNameError(f"an array of {dtype}")
        return dtype


class _NDArray:
    """Stands for numpy.ndarray, of which only the name occurs."""

    def __init__(self) -> None:
        raise RefusedNameError("an array inside the pickle")


def _empty_array(*_: Any) -> NoReturn:
    raise RefusedNameError("an array inside the pickle")


class _Wrapper:
    """Stands for joblib's NumpyArrayWrapper: says what array lies in the bytes that follow."""

    shape: tuple[int, ...] = ()
    order: str = "C"
    dtype: _DType
    numpy_array_alignment_bytes: int | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.shape, self.order, self.dtype = state["shape"], state["order"], state["dtype"]
        self.numpy_array_alignment_bytes = state.get("numpy_array_alignment_bytes")


@dataclass(frozen=True)
class _Bytes:
    """Where a long run of bytes lies in the file."""

    offset: int
    length: int


@dataclass(frozen=True)
class _JaxArray:
    """Stands for an array that JAX pickled: a state of numpy's, with the values' bytes inside the pickle."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    fortran: bool
    data: bytes | _Bytes


def _jax_array(function: Any, arguments: Any, state: tuple[Any, ...], aval: Any) -> _JaxArray:
    _, shape, dtype, fortran, data = state
    array = _JaxArray(_checked(shape), dtype.numpy(), bool(fortran), data)
    found = data.length if isinstance(data, _Bytes) else len(data)
    if found != math.prod(array.shape) * array.dtype.itemsize:
        raise ValueError(f"{found} bytes for shape {shape}")
    return array


def _checked(shape: Any) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or any(type(size) is not int or size < 0 for size in shape):
        raise ValueError(f"shape {shape!r}")
    return shape


def _mapping(items: Any) -> dict[Any, Any]:
    return dict(items)


# Everything that a tree of numpy or JAX arrays asks for, whether kept in a dictionary or in haiku's mapping.
NAMES = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Wrapper,
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("jax._src.array", "_reconstruct_array"): _jax_array,
    ("jax._src.device_array", "reconstruct_device_array"): _jax_array,
    ("haiku._src.data_structures", "FlatMapping"): _mapping,
    ("haiku._src.data_structures", "FlatMap"): _mapping,
}


class _Reader(ClosedUnpickler):
    """Puts a tensor that is read later in the place of each array."""

    dispatch: ClassVar[dict[int, Any]] = dict(ClosedUnpickler.dispatch)

    def __init__(self, memory: mmap.mmap, path: Path, holder: object) -> None:
        super().__init__(memory, NAMES, (_Wrapper, _DType))
        self.path, self.holder = path, holder

    def load_build(self) -> None:
        super().load_build()
        if isinstance(self.stack[-1], _Wrapper):
            self.stack[-1] = self._after(self.stack[-1])

    def load_reduce(self) -> None:
        super().load_reduce()
        if isinstance(self.stack[-1], _JaxArray):
            self.stack[-1] = self._inside(self.stack[-1])

    def _skip(self, length: int) -> int:
        """Returns where the next bytes begin, and goes to their end without reading them."""
        start = int(self.handle.tell())
        if start + length > self.handle.size():
            raise EOFError(f"{length} bytes declared, {self.handle.size() - start} left")
        self.handle.seek(length, os.SEEK_CUR)
        return start

    def _tensor(self, shape: tuple[int, ...], dtype: np.dtype[Any], offset: int, fortran: bool) -> Tensor:
        path, holder, order = self.path, self.holder, "F" if fortran else "C"

        def load(holder: object = holder) -> np.ndarray:  # a temporary file must outlive its tensors
            return read_range(path, offset, math.prod(shape), dtype).reshape(shape, order=order)

        return Tensor(shape, str(dtype), load)

    def _after(self, wrapper: _Wrapper) -> Tensor:
        shape, dtype = _checked(wrapper.shape), wrapper.dtype.numpy()
        if wrapper.numpy_array_alignment_bytes is not None:
            self.handle.read(self.handle.read(1)[0])  # a count of padding bytes, then these
        try:
            offset = self._skip(math.prod(shape) * dtype.itemsize)
        except EOFError as fault:
            raise EOFError(f"inside an array of shape {shape}") from fault
        return self._tensor(shape, dtype, offset, wrapper.order == "F")

    def _inside(self, array: _JaxArray) -> Tensor:
        if isinstance(array.data, _Bytes):
            return self._tensor(array.shape, array.dtype, array.data.offset, array.fortran)
        order = "F" if array.fortran else "C"
        return in_memory(np.frombuffer(array.data, array.dtype).reshape(array.shape, order=order))

    def _load_bytes(self, width: int) -> None:
        """Leaves a long run of bytes in the file unless it lies in one of the pickle's frames."""
        length = int.from_bytes(self.read(width), "little")
        frame = self._unframer.current_frame
        in_frame = frame is not None and frame.tell() < len(frame.getbuffer())
        if length < LONG_BYTES or in_frame:
            self.append(self.read(length))
        else:
            self.append(_Bytes(self._skip(length), length))

    def load_binbytes(self) -> None:
        self._load_bytes(4)

    def load_binbytes8(self) -> None:
        self._load_bytes(8)

    dispatch[pickle.BUILD[0]] = load_build
    dispatch[pickle.REDUCE[0]] = load_reduce
    dispatch[pickle.BINBYTES[0]] = load_binbytes
    dispatch[pickle.BINBYTES8[0]] = load_binbytes8


def read_joblib(path: Path) -> dict[str, dict[str, Tensor]]:
    """Returns the arrays, unread, of a published JAX checkpoint; no code in the file is ever run.

    A compressed file is unpacked into a temporary one first, which lasts as long as the tensors.

    Raises:
        UserError: not such a file (says what it seems to be), truncated, damaged, or asking for more.
    """
    problem = sniff(path)
    unpacked = decompress(path) if is_compressed(path) else None
    content = Path(unpacked.name) if unpacked else path
    with open(content, "rb") as handle:
        if handle.read(1) != pickle.PROTO:
            raise UserError(path, f"no joblib file: {problem or 'unknown content'}", "Fetch the file again.")
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as memory:
            tree = read_pickle(_Reader(memory, content, unpacked), path)
    if not isinstance(tree, dict):
        raise UserError(path, f"holds a {type(tree).__name__}, expected a dictionary of modules")
    for module, leaves in tree.items():
        if not isinstance(leaves, dict) or not all(isinstance(leaf, Tensor) for leaf in leaves.values()):
            raise UserError(path, f"module {module} holds other things than named arrays")
    return {
        str(module): {str(name): leaf for name, leaf in leaves.items()} for module, leaves in tree.items()
    }
