"""Every token's embedding as Zarr: layer_{n}/values (T, D), offsets (N + 1), spans_bp (T, 2), names (N).

Window i has the tokens offsets[i] to offsets[i + 1], CLS included; a token's span is that of its bases
in the window, in reading direction.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from dnalm.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

CHUNK_TOKENS = 8192


class TokenWriter:
    """Writes tokens in order into a temporary folder, which is moved into place when all have come."""

    def __init__(
        self,
        path: Path,
        obs: pd.DataFrame,
        layers: Sequence[int],
        width: int,
        dtype: str,
        about: Mapping[str, Any],
    ) -> None:
        import zarr

        self._path = path
        self._temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)
        offsets = np.concatenate([[0], np.cumsum(obs["tokens"].to_numpy(np.int64))])
        self._total, self._written = int(offsets[-1]), 0
        self._hashes = {f"layer_{layer}": hashlib.sha256() for layer in layers} | {
            "spans_bp": hashlib.sha256()
        }
        root = zarr.open_group(self._temporary, mode="w", zarr_format=2)
        root.attrs["dnalm"] = json.loads(json.dumps(about))
        for name, data in (
            ("offsets", offsets),
            ("names", np.char.encode(obs.index.to_numpy().astype(str), "utf-8")),
        ):
            root.create_array(name, data=data)
        self._values = {
            layer: root.create_array(
                f"layer_{layer}/values",
                shape=(self._total, width),
                dtype=dtype,
                chunks=(CHUNK_TOKENS, width),
                compressors=None,  # saves 5 to 10 % of such values and costs most of the speed
            )
            for layer in layers
        }
        self._spans = root.create_array(
            "spans_bp", shape=(self._total, 2), dtype="int32", chunks=(CHUNK_TOKENS, 2)
        )

    def __enter__(self) -> TokenWriter:
        return self

    def append(self, values: Mapping[int, Float[np.ndarray, "T D"]], spans: Int[np.ndarray, "T 2"]) -> None:
        """Writes the tokens of the next windows."""
        end = self._written + len(spans)
        self._spans[self._written : end] = spans
        self._hashes["spans_bp"].update(np.ascontiguousarray(spans))
        for layer, rows in values.items():
            self._values[layer][self._written : end] = rows
            self._hashes[f"layer_{layer}"].update(np.ascontiguousarray(rows))
        self._written = end

    def digests(self) -> dict[str, str]:
        """Returns each array's sha256, which stands for the folder's in the manifest."""
        return {name: digest.hexdigest() for name, digest in self._hashes.items()}

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, _: TracebackType | None
    ) -> None:
        if kind is None and self._written == self._total:
            if self._path.exists():
                shutil.rmtree(self._path)
            self._temporary.rename(self._path)
            return
        shutil.rmtree(self._temporary, ignore_errors=True)
        if kind is None:
            raise UserError(self._path, f"{self._written} tokens came, expected {self._total}", "Run again.")
