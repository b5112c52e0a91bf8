"""Files are whole or absent, and tell what is wrong with them."""

import gzip
import os
import platform

import pytest

from dnalm import files
from dnalm.errors import UserError


def test_a_fault_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.atomic_path(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["a.txt"]


def test_what_a_dead_process_left_is_removed_and_a_living_one_kept(tmp_path):
    dead = tmp_path / f".a.txt.{platform.node()}-999999999.0123.tmp"
    living = tmp_path / f".a.txt.{platform.node()}-{os.getppid()}.0123.tmp"
    elsewhere = tmp_path / ".a.txt.another_host-999999999.0123.tmp"
    for path in (dead, living, elsewhere):
        path.write_text("half")
    files.write_text(tmp_path / "a.txt", "whole")
    assert not dead.exists() and living.exists() and elsewhere.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"file is empty \(0 bytes\)"),
        (gzip.compress(b"ACGT" * 1000, mtime=0)[:-20], "ends early"),
        (gzip.compress(gzip.compress(b"ACGT", mtime=0), mtime=0), "compressed twice"),
        (gzip.compress(b"ACGT" * 1000, mtime=0)[:-6] + b"\x00\x00\x00\x00\x00\x00", "damaged gzip stream"),
    ],
    ids=["empty", "truncated", "twice", "checksum"],
)
def test_a_stream_that_cannot_be_read_is_named(tmp_path, content, message):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message), files.open_binary(path) as handle:
        handle.read()


def test_compression_is_told_by_content(tmp_path):
    for name, content in {"plain.gz": b"ACGT", "packed.fa": gzip.compress(b"ACGT")}.items():
        (tmp_path / name).write_bytes(content)
        with files.open_binary(tmp_path / name) as handle:
            assert handle.read() == b"ACGT"


def test_a_manifest_proves_its_files(tmp_path):
    data = tmp_path / "data.txt"
    files.write_text(data, "abc")
    files.write_manifest(data, "mask", {"self": data}, {"n": 3})
    manifest = files.read_manifest(data)
    assert manifest["content"]["n"] == 3 and manifest["content"]["inputs"]["self"] == files.sha256_of(data)
    data.write_text("ab")
    with pytest.raises(UserError, match=r"incomplete \(found 2, expected 3 bytes\)"):
        files.read_manifest(data)
