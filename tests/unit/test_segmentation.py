"""Segmentation with models whose prediction per base is known: every base, strand, frame and N in place."""

import jax
import numpy as np
import pytest
import toy_models

from dnalm.genome import Genome, reverse_complement
from dnalm.segmentation import plan
from dnalm.segmentation.predict import Predictor, track_list
from dnalm.stitching import Layout, find_pieces, make_chunks
from dnalm.tracks import MISSING_LEVEL

WINDOW_TOKENS = 8  # 48 bp
COMPLEMENT = np.array([1, 0, 3, 2])  # of the digits of A, T, C, G
LETTERS = {letter: digit for digit, letter in enumerate(b"ATCG")}


@pytest.fixture
def genome(tmp_path):
    def make(contigs):
        return Genome(toy_models.write_fasta(tmp_path / "genome.fa", contigs))

    return make


def predict(
    genome,
    function=toy_models.letter_probabilities,
    labels="own_strand",
    regions=None,
    chunk_bp=1000,
    batch_size=3,
    resolution=0.001,
    **layout,
):
    """Returns contig -> levels (S, T), MISSING_LEVEL outside the chunks."""
    config = toy_models.config(toy_models.FEATURES, labels)
    layout = Layout(WINDOW_TOKENS, 6, **layout)
    predictor = Predictor(genome, {}, config, layout, resolution, jax.local_devices(), batch_size, function)
    tracks = len(track_list(config, layout.reverse))
    found = {
        name: np.full((length, tracks), MISSING_LEVEL, np.uint16) for name, length in genome.lengths.items()
    }
    pieces = {contig: find_pieces(genome.sequence(contig)) for contig in genome.lengths}
    spans = regions or {contig: [(0, length)] for contig, length in genome.lengths.items()}
    for chunk in make_chunks(pieces, spans, chunk_bp):
        found[chunk.contig][chunk.start : chunk.end] = predictor.levels(chunk)
    return found


def letter_levels(bases, complement=False):
    """What `letter_probabilities` gives for each base, at resolution 0.001; N is missing."""
    digits = np.array([LETTERS.get(letter, 4) for letter in bases.tolist()])
    known = digits < 4
    digits[known] = COMPLEMENT[digits[known]] if complement else digits[known]
    levels = np.where(known, (digits + 1) * 100, MISSING_LEVEL)
    return np.stack([levels, np.where(known, levels / 2, MISSING_LEVEL)], axis=1).astype(np.uint16)


@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.6])
@pytest.mark.parametrize("frames", [1, 6])
@pytest.mark.parametrize("stitch", ["centre", "blend"])
def test_every_base_gets_its_own_prediction_on_both_strands(genome, overlap, frames, stitch):
    bases = toy_models.random_bases(501)
    found = predict(genome({"one": bases}), overlap=overlap, frames=frames, stitch=stitch)["one"]
    np.testing.assert_array_equal(found[:, :2], letter_levels(bases))
    np.testing.assert_array_equal(found[:, 2:], letter_levels(bases, complement=True))


def test_both_strands_are_averaged_for_labels_of_either_strand(genome):
    bases = toy_models.random_bases(200)
    found = predict(genome({"one": bases}), labels="either_strand")["one"]
    plus, minus = (letter_levels(bases, complement)[:, 0] for complement in (False, True))
    np.testing.assert_allclose(found[:, 0], (plus + minus) / 2, atol=0.5)
    single = predict(genome({"one": bases}), labels="either_strand", reverse=False)["one"]
    np.testing.assert_array_equal(single, letter_levels(bases))


def test_n_is_missing_and_bases_beside_it_are_predicted(genome):
    bases = toy_models.random_bases(3000)
    for start, length in [(100, 1), (150, 5), (160, 1), (400, 100), (1200, 1500)]:
        bases[start : start + length] = ord("N")
    short = np.zeros(len(bases), bool)
    short[[*range(155, 160)]] = True  # a piece of 5 bases: too short for four tokens
    found = predict(genome({"one": bases}))["one"]
    expected = letter_levels(bases)
    expected[short] = MISSING_LEVEL
    np.testing.assert_array_equal(found[:, :2], expected)
    assert (found[:, 0] == MISSING_LEVEL).sum() == 1 + 5 + 1 + 100 + 1500 + 5


@pytest.mark.parametrize("length_bp, missing", [(23, 23), (24, 0), (30, 0), (47, 0), (48, 0), (50, 0)])
def test_short_contigs_use_smaller_windows(genome, length_bp, missing):
    bases = toy_models.random_bases(length_bp)
    found = predict(genome({"one": bases}))["one"]
    assert (found == MISSING_LEVEL).all(axis=1).sum() == missing
    if not missing:
        np.testing.assert_array_equal(found[:, :2], letter_levels(bases))


