"""A toy genome with genes, their expression table and embeddings that know it, for tests of expression."""

import numpy as np
import pandas as pd

from dnalm.engine.h5ad import EmbeddingWriter

GENES, LENGTH_BP, SPACING_BP = 60, 120, 300


def write_genome(folder, seed=0):
    """Writes one contig; returns its path and its sequence."""
    letters = np.random.default_rng(seed).choice(list("ACGT"), GENES * SPACING_BP + LENGTH_BP)
    path = folder / "genome.fa"
    path.write_text(">c1\n" + "".join(letters) + "\n")
    return path, "".join(letters)


def windows(step=SPACING_BP):
    """Returns one window per gene; every second one on the minus strand."""
    starts = np.arange(GENES) * step
    table = pd.DataFrame({"contig": "c1", "start": starts, "end": starts + LENGTH_BP})
    table["name"] = [f"g{number}" for number in range(GENES)]
    return table.assign(score=0, strand=["+", "-"] * (GENES // 2), n_fraction=0.0)


def write_windows(folder, table=None):
    path = folder / "tss.bed"
    (windows() if table is None else table).to_csv(path, sep="\t", header=False, index=False)
    return path


def signal(seed=0):
    """Returns what the embeddings know of each gene: (GENES, 4)."""
    return np.random.default_rng(seed).normal(size=(GENES, 4))


def write_table(folder, values=None, counts=None):
    """Writes gene, value and count columns; by default the values follow the signal."""
    values = 3 * signal()[:, 0] + 5 if values is None else values
    counts = np.arange(GENES) % 5 if counts is None else counts
    path = folder / "expression.tsv"
    names = [f"g{number}" for number in range(GENES)]
    pd.DataFrame({"gene": names, "value": values, "reads": counts}).to_csv(path, sep="\t", index=False)
    return path


def write_embeddings(path, layers=None, names=None, order=None):
    """Writes layer -> rows as embed.py does, in the order given."""
    layers = {2: signal()} if layers is None else layers
    order = np.arange(GENES) if order is None else order
    names = [f"g{number}" for number in range(GENES)] if names is None else names
    obs = pd.DataFrame(index=pd.Index([names[row] for row in order], dtype=str))
    widths = {layer: rows.shape[1] for layer, rows in layers.items()}
    with EmbeddingWriter(path, obs, widths, "float32", {"toy": True}) as writer:
        writer.append({layer: rows[order].astype(np.float32) for layer, rows in layers.items()})
    return path


def arguments(folder, **changes):
    """Returns predict_expression.py's arguments on the toy; `None` leaves one out."""
    files = {
        "table": "expression.tsv",
        "windows": "tss.bed",
        "genome": "genome.fa",
        "predictions": "out/e.parquet",
    }
    chosen = {name: folder / file for name, file in files.items()}
    chosen |= {"value-columns": "value", "count-columns": "reads", "unit": "log2", "folds": 5}
    chosen |= {"embeddings": f"toy={folder / 'e.h5ad'}", "held-out": "c1:0-9000"}
    chosen |= {name.replace("_", "-"): value for name, value in changes.items()}
    pairs = ((f"--{name}", value) for name, value in chosen.items() if value is not None)
    return [
        word for name, value in pairs for word in (name, *(value if isinstance(value, list) else [value]))
    ]


def write_all(folder):
    """Writes every input of the toy run."""
    write_genome(folder)
    write_windows(folder)
    write_table(folder)
    write_embeddings(folder / "e.h5ad")
    return folder
