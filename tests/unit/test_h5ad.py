"""The embeddings' file: what AnnData reads, bounded memory at 10^6 rows, same bytes, every row written."""

import time

import anndata
import numpy as np
import pandas as pd
import pytest

from dnalm import engine
from dnalm.engine.h5ad import EmbeddingWriter
from dnalm.errors import UserError
from dnalm.files import sha256_of

ROWS, BLOCK = 1_000_000, 1 << 14
ABOUT = {"step": "embed", "layers": [1, 2], "model": {"embed_dim": 8}}


def windows(count):
    starts = np.arange(count) * 100
    return pd.DataFrame(
        {"contig": pd.Categorical(["chr1"] * count), "start": starts, "tokens": np.full(count, 18, np.int32)},
        index=pd.Index([f"chr1:{start}" for start in starts], dtype=str),
    )


def values_of(first, last, width=8):
    """Row r holds r modulo 1000, +0.5 in the second layer."""
    numbers = (np.arange(first, last) % 1000).astype(np.float32)
    return np.repeat(numbers[:, None], width, axis=1)


def write(path, count, dtype="float16", upto=None, block=BLOCK):
    with EmbeddingWriter(path, windows(count), {1: 8, 2: 8}, dtype, ABOUT) as writer:
        for first in range(0, count if upto is None else upto, block):
            values = values_of(first, min(count if upto is None else upto, first + block))
            writer.append({1: values, 2: values + 0.5})
    return path


def resident_mib():
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[1]) * 4096 / 2**20


def test_a_million_rows_in_bounded_memory_open_backed(tmp_path):
    path, sizes = tmp_path / "x.h5ad", []
    with EmbeddingWriter(path, windows(ROWS), {1: 8}, "float16", ABOUT) as writer:
        for first in range(0, ROWS, BLOCK):
            writer.append({1: values_of(first, min(ROWS, first + BLOCK))})
            sizes.append(resident_mib())
    assert max(sizes) - sizes[0] < 8  # all values are 15 MiB as float16 and 30 as given
    table = anndata.read_h5ad(path, backed="r")
    try:
        assert table.shape == (ROWS, 0)
        assert table.obs_names[-1] == "chr1:99999900"
        assert table.obsm["layer_1"].dtype == np.float16
        assert (np.asarray(table.obsm["layer_1"][::99_999]) == values_of(0, ROWS)[::99_999]).all()
    finally:
        table.file.close()


def test_anndata_reads_what_was_written(tmp_path):
    table = anndata.read_h5ad(write(tmp_path / "x.h5ad", 40, "float32", block=7))
    np.testing.assert_array_equal(table.obsm["layer_2"], values_of(0, 40) + 0.5)
    pd.testing.assert_frame_equal(table.obs, windows(40))
    assert table.uns["dnalm"]["model"]["embed_dim"] == 8
    assert table.uns["dnalm"]["layers"].tolist() == [1, 2]


def test_bytes_do_not_depend_on_blocks_or_time(tmp_path):
    first = sha256_of(write(tmp_path / "a.h5ad", 300, block=300))
    time.sleep(1.1)  # HDF5 keeps whole seconds
    assert sha256_of(write(tmp_path / "b.h5ad", 300, block=17)) == first


def test_read_embeddings_gives_names_and_values(tmp_path):
    path = write(tmp_path / "x.h5ad", 12)
    assert engine.embedding_layers(path) == [1, 2]
    for layer in (2, "2"):
        names, values = engine.read_embeddings(path, layer)
        assert names == list(windows(12).index)
        np.testing.assert_array_equal(values, values_of(0, 12) + 0.5)
    with pytest.raises(UserError, match=r"layer None \(the file holds \[1, 2\]\)"):
        engine.read_embeddings(path)
    with pytest.raises(UserError, match="layer 7"):
        engine.read_embeddings(path, 7)


def test_one_layer_needs_no_name(tmp_path):
    with EmbeddingWriter(tmp_path / "x.h5ad", windows(3), {5: 8}, "float32", ABOUT) as writer:
        writer.append({5: values_of(0, 3)})
    np.testing.assert_array_equal(engine.read_embeddings(tmp_path / "x.h5ad")[1], values_of(0, 3))


@pytest.mark.parametrize("upto", [0, 9])
def test_missing_rows_are_never_zeros(tmp_path, upto):
    with pytest.raises(UserError, match=f"{upto} rows came, expected 10"):
        write(tmp_path / "x.h5ad", 10, upto=upto)


def test_rows_too_many_or_of_other_layers_are_refused(tmp_path):
    writer = EmbeddingWriter(tmp_path / "x.h5ad", windows(4), {1: 8}, "float32", ABOUT)
    with pytest.raises(UserError, match="rows up to 5"):
        writer.append({1: values_of(0, 5)})
    with pytest.raises(UserError, match="expected 4"):
        writer.append({2: values_of(0, 4)})
    writer.append({1: values_of(0, 4)})
    writer.__exit__(None, None, None)


@pytest.mark.parametrize("content, message", [(b"no", "is no HDF5"), (None, "holds no embeddings")])
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "x.h5ad"
    if content is None:
        import h5py

        h5py.File(path, "w").close()
    else:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message):
        engine.read_embeddings(path, 1)
