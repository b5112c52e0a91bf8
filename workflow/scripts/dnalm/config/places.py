"""Where a key of the configuration stands: file and line, for messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

from dnalm.errors import UserError


def key_lines(path: str | Path) -> dict[tuple[str, ...], int]:
    """Returns the line of every key of a YAML file, by its path of keys.

    Raises:
        UserError: the file is empty, not YAML, not a mapping, or has a key twice.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        mark = getattr(fault, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else path
        raise UserError(
            where, f"is not YAML ({getattr(fault, 'problem', fault)})", "Mend the line."
        ) from fault
    if root is None:
        raise UserError(
            path, "the configuration is empty", "Restore it, for example from config/config.yaml."
        )
    if not isinstance(root, yaml.MappingNode):
        raise UserError(path, "expected keys and values at the top level", "See config/README.md.")
    lines: dict[tuple[str, ...], int] = {}
    _walk(root, (), lines, path)
    return lines


def _walk(
    node: yaml.Node, above: tuple[str, ...], lines: dict[tuple[str, ...], int], path: str | Path
) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    for key, value in node.value:
        here, line = (*above, str(key.value)), key.start_mark.line + 1
        if here in lines:
            raise UserError(
                f"{path}:{line}",
                f"the key {'.'.join(here)} stands twice (first in line {lines[here]})",
                "Remove one.",
            )
        lines[here] = line
        _walk(value, here, lines, path)


def locator(paths: Iterable[str | Path]) -> Callable[[Iterable[object]], str]:
    """Returns a function from a key path to `file:line` of that key or of the nearest one above it."""
    files = [(str(path), key_lines(path)) for path in paths]

    def where(keys: Iterable[object]) -> str:
        keys = tuple(str(key) for key in keys)
        for length in range(len(keys), 0, -1):
            for path, lines in reversed(files):
                if keys[:length] in lines:
                    return f"{path}:{lines[keys[:length]]} {'.'.join(keys)}"
        return f"{files[-1][0]} {'.'.join(keys)}".strip() if files else ".".join(keys) or "config"

    return where
