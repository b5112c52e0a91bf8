"""Exports a checkpoint in a layout that others read: PyTorch's transformers, or the published JAX code.

In: a folder that this workflow trained or converted, a folder in the hub's layout, or a name.
Out: a new folder with model.safetensors, config.json and the tokenizer's files (transformers), or jax_model/
(jax: hyperparams.json, and pytree_ckpt.joblib written by joblib); README.md, the card; manifest.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dnalm import cli
from dnalm.checkpoints import store


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="folder, or a name of resources/models.tsv")
    parser.add_argument("--layout", required=True, help="transformers or jax")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to write: new, or empty")
    parser.add_argument("--dtype", choices=store.DTYPES, default="float32", help="of the weights on disk")
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    from dnalm.checkpoints.export import export_checkpoint

    arguments = parse_arguments(argv)
    export_checkpoint(arguments.checkpoint, arguments.layout, arguments.output_dir, arguments.dtype)


if __name__ == "__main__":
    sys.exit(main())
