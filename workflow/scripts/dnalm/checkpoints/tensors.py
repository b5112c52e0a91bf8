"""Reading and checking arrays of weights; every reader gives float32."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dnalm.errors import UserError
from dnalm.files import require_file

Params = dict[str, dict[str, np.ndarray]]
GIT_LFS = b"version https://git-lfs"


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


def read_safetensors(path: str | Path) -> dict[str, np.ndarray]:
    """Reads a safetensors file; floating types become float32.

    Raises:
        UserError: missing, truncated or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = require_file(path, "weights file")
    try:
        tensors = load_file(path)
    except (SafetensorError, ValueError, KeyError, TypeError) as fault:
        problem = sniff(path) or f"damaged or truncated ({fault})"
        raise UserError(path, f"no usable safetensors file: {problem}", "Fetch the file again.") from fault
    return {name: _float32(array) for name, array in tensors.items()}


def _float32(array: np.ndarray) -> np.ndarray:
    return array if array.dtype.kind in "iub" else array.astype(np.float32)


def check_shapes(
    params: Mapping[str, Mapping[str, np.ndarray]],
    expected: Mapping[str, Mapping[str, tuple[int, ...]]],
    where: object,
) -> None:
    """Compares a tree of weights with what its config asks for.

    Raises:
        UserError: a parameter is missing, extra, of another shape, no number type, NaN or infinite.
    """
    found = {f"{module}/{name}": leaf for module, leaves in params.items() for name, leaf in leaves.items()}
    wanted = {
        f"{module}/{name}": shape for module, leaves in expected.items() for name, shape in leaves.items()
    }
    remedy = "Check that weights and configuration belong together."
    for name in sorted(set(wanted) - set(found)):
        raise UserError(f"{where}, {name}", f"parameter missing (expected shape {wanted[name]})", remedy)
    for name in sorted(set(found) - set(wanted)):
        raise UserError(f"{where}, {name}", f"unexpected parameter (found shape {found[name].shape})", remedy)
    for name, shape in sorted(wanted.items()):
        if found[name].shape != shape:
            raise UserError(
                f"{where}, {name}", f"wrong shape (found {found[name].shape}, expected {shape})", remedy
            )
        if not np.isfinite(found[name]).all():
            raise UserError(f"{where}, {name}", "holds NaN or infinite values", "Fetch the file again.")
