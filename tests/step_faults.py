"""How the tests of faults call a step: its command line, one line on stderr, nothing at the final path."""

import importlib
import re
from collections.abc import Sequence
from pathlib import Path

EXIT_FAULT = 2


def assert_refused(step: str, arguments: Sequence[object], output: Path, pattern: str, capsys) -> None:
    """Runs a script's main in this process and checks the house's contract for a user's fault.

    The exit status is 2, the last line on stderr matches, there is no traceback, and neither the
    output, nor its manifest, nor a temporary file is left.
    """
    before = snapshot(output.parent)
    capsys.readouterr()
    status = importlib.import_module(step).main(
        [str(argument) for argument in [*arguments, "--output", output]]
    )
    errors = capsys.readouterr().err
    assert status == EXIT_FAULT, errors
    line = errors.rstrip("\n").splitlines()[-1]
    assert re.search(pattern, line), line
    assert "Traceback" not in errors
    assert not output.exists() and not output.with_name(output.name + ".manifest.json").exists()
    assert {
        name: data for name, data in snapshot(output.parent).items() if not name.endswith(".download")
    } == before


def snapshot(folder: Path) -> dict[str, bytes | None]:
    """Returns the files of a folder with their content (folders: None)."""
    if not folder.exists():
        return {}
    return {path.name: path.read_bytes() if path.is_file() else None for path in folder.iterdir()}
