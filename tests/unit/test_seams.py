"""Tracks have no seams: a base where windows without overlap would end is as good as any other.

The reference takes every base from a window in which it lies within a sixteenth of the window's length of the
centre: windows at a stride of an eighth, from one end of the contig to the other. A track's error is the mean
absolute difference to it over all features and both strands, in bins of the distance to the nearest edge of
the windows that tiling without overlap would have, a whole window away from the contig's ends, where
every tiling has the same window.

A track has no seams if no bin's error is above `BOUND` times the median bin's. Tiling without overlap fails
this at least threefold in the strict sense: its worst bin is above 3 * `BOUND` times its own median bin, not
only 3 times the median, or 3 times ours. The demo's model is held to both in bins of one token, its finest:
wider ones would hide most of the error of the last tokens.

The overlap is the workflow's default. It must not be a simple fraction such as 1/4 or 1/2: with these, seams
lie at few places of that tiling, always the same, and their error is not spread over the bins.
"""

import gzip
import inspect
from pathlib import Path

import jax
import numpy as np
import pytest
import segment
import toy_models
import toy_runs

from dnalm import checkpoints
from dnalm.config.resolve import DEFAULTS
from dnalm.genome import Genome, reverse_complement
from dnalm.segmentation import plan
from dnalm.segmentation.predict import probability_function
from dnalm.stitching import Layout

pytestmark = pytest.mark.long
DEMO = Path(__file__).parents[2] / "resources/demo"
BOUND = 1.25
NAIVE = 3 * BOUND
OVERLAP = 0.29  # the default, see the first test
BATCH_ROWS = 4
HELD_OUT = 5_000_000  # first base of the stretch, in no training of the demo's checkpoint
WINDOWS = 120  # side by side: fewer leave the bins' errors to chance


def test_the_overlap_tested_here_is_the_default():
    required = ["--checkpoint", "", "--genome", "", "--output-dir", ""]
    defaults = {
        "segment.py": segment.parse_arguments(required).overlap,
        "make_layout": inspect.signature(plan.make_layout).parameters["overlap"].default,
        "configuration": DEFAULTS["segmentation"]["overlap"],
    }
    assert defaults == dict.fromkeys(defaults, OVERLAP)


