"""Runs a checkpoint on sequences or tokens and writes what it computes.

In: a checkpoint (folder or name), and FASTA, text (one sequence per line) or token ids.
Out: one .npz: tokens (B,T) int32 and, float32, embeddings_{layer} (B,T,D), attention_{layer} (B,H,T,T),
logits (B,T,V), segment_logits (B,S,F,2), segment_probabilities (B,S,F), features (F); with --per-base
base_embeddings_{layer} (B,S,D), NaN beyond a sequence's end.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnalm import cli, sequences
from dnalm.checkpoints import adapter_file
from dnalm.device import select_device
from dnalm.embeddings.bases import bases_of
from dnalm.engine.memory import weights_fit
from dnalm.engine.weights import open_checkpoint
from dnalm.files import atomic_path
from dnalm.models import precision, run


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = cli.make_parser(__doc__)
    parser.add_argument("--checkpoint", required=True, help="folder, or a name of resources/models.tsv")
    adapter_file.add_argument(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--sequences", type=Path, help="FASTA, or text with one sequence per line")
    parser.add_argument("--lower-case", action="store_true", help="take soft-masked (lower-case) letters too")
    source.add_argument("--tokens", type=Path, help=".npy, integers (B,T), padded with the pad id")
    parser.add_argument("--attention-mask", type=Path, help=".npy, bool (B,1,T,T): query may see key")
    parser.add_argument("--layers", default="all", help="all, or numbers from 1 with commas")
    parser.add_argument("--outputs", default="embeddings", help=f"some of {','.join(run.OUTPUTS)}")
    parser.add_argument("--rescaling-factor", type=float, help="of rotary positions; default: the model's")
    parser.add_argument("--layer-norm-eps", type=float, help="default: 1e-5, as the published JAX code")
    parser.add_argument("--batch-size", type=int, default=8, help="rows computed at once")
    parser.add_argument("--per-base", action="store_true", help="embeddings of bases (with --sequences)")
    precision.add_argument(parser)
    parser.add_argument("--output", type=Path, required=True, help=".npz to write")
    cli.add_device_argument(parser)
    return parser.parse_args(argv)


@cli.command
def main(argv: Sequence[str] | None = None) -> None:
    arguments = parse_arguments(argv)
    select_device(arguments.device)
    import jax

    checkpoint = open_checkpoint(arguments.checkpoint, arguments.adapter, arguments.layer_norm_eps)
    config = checkpoint.config
    layers = run.parse_layers(arguments.layers, config)
    outputs = run.parse_outputs(arguments.outputs, config)
    if arguments.sequences:
        names, tokens = sequences.encode(
            arguments.sequences, config.tokens, "segmentation" in outputs, arguments.lower_case
        )
    else:
        names, tokens = None, run.read_tokens(arguments.tokens)
    mask = run.read_attention_mask(arguments.attention_mask, tokens) if arguments.attention_mask else None
    run.check_input(config, tokens, arguments.rescaling_factor, names)
    with weights_fit(jax.local_devices()):
        params = checkpoint.load(arguments.precision)
    results = run.run_model(
        params,
        config,
        tokens,
        mask,
        layers,
        outputs,
        arguments.rescaling_factor,
        arguments.batch_size,
        arguments.precision,
    )
    if arguments.per_base:
        results |= bases_of(results, config.tokens)
    with atomic_path(arguments.output) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, **results)


if __name__ == "__main__":
    sys.exit(main())
