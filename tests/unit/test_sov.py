"""Segment overlap: values worked out by hand, and a slow reference that follows the published text."""

from itertools import groupby

import numpy as np
import pytest

from dnalm.segmentation import sov

STATE_OF = {"-": sov.UNKNOWN, ".": sov.NEGATIVE, "#": sov.POSITIVE}


def states_of(text):
    return np.array([STATE_OF[letter] for letter in text], np.int8)


def overlap_of(reference, predicted, factor=1.0):
    segments = [sov.find_segments(states_of(text), 0) for text in (reference, predicted)]
    return sov.overlap_segments(*segments, factor)


def slow_segments(text, letter):
    found, place = [], 0
    for own, run in groupby(text):
        length = len(list(run))
        found += [range(place, place + length)] if own == letter else []
        place += length
    return found


def slow_sov(reference, predicted, letters, factor=1.0):
    """SOV_refine base by base, over the states named."""
    known = len(reference.replace("-", ""))
    lengths = [len(segment) for letter in ".#" for segment in slow_segments(reference, letter)]
    kinds = len(set(reference) - {"-"})
    allowance = factor * kinds / sum((length / known) ** 2 for length in lengths)
    total = normaliser = 0.0
    for letter in letters:
        for one in slow_segments(reference, letter):
            partners = [two for two in slow_segments(predicted, letter) if set(one) & set(two)]
            normaliser += len(one) * max(1, len(partners))
            for two in partners:
                minov = len(set(one) & set(two))
                maxov = max(one[-1], two[-1]) - min(one[0], two[0]) + 1
                delta = min(allowance * len(one) / known * minov / maxov, maxov - minov)
                total += (minov + delta) / maxov * len(one)
    return total / normaliser if normaliser else float("nan")


def test_a_shifted_segment_by_hand():
    # s1 = 2..5, s2 = 4..7: minov 2, maxov 6. Reference segments 2, 4 and 6 of 12 bases: the squared shares
    # sum to 56/144, the allowance is 2 x 144/56 = 36/7 and delta = 36/7 x 4/12 x 2/6 = 4/7.
    overlap = overlap_of("..####......", "....####....")
    assert overlap.score() == pytest.approx((2 + 4 / 7) / 6)
    # Background: 0..1 in 0..3 (minov 2, maxov 4, delta 36/7 x 2/12 x 2/4 = 3/7) and 6..11 against 8..11
    # (minov 4, maxov 6, delta 36/7 x 6/12 x 4/6 = 12/7).
    negative = (2 + 3 / 7) / 4 * 2 + (4 + 12 / 7) / 6 * 6
    assert overlap.score((sov.NEGATIVE,)) == pytest.approx(negative / 8)
    assert overlap.score(sov.STATES) == pytest.approx((negative + (2 + 4 / 7) / 6 * 4) / 12)


def test_a_split_segment_counts_once_per_partner():
    # s1 of 6 bases against two of 2: each pair has minov 2, maxov 6; N = 12. Squared shares (1 + 36 + 1)/64.
    overlap = overlap_of(".######.", ".##..##.")
    delta = 2 * 64 / 38 * 6 / 8 * 2 / 6
    assert overlap.score() == pytest.approx(2 * (2 + delta) / 6 * 6 / 12)


def test_the_allowance_never_lifts_a_pair_above_one():
    assert overlap_of("#.#.#.####", "#.#.#.###.").score() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "reference, predicted, expected",
    [
        ("..##..", "..##..", 1.0),
        ("..##..", "......", 0.0),
        ("..##..", "##..##", 0.0),
        ("......", "..##..", np.nan),  # nothing to find
        ("######", "######", 1.0),
        ("------", "------", np.nan),
    ],
)
def test_ends_of_the_scale(reference, predicted, expected):
    assert overlap_of(reference, predicted).score() == pytest.approx(expected, nan_ok=True)


def test_an_unmatched_segment_lowers_the_score():
    # Two segments of 3, one found exactly: (3/3 x 3) / (3 + 3).
    assert overlap_of("###...###", "###......").score() == pytest.approx(0.5)


