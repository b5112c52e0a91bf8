"""Reads the published pytree_ckpt.joblib (a dictionary of dictionaries of arrays) without joblib."""

from __future__ import annotations

import math
import mmap
import pickle
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dnalm.checkpoints.tensors import Params, sniff
from dnalm.checkpoints.unpickler import ClosedUnpickler, RefusedNameError, read_pickle
from dnalm.errors import UserError

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


class _Wrapper:
    """Stands for joblib's NumpyArrayWrapper: says what array lies in the bytes that follow."""

    shape: tuple[int, ...] = ()
    order: str = "C"
    dtype: _DType
    numpy_array_alignment_bytes: int | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.shape, self.order, self.dtype = state["shape"], state["order"], state["dtype"]
        self.numpy_array_alignment_bytes = state.get("numpy_array_alignment_bytes")


NAMES = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Wrapper,
    ("numpy", "ndarray"): _NDArray,
    ("numpy", "dtype"): _DType,
}


class _Reader(ClosedUnpickler):
    """Puts the raw bytes after each wrapper in the wrapper's place."""

    dispatch: ClassVar[dict[int, Any]] = dict(ClosedUnpickler.dispatch)

    def __init__(self, memory: mmap.mmap) -> None:
        super().__init__(memory, NAMES, (_Wrapper, _DType))

    def load_build(self) -> None:
        super().load_build()
        if isinstance(self.stack[-1], _Wrapper):
            self.stack[-1] = self._array(self.stack[-1])

    def _array(self, wrapper: _Wrapper) -> np.ndarray:
        shape, dtype = wrapper.shape, wrapper.dtype.numpy()
        if not isinstance(shape, tuple) or any(type(size) is not int or size < 0 for size in shape):
            raise ValueError(f"shape {shape!r}")
        if wrapper.numpy_array_alignment_bytes is not None:
            self.handle.read(self.handle.read(1)[0])  # a count of padding bytes, then these
        data = self.handle.read(math.prod(shape) * dtype.itemsize)
        if len(data) != math.prod(shape) * dtype.itemsize:
            raise EOFError(f"inside an array of shape {shape}")
        return np.frombuffer(data, dtype).reshape(shape, order="F" if wrapper.order == "F" else "C")

    dispatch[pickle.BUILD[0]] = load_build


def read_joblib(path: Path) -> Params:
    """Reads an uncompressed joblib file of a published JAX checkpoint; no code in it is ever run.

    Raises:
        UserError: not such a file (says what it seems to be), truncated, damaged, or asking for more.
    """
    problem = sniff(path)
    with open(path, "rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as memory:
        if memory[:1] != pickle.PROTO:
            raise UserError(path, f"no joblib file: {problem or 'unknown content'}", "Fetch the file again.")
        tree = read_pickle(_Reader(memory), path)
    if not isinstance(tree, dict):
        raise UserError(path, f"holds a {type(tree).__name__}, expected a dictionary of modules")
    for module, leaves in tree.items():
        if not isinstance(leaves, dict) or not all(isinstance(leaf, np.ndarray) for leaf in leaves.values()):
            raise UserError(path, f"module {module} holds other things than named arrays")
    return {
        str(module): {str(name): leaf for name, leaf in leaves.items()} for module, leaves in tree.items()
    }
