"""Writes the hostile files of this folder anew: python tests/attacks/make_files.py (with joblib below 1.6).

Each would run `touch "$DNALM_ATTACK_MARKER"` in a loader that trusts it, or make one allocate far more than
the file holds. They are kept as bytes, so that what is refused does not depend on installed versions.
"""

import io
import json
import os
import pickle
import struct
import sys
import zipfile
from pathlib import Path

import joblib
import numpy as np

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[2] / "workflow" / "scripts"),
]

from checkpoint_makers import torch_pickle  # noqa: E402

FILES = Path(__file__).parent / "files"
COMMAND = 'touch "$DNALM_ATTACK_MARKER"'
HUGE = 1 << 40


class Evil:
    """Runs the command when it is unpickled by anything but a closed reader."""

    def __reduce__(self):
        return os.system, (COMMAND,)


class Loads:
    """Has a second pickle loaded from inside the first."""

    def __reduce__(self):
        return pickle.loads, (pickle.dumps(Evil()),)


def dump(name: str, obj: object, protocol: int = 4) -> None:
    (FILES / name).write_bytes(pickle.dumps(obj, protocol))


def joblib_files() -> None:
    dump("reduce.joblib", {"m": {"w": Evil()}}, 2)
    dump("stack_global.joblib", {"m": {"w": Evil()}}, 4)
    dump("top_level.joblib", Evil(), 5)
    dump("nested_pickle.joblib", {"m": {"w": Loads()}})
    joblib.dump({"m": {"w": np.array([Evil()], dtype=object)}}, FILES / "object_array.joblib")
    raw = {
        "eval": b"\x80\x02cbuiltins\neval\n(S'1'\ntR.",
        "instance": b"\x80\x02(S'" + COMMAND.encode() + b"'\nios\nsystem\n.",
        "object": b"\x80\x02(cos\nsystem\nS'x'\no.",
        "attribute_of_numpy": b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.os.system\x93(S'x'\ntR.",
        "attribute_of_a_stand_in": b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93(S'x'\ntR.",
        "extension": b"\x80\x02\x82\x01.",
        "state_for_a_class": b"\x80\x02cnumpy\ndtype\n}S'numpy'\nS'x'\nsb.",
        "call_of_data": b"\x80\x02S'x'\n)R.",
        "persistent_id": b"\x80\x02Px\n.",
        "keyword_arguments": b"\x80\x04cnumpy\ndtype\n)}\x92.",
        # what JAX pickles, with another function in the place of numpy's
        "jax_array": b"\x80\x02cjax._src.array\n_reconstruct_array\n(cos\nsystem\n(S'x'\nt(K\x01tNtR.",
        "numpy_array": b"\x80\x02cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00S'b'\ntR.",
        "huge_bytes": b"\x80\x04\x8e" + struct.pack("<Q", HUGE) + b"x.",
        "huge_text": b"\x80\x04\x8d" + struct.pack("<Q", HUGE) + b"x.",
        "huge_frame": b"\x80\x04\x95" + struct.pack("<Q", HUGE) + b"N.",
        "huge_memo": b"\x80\x02Nr" + struct.pack("<I", 0xFFFFFFFF) + b".",
    }
    for name, data in raw.items():
        (FILES / f"{name}.joblib").write_bytes(data)
    # a real file of joblib's, whose shape (3, 8) becomes 3 x 2**40, or negative
    buffer = io.BytesIO()
    joblib.dump({"m": {"w": np.zeros((3, 8), np.float32)}}, buffer)
    data = buffer.getvalue()
    start = data.index(b"\x95")
    data = data[:start] + data[start + 9 :]  # unframed: lengths may change
    assert data.count(b"K\x03K\x08\x86") == 1
    for name, size in {
        "huge_shape": b"\x8a\x06" + HUGE.to_bytes(6, "little"),
        "negative_shape": b"J\xff\xff\xff\xff",
    }.items():
        (FILES / f"{name}.joblib").write_bytes(data.replace(b"K\x03K\x08\x86", b"K\x03" + size + b"\x86"))


def torch_files() -> None:
    def write(
        name: str, pickled: bytes, members: dict[str, np.ndarray], compression: int = zipfile.ZIP_STORED
    ) -> None:
        contents = {"archive/data.pkl": pickled}
        contents |= {f"archive/data/{key}": array.tobytes() for key, array in members.items()}
        with zipfile.ZipFile(FILES / name, "w") as archive:
            for member, content in contents.items():  # of 1980, so that the bytes are always the same
                archive.writestr(zipfile.ZipInfo(member), content, compression)

    write("reduce.bin", pickle.dumps({"w": Evil()}, 2), {})
    write("stack_global.bin", pickle.dumps({"w": Evil()}, 4), {})
    state = io.BytesIO()
    members = torch_pickle(state, {"w": np.zeros((3, 8), np.float32)}, "FloatStorage")
    write("compressed.bin", state.getvalue(), {"0": np.zeros(1 << 18, np.float32)}, zipfile.ZIP_DEFLATED)
    shape = b"K\x03K\x08\x86"
    huge = b"K\x03\x8a\x06" + HUGE.to_bytes(6, "little") + b"\x86"
    write("huge_shape.bin", state.getvalue().replace(shape, huge, 1), members)
    # strides of 0: few bytes in the file, many numbers in memory
    write(
        "strides.bin",
        state.getvalue().replace(shape, huge, 1).replace(b"K\x08K\x01\x86", b"K\x00K\x00\x86"),
        members,
    )
    write("missing_storage.bin", state.getvalue(), {})
    write("storage_called.bin", b"\x80\x02ctorch\nFloatStorage\nK\x08\x85R.", {})


def safetensors_files() -> None:
    def write(name: str, header: dict | bytes, body: bytes, length: int | None = None) -> None:
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        (FILES / name).write_bytes((length or len(text)).to_bytes(8, "little") + text + body)

    entry = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    write("huge_header.safetensors", b"{}", b"", 1 << 62)
    write("huge_shape.safetensors", {"w": {**entry, "shape": [HUGE, HUGE]}}, bytes(8))
    write("beyond_the_end.safetensors", {"w": {**entry, "data_offsets": [0, HUGE]}}, bytes(8))
    write("overlap.safetensors", {"w": entry, "v": entry}, bytes(8))
    write("deep_json.safetensors", b"[" * 100_000, b"")


if __name__ == "__main__":
    FILES.mkdir(exist_ok=True)
    joblib_files()
    torch_files()
    safetensors_files()
