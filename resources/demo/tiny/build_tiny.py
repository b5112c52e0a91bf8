#!/usr/bin/env python3
"""Builds the tiny demo from the whole one: 200 kb of fly chr2R with its genes and expression, re-based.

usage: build_tiny.py DMEL_FOLDER OUT_FOLDER   (standard library only; byte-reproducible)
The macaque piece (rheMac3.fa.gz) is the unchanged file named in PROVENANCE.md.
"""

import gzip
import re
import sys
from pathlib import Path

CONTIG, START, END = "chr2R", 5_000_000, 5_200_000  # 0-based half-open, inside the held-out region
NAME = "chr2R_slice"


def write_gz(path: Path, text: str) -> None:
    with open(path, "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as handle:
        handle.write(text.encode())


def main(source: Path, target: Path) -> None:
    with gzip.open(source / "dm3_chr2R.fa.gz", "rt") as handle:
        sequence = "".join(line.strip() for line in handle if not line.startswith(">"))[START:END]
    lines = "\n".join(sequence[i : i + 80] for i in range(0, len(sequence), 80))
    write_gz(target / "fly_slice.fa.gz", f">{NAME}\n{lines}\n")

    genes, rows = set(), []
    with gzip.open(source / "dm3_chr2R.BDGP5.25.62.gtf.gz", "rt") as handle:
        for line in handle:
            fields = line.rstrip("\n").split("\t")
            gene = re.search('gene_id "([^"]+)', fields[8]).group(1)
            if fields[2] == "gene" and START < int(fields[3]) and int(fields[4]) <= END:
                genes.add(gene)
            if gene in genes:
                fields[0] = NAME
                fields[3:5] = [str(int(value) - START) for value in fields[3:5]]
                rows.append("\t".join(fields))
    write_gz(target / "fly_slice.gtf.gz", "\n".join(rows) + "\n")

    with gzip.open(source / "pasilla_expression.tsv.gz", "rt") as handle:
        header, *table = handle.read().splitlines()
    kept = [row for row in table if row.split("\t")[0] in genes]
    write_gz(target / "fly_slice_expression.tsv.gz", "\n".join([header, *kept]) + "\n")
    print(f"{len(sequence)} bp, {len(genes)} genes, {len(kept)} with expression")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
