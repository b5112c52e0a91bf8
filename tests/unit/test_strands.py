"""The reverse complement of a contig gives the mirror image of its tracks, Ns filled or not."""

import numpy as np
import pytest
import toy_models
import toy_runs

from dnalm.genome import Genome, reverse_complement
from dnalm.models import init_params
from dnalm.stitching import Layout
from dnalm.tracks import MISSING_LEVEL

WINDOW_TOKENS = 16  # 96 bp
MAX_FILLED_N = 5
# Runs that are filled (one near a piece's end, two in one window) and runs that are not.
RUNS = ((40, 1), (150, 5), (170, 2), (310, 4), (500, 6), (700, 100), (820, 30), (1001, 1))
LENGTH_BP = 1107  # no multiple of the k-mer, the window or the stride


@pytest.fixture(scope="module", autouse=True)
def compiled_once(tmp_path_factory):
    with toy_models.compiled_once(tmp_path_factory.mktemp("compiled")):
        yield


@pytest.fixture(scope="module")
def genomes(tmp_path_factory):
    """A contig with Ns, and its reverse complement."""
    bases = toy_models.random_bases(LENGTH_BP, seed=3)
    for start, length in RUNS:
        bases[start : start + length] = ord("N")
    folder = tmp_path_factory.mktemp("genomes")
    return tuple(
        Genome(toy_models.write_fasta(folder / name, {"one": letters}))
        for name, letters in (("forward.fa", bases), ("backward.fa", reverse_complement(bases)))
    )


def both(genomes, labels, **settings):
    """Returns the contig's tracks, and those of the reverse complement mapped back."""
    config = toy_models.config(toy_models.FEATURES, labels, max_tokens=WINDOW_TOKENS + 1)
    layout = Layout(WINDOW_TOKENS, 6, settings.pop("overlap", 0.29), **settings.pop("layout"))
    settings = {"params": init_params(config, 0), "max_filled_n": MAX_FILLED_N, **settings}
    forward, backward = (toy_runs.predict(genome, layout, config, **settings)["one"] for genome in genomes)
    backward = backward[::-1]
    if labels == "own_strand":  # what lies on the one's plus strand lies on the other's minus strand
        backward = np.roll(backward, backward.shape[1] // 2, axis=1)
    return forward, backward


@pytest.mark.parametrize("labels", ["own_strand", "either_strand"])
@pytest.mark.parametrize("stitch", ["centre", "blend"])
@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_values_before_rounding_are_the_same(genomes, labels, frames, stitch):
    forward, backward = both(genomes, labels, layout={"frames": frames, "stitch": stitch})
    np.testing.assert_array_equal(np.isnan(forward), np.isnan(backward))
    assert np.isnan(forward).any(axis=1).sum() == sum(length for _, length in RUNS) + 20  # a short piece
    np.testing.assert_allclose(forward, backward, atol=1e-5, rtol=0)
    assert np.nanstd(forward[:, 0]) > 1e-3  # else a constant model would pass
    if labels == "own_strand":
        assert np.nanmax(np.abs(forward[:, :2] - forward[:, 2:])) > 1e-2


@pytest.mark.parametrize("labels", ["own_strand", "either_strand"])
def test_written_levels_are_within_one(genomes, labels):
    forward, backward = both(genomes, labels, layout={"frames": 2}, resolution=1e-4)
    missing = forward == MISSING_LEVEL
    np.testing.assert_array_equal(missing, backward == MISSING_LEVEL)
    assert np.abs(forward.astype(int) - backward)[~missing].max() <= 1


def test_one_strand_alone_is_not_symmetric(genomes):
    """The averaging is what makes it so."""
    forward, backward = both(genomes, "either_strand", layout={"reverse": False})
    assert np.nanmax(np.abs(forward - backward)) > 1e-2
