"""Small synthetic tables for the vocabulary figure, with exactly the columns that the steps write."""

import numpy as np
import pandas as pd

CYCLES, K = (50, 100, 200, 350, 600, 1000, 2000), (2, 4, 6)
CLASSES = ("exonic", "intronic", "intergenic", "repeat")


def tokens(size=604, seed=0, with_map=True, soft_masked=True):
    """Returns a table of count_tokens.py: bases first, then words of 2 to 16 bp; two of them never occur."""
    draw = np.random.default_rng(seed)
    words = dict.fromkeys("ACGT")
    while len(words) < size:
        length = min(16, 2 + int(draw.gamma(4.0, 1.0)))
        words.setdefault("".join(draw.choice(list("ACGT"), length, p=(0.3, 0.2, 0.2, 0.3))))
    table = pd.DataFrame({"token": list(words), "id": np.arange(size) + 5})
    table["count"] = np.maximum(
        200_000 / np.arange(1, size + 1) ** 0.8 + draw.normal(0, 300, size), 60
    ).astype(int)
    table.loc[[3, 40], "count"] = 0
    table["length_bp"] = table["token"].str.len()
    table["gc"] = [(word.count("G") + word.count("C")) / len(word) for word in words]
    shares = draw.beta(2, 9, size) if soft_masked else np.zeros(size)
    table["soft_masked"] = np.where(table["count"] > 0, shares, np.nan)
    table["in_repeats"] = table["soft_masked"] * 0.98
    if with_map:
        table["x"] = table["gc"] * 20 + draw.normal(0, 2, size)
        table["y"] = table["length_bp"] * 2 + draw.normal(0, 2, size)
        table["projection"] = "t-SNE"
    return table


def cycles(splits=("validation", "held_out")):
    """Returns a cycles.tsv of train_tokenizer.py; 0 cycles are counts of bases."""
    rows = []
    for place, number in enumerate((*CYCLES, 0)):
        for split in splits:
            for k in K:
                accuracy = 0.6 * 4.0 ** (-k * 0.6) * (1 + 0.04 * place * (7 - place))
                rows.append((number, number + 9, k, split, accuracy, 0.02 * accuracy, 20_000, 3.8, 16))
    columns = "cycles", "tokens", "k", "split", "accuracy", "se", "positions", "bases_per_token", "longest_bp"
    return pd.DataFrame(rows, columns=list(columns))


def regions(size=900, seed=0):
    """Returns a table of plot_embedding_map.py: windows' places on the map and classes."""
    draw = np.random.default_rng(seed)
    names = draw.choice(CLASSES, size, p=(0.2, 0.3, 0.35, 0.15))
    centres = {name: 4 * draw.normal(0, 1, 2) for name in CLASSES}
    places = np.array([centres[name] for name in names]) + draw.normal(0, 2, (size, 2))
    table = pd.DataFrame(
        {"name": [f"window{i}" for i in range(size)], "contig": "one", "start": 0, "end": 100}
    )
    return table.assign(overlaps=names, gc=0.4, soft_masked=0.1, x=places[:, 0], y=places[:, 1])
