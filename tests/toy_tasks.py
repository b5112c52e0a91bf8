"""A random genome with genes whose introns read GT...AG, and toy tasks, for tests of tasks and probes."""

import numpy as np
import pandas as pd

from dnalm import annotation
from dnalm.annotation import ANNOTATION_COLUMNS

LENGTH_BP = 40_000
GENE_BP, INTRON = 900, (300, 600)  # bases of a gene, and its intron as read on its strand
REVERSE = str.maketrans("ACGT", "TGCA")


def toy_genome(folder, seed=0, genes=36):
    """Writes genome.fa and annotation.parquet; genes alternate in strand, the third has no GT."""
    generator = np.random.default_rng(seed)
    letters = generator.choice(list("ACGT"), LENGTH_BP)
    letters[39_000:39_050] = "N"
    rows = []
    for number in range(genes):
        start, strand = 1000 + 1040 * number, "+-"[number % 2]
        _write_intron(letters, start, strand, "CC" if number == 2 else "GT")
        rows += _gene_rows(f"g{number}", start, strand)
    (folder / "genome.fa").write_text(">c1\n" + "".join(letters) + "\n>c2\n" + "ACGT" * 500 + "\n")
    table = pd.DataFrame(rows)[list(ANNOTATION_COLUMNS)]
    annotation.write_annotation(table, folder / "annotation.parquet")
    return folder / "genome.fa", folder / "annotation.parquet"


def _write_intron(letters, start, strand, donor):
    text = {INTRON[0]: donor, INTRON[1] - 2: "AG"}
    for place, pair in text.items():
        for shift, letter in enumerate(pair):
            if strand == "+":
                letters[start + place + shift] = letter
            else:
                letters[start + GENE_BP - 1 - place - shift] = letter.translate(REVERSE)


def _gene_rows(name, start, strand):
    exons = [(0, INTRON[0]), (INTRON[1], GENE_BP)]
    if strand == "-":
        exons = sorted((GENE_BP - right, GENE_BP - left) for left, right in exons)
    head = {"contig": "c1", "strand": strand, "gene_id": name, "gene_name": "", "biotype": ""}
    head["cds_verified"] = True
    whole = {**head, "start": start, "end": start + GENE_BP}
    spans = [{**head, "start": start + left, "end": start + right} for left, right in exons]
    return [
        {**whole, "type": "gene", "transcript_id": ""},
        {**whole, "type": "transcript", "transcript_id": f"{name}.1"},
        *({**span, "type": "exon", "transcript_id": f"{name}.1"} for span in spans),
    ]


def toy_task(rows=80, folds=4, seed=0, length_bp=60):
    """Returns a task of unrelated random sequences; those of label 1 hold more A."""
    generator = np.random.default_rng(seed)
    labels = np.arange(rows) % 2
    shares = {0: [0.25] * 4, 1: [0.4, 0.2, 0.2, 0.2]}
    texts = ["".join(generator.choice(list("ACGT"), length_bp, p=shares[label])) for label in labels]
    starts = 1000 * np.arange(rows)
    return pd.DataFrame(
        {
            "name": [f"w{row}" for row in range(rows)],
            "contig": "c",
            "start": starts,
            "end": starts + length_bp,
            "strand": "+",
            "sequence": texts,
            "label": labels,
            "group": np.arange(rows),
            "fold": np.arange(rows) // 2 % folds,
        }
    )


def write_embeddings(path, names, layers, about=()):
    """Writes a file of embeddings as embed.py does; layers: number -> rows; about: its settings."""
    from dnalm.engine.h5ad import EmbeddingWriter

    obs = pd.DataFrame(index=pd.Index(list(names), dtype=str))
    widths = {layer: rows.shape[1] for layer, rows in layers.items()}
    with EmbeddingWriter(path, obs, widths, "float32", dict(about)) as writer:
        writer.append(layers)
    return path
