"""Compares run_model.py with torch on random checkpoints of the published sizes; fails where they differ.

In: the folder that write_bert_goldens.py --full made. Needs no torch.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path[:0] = [
    str(Path(__file__).parents[1] / "golden"),
    str(Path(__file__).parents[2] / "workflow" / "scripts"),
]

from test_bert_parity import check, differences  # noqa: E402


def main(folder: Path) -> None:
    for golden in sorted(folder.glob("*/io*.npz")):
        with tempfile.TemporaryDirectory() as temporary:
            print(f"{golden.parent.name}, {golden.name}", end=": ")
            check(differences(golden.parent, np.load(golden), Path(temporary)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
