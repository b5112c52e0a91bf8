"""Arrays of weights that stay on disk until they are asked for, one at a time; all are read as float32."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from dnalm.errors import UserError
from dnalm.files import require_file

GIT_LFS = b"version https://git-lfs"
BFLOAT16 = "bfloat16"  # numpy has no such type: its values are the upper halves of float32
Params = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Tensor:
    """One array of weights.

    Args:
        shape: as `read` gives it.
        stored: numpy's name of the type on disk, or "bfloat16".
        load: reads the values as they are stored (bfloat16 as uint16), in any memory order.
        transposed: the axes are reversed after loading.
        flipped: the first axis, after that, runs backwards.
    """

    shape: tuple[int, ...]
    stored: str
    load: Callable[[], np.ndarray]
    transposed: bool = False
    flipped: bool = False

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    def reversed_axes(self, flip: bool = False) -> Tensor:
        """Returns the same tensor with its axes in reverse order; `flip` turns the new first axis around."""
        return dataclasses.replace(
            self, shape=self.shape[::-1], transposed=not self.transposed, flipped=flip != self.flipped
        )

    def rows(self, first: int, count: int) -> Tensor:
        """Returns some rows of a tensor that is as it is stored."""
        return dataclasses.replace(
            self, shape=(count, *self.shape[1:]), load=lambda: self.load()[first : first + count]
        )

    def read(self) -> Float32[np.ndarray, "..."]:
        """Reads the values; beside the result, at most twice its memory is used for a moment."""
        array = self.load()
        if self.stored == BFLOAT16:
            array = (array.astype(np.uint32) << 16).view(np.float32)
        array = array.T if self.transposed else array
        array = array[::-1] if self.flipped else array
        return np.ascontiguousarray(array, np.float32).reshape(self.shape)


Tensors = Mapping[str, Mapping[str, Tensor]]


def in_memory(array: np.ndarray) -> Tensor:
    """Returns an array that is there already as a tensor."""
    return Tensor(array.shape, str(array.dtype), lambda: array)


def read_range(path: Path, offset: int, count: int, dtype: np.dtype) -> np.ndarray:
    """Reads `count` numbers from a byte offset of a file, into memory of their own.

    A map of the file would count its pages as the process's memory until the system wants them back.

    Raises:
        UserError: the file ends before.
    """
    array = np.fromfile(path, dtype, count, offset=offset)
    if len(array) != count:
        raise UserError(path, "became shorter while it was read", "Run again when nothing writes to it.")
    return array


def iterate(tensors: Tensors) -> Iterator[tuple[str, str, Tensor]]:
    """Yields (module, name, tensor), sorted."""
    for module, leaves in sorted(tensors.items()):
        for name, tensor in sorted(leaves.items()):
            yield module, name, tensor


def read_finite(tensor: Tensor, where: object) -> Float32[np.ndarray, "..."]:
    """Reads a tensor and checks its values.

    Raises:
        UserError: NaN or infinite values.
    """
    array = tensor.read()
    if not np.isfinite(array).all():
        raise UserError(where, "holds NaN or infinite values", "Fetch the file again.")
    return array


def sniff(path: Path) -> str:
    """Says what a file that should hold weights seems to be instead, by its first bytes; "" if unknown."""
    with open(require_file(path, "weights file"), "rb") as handle:
        head = handle.read(64)
    if head.startswith(GIT_LFS):
        return "a git-lfs pointer, not the weights themselves"
    if head.lstrip()[:1] == b"<":
        return "a web page (HTML)"
    if head.startswith((b"\x1f\x8b", b"x\x01", b"x\x9c", b"x\xda", b"BZh", b"\xfd7zXZ", b"\x04\x22\x4d\x18")):
        return "a compressed file"
    return ""


def check_shapes(
    tensors: Tensors, expected: Mapping[str, Mapping[str, tuple[int, ...]]], where: object
) -> None:
    """Compares a tree of weights with what its config asks for; reads no values.

    Raises:
        UserError: a parameter is missing, extra or of another shape.
    """
    found = {f"{module}/{name}": tensor.shape for module, name, tensor in iterate(tensors)}
    wanted = {
        f"{module}/{name}": shape for module, leaves in expected.items() for name, shape in leaves.items()
    }
    remedy = "Check that weights and configuration belong together."
    for name in sorted(set(wanted) - set(found)):
        raise UserError(f"{where}, {name}", f"parameter missing (expected shape {wanted[name]})", remedy)
    for name in sorted(set(found) - set(wanted)):
        raise UserError(f"{where}, {name}", f"unexpected parameter (found shape {found[name]})", remedy)
    for name, shape in sorted(wanted.items()):
        if found[name] != shape:
            raise UserError(
                f"{where}, {name}", f"wrong shape (found {found[name]}, expected {shape})", remedy
            )
