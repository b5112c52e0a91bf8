"""Training examples: windows drawn at random from what is not held out, as a function of seed and step.

A batch depends on nothing but (seed, step), so a resumed run sees the batches of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool, Int, Int32, UInt8, UInt16

from dnalm import labels
from dnalm.errors import UserError
from dnalm.genome import Genome, reverse_complement
from dnalm.tokens import Kmers, Tokenizer
from dnalm.training.shards import Shards

Region = tuple[str, int, int]  # contig, start, end: 0-based, half-open
Window = tuple[str, int, str]  # contig, start, strand
BASES = np.frombuffer(b"ACGT", np.uint8)


@dataclass(frozen=True)
class Segment:
    """A stretch of a contig that windows may be drawn from."""

    contig: str
    start: int
    end: int


def batch_random(seed: int, step: int) -> np.random.Generator:
    """Returns the random numbers of one step's batch."""
    return np.random.default_rng([seed, step])


def check_regions(regions: Sequence[Region], lengths: Mapping[str, int]) -> None:
    """Raises a UserError for a region that does not lie on the genome: nothing would be held out."""
    for contig, start, end in regions:
        where = f"region {contig}:{start}-{end}"
        if contig not in lengths:
            known = ", ".join(list(lengths)[:3])
            raise UserError(where, f"names no contig of the genome (it has {known})", "Check the name.")
        if end > lengths[contig]:
            raise UserError(
                where, f"ends after the contig (found {end}, expected <= {lengths[contig]})", "Check it."
            )


def side_by_side(sequence: UInt8[np.ndarray, " S"], region: Region, window_bp: int) -> list[int]:
    """Returns the starts of windows that cover a region; the last one is moved back to end with it.

    Windows with N are left out.

    Raises:
        UserError: no window fits.
    """
    contig, begin, end = region
    starts = (
        [min(start, end - window_bp) for start in range(begin, end, window_bp)]
        if end - begin >= window_bp
        else []
    )
    starts = [start for start in starts if np.isin(sequence[start : start + window_bp], BASES).all()]
    if not starts:
        raise UserError(
            f"region {contig}:{begin}-{end}",
            f"holds no window of {window_bp} bp without N",
            "Choose a longer one.",
        )
    return starts


def allowed_segments(
    contig: str, sequence: UInt8[np.ndarray, " S"], excluded: Sequence[Region], window_bp: int
) -> list[Segment]:
    """Returns the stretches without N and without an excluded base that hold at least one window."""
    usable = np.isin(sequence, BASES)
    for name, start, end in excluded:
        if name == contig:
            usable[start:end] = False
    edges = np.flatnonzero(np.diff(usable, prepend=False, append=False)).reshape(-1, 2)
    return [Segment(contig, int(a), int(b)) for a, b in edges if b - a >= window_bp]


class WindowSampler:
    """Draws windows (contig, start, strand), each as likely as any other that is allowed.

    A window with no `wanted` position on its strand is kept with probability `keep_others` only.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        window_bp: int,
        wanted: Mapping[tuple[str, str], Int[np.ndarray, " N"]] | None = None,
        keep_others: float = 1.0,
    ) -> None:
        self.segments, self.window_bp = list(segments), window_bp
        self._wanted, self._keep_others = wanted or {}, keep_others
        self._ends = np.cumsum([piece.end - piece.start - window_bp + 1 for piece in segments])

    def draw(self, random: np.random.Generator, count: int) -> list[Window]:
        """Returns `count` windows."""
        windows: list[Window] = []
        while len(windows) < count:
            place = int(random.integers(self._ends[-1]))
            index = int(np.searchsorted(self._ends, place, side="right"))
            piece = self.segments[index]
            start = piece.end - self.window_bp - int(self._ends[index] - 1 - place)
            strand = "+-"[int(random.integers(2))]
            if random.random() < self._keep_others or self._holds_wanted(piece.contig, start, strand):
                windows.append((piece.contig, start, strand))
        return windows

    def _holds_wanted(self, contig: str, start: int, strand: str) -> bool:
        positions = self._wanted.get((contig, strand))
        if positions is None:
            return False
        first = int(np.searchsorted(positions, start))
        return first < len(positions) and int(positions[first]) < start + self.window_bp


class Genomes:
    """Several genomes read as one: contigs are called NAME/contig; a genome without a name keeps its own.

    Args:
        paths: name -> masked FASTA.
    """

    def __init__(self, paths: Mapping[str, str | Path]) -> None:
        self._genomes = {name: Genome(path) for name, path in paths.items()}
        places = {
            f"{name}/{contig}" if name else contig: (name, contig, length)
            for name, genome in self._genomes.items()
            for contig, length in genome.lengths.items()
        }
        self._places = places
        self.lengths = {key: length for key, (_, _, length) in places.items()}

    def __enter__(self) -> Genomes:
        return self

    def __exit__(self, *_: object) -> None:
        for genome in self._genomes.values():
            genome.close()

    def sequence(self, contig: str) -> UInt8[np.ndarray, " S"]:
        """Returns a contig's letters as ASCII."""
        name, own, _ = self._places[contig]
        return self._genomes[name].sequence(own)


def named_paths(texts: Sequence[str]) -> dict[str, str]:
    """Returns name -> path of `PATH`, or of several `NAME=PATH`.

    Raises:
        UserError: several without names, or a name twice.
    """
    if len(texts) == 1 and "=" not in texts[0]:
        return {"": texts[0]}
    pairs = [text.partition("=")[::2] for text in texts]
    names = [name for name, path in pairs if name and path]
    if len(set(names)) < len(texts):
        raise UserError(
            "--genome", f"found {' '.join(texts)}, expected NAME=PATH, each name once", "Name them."
        )
    return dict(pairs)


