"""A small genome with genes, its annotation table, and training settings that run in a second."""

import numpy as np
import pandas as pd
import yaml

from dnalm import annotation

LENGTH_BP, WINDOW_BP = 2400, 24
HELD_OUT = "chr1:1200-1500"
VALIDATION = "chr1:1500-1600"
SETTINGS = {
    "tokenizer": "v2_3mer",
    "embed_dim": 8,
    "num_layers": 1,
    "attention_heads": 2,
    "ffn_embed_dim": 8,
    "window_bp": WINDOW_BP,
    "batch_size": 2,
    "steps": 4,
    "log_every": 2,
    "checkpoint_every": 2,
    "validation": VALIDATION,
}


def write_genome(folder):
    """Writes masked.fa, chr1 of 2,400 bp with N at 600-630; returns its path."""
    letters = np.random.default_rng(7).choice(list("ACGT"), LENGTH_BP)
    letters[600:630] = "N"
    path = folder / "masked.fa"
    path.write_text(">chr1\n" + "".join(letters) + "\n")
    return path


def exon_table():
    """Two transcripts: + at 100-200, 300-400; - at 1250-1300, 1350-1400. No base twice an exon."""
    rows = [(100, 200, "+", "t1"), (300, 400, "+", "t1"), (1250, 1300, "-", "t2"), (1350, 1400, "-", "t2")]
    table = pd.DataFrame(rows, columns=["start", "end", "strand", "transcript_id"])
    table = table.assign(contig="chr1", type="exon", gene_id="g", gene_name="", biotype="", cds_verified=True)
    return table[list(annotation.ANNOTATION_COLUMNS)]


def write_inputs(folder, **changes):
    """Writes genome, annotation and settings; returns the common arguments of the training scripts."""
    annotation.write_annotation(exon_table(), folder / "annotation.parquet")
    settings = {**SETTINGS, "features": ["exon", "intron", "splice_donor"], **changes}
    (folder / "training.yaml").write_text(yaml.safe_dump(settings))
    return {
        "--genome": write_genome(folder),
        "--annotation": folder / "annotation.parquet",
        "--config": folder / "training.yaml",
        "--held-out": HELD_OUT,
        "--work-dir": folder / "work",
        "--output-dir": folder / "model",
        "--device": "cpu",
    }


def command_line(arguments):
    """Returns the arguments as a script's main takes them; None leaves one out."""
    return [str(part) for item in arguments.items() if item[1] is not None for part in item]
