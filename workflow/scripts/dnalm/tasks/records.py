"""Labelled sequences as they are read, one at a time, whatever file they come from."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from dnalm.errors import UserError
from dnalm.genome.letters import ALLOWED, IUPAC, TO_ACGTN

_IUPAC = IUPAC + IUPAC.lower()
_BASES = b"ACGTacgt"


class Record(NamedTuple):
    """A labelled sequence; `place` is where it was read, for messages."""

    name: str
    sequence: str
    labels: tuple[str, ...]
    place: str
    split: str = ""
    group: str = ""
    position: tuple[str, int, int, str] | None = None  # contig, start, end, strand


@dataclass
class Records:
    """What is kept of the records read, and what was counted in all of them."""

    kept: list[Record] = field(default_factory=list)
    read: dict[str, int] = field(default_factory=dict)  # split -> records
    iupac_letters: int = 0  # ambiguity codes, which became N
    n_letters: int = 0
    renamed: int = 0
    shortest_bp: int = 0
    longest_bp: int = 0


def collect(records: Iterable[Record], most: int | None = None, seed: int = 0) -> Records:
    """Checks records and keeps them, in their order.

    Args:
        most: of each split; a random choice, the same for the same seed, is kept of more.

    Raises:
        UserError: an empty sequence, or one with a letter that is no base.
    """
    found, chosen = Records(), _Choice(most, seed)
    for record in records:
        letters = record.sequence.encode("utf-8")
        if not letters:
            raise UserError(record.place, f"{record.name} has no sequence", "Remove or complete it.")
        if foreign := letters.translate(None, ALLOWED):
            raise _foreign(record, foreign)
        if others := letters.translate(None, _BASES):
            iupac = len(others) - len(others.translate(None, _IUPAC))
            found.iupac_letters += iupac
            found.n_letters += len(others) - iupac
        found.read[record.split] = found.read.get(record.split, 0) + 1
        found.shortest_bp = min(found.shortest_bp or len(letters), len(letters))
        found.longest_bp = max(found.longest_bp, len(letters))
        chosen.offer(record._replace(sequence=letters.translate(TO_ACGTN).decode("ascii")))
    found.kept = chosen.records()
    return found


def name_apart(records: Records, strict: bool) -> None:
    """Gives records of one name their own names: `name#2`, `name#3`, ...

    Args:
        strict: refuses them instead, as a file of one's own should have none.

    Raises:
        UserError: a name twice, where that is strict.
    """
    seen: dict[str, str] = {}
    for number, record in enumerate(records.kept):
        name, copy = record.name, 1
        if name in seen and strict:
            raise UserError(record.place, f"duplicate name {name!r} (first at {seen[name]})", "Rename one.")
        while name in seen:
            copy += 1
            name = f"{record.name}#{copy}"
        records.renamed += copy > 1
        seen[name] = record.place
        records.kept[number] = record._replace(name=name)


class _Choice:
    """A random choice of at most so many records of each split, made while they pass."""

    def __init__(self, most: int | None, seed: int) -> None:
        self._most, self._random = most, random.Random(seed)  # noqa: S311 - a sample, no secret
        self._heaps: dict[str, list[tuple[float, int, Record]]] = {}
        self._count = 0

    def offer(self, record: Record) -> None:
        heap = self._heaps.setdefault(record.split, [])
        entry = (self._random.random(), self._count, record)
        self._count += 1
        if self._most is None or len(heap) < self._most:
            heapq.heappush(heap, entry)
        else:
            heapq.heappushpop(heap, entry)

    def records(self) -> list[Record]:
        entries = [entry for heap in self._heaps.values() for entry in heap]
        return [record for _, _, record in sorted(entries, key=lambda entry: entry[1])]


def _foreign(record: Record, letters: bytes) -> UserError:
    letter = letters.decode("utf-8", "replace")[0]
    what = f"letter {record.sequence.index(letter) + 1} of {record.name} is {letter!r}"
    remedy = "Give DNA: T in place of U." if letter in "Uu" else "Is the column of sequences the right one?"
    return UserError(record.place, f"{what}, expected A, C, G, T, N or a code of IUPAC", remedy)


def position_of(values: Mapping[str, str], where: str) -> tuple[str, int, int, str] | None:
    """Returns contig, start, end and strand of a row of a table, None where it has no such columns.

    Raises:
        UserError: an interval that is none (0-based, half-open).
    """
    if not {"contig", "start", "end"} <= set(values):
        return None
    start, end, strand = values["start"], values["end"], values.get("strand", ".") or "."
    if not (start.isdecimal() and end.isdecimal() and int(start) < int(end)) or strand not in "+-.":
        found = f"{values['contig']}:{start}-{end} ({strand})"
        raise UserError(where, f"found {found}, expected start < end, 0-based, and + - or .", "Mend it.")
    return values["contig"], int(start), int(end), strand
