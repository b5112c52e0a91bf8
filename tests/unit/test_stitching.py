"""Stitching: every base from the window in which it lies farthest inside, mirrored on the minus strand."""

import numpy as np
import pytest

from dnalm import stitching
from dnalm.errors import UserError
from dnalm.stitching import Layout

LAYOUT = Layout(window_tokens=8, k=6)  # 48 bp, overlap 12, stride 36


def owners(tiling, length_bp):
    """Window that gives each base; fails where two do."""
    owner = np.full(length_bp, -1)
    for number, (low, high) in enumerate(zip(tiling.keep_from, tiling.keep_to, strict=True)):
        assert (owner[low:high] == -1).all()
        owner[low:high] = number
    return owner


@pytest.mark.parametrize(
    "text, pieces",
    [
        ("ACGT", [(0, 4)]),
        ("NNACGTNACN", [(2, 6), (7, 9)]),
        ("", []),
        ("NNN", []),
        ("acgtRYacgt", [(0, 4), (6, 10)]),
    ],
)
def test_pieces_lie_between_ns(text, pieces, monkeypatch):
    sequence = np.frombuffer(text.encode(), np.uint8)
    assert stitching.find_pieces(sequence) == pieces
    monkeypatch.setattr(stitching, "SCAN_BP", 3)  # a piece over several blocks
    assert stitching.find_pieces(sequence) == pieces


@pytest.mark.parametrize(
    "length_bp, starts",
    [
        (23, []),
        (24, [0]),
        (47, [0, 18, 23]),  # windows of 24 bp
        (48, [0]),
        (49, [0, 1]),
        (100, [0, 36, 52]),
        (120, [0, 36, 72]),
    ],
)
def test_last_window_ends_at_the_end(length_bp, starts):
    assert stitching.window_starts(LAYOUT, length_bp, 0).tolist() == starts


def test_kept_spans_worked_out_by_hand():
    (tiling,) = stitching.tile(Layout(8, 6, reverse=False), (1000, 1100))
    assert tiling.starts.tolist() == [1000, 1036, 1052]
    assert tiling.keep_from.tolist() == [1000, 1042, 1068]
    assert tiling.keep_to.tolist() == [1042, 1068, 1100]


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("frames", [1, 2, 6])
@pytest.mark.parametrize("length_bp", [24, 31, 48, 53, 200, 517, 1001])
def test_each_base_comes_from_the_window_where_it_lies_farthest_inside(overlap, frames, length_bp):
    layout = Layout(8, 6, overlap, frames)
    tilings = stitching.tile(layout, (0, length_bp))
    given = np.zeros((2, length_bp), int)
    for tiling in tilings:
        owner = owners(tiling, length_bp)
        place = np.arange(length_bp)[:, None] - tiling.starts
        depth = np.minimum(place, tiling.window_bp - 1 - place)
        inside = owner >= 0
        assert (depth[np.arange(length_bp), owner][inside] >= depth.max(axis=1)[inside] - 1).all()
        given[int(tiling.minus)] += inside
        assert (~inside).sum() < 2 * layout.k  # a frame may leave out a few bases at the ends
    assert given.min() >= 1  # but every base has a prediction on each strand
    assert given.max() <= frames


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("stitch", ["centre", "blend"])
def test_minus_strand_is_the_mirror_image(frames, stitch):
    length_bp = 205
    tilings = stitching.tile(Layout(8, 6, 0.3, frames, stitch=stitch), (0, length_bp))
    for plus, minus in zip(tilings[:frames], tilings[frames:], strict=True):
        assert (plus.minus, minus.minus) == (False, True)
        np.testing.assert_array_equal(minus.starts, (length_bp - plus.starts - plus.window_bp)[::-1])
        np.testing.assert_array_equal(minus.keep_from, (length_bp - plus.keep_to)[::-1])
        np.testing.assert_array_equal(minus.keep_to, (length_bp - plus.keep_from)[::-1])


def test_number_of_windows_is_foreseen():
    layout = Layout(8, 6, 0.5, frames=2)
    made = sum(len(tiling.starts) for tiling in stitching.tile(layout, (0, 9600)))
    assert layout.expected_windows(9600) == pytest.approx(made, rel=0.02)


def test_frames_keep_their_phase():
    tilings = stitching.tile(Layout(8, 6, 0.25, 6, reverse=False), (0, 400))
    assert [set((tiling.starts % 6).tolist()) for tiling in tilings[1:]] == [{1}, {2}, {3}, {4}, {5}]
    assert set((tilings[0].starts[:-1] % 6).tolist()) == {0}


@pytest.mark.parametrize("stitch", ["centre", "blend"])
def test_touching_finds_all_windows_that_give_a_base(stitch):
    (tiling,) = stitching.tile(Layout(8, 6, 0.6, reverse=False, stitch=stitch), (0, 500))
    for start, end in [(0, 1), (0, 500), (100, 140), (499, 500), (250, 251)]:
        expected = (tiling.keep_from < end) & (tiling.keep_to > start)
        np.testing.assert_array_equal(tiling.touching(start, end), np.flatnonzero(expected))


def test_blend_weights_rise_from_the_edges():
    assert stitching.base_weights(6, "blend").tolist() == pytest.approx([1 / 3, 2 / 3, 1, 1, 2 / 3, 1 / 3])
    assert stitching.base_weights(4, "centre").tolist() == [1, 1, 1, 1]


def test_chunks_cover_the_regions_without_n():
    pieces = {"one": [(0, 100), (150, 400)], "two": [(5, 20)]}
    regions = {"one": [(90, 200), (180, 260), (390, 500)], "two": [(0, 30)]}
    chunks = list(stitching.make_chunks(pieces, regions, chunk_bp=60))
    assert [(chunk.contig, chunk.start, chunk.end) for chunk in chunks] == [
        ("one", 90, 100),
        ("one", 150, 210),
        ("one", 210, 260),
        ("one", 390, 400),
        ("two", 5, 20),
    ]
    assert chunks[1].piece == (150, 400)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"window_tokens": 10}, "10 DNA tokens .expected a multiple of 4.*multiple of 24"),
        ({"window_tokens": 0}, "multiple of 4"),
        ({"overlap": 0.95}, "expected 0 to 0.9"),
        ({"frames": 4}, r"does not divide k = 6.*\[1, 2, 3, 6\]"),
    ],
)
def test_impossible_layouts_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        Layout(**{"window_tokens": 8, "k": 6, **arguments})