class TrainingGenome:
    """Sequence, tokens and packed labels of a genome, cut to windows on either strand.

    Args:
        excluded: regions that no window touches.
        table, features: the annotation and the elements that are labelled; without them no labels.
        shards: where the arrays lie; in memory by default.

    Raises:
        UserError: a region is not on the genome, or no window is left.
    """

    def __init__(
        self,
        genome: Genome | Genomes,
        excluded: Sequence[Region],
        window_bp: int,
        table: pd.DataFrame | None = None,
        features: Sequence[str] = (),
        shards: Shards | None = None,
    ) -> None:
        check_regions(excluded, genome.lengths)
        self._shards = shards or Shards()
        self._names = {contig: f"{number:05d}" for number, contig in enumerate(genome.lengths)}
        self.sequences = {
            contig: self._shards.array(f"{name}.bases", partial(genome.sequence, contig))
            for contig, name in self._names.items()
        }
        self._tokens: dict[tuple[str, str], UInt16[np.ndarray, " S"]] = {}
        self.features = tuple(features)
        self.segments = [
            segment
            for contig, sequence in self.sequences.items()
            for segment in allowed_segments(contig, sequence, excluded, window_bp)
        ]
        if not self.segments:
            raise UserError(
                "training windows",
                f"none of {window_bp} bp without N lies outside what is held out",
                "Hold out less, or shorten window_bp.",
            )
        self._packed = {} if table is None else self._pack(table)

    def _pack(self, table: pd.DataFrame) -> dict[tuple[str, str], UInt8[np.ndarray, " S"]]:
        """Returns per contig and strand one byte a base, a bit a feature."""

        def pack(contig: str, strand: str) -> UInt8[np.ndarray, " S"]:
            length = len(self.sequences[contig])
            track, _ = labels.label_track(table, contig, length, self.features, strand)
            return np.packbits(track, axis=1, bitorder="little")[:, 0]

        return {
            (contig, strand): self._shards.array(f"{name}.labels{strand}", partial(pack, contig, strand))
            for contig, name in self._names.items()
            for strand in "+-"
        }

    def splice_sites(self) -> dict[tuple[str, str], Int[np.ndarray, " N"]]:
        """Returns the sorted donor and acceptor positions per contig and strand."""
        bits = sum(1 << i for i, name in enumerate(self.features) if name.startswith("splice_"))
        return {key: np.flatnonzero(track & bits) for key, track in self._packed.items()}

    def frequencies(self) -> list[float]:
        """Returns each feature's share of the bases of both strands of the allowed segments."""
        counts, bases = np.zeros(len(self.features)), 0
        for piece in self.segments:
            for strand in "+-":
                track = self._packed[piece.contig, strand][piece.start : piece.end]
                counts += np.unpackbits(track[:, None], axis=1, bitorder="little").sum(0)[: len(counts)]
                bases += len(track)
        return [float(count) / bases for count in counts]

    def bases(self, windows: Sequence[Window], window_bp: int) -> UInt8[np.ndarray, "B S"]:
        """Returns the windows' letters as ASCII, read along their strand."""
        return np.stack(
            [
                reverse_complement(self.sequences[contig][start : start + window_bp])
                if strand == "-"
                else self.sequences[contig][start : start + window_bp]
                for contig, start, strand in windows
            ]
        )

    def tokens(
        self, windows: Sequence[Window], window_bp: int, reader: Tokenizer
    ) -> Int32[np.ndarray, "B L"]:
        """Returns the windows' tokens, read along their strand, as `encode_windows` makes them of `bases`.

        k-mers are looked up in one id per base of the genome; a byte-pair encoding, whose tokens depend on
        where a window starts, reads the letters.
        """
        if not isinstance(reader, Kmers):
            return reader.encode_windows(self.bases(windows, window_bp))
        wanted = slice(0, window_bp - reader.k + 1, reader.step)
        count = len(range(wanted.stop)[wanted])
        result = np.full((len(windows), 1 + count + reader.end_tokens), reader.cls_id, np.int32)
        if reader.end_tokens:
            result[:, -1] = reader.sep_id
        for row, (contig, start, strand) in zip(result, windows, strict=True):
            ids = self._ids(contig, reader)[start : start + wanted.stop]
            if strand == "-":
                ids = reader.complements()[ids[::-1][wanted]]
            row[1 : 1 + count] = ids if strand == "-" else ids[wanted]
        return result

    def _ids(self, contig: str, reader: Kmers) -> UInt16[np.ndarray, " S"]:
        """Returns the id of the k-mer at each base of a contig."""
        key = contig, reader.name
        if key not in self._tokens:
            make = partial(reader.ids_at_bases, self.sequences[contig])
            self._tokens[key] = self._shards.array(f"{self._names[contig]}.tokens.{reader.name}", make)
        return self._tokens[key]

    def labels(self, windows: Sequence[Window], window_bp: int) -> Bool[np.ndarray, "B S F"]:
        """Returns the windows' labels of their own strand, read along it."""
        packed = np.stack(
            [
                self._packed[contig, strand][start : start + window_bp][:: -1 if strand == "-" else 1]
                for contig, start, strand in windows
            ]
        )
        unpacked = np.unpackbits(packed[..., None], axis=-1, bitorder="little")
        return unpacked[..., : len(self.features)].astype(bool)
