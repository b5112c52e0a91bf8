"""The table of models, resources/models.tsv: names, sizes, where their files are."""

from __future__ import annotations

import csv
import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from dnalm.errors import UserError
from dnalm.files import require_file

if TYPE_CHECKING:
    import pandas as pd

REPOSITORY = Path(__file__).resolve().parents[4]
TABLES = Path(__file__).parent / "tables"  # links to files of resources/; `pip install .` puts copies there
MODELS = TABLES / "models.tsv"
MODEL_COLUMNS = (
    "model",
    "aliases",  # comma list of other names, the hub's among them
    "family",
    "tokenizer",
    "max_tokens",  # CLS included
    "embed_dim",
    "num_layers",
    "attention_heads",
    "ffn_embed_dim",
    "parameters",  # number of weights
    "memory_gb_float32",  # of a device: weights, one window of max_tokens, 1 GB for JAX (10^9 bytes)
    "memory_gb_bfloat16",
    "features",  # comma list; empty for language models
    "labels",  # strand convention of the features: own_strand or either_strand
    "window_bp",  # length that a segmentation model was trained on
    "hub_repository",
    "revision",
    "folder",  # of bundled models, relative to the repository
    "licence",
)


def read_rows(path: Path | None = None) -> list[dict[str, str]]:
    """Returns the rows of the table of models.

    Raises:
        UserError: missing, or with other columns.
    """
    path = path or MODELS
    with open(require_file(path, "table of models"), encoding="utf-8", newline="") as handle:
        reader = csv.DictReader(handle, delimiter="\t")
        if tuple(reader.fieldnames or ()) != MODEL_COLUMNS:
            raise UserError(path, f"columns {reader.fieldnames} (expected {list(MODEL_COLUMNS)})")
        return [{key: value or "" for key, value in row.items()} for row in reader]


def read_models(path: str | Path | None = None) -> pd.DataFrame:
    """Reads the table of models as text columns, MODEL_COLUMNS.

    Raises:
        UserError: missing, or with other columns.
    """
    import pandas as pd

    return pd.DataFrame(read_rows(Path(path or MODELS)), columns=list(MODEL_COLUMNS), dtype=str)


def model_row(name: str, path: str | Path | None = None) -> dict[str, str]:
    """Returns the row of a model by its name or one of its aliases.

    Raises:
        UserError: no such model; names the nearest ones.
    """
    rows = read_rows(Path(path or MODELS))
    for row in rows:
        if name in (row["model"], *row["aliases"].split(",")):
            return row
    names = [row["model"] for row in rows]
    near = difflib.get_close_matches(name, names, n=3) or names
    raise UserError(name, f"neither a folder nor a registered model (nearest: {', '.join(near)})")


def local_folder(row: dict[str, str]) -> Path:
    """Returns where a registered model's files are in this repository.

    Raises:
        UserError: a published model, whose files have to be fetched.
    """
    name, folder = row["model"], REPOSITORY / row["folder"]
    if row["folder"] and folder.is_dir():
        return folder
    if row["folder"]:
        raise UserError(
            name, f"its folder {row['folder']} is missing", "Train it (train_segmentation.py) or restore it."
        )
    revision = f" at revision {row['revision']}" if row["revision"] else ""
    raise UserError(
        name,
        f"its files are not here (expected a folder with {row['hub_repository']}{revision})",
        f"Fetch it with `fetch_checkpoint.py --model {name} --output {name}.json` and name {name}.json, or "
        "name the folder that you have.",
    )
