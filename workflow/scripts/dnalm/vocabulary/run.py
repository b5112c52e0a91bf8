"""A whole run: merges, one measurement per number of cycles, the choice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dnalm.errors import UserError
from dnalm.genome import Genome
from dnalm.tokens import BPE, tokenizer
from dnalm.training.data import Region, Segment, allowed_segments, check_regions
from dnalm.vocabulary import merges, next_kmer
from dnalm.vocabulary.recipe import VocabularyRecipe

COLUMNS = ("cycles", "tokens", "k", "split", "accuracy", "se", "positions", "bases_per_token", "longest_bp")
MARKOV = 0  # of the column `cycles`: counts of bases instead of tokens
SHORTEST_BP = 2000  # of a stretch
VALIDATION, HELD_OUT = "validation", "held_out"
log = logging.getLogger("dnalm")


@dataclass(frozen=True)
class Stretches:
    """Bases without N, upper-case ASCII, by what they are for."""

    training: list[np.ndarray]
    validation: list[np.ndarray]
    held_out: list[np.ndarray]


@dataclass(frozen=True)
class Vocabulary:
    """What a run gives.

    Args:
        text: the tokenizer.json of the chosen number of cycles.
        table: COLUMNS.
    """

    text: str
    cycles: int
    table: pd.DataFrame


def read_stretches(genome: Genome, held_out: Sequence[Region], share: float) -> Stretches:
    """Returns a genome's stretches: training, then the last share of it for validation; held-out regions.

    Raises:
        UserError: a region that is not on the genome, or nothing to train on.
    """
    check_regions(held_out, genome.lengths)
    segments: list[Segment] = []
    for contig in genome.lengths:
        segments += allowed_segments(contig, genome.sequence(contig), held_out, SHORTEST_BP)
    total = sum(segment.end - segment.start for segment in segments)
    if not total:
        raise UserError("genome", f"no stretch of {SHORTEST_BP} bp without N to train on", "Take another.")
    left, training, validation = round(total * (1 - share)), [], []
    for segment in segments:
        bases = genome.sequence(segment.contig)[segment.start : segment.end]
        training.append(bases[:left])
        validation.append(bases[left:])
        left = max(0, left - len(bases))
    kept = []
    for contig, start, end in held_out:
        inside = np.zeros(genome.lengths[contig], np.uint8) + ord("N")
        inside[start:end] = genome.sequence(contig)[start:end]
        kept += [inside[s.start : s.end] for s in allowed_segments(contig, inside, [], SHORTEST_BP)]

    def long_enough(stretches: list[np.ndarray]) -> list[np.ndarray]:
        return [stretch for stretch in stretches if len(stretch) >= SHORTEST_BP]

    return Stretches(long_enough(training), long_enough(validation), kept)


def train_vocabulary(
    stretches: Stretches,
    recipe: VocabularyRecipe,
    progress: Callable[[Iterable[Any], str, int], Iterable[Any]],
) -> Vocabulary:
    """Learns the merges once and measures each number of cycles; the best on the validation part is taken.

    Best is the highest accuracy, averaged over k; of equal ones the fewest cycles.

    Raises:
        UserError: nothing to validate on, or too little sequence for the most cycles.
    """
    if not stretches.validation:
        raise UserError("validation", f"no stretch of {SHORTEST_BP} bp", "Raise validation_share.")
    whole = merges.learn(stretches.training, recipe.cycles[-1])
    learned = len(merges.merges_of(whole))
    if learned < recipe.cycles[-1]:
        raise UserError(
            "cycles", f"found {recipe.cycles[-1]}, but only {learned} pairs are left to join", "Lower it."
        )
    parts = {VALIDATION: stretches.validation, HELD_OUT: stretches.held_out}
    rows: list[dict[str, Any]] = []
    for cycles in progress(recipe.cycles, "cycles", len(recipe.cycles)):
        reader = tokenizer(BPE, merges.first_cycles(whole, cycles))
        places = next_kmer.find_places(stretches.training, reader, recipe)
        predict = next_kmer.train(places, reader.embedded, recipe)
        about = {
            "tokens": reader.embedded,
            "bases_per_token": len(places.bases) / len(places.ids),
            "longest_bp": max(merges.token_lengths(reader.vocabulary)),
        }
        for split, part in parts.items():
            if part:
                scored = next_kmer.find_places(part, reader, recipe)
                found = next_kmer.accuracies(scored, predict, recipe)
                rows += _rows({"cycles": cycles, **about, "split": split}, found, scored, recipe)
        log.info("%d cycles: %.3f bases a token, accuracies %s", cycles, about["bases_per_token"], found)
    # Asked at the places of the largest vocabulary, as the last measurement was.
    for split, part in parts.items():
        if part:
            scored = next_kmer.find_places(part, reader, recipe)
            found = next_kmer.markov_accuracies(stretches.training, scored, recipe)
            about = {"cycles": MARKOV, "tokens": 4, "bases_per_token": 1.0, "longest_bp": 1, "split": split}
            rows += _rows(about, found, scored, recipe)
    table = pd.DataFrame(rows)[list(COLUMNS)]
    best = choose(table)
    return Vocabulary(merges.first_cycles(whole, best), best, table)


def _rows(
    about: dict[str, Any], found: np.ndarray, scored: next_kmer.Places, recipe: VocabularyRecipe
) -> list[dict[str, Any]]:
    count = len(next_kmer.scored_places(scored, recipe))
    return [
        {**about, "k": k, "accuracy": value, "se": np.sqrt(value * (1 - value) / count), "positions": count}
        for k, value in zip(recipe.k, found, strict=True)
    ]


def choose(table: pd.DataFrame) -> int:
    """Returns the number of cycles with the best mean accuracy over k on the validation part."""
    own = table[(table["split"] == VALIDATION) & (table["cycles"] != MARKOV)]
    return int(own.groupby("cycles")["accuracy"].mean().idxmax())
