"""Runs of N: single ones are filled for the input, long ones end a piece, and every base keeps its place.

A piece's own prediction, as a contig of its own, is what each base beside a run is compared with.
"""

import numpy as np
import pytest
import segment
import toy_models
import toy_runs

from dnalm import files
from dnalm.genome import Genome
from dnalm.models import init_params
from dnalm.stitching import Layout, fill, find_pieces
from dnalm.tracks import open_track, read_values

N = ord("N")
WINDOW_TOKENS = 16  # 96 bp
SMALLEST_BP = 24  # four tokens
MAX_FILLED_N = 5
# Known bases and Ns in turn; the 23 are too short to be predicted, the 24 just long enough.
STRETCHES = (301, 1, 150, 5, 203, 100, 350, 50_000, 411, 6, 23, 7, 24, 100, 97)
BORDERS = np.cumsum((0, *STRETCHES)).tolist()
RUNS = tuple(zip(BORDERS[1::2], BORDERS[2::2], strict=False))
FILLED = tuple((start, end) for start, end in RUNS if end - start <= MAX_FILLED_N)
CONFIG = toy_models.config(toy_models.FEATURES, "own_strand", max_tokens=WINDOW_TOKENS + 1)


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    with toy_models.compiled_once(tmp_path_factory.mktemp("compiled")):
        yield


def contig():
    """Random bases with the runs; the bases beside those that are filled are A, so that A fills them."""
    bases = toy_models.random_bases(BORDERS[-1], seed=7)
    for start, end in FILLED:
        bases[start - 1 : end + 1] = ord("A")
    for start, end in RUNS:
        bases[start:end] = N
    return bases


def pieces_of(longest):
    """The stretches between runs of N longer than `longest`, from the table above."""
    cuts = [run for run in RUNS if run[1] - run[0] > longest]
    return list(
        zip([0, *(end for _, end in cuts)], [*(start for start, _ in cuts), BORDERS[-1]], strict=True)
    )


def is_missing(pieces, bases):
    """Which bases must have no prediction: Ns, and pieces below four tokens."""
    missing = bases == N
    for start, end in pieces:
        missing[start:end] |= end - start < SMALLEST_BP
    return missing


@pytest.fixture(scope="module")
def genome(tmp_path_factory):
    """Makes genomes of contigs."""
    folder, count = tmp_path_factory.mktemp("genomes"), 0

    def make(contigs):
        nonlocal count
        count += 1
        return Genome(toy_models.write_fasta(folder / f"{count}.fa", contigs))

    return make


@pytest.mark.parametrize(("longest", "expected"), [(0, 8), (1, 7), (4, 7), (5, 6), (6, 5), (99, 4), (100, 2)])
def test_pieces_end_at_runs_longer_than_asked(longest, expected):
    assert find_pieces(contig(), longest) == pieces_of(longest)
    assert len(pieces_of(longest)) == expected


def test_ns_at_a_contig_s_ends_belong_to_no_piece():
    for text, expected in [("NACGTN", [(1, 5)]), ("NNACNGTNN", [(2, 7)]), ("N", []), ("NNN", [])]:
        assert find_pieces(np.frombuffer(text.encode(), np.uint8), MAX_FILLED_N) == expected


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("AANCC", ("AAACC", "AACCC")),  # as near to both: the strand decides
        ("AANNCC", ("AAACCC",)),
        ("AANNNNNCC", ("AAAAACCCC", "AAAACCCCC")),
        ("GNNNT", ("GGGTT", "GGTTT")),
        ("ACGT", ("ACGT",)),
        ("CNAANT", ("CCAAAT", "CCAATT", "CAAAAT", "CAAATT")),
    ],
)
def test_the_nearest_base_fills(text, filled):
    assert fill(np.frombuffer(text.encode(), np.uint8)).tobytes().decode() in filled


