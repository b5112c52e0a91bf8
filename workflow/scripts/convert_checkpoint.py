"""Converts a checkpoint once into the format that every later step reads.

In: a folder in the hub's layout (jax_model/, or config.json with safetensors or .bin), ours, or a name.
Out: a folder with params.safetensors, config.json and manifest.json.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from dnalm import cli, files
from dnalm.checkpoints import load_checkpoint, store


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="folder, or a name of resources/models.tsv")
    parser.add_argument("--output-dir", type=Path, required=True, help="folder to write")
    parser.add_argument("--dtype", choices=store.DTYPES, default="float32", help="of the weights on disk")
    parser.add_argument("--layer-norm-eps", type=float, help="default: 1e-5, as the published JAX code")
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(argv)
    checkpoint = load_checkpoint(arguments.checkpoint, arguments.layer_norm_eps)
    written = store.write_checkpoint(
        arguments.output_dir, checkpoint.tensors, checkpoint.config, checkpoint.details, arguments.dtype
    )
    files.write_manifest(
        arguments.output_dir,
        "checkpoint",
        checkpoint.files,
        {"parameters": checkpoint.size, "dtype": arguments.dtype},
        files=list(written),
    )


if __name__ == "__main__":
    sys.exit(main())