def reference(windows, length_bp, window_bp):
    """Returns values (S, F) of a strand in its reading direction.

    Args:
        windows: starts (N) -> values (N, S, F) of these windows.
    """
    starts = np.append(np.arange(0, length_bp - window_bp, window_bp // 8), length_bp - window_bp)
    centres, bases = starts + window_bp // 2, np.arange(length_bp)
    owner = np.searchsorted((centres[1:] + centres[:-1]) / 2, bases, side="right")
    inner = slice(window_bp // 2, length_bp - window_bp // 2)
    assert np.abs(bases - centres[owner])[inner].max() <= window_bp // 16
    return windows(starts)[owner, bases - starts[owner]]


def worst_to_median(track, plus, minus, window_bp, bin_bp):
    """Returns how much worse a track (S, 2 F) is in its worst bin than in the median one.

    Args:
        plus, minus: references (S, F), each in its reading direction; windows side by side begin at each
            strand's own first base.
    """
    forward, backward = np.split(track, 2, axis=1)
    error = np.stack([np.abs(forward - plus).mean(axis=1), np.abs(backward[::-1] - minus).mean(axis=1)])
    place = np.arange(len(track)) % window_bp
    number = np.minimum(place, window_bp - 1 - place) // bin_bp
    inner = slice(window_bp, len(track) // window_bp * window_bp - window_bp)
    error, number = error[:, inner].ravel(), np.tile(number[inner], 2)
    errors = np.bincount(number, error) / np.bincount(number)
    return errors.max() / np.median(errors)


# Error of a base by its distance to the nearest window edge, in windows; the truth is 0.
EDGE_ERRORS = {
    "falls with the distance": lambda share, numpy: 0.01 / (share + 0.01),
    "decays over a sixteenth": lambda share, numpy: numpy.exp(-16 * share),
    "decays over a 32nd": lambda share, numpy: numpy.exp(-32 * share),
}


def edge_function(error):
    """Returns a model that looks at nothing but the place in the window, and is as wrong as said."""
    import jax.numpy as jnp

    def function(params, tokens):
        place = jnp.arange(6 * (tokens.shape[1] - 1))
        values = error(jnp.minimum(place, place[::-1]) / len(place), jnp)
        return jnp.broadcast_to(values[None, :, None], (tokens.shape[0], len(place), 2)).astype(jnp.float32)

    return function


@pytest.mark.parametrize("name", EDGE_ERRORS)
@pytest.mark.parametrize("window_tokens", [32, 64, 512])
@pytest.mark.parametrize("extra_bp", [0, 77])
def test_a_known_error_of_window_edges_is_spread_evenly(tmp_path, name, window_tokens, extra_bp):
    error, window_bp = EDGE_ERRORS[name], 6 * window_tokens
    length_bp = 48 * window_bp + extra_bp
    config = toy_models.config(toy_models.FEATURES, "own_strand", max_tokens=window_tokens + 1)
    genome = Genome(toy_models.write_fasta(tmp_path / "one.fa", {"one": toy_models.random_bases(length_bp)}))
    depth = np.minimum(np.arange(window_bp), np.arange(window_bp)[::-1])
    values = error(depth / window_bp, np)
    truth = reference(
        lambda starts: np.broadcast_to(values[:, None], (len(starts), window_bp, 1)), length_bp, window_bp
    )

    def ratio(overlap, stitch):
        layout = Layout(window_tokens, 6, overlap, stitch=stitch)
        track = toy_runs.predict(genome, layout, config, function=edge_function(error))["one"]
        if overlap and stitch == "centre":  # never less deep in its window than half the overlap, but at ends
            inner = slice(window_bp, -window_bp)
            assert track[inner].max() <= values[int(overlap * window_bp / 2) - 6] + 1e-6
        return worst_to_median(track, truth, truth, window_bp, window_bp // 16)

    assert ratio(OVERLAP, "centre") <= BOUND
    assert ratio(OVERLAP, "blend") <= BOUND
    assert ratio(0.0, "centre") >= NAIVE


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's checkpoint, and a stretch of its held-out region as a genome."""
    checkpoint = checkpoints.load_checkpoint(DEMO / "models/demo_segment_nt")
    length_bp = WINDOWS * plan.make_layout(checkpoint.config).window_tokens * 6
    with gzip.open(DEMO / "dmel_chr2R/dm3_chr2R.fa.gz") as lines:
        next(lines)
        bases = b"".join(line.strip() for line in lines)[HELD_OUT : HELD_OUT + length_bp].upper()
    assert not set(bases) - set(b"ACGT")
    path = tmp_path_factory.mktemp("demo") / "held_out.fa"
    return checkpoint, Genome(toy_models.write_fasta(path, {"one": np.frombuffer(bases, np.uint8)}))


def windows_of(checkpoint, bases, window_bp):
    """Returns the model's own values of windows, by their starts."""
    call = jax.jit(probability_function(checkpoint.config))
    params = jax.device_put(checkpoint.params)

    def windows(starts):
        values = np.empty((len(starts), window_bp, len(checkpoint.config.features)), np.float32)
        for at in range(0, len(starts), BATCH_ROWS):
            rows = np.resize(starts[at : at + BATCH_ROWS], BATCH_ROWS)
            tokens = checkpoint.config.kmers.encode_windows(bases[rows[:, None] + np.arange(window_bp)])
            here = values[at : at + BATCH_ROWS]
            here[:] = np.asarray(call(params, tokens))[: len(here)]
        return values

    return windows


@pytest.mark.timeout(1800)  # windows of 6 kb, 120 of them, by three tilings and a reference
def test_the_demo_s_tracks_have_no_seams(demo):
    checkpoint, genome = demo
    settings = plan.make_layout(checkpoint.config)
    window_bp, bases = settings.window_tokens * 6, genome.sequence("one")
    plus, minus = (
        reference(windows_of(checkpoint, strand, window_bp), len(bases), window_bp)
        for strand in (bases, reverse_complement(bases))
    )

    def ratios(overlap, stitch):
        layout = Layout(settings.window_tokens, 6, overlap, stitch=stitch)
        track = toy_runs.predict(genome, layout, checkpoint.config, checkpoint.params)["one"]
        return [worst_to_median(track, plus, minus, window_bp, width) for width in (window_bp // 16, 6)]

    assert max(ratios(OVERLAP, "centre")) <= BOUND
    assert max(ratios(OVERLAP, "blend")) <= BOUND
    assert ratios(0.0, "centre")[1] >= NAIVE
