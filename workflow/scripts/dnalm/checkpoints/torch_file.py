"""Reads torch's zip format (pytorch_model.bin) without torch: tensors of numbers, nothing else."""

from __future__ import annotations

import io
import math
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from dnalm.checkpoints.tensors import BFLOAT16, Tensor, read_range, sniff
from dnalm.checkpoints.unpickler import REMEDY, ClosedUnpickler, RefusedNameError, read_pickle
from dnalm.errors import UserError
from dnalm.files import require_file

# storage class -> numpy's name, and the type of the bytes in the file
DTYPES = {
    "FloatStorage": ("float32", "<f4"),
    "DoubleStorage": ("float64", "<f8"),
    "HalfStorage": ("float16", "<f2"),
    "LongStorage": ("int64", "<i8"),
    "IntStorage": ("int32", "<i4"),
    "BFloat16Storage": (BFLOAT16, "<u2"),
}
CHUNK_BYTES = 1 << 22
LOCAL_HEADER = struct.Struct("<4s22xHH")  # of a zip's member: signature, ..., lengths of name and extra


class _Storage:
    """Stands for one of torch's typed storage classes."""

    def __init__(self, kind: str) -> None:
        self.kind = kind


class _Member:
    """A storage: the flat numbers of one member of the zip."""

    def __init__(self, path: Path, info: zipfile.ZipInfo, stored: str, dtype: str) -> None:
        if info.compress_type != zipfile.ZIP_STORED:
            raise RefusedNameError("a compressed member")  # torch stores; a small bomb would fill the memory
        self.path, self.info, self.stored, self.dtype = path, info, stored, np.dtype(dtype)
        self.length = info.file_size // self.dtype.itemsize
        self.is_checked = False

    def _check(self) -> None:
        """Compares the member with the zip's checksum, once, in small pieces."""
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.info) as member:
                while member.read(CHUNK_BYTES):
                    pass
        except (zipfile.BadZipFile, EOFError) as fault:
            raise UserError(
                self.path, f"no torch zip file: damaged ({fault})", "Fetch the file again."
            ) from fault
        self.is_checked = True

    def read(self, first: int, count: int) -> np.ndarray:
        """Returns a run of the numbers."""
        if not self.is_checked:
            self._check()
        with open(self.path, "rb") as handle:
            handle.seek(self.info.header_offset)
            _, name, extra = LOCAL_HEADER.unpack(handle.read(LOCAL_HEADER.size))
        start = self.info.header_offset + LOCAL_HEADER.size + name + extra
        return read_range(self.path, start + first * self.dtype.itemsize, count, self.dtype)


def _ordered(items: tuple[Any, ...] = ()) -> dict[Any, Any]:
    return dict(items)


def _tensor(
    storage: _Member, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> Tensor:
    numbers = (offset, *shape, *strides)
    if len(shape) != len(strides) or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"tensor of shape {shape}, strides {strides}")
    count = 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    count = count if math.prod(shape) else 0
    if offset + max(count, math.prod(shape)) > storage.length:
        raise ValueError(f"tensor of shape {shape} reaches beyond its storage")

    def load() -> np.ndarray:
        step = [storage.dtype.itemsize * stride for stride in strides]
        return np.lib.stride_tricks.as_strided(storage.read(offset, count), shape, step)

    return Tensor(shape, storage.stored, load)


def _parameter(data: Tensor, *_: Any) -> Tensor:
    return data


_STORAGES = {("torch", kind): _Storage(kind) for kind in DTYPES}
_FUNCTIONS = {
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("collections", "OrderedDict"): _ordered,
}


class _Reader(ClosedUnpickler):
    """Resolves storages from the zip's members; a storage's name may be looked up but not called."""

    dispatch: ClassVar[dict[int, Any]] = dict(ClosedUnpickler.dispatch)

    def __init__(self, archive: zipfile.ZipFile, root: str, path: Path) -> None:
        info = archive.getinfo(f"{root}/data.pkl")
        if info.compress_type != zipfile.ZIP_STORED:
            raise RefusedNameError("a compressed member")
        super().__init__(io.BytesIO(archive.read(info)), _FUNCTIONS, ())
        self.archive, self.root, self.path = archive, root, path
        self.members: dict[str, _Member] = {}

    def find_class(self, module: str, name: str) -> Any:
        return _STORAGES.get((module, name)) or super().find_class(module, name)

    def persistent_load(self, pid: Any) -> _Member:
        tag, storage, key, _, _ = pid
        if tag != "storage" or not isinstance(storage, _Storage):
            raise RefusedNameError(f"storage {pid!r}")
        if key not in self.members:
            info = self.archive.getinfo(f"{self.root}/data/{key}")
            self.members[key] = _Member(self.path, info, *DTYPES[storage.kind])
        return self.members[key]

    def load_build(self) -> None:
        # State dictionaries carry attributes (`_metadata`), which are not needed.
        self.stack.pop()

    dispatch[pickle.BUILD[0]] = load_build


def read_torch(path: str | Path) -> dict[str, Tensor]:
    """Returns the tensors, unread, of a state dictionary saved by torch 1.6 or later.

    Raises:
        UserError: another format, truncated, damaged, or asking for more than tensors.
    """
    path = require_file(path, "weights file")
    try:
        with zipfile.ZipFile(path) as archive:
            member = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            tree = read_pickle(_Reader(archive, member.removesuffix("/data.pkl"), path), path)
    except RefusedNameError as fault:
        raise UserError(path, f"refused: {fault}", REMEDY) from fault
    except (zipfile.BadZipFile, StopIteration) as fault:
        problem = sniff(path) or "unknown content or truncated"
        raise UserError(path, f"no torch zip file: {problem}", "Fetch the file again.") from fault
    if not isinstance(tree, dict) or not all(isinstance(leaf, Tensor) for leaf in tree.values()):
        raise UserError(path, "holds other things than named tensors")
    return {str(name): leaf for name, leaf in tree.items()}
