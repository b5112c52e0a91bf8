"""bigWigs: readers find every value, bin and contig, whatever the number of blocks, bins and contigs."""

import os
import struct

import numpy as np
import pytest

from dnalm import bigwig
from dnalm.bigwig import layout, writer, zooms
from dnalm.tracks import open_track, read_values


def noisy(seed, length_bp, missing=0.0):
    generator = np.random.default_rng(seed)
    values = generator.random(length_bp, np.float32)
    values[generator.random(length_bp) < missing] = np.nan
    return values


def write(path, values, lengths=None):
    """Writes contig -> values from the first base."""
    file = bigwig.BigWigWriter(path, lengths or {contig: len(array) for contig, array in values.items()})
    for contig, array in values.items():
        file.add(contig, 0, array)
    file.close()
    return path


def bins_of(values, bin_bp):
    """Count, smallest, largest and mean of every bin that has a value."""
    bins = [values[at : at + bin_bp] for at in range(0, len(values), bin_bp)]
    known = [each[~np.isnan(each)] for each in bins]
    return [(len(each), each.min(), each.max(), each.mean()) if len(each) else None for each in known]


def headers(path):
    data = path.read_bytes()
    fields = layout.HEADER.unpack_from(data)
    zoom_headers = [
        layout.ZOOM_HEADER.unpack_from(data, layout.HEADER.size + layout.ZOOM_HEADER.size * number)
        for number in range(fields[2])
    ]
    return data, fields, zoom_headers


@pytest.mark.parametrize("missing", [0.0, 0.3, 0.999])
def test_statistics_of_the_zoom_levels_are_those_of_the_values(tmp_path, missing):
    values = {"a": noisy(1, 150_000, missing), "b": noisy(2, 40_001, missing)}
    path = write(tmp_path / "x.bw", values)
    _, _, levels = headers(path)
    assert [level[0] for level in levels] == [32, 128, 512, 2048, 8192, 32768, 131072]
    with open_track(path) as track:
        for contig, array in values.items():
            for bin_bp in (128, 2048, 32768):  # a reader asking for bins twice as long takes this level
                span = len(array) // (2 * bin_bp) * 2 * bin_bp
                if not span:
                    continue
                expected = bins_of(array[:span], 2 * bin_bp)
                for number, name in ((1, "min"), (2, "max"), (3, "mean")):
                    found = track.stats(contig, 0, span, type=name, nBins=len(expected))
                    for seen, wanted in zip(found, expected, strict=True):
                        assert (seen is None) == (wanted is None)
                        if wanted is not None:
                            assert seen == pytest.approx(float(wanted[number]), rel=1e-5)


def test_the_zoom_records_cover_every_value_once(tmp_path):
    values = {"a": noisy(3, 100_000, 0.5), "b": noisy(4, 1_000, 1.0), "c": noisy(5, 33_000)}
    data, _, levels = headers(write(tmp_path / "x.bw", values))
    for bin_bp, _, _, index_at in levels:
        rows = np.concatenate([np.frombuffer(block, layout.ZOOM_BIN) for block in blocks_of(data, index_at)])
        for number, array in enumerate(values.values()):
            mine = rows[rows["contig"] == number]
            expected = [each for each in bins_of(array, bin_bp) if each is not None]
            assert mine["count"].tolist() == [each[0] for each in expected]
            np.testing.assert_array_equal(mine["min"], [each[1] for each in expected])
            np.testing.assert_allclose(mine["sum"], [each[0] * each[3] for each in expected], rtol=1e-5)
            assert (mine["end"] <= len(array)).all() and (mine["end"] > mine["start"]).all()


def blocks_of(data, index_at):
    """Walks an R tree and yields its blocks, unpacked."""
    import zlib

    def walk(place):
        is_leaf, _, count = layout.NODE.unpack_from(data, place)
        kind = layout.LEAF if is_leaf else layout.BRANCH
        for child in np.frombuffer(data, kind, count, place + layout.NODE.size):
            at = int(child["at"])
            if is_leaf:
                yield zlib.decompress(data[at : at + int(child["size"])])
            else:
                yield from walk(at)

    assert layout.INDEX_HEADER.unpack_from(data, index_at)[0] == layout.INDEX_MAGIC
    yield from walk(index_at + layout.INDEX_HEADER.size)


def test_an_index_of_three_levels_finds_every_block(tmp_path, monkeypatch):
    monkeypatch.setattr(writer, "BLOCK_BP", 64)
    monkeypatch.setattr(zooms, "ZOOM_ITEMS", 3)
    monkeypatch.setattr(layout, "NODE_ITEMS", 8)
    values = {"a": noisy(6, 9_000), "b": noisy(7, 5_000, 0.1)}
    with open_track(write(tmp_path / "x.bw", values)) as track:
        for contig, array in values.items():
            np.testing.assert_array_equal(read_values(track, contig, 0, len(array)), array)
            for at in range(0, len(array) - 700, 611):
                np.testing.assert_array_equal(read_values(track, contig, at, at + 700), array[at : at + 700])
            assert track.stats(contig, type="max")[0] == np.nanmax(array)


def test_thousands_of_contigs_of_any_order_are_found_by_name(tmp_path):
    names = [f"scaffold{number}" for number in np.random.default_rng(0).permutation(3_000)]
    lengths = {name: 10 + order for order, name in enumerate(names)}
    file = bigwig.BigWigWriter(tmp_path / "x.bw", lengths)
    for order, name in enumerate(names):
        if order % 3 == 0:
            file.add(name, 2, np.full(5, order, np.float32))
    file.close()
    with open_track(tmp_path / "x.bw") as track:
        assert track.chroms() == lengths
        for order in (0, 3, 1_500, 2_997):
            assert track.intervals(names[order]) == ((2, 7, float(order)),)
        assert track.intervals(names[1]) is None


def test_the_summary_is_that_of_all_values(tmp_path):
    values = {"a": noisy(8, 20_000, 0.2)}
    with open_track(write(tmp_path / "x.bw", values)) as track:
        header = track.header()
        assert header["nBasesCovered"] == (~np.isnan(values["a"])).sum()
    data, fields, _ = headers(tmp_path / "x.bw")
    summary = layout.SUMMARY.unpack_from(data, fields[9])
    exact = values["a"][~np.isnan(values["a"])].astype(np.float64)
    expected = (len(exact), exact.min(), exact.max(), exact.sum(), np.square(exact).sum())
    np.testing.assert_allclose(summary, expected, rtol=1e-12)


def test_a_track_without_any_value_is_a_whole_file(tmp_path):
    with open_track(write(tmp_path / "x.bw", {"a": noisy(0, 500, 1.0)})) as track:
        assert track.chroms() == {"a": 500} and track.intervals("a") is None
        assert np.isnan(read_values(track, "a", 0, 500)).all()
    data = (tmp_path / "x.bw").read_bytes()
    assert data[:4] == data[-4:] == struct.pack("<I", bigwig.MAGIC)


def test_nothing_is_left_beside_the_file(tmp_path):
    file = bigwig.BigWigWriter(tmp_path / "x.bw", {"a": 100})
    file.add("a", 0, noisy(0, 100))
    assert [path.name for path in tmp_path.iterdir()] == ["x.bw"]
    file.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["x.bw"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error(tmp_path):
    file = bigwig.BigWigWriter(tmp_path / "x.bw", {"a": 100_000})
    file._file.close()
    file._file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 (closed by the writer)
    with pytest.raises(OSError, match="No space left"):
        file.add("a", 0, noisy(0, 100_000))
    file.discard()
