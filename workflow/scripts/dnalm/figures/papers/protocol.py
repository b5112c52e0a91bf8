"""How probes' scores came about, in words of a note."""

from __future__ import annotations

import pandas as pd

SCORED = {"test": "the test set", "held_out": "held-out folds"}


def folds_text(table: pd.DataFrame) -> str:
    """Returns over how many folds scores are means: `5/10`."""
    return "/".join(f"{number:.0f}" for number in sorted(table["folds"].dropna().unique()))


def scored_text(table: pd.DataFrame) -> str:
    """Returns on which rows probes were scored."""
    return " or ".join(SCORED.get(str(name), str(name)) for name in dict.fromkeys(table["scored"].dropna()))
