"""Small files in the layouts of the published suites, with a planted signal that a k-mer model finds."""

import numpy as np
import pandas as pd

MOTIFS = ("TATAAGGCTA", "CCGTTGACAC", "GGATCCAATT")
LENGTH_BP = 120


def random_dna(generator, length=LENGTH_BP):
    return "".join(generator.choice(list("ACGT"), length))


def planted(kind, rows, seed=0, classes=2, outputs=2):
    """Returns (name, sequence, labels as text); motifs in the sequence decide the labels.

    binary, multiclass: class c has motif c - 1 three times; multilabel: output o says whether motif o is
    there; regression: how often it is there, with noise.
    """
    generator, found = np.random.default_rng(seed), []
    for number in range(rows):
        letters = list(random_dna(generator))
        if kind in ("binary", "multiclass"):
            label = number % classes
            times, labels = {label - 1: 3} if label else {}, (str(label),)
        elif kind == "multilabel":
            bits = [number // (output + 1) % 2 for output in range(outputs)]
            times, labels = {output: 3 * bit for output, bit in enumerate(bits)}, tuple(map(str, bits))
        else:
            several = range(outputs if kind == "multi_regression" else 1)
            times = {output: int(generator.integers(0, 4)) for output in several}
            labels = tuple(f"{times[output] + 0.1 * generator.normal():.4f}" for output in several)
        places = iter(generator.permutation(LENGTH_BP // 12) * 12)
        for motif, count in times.items():
            for _ in range(count):
                place = next(places)
                letters[place : place + len(MOTIFS[motif])] = MOTIFS[motif]
        found.append((f"s{seed}_{number}", "".join(letters), labels))
    return found


def write_fasta(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f">{name}|{'|'.join(labels)}\n{text}\n" for name, text, labels in rows))
    return path


def write_csv(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("sequence,label\n" + "".join(f"{text},{labels[0]}\n" for _, text, labels in rows))
    return path


def write_parquet(path, tables):
    """Writes one table of several tasks, task -> rows."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cells = [
        (text, name, int(labels[0]), task) for task, rows in tables.items() for name, text, labels in rows
    ]
    pd.DataFrame(cells, columns=["sequence", "name", "label", "task"]).to_parquet(path, index=False)
    return path


def suite_files(folder):
    """Writes one task of every layout; returns (suite, task) -> split -> file."""
    sizes = {"train": 240, "validation": 60, "test": 80}
    seeds = {"train": 1, "validation": 2, "test": 3}

    def rows(split, kind, **options):
        return planted(kind, sizes[split], seeds[split], **options)

    nt, pgb, gue = folder / "nt", folder / "pgb", folder / "gue"
    splits = ("train", "validation", "test")
    return {
        ("nt_revised", "enhancers"): {
            split: write_fasta(nt / "enhancers" / f"{split}.fna", rows(split, "binary"))
            for split in ("train", "test")
        },
        ("nt_revised", "enhancers_types"): {
            split: write_parquet(
                nt / f"{split}.parquet",
                {"enhancers_types": rows(split, "multiclass", classes=3), "other": rows(split, "binary")[:9]},
            )
            for split in ("train", "test")
        },
        ("pgb", "gene_exp.glycine_max"): {
            split: write_fasta(pgb / "gene_exp" / f"glycine_max_{split}.fa", rows(split, "multi_regression"))
            for split in splits
        },
        ("pgb", "chromatin_access.zea_mays"): {
            split: write_fasta(pgb / "chromatin_access" / f"zea_mays_{split}.fa", rows(split, "multilabel"))
            for split in splits
        },
        ("pgb", "promoter_strength.leaf"): {
            split: write_fasta(pgb / "promoter_strength" / f"leaf_{split}.fa", rows(split, "regression"))
            for split in splits
        },
        ("gue", "mouse_3"): {
            split: write_csv(gue / f"{'dev' if split == 'validation' else split}.csv", rows(split, "binary"))
            for split in splits
        },
    }