def edge_errors(genome, **layout):
    """Largest error of the toy model that is wrong at window edges, away from the contig's ends."""
    levels = predict(genome, toy_models.edge_probabilities, resolution=0.0001, **layout)["one"][:, 0]
    return levels[100:-100] * 0.0001


def test_stitching_keeps_window_edges_out(genome):
    opened = genome({"one": toy_models.random_bases(2000)})
    stitched, naive = edge_errors(opened, overlap=0.5), edge_errors(opened, overlap=0.0)
    # overlap of 24 bp: a base lies at least 12 bases inside its window, but for the last one's neighbour
    assert stitched.max() == pytest.approx(1 / 13, abs=1e-4)
    assert naive.max() == pytest.approx(1.0)
    blended = edge_errors(opened, overlap=0.5, stitch="blend")
    assert blended.max() < 0.3


def test_results_do_not_depend_on_chunks_batches_or_regions(genome):
    opened = genome({"one": toy_models.random_bases(900), "two": toy_models.random_bases(333, 1)})
    # a model whose prediction depends on the place in the window: any other window would show
    settings = {"function": toy_models.edge_probabilities, "overlap": 0.3, "frames": 2, "resolution": 0.0001}
    whole = predict(opened, **settings)
    for changed in ({"chunk_bp": 77}, {"batch_size": 1}, {"chunk_bp": 300, "batch_size": 16}):
        for contig, levels in predict(opened, **{**settings, **changed}).items():
            np.testing.assert_array_equal(levels, whole[contig])
    region = predict(opened, regions={"one": [(333, 444)]}, **settings)["one"]
    np.testing.assert_array_equal(region[333:444], whole["one"][333:444])
    assert (region[:333] == MISSING_LEVEL).all()
    assert (region[444:] == MISSING_LEVEL).all()


@pytest.mark.parametrize("labels", ["own_strand", "either_strand"])
@pytest.mark.parametrize("frames, stitch", [(1, "centre"), (2, "blend")])
def test_the_reverse_complement_gives_the_mirror_image(genome, labels, frames, stitch):
    bases = toy_models.random_bases(777)
    bases[300:310] = ord("N")
    settings = {
        "function": toy_models.edge_probabilities,
        "labels": labels,
        "frames": frames,
        "stitch": stitch,
        "resolution": 0.0001,
    }
    forward = predict(genome({"one": bases}), **settings)["one"]
    backward = predict(genome({"one": reverse_complement(bases)}), **settings)["one"][::-1]
    if labels == "own_strand":
        backward = backward[:, [2, 3, 0, 1]]
    missing = forward == MISSING_LEVEL
    np.testing.assert_array_equal(missing, backward == MISSING_LEVEL)
    assert np.abs(forward.astype(int) - backward).max() <= 1


def test_windows_that_are_padded_give_what_they_give_alone(genome):
    """With a real network: a short piece, padded to a bucket, against its own window size."""
    from dnalm.models import forward, init_params

    config = toy_models.config(toy_models.FEATURES, "own_strand", max_tokens=41, num_layers=1)
    params, bases = init_params(config, 0), toy_models.random_bases(216)  # 36 tokens: padded to 40
    layout = Layout(40, 6, reverse=False)
    opened = genome({"one": bases})
    predictor = Predictor(opened, params, config, layout, 0.0001, jax.local_devices(), 2)
    (chunk,) = make_chunks({"one": [(0, 216)]}, {"one": [(0, 216)]}, 1000)
    tokens = config.kmers.encode_windows(bases[None])
    expected = jax.jit(forward(config, segmentation=True))(params, tokens)["segment_probabilities"][0]
    np.testing.assert_allclose(predictor.levels(chunk) * 0.0001, expected, atol=1e-4)


@pytest.mark.parametrize(
    "labels, reverse, files",
    [
        (
            "own_strand",
            True,
            ["exon.plus.bw", "splice_donor.plus.bw", "exon.minus.bw", "splice_donor.minus.bw"],
        ),
        ("own_strand", False, ["exon.plus.bw", "splice_donor.plus.bw"]),
        ("either_strand", True, ["exon.bw", "splice_donor.bw"]),
    ],
)
def test_tracks_are_named_by_feature_and_strand(labels, reverse, files):
    config = toy_models.config(toy_models.FEATURES, labels)
    assert [track.file for track in track_list(config, reverse)] == files


def test_layout_follows_the_checkpoint():
    own, either = (
        toy_models.config(toy_models.FEATURES, labels) for labels in ("own_strand", "either_strand")
    )
    assert plan.make_layout(own) == Layout(32, 6, 0.29, 1, True, "centre")
    assert plan.make_layout(either).reverse is False
    assert plan.make_layout(either, 96, 0.5, 2, True, "blend") == Layout(16, 6, 0.5, 2, True, "blend")