def test_missing_bases_split_segments():
    whole, split = overlap_of(".######.", ".######."), overlap_of(".##--##.", ".##--##.")
    assert (whole.segments, split.segments) == (1, 2)
    assert split.total[sov.POSITIVE] == 4 and split.score() == 1.0


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("missing", [0.0, 0.05])
def test_random_segments_equal_the_slow_reference(seed, missing):
    generator = np.random.default_rng(seed)

    def runs():
        lengths = generator.integers(1, 20, 60)
        return np.repeat(np.arange(60) % 2, lengths)[:400].astype(bool)

    size = 400
    reference, predicted = runs()[:size], runs()[:size]
    size = min(len(reference), len(predicted))
    gone = np.repeat(generator.random(size) < missing, 3)[:size]
    texts = [
        "".join("-" if lost else ".#"[int(value)] for value, lost in zip(track, gone, strict=False))
        for track in (reference[:size], predicted[:size])
    ]
    overlap = overlap_of(*texts)
    assert overlap.score() == pytest.approx(slow_sov(*texts, "#"))
    assert overlap.score(sov.STATES) == pytest.approx(slow_sov(*texts, ".#"))
    assert overlap_of(*texts, factor=0.1).score() == pytest.approx(slow_sov(*texts, "#", 0.1))


@pytest.mark.parametrize("stretch", [1, 7, 64, 400])
def test_segments_of_stretches_join(stretch):
    states = np.random.default_rng(1).integers(0, 3, 80, np.int8).repeat(5)
    parts = [sov.find_segments(states[at : at + stretch], at + 1000) for at in range(0, len(states), stretch)]
    joined, whole = sov.join_segments(parts), sov.find_segments(states, 1000)
    for name in ("starts", "ends", "states"):
        assert getattr(joined, name).tolist() == getattr(whole, name).tolist()


def slow_sums(texts, letters):
    """Sums over sequences: scores weighted by their N(i)."""
    totals = []
    for reference, predicted in texts:
        total = 0
        for letter in letters:
            for one in slow_segments(reference, letter):
                partners = [two for two in slow_segments(predicted, letter) if set(one) & set(two)]
                total += len(one) * max(1, len(partners))
        totals.append(total)
    scores = [slow_sov(*pair, letters) if total else 0.0 for pair, total in zip(texts, totals, strict=True)]
    return np.dot(scores, totals) / sum(totals)


def test_sequences_are_one_pool_with_an_allowance_each():
    texts = [("..###..#", "#..##..."), (".##....#", "#.##..#."), ("........", "..#.....")]
    summed = overlap_of(*texts[0]) + overlap_of(*texts[1]) + overlap_of(*texts[2])
    assert summed.segments == 4
    assert summed.score() == pytest.approx(slow_sums(texts, "#"))
    assert summed.score(sov.STATES) == pytest.approx(slow_sums(texts, ".#"))


@pytest.mark.parametrize("window", [4, 9, 25])
def test_segments_are_cut_at_windows_which_are_sequences(window):
    generator = np.random.default_rng(window)
    texts = ["".join(".#"[value] for value in generator.integers(0, 2, 30).repeat(3)) for _ in range(2)]
    texts = [text[:40] + "--" + text[42:] for text in texts]
    # Two regions: whole windows of 5..44 and of 50..90.
    windows = [
        (at, at + window) for low, high in ((5, 44), (50, 90)) for at in range(low, high - window + 1, window)
    ]
    both = [sov.find_segments(states_of(text), 1000) for text in texts]
    cut = [sov.cut_segments(segments, np.array(windows) + 1000) for segments in both]
    found = sov.overlap_segments(*cut)
    parts = [tuple(text[start:end] for text in texts) for start, end in windows]
    assert found.score() == pytest.approx(slow_sums(parts, "#"))
    assert found.score(sov.STATES) == pytest.approx(slow_sums(parts, ".#"))


def test_random_pairs_score_low_and_better_ones_higher():
    reference = "." * 20 + "#" * 20 + "." * 60
    shifted = [reference[-shift:] + reference[:-shift] if shift else reference for shift in range(0, 20, 4)]
    scores = [overlap_of(reference, other).score() for other in shifted]
    assert scores == sorted(scores, reverse=True) and len(set(scores)) > 3
