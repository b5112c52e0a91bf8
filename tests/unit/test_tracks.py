"""Tracks: levels and bigWigs go round exactly, bytes do not depend on stretches, short files are refused."""

from itertools import pairwise

import numpy as np
import pytest

from dnalm import tracks
from dnalm.bigwig import writer
from dnalm.errors import UserError
from dnalm.files import sha256_of

MISSING_LEVEL = tracks.MISSING_LEVEL
LENGTHS = {"one": 5000, "two": 40, "three": 900}


def random_levels(seed, length_bp, features=2):
    """Runs of random levels with stretches missing."""
    generator = np.random.default_rng(seed)
    runs = generator.integers(1, 9, length_bp)
    levels = np.repeat(generator.integers(0, 1001, (length_bp, features)), runs, axis=0)[:length_bp]
    levels[generator.random(length_bp) < 0.02] = MISSING_LEVEL
    return levels.astype(np.uint16)


def write(folder, parts, resolution=0.001, lengths=LENGTHS, features=2):
    paths = [folder / f"track{number}.bw" for number in range(features)]
    with tracks.write_tracks(paths, lengths, resolution) as writer:
        for contig, start, levels in parts:
            writer.add(contig, start, levels)
    return paths


@pytest.mark.parametrize(
    "value, resolution, level",
    [
        (0.0, 0.001, 0),
        (1.0, 0.001, 1000),
        (0.4996, 0.001, 500),
        (0.26, 0.5, 1),
        (np.nan, 0.001, MISSING_LEVEL),
    ],
)
def test_probabilities_round_to_levels(value, resolution, level):
    assert tracks.to_levels(np.array([value]), resolution).tolist() == [level]


def test_bigwigs_give_back_what_was_written(tmp_path):
    expected = {
        contig: random_levels(order, length) for order, (contig, length) in enumerate(LENGTHS.items())
    }
    expected["two"][:] = MISSING_LEVEL  # a contig without any prediction
    paths = write(tmp_path, [(contig, 0, levels) for contig, levels in expected.items()])
    for number, path in enumerate(paths):
        with tracks.open_track(path) as track:
            assert track.chroms() == LENGTHS
            for contig, levels in expected.items():
                found = tracks.read_levels(track, contig, 0, LENGTHS[contig], 0.001)
                np.testing.assert_array_equal(found, levels[:, number])
                values = tracks.read_values(track, contig, 0, LENGTHS[contig])
                np.testing.assert_array_equal(np.isnan(values), levels[:, number] == MISSING_LEVEL)


@pytest.mark.parametrize("block_bp", [8192, 64])
def test_bytes_do_not_depend_on_how_the_tracks_are_cut(tmp_path, monkeypatch, block_bp):
    monkeypatch.setattr(writer, "BLOCK_BP", block_bp)
    levels = random_levels(4, 900)
    levels[650:850] = np.random.default_rng(0).integers(0, 1001, (200, 2))  # every base another: no runs
    levels[250:620] = 7  # a run over several borders
    whole = [("one", 0, levels), ("three", 0, levels)]
    cuts = [0, 1, 140, 300, 301, 600, 700, 899, 900]
    pieces = [(contig, low, levels[low:high]) for contig in ("one", "three") for low, high in pairwise(cuts)]
    hashes = [
        [sha256_of(path) for path in write(tmp_path / name, parts)]
        for name, parts in (("whole", whole), ("pieces", pieces))
    ]
    assert hashes[0] == hashes[1]


def test_a_gap_between_stretches_is_missing(tmp_path):
    level = np.full((10, 1), 500, np.uint16)
    (path,) = write(tmp_path, [("one", 0, level), ("one", 20, level)], features=1)
    with tracks.open_track(path) as track:
        assert track.intervals("one") == ((0, 10, 0.5), (20, 30, 0.5))


def test_stretches_must_come_in_order(tmp_path):
    level = np.zeros((10, 1), np.uint16)
    with pytest.raises(ValueError, match="one:5 comes after"):
        write(tmp_path, [("one", 0, level), ("one", 5, level)], features=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("resolution", [0.0, 1e-5, 0.2])
def test_resolution_has_limits(resolution):
    with pytest.raises(UserError, match=r"expected 0\.0001 to 0\.1"):
        tracks.parse_resolution(str(resolution))


def test_what_is_no_bigwig_is_refused(tmp_path):
    (tmp_path / "x.bw").write_text("not a track")
    with pytest.raises(UserError, match="is not a bigWig"):
        tracks.open_track(tmp_path / "x.bw")
