"""Reads torch's zip format (pytorch_model.bin) without torch: tensors of numbers, nothing else."""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dnalm.checkpoints.tensors import sniff
from dnalm.checkpoints.unpickler import REMEDY, ClosedUnpickler, RefusedNameError, read_pickle
from dnalm.errors import UserError
from dnalm.files import require_file

DTYPES = {
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "BFloat16Storage": "<u2",  # the upper half of a float32
}


class _Storage:
    """Stands for torch's typed storages; its instances are flat arrays of one member of the zip."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


def _ordered(items: tuple[Any, ...] = ()) -> dict[Any, Any]:
    return dict(items)


def _tensor(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> np.ndarray:
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"tensor of shape {shape}, strides {strides}")
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if math.prod(shape) and max(last + 1, math.prod(shape)) > len(storage):
        raise ValueError(f"tensor of shape {shape} reaches beyond its storage")
    step = storage.itemsize
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, [step * stride for stride in strides])
    return np.ascontiguousarray(view)


def _parameter(data: np.ndarray, *_: Any) -> np.ndarray:
    return data


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise RefusedNameError("a compressed member")  # torch stores; a small bomb would fill the memory
    return archive.read(name)


_STORAGES = {("torch", kind): _Storage(kind) for kind in DTYPES}
_FUNCTIONS = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): _ordered,
}


class _Reader(ClosedUnpickler):
    """Resolves storages from the zip's members; a storage's name may be looked up but not called."""

    dispatch: ClassVar[dict[int, Any]] = dict(ClosedUnpickler.dispatch)

    def __init__(self, archive: zipfile.ZipFile, root: str) -> None:
        super().__init__(io.BytesIO(_member(archive, f"{root}/data.pkl")), _FUNCTIONS, ())
        self.archive, self.root = archive, root

    def find_class(self, module: str, name: str) -> Any:
        return _STORAGES.get((module, name)) or super().find_class(module, name)

    def persistent_load(self, pid: Any) -> np.ndarray:
        tag, storage, key, _, _ = pid
        if tag != "storage" or not isinstance(storage, _Storage):
            raise RefusedNameError(f"storage {pid!r}")
        array = np.frombuffer(_member(self.archive, f"{self.root}/data/{key}"), DTYPES[storage.kind])
        if storage.kind == "BFloat16Storage":
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array

    def load_build(self) -> None:
        # State dictionaries carry attributes (`_metadata`), which are not needed.
        self.stack.pop()

    dispatch[pickle.BUILD[0]] = load_build


def read_torch(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a state dictionary saved by torch 1.6 or later; floating types become float32.

    Raises:
        UserError: another format, truncated, damaged, or asking for more than tensors.
    """
    path = require_file(path, "weights file")
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            tree = read_pickle(_Reader(archive, member.removesuffix("/data.pkl")), path)
    except RefusedNameError as fault:
        raise UserError(path, f"refused: {fault}", REMEDY) from fault
    except (zipfile.BadZipFile, StopIteration) as fault:
        problem = sniff(path) or "unknown content or truncated"
        raise UserError(path, f"no torch zip file: {problem}", "Fetch the file again.") from fault
    if not isinstance(tree, dict) or not all(isinstance(leaf, np.ndarray) for leaf in tree.values()):
        raise UserError(path, "holds other things than named tensors")
    return {
        str(name): leaf.astype(np.float32) if leaf.dtype.kind == "f" else leaf for name, leaf in tree.items()
    }
