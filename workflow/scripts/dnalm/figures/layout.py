"""What figures change where they are narrow: labels are broken, panels stand below each other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from dnalm.figures import style

NARROW_MM = 120.0  # of a page's 180 mm and a column's 85 mm only the column is narrower
NO_BREAK = "\u00a0"  # a space that ends no line
LINE_MM = 2.6  # from line to line of text of SMALL_PT
HINTED = 1.1  # a screen's coarse pixels widen names by up to this
Entry = TypeVar("Entry")


def is_narrow(width_mm: style.Length) -> bool:
    """Says whether panels have no room beside each other."""
    return width_mm < NARROW_MM


def break_label(text: str, width_mm: style.Length, size_pt: style.Length = style.SMALL_PT) -> str:
    """Breaks a label into lines that fit a width, losing no letter: two long names stay two.

    Lines end at spaces, but not at NO_BREAK nor before a number at the end (`layer 3`); a word that is too
    wide is broken after `_`, `.`, `-` or `/`, else anywhere.
    """
    lines = [""]
    for word in re.sub(r" (\d+)$", rf"{NO_BREAK}\1", text).split(" "):
        joined = f"{lines[-1]} {word}".lstrip()
        if style.text_width_mm(joined, size_pt) <= width_mm:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for piece in _pieces(word, width_mm, size_pt):
            if lines[-1] and style.text_width_mm(lines[-1] + piece, size_pt) > width_mm:
                lines.append("")
            lines[-1] += piece
    return "\n".join(lines).replace(NO_BREAK, " ")


def _pieces(word: str, width_mm: style.Length, size_pt: style.Length) -> list[str]:
    pieces = []
    for part in re.findall(r"[^_./-]*[_./-]+|[^_./-]+", word):
        pieces += [part] if style.text_width_mm(part, size_pt) <= width_mm else list(part)
    return pieces


def shorten(
    text: str, width_mm: style.Length, size_pt: style.Length = style.SMALL_PT, slant: str = "normal"
) -> str:
    """Shortens a name in the middle to fit a width."""
    while len(text) > 4 and style.text_width_mm(text, size_pt, style=slant) > width_mm:
        half = (len(text) - 2) // 2
        text = f"{text[:half].rstrip('.')}\u2026{text[-half:]}"
    return text


def flow(entries: Iterable[Entry], need_mm: Callable[[Entry], float], room_mm: float) -> list[list[Entry]]:
    """Breaks entries into as few lines as hold them, in their order."""
    lines: list[list[Entry]] = []
    used_mm = 0.0
    for entry in entries:
        if not lines or used_mm + need_mm(entry) > room_mm:
            lines.append([])
            used_mm = 0.0
        lines[-1].append(entry)
        used_mm += need_mm(entry)
    return lines


def widest_mm(labels: Iterable[str], size_pt: style.Length = style.SMALL_PT) -> float:
    """Returns the width of the widest line of some labels."""
    return max(style.text_width_mm(line, size_pt) for label in labels for line in label.split("\n"))


def most_lines(labels: Iterable[str]) -> int:
    """Returns how many lines the tallest label has."""
    return max(label.count("\n") + 1 for label in labels)


def label_height_mm(labels: Iterable[str]) -> float:
    """Returns the height of a row that keeps the tallest label clear of its neighbours."""
    return most_lines(labels) * LINE_MM + 1.0