@pytest.mark.parametrize("model", ["network", "letters"])
@pytest.mark.parametrize("longest", [0, MAX_FILLED_N])
@pytest.mark.parametrize(("frames", "stitch", "chunk_bp"), [(1, "centre", 1 << 19), (3, "blend", 130)])
def test_bases_beside_a_run_are_predicted_as_in_their_piece_alone(
    genome, model, longest, frames, stitch, chunk_bp
):
    layout = Layout(WINDOW_TOKENS, 6, 0.29, frames, stitch=stitch)
    settings = {"params": init_params(CONFIG, 0)}
    if model == "letters":
        settings = {"function": toy_models.letter_probabilities}
    bases, pieces = contig(), pieces_of(longest)
    whole = toy_runs.predict(
        genome({"one": bases}), layout, CONFIG, max_filled_n=longest, chunk_bp=chunk_bp, **settings
    )["one"]
    np.testing.assert_array_equal(np.isnan(whole).any(axis=1), is_missing(pieces, bases))
    np.testing.assert_array_equal(np.isnan(whole).all(axis=1), is_missing(pieces, bases))
    by_hand = bases.copy()
    for start, end in FILLED:
        by_hand[start:end] = ord("A")
    alone = toy_runs.predict(
        genome({str(start): by_hand[start:end] for start, end in pieces}), layout, CONFIG, **settings
    )
    for start, end in pieces:
        known = bases[start:end] != N
        np.testing.assert_allclose(whole[start:end][known], alone[str(start)][known], atol=1e-6)


@pytest.mark.parametrize("longest", [0, MAX_FILLED_N])
def test_every_base_beside_a_run_has_its_own_letter(genome, longest):
    """With a model that gives each base a value of its own: a shift by one base would show."""
    bases = contig()
    found = toy_runs.predict(
        genome({"one": bases}),
        Layout(WINDOW_TOKENS, 6, 0.29),
        CONFIG,
        function=toy_models.letter_probabilities,
        max_filled_n=longest,
    )["one"]
    known = ~is_missing(pieces_of(longest), bases)
    digits = np.searchsorted(np.sort(toy_models.ORDER), bases[known])  # A, C, G, T
    plus, minus = np.array([1, 3, 4, 2])[digits] / 10, np.array([2, 4, 3, 1])[digits] / 10
    np.testing.assert_allclose(found[known][:, 0], plus, atol=1e-6)
    np.testing.assert_allclose(found[known][:, 2], minus, atol=1e-6)


def test_what_fills_an_n_does_not_depend_on_where_windows_and_chunks_begin(genome):
    """Runs lie across every kind of border; the nearest base may lie beyond it."""
    bases = toy_models.random_bases(1000, seed=9)
    for start in range(20, 980, 31):
        bases[start : start + 5] = N
    opened = genome({"one": bases})
    settings = {"params": init_params(CONFIG, 0), "max_filled_n": MAX_FILLED_N}
    whole, cut = (
        toy_runs.predict(opened, Layout(WINDOW_TOKENS, 6, 0.29), CONFIG, chunk_bp=chunk_bp, **settings)["one"]
        for chunk_bp in (1 << 19, 41)
    )
    np.testing.assert_allclose(cut, whole, atol=1e-6)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    settings = ["--checkpoint", str(toy_models.segmentation_model(folder / "model"))]
    settings += [
        "--genome",
        str(toy_models.write_fasta(folder / "masked.fa", {"one": contig(), "two": "N" * 9})),
    ]
    return [*settings, "--window-bp", "96", "--batch-size", "4", "--device", "cpu"]


@pytest.mark.parametrize(
    ("options", "longest", "filled"),
    [
        ([], 5, FILLED),
        (["--max-filled-n", "1"], 1, FILLED[:1]),
        (["--max-filled-n", "0"], 0, ()),
        (["--regions", f"one:200-{FILLED[1][0] + 2}"], 5, (FILLED[0], (FILLED[1][0], FILLED[1][0] + 2))),
    ],
)
def test_the_tracks_lack_ns_alone_and_the_filled_ones_are_listed(tmp_path, inputs, options, longest, filled):
    output = tmp_path / "tracks"
    assert segment.main([*inputs, *options, "--output-dir", str(output)]) == 0
    lines = (output / "filled_n.bed").read_text().splitlines()
    assert lines == [f"one\t{start}\t{end}" for start, end in filled]
    content = files.read_manifest(output)["content"]
    assert "filled_n.bed" in content["files"]
    missing = is_missing(pieces_of(longest), contig())
    if "--regions" in options:
        missing[:200] = missing[FILLED[1][0] + 2 :] = True
    for name in content["tracks"]:
        with open_track(output / name) as track:
            values = read_values(track, "one", 0, BORDERS[-1])
            assert np.isnan(read_values(track, "two", 0, 9)).all()
        np.testing.assert_array_equal(np.isnan(values), missing)
