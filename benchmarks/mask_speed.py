"""How much faster masking is than a letter-by-letter loop over Biopython's records.

Both read the same FASTA, count every letter, turn all but A, C, G, T into N and write FASTA. They are run in
turn, several times (masking five times a round, of which the median counts), so that a machine's load moves
both alike; every round's ratio is shown.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from Bio import SeqIO  # noqa: E402

from dnalm import genome, mask  # noqa: E402

DEMO = ROOT / "resources" / "demo" / "dmel_chr2R" / "dm3_chr2R.fa.gz"


def letter_loop(source: Path, target: Path) -> dict[str, Counter]:
    """Masks as one would first write it: every letter looked at in Python."""
    counts = {}
    with open(target, "w") as handle:
        for record in SeqIO.parse(source, "fasta"):
            counts[record.id] = Counter()
            letters = []
            for letter in record.seq:
                counts[record.id][letter] += 1
                upper = letter.upper()
                letters.append(upper if upper in "ACGT" else "N")
            sequence = "".join(letters)
            handle.write(f">{record.id}\n")
            for start in range(0, len(sequence), 80):
                handle.write(sequence[start : start + 80] + "\n")
    return counts


def timed(function, *arguments) -> float:
    started = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--genome", type=Path, default=DEMO, help="FASTA, gzip-compressed or not")
    parser.add_argument(
        "--bases", type=int, default=5_000_000, help="how many bases of its first contig to use"
    )
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genome.copy_fasta(arguments.genome, folder / "whole.fa")
        with genome.Genome(folder / "whole.fa") as whole:
            contig, length = next(iter(whole.lengths.items()))
            (folder / "part.fa").write_text(
                f">{contig}\n{whole.fetch(contig, 0, min(arguments.bases, length))}\n"
            )
        genome.copy_fasta(folder / "part.fa", folder / "in.fa")
        genome.write_index(folder / "in.fa")
        ratios = []
        for number in range(arguments.rounds):
            slow = timed(letter_loop, folder / "in.fa", folder / "slow.fa")
            fast = statistics.median(
                timed(mask.mask_genome, folder / "in.fa", folder / "fast.fa") for _ in range(5)
            )
            assert (folder / "slow.fa").read_bytes() == (folder / "fast.fa").read_bytes()
            ratios.append(slow / fast)
            print(f"round {number + 1}: letter loop {slow:.3f} s, mask {fast:.4f} s, ratio {ratios[-1]:.0f}")
        print(f"median ratio {statistics.median(ratios):.0f}, least {min(ratios):.0f}")


if __name__ == "__main__":
    main()
