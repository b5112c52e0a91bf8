"""Masking, against a letter-by-letter loop over Biopython's records."""

import io
import time
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from Bio import SeqIO

from dnalm import genome, mask
from dnalm.genome import index

LETTERS = "ACGTRYSWKMBDHVNacgtryswkmbdhvn"


def written(folder: Path, contigs: dict[str, str]) -> Path:
    path = folder / "genome.fa"
    (folder / "in.fa").write_text("".join(f">{name}\n{sequence}\n" for name, sequence in contigs.items()))
    genome.copy_fasta(folder / "in.fa", path)
    return path


def reference(contigs: dict[str, str], soft_masked: str) -> dict[str, str]:
    """Masks as the definition says it, one letter at a time."""
    kept = "ACGT" if soft_masked == "mask" else "ACGTacgt"
    return {
        name: "".join(letter.upper() if letter in kept else "N" for letter in sequence)
        for name, sequence in contigs.items()
    }


def parsed(path: Path) -> dict[str, str]:
    return {record.id: str(record.seq) for record in SeqIO.parse(io.StringIO(path.read_text()), "fasta")}


@pytest.mark.parametrize("soft_masked", ["keep", "mask"])
def test_mask_is_the_letter_loop(tmp_path, soft_masked):
    generator = np.random.default_rng(0)
    contigs = {f"c{size}": "".join(generator.choice(list(LETTERS), size)) for size in (1, 80, 81, 1000)}
    report = mask.mask_genome(written(tmp_path, contigs), tmp_path / "m.fa", soft_masked)
    assert parsed(tmp_path / "m.fa") == reference(contigs, soft_masked)
    assert list(report.columns) == list(mask.REPORT_COLUMNS)
    for name, sequence in contigs.items():
        rows = report[report["contig"] == name]
        assert dict(zip(rows["letter"], rows["count"], strict=True)) == Counter(sequence)


def test_bed_intervals_become_n(tmp_path):
    source = written(tmp_path, {"a": "ACGTNACGTA", "b": "ACGT", "c": "AA"})
    (tmp_path / "x.bed").write_text("b\t0\t4\na\t6\t8\na\t3\t7\n")
    report = mask.mask_genome(source, tmp_path / "m.fa", bed=tmp_path / "x.bed")
    assert parsed(tmp_path / "m.fa") == {"a": "ACGNNNNNTA", "b": "NNNN", "c": "AA"}
    counts = report[report["letter"] == mask.BED_LETTER].set_index("contig")["count"]
    assert counts.to_dict() == {"a": 4, "b": 4}  # of a's five bases one was N already


def test_an_empty_bed_changes_nothing(tmp_path):
    source = written(tmp_path, {"a": "ACGTN"})
    (tmp_path / "x.bed").write_bytes(b"")
    mask.mask_genome(source, tmp_path / "with.fa", bed=tmp_path / "x.bed")
    mask.mask_genome(source, tmp_path / "without.fa")
    assert (tmp_path / "with.fa").read_bytes() == (tmp_path / "without.fa").read_bytes()


def test_masking_twice_changes_nothing(tmp_path):
    source = written(tmp_path, {"a": "acgtRYNNACGT" * 20})
    mask.mask_genome(source, tmp_path / "once.fa")
    mask.mask_genome(tmp_path / "once.fa", tmp_path / "twice.fa", soft_masked="mask", iupac="error")
    assert (tmp_path / "once.fa").read_bytes() == (tmp_path / "twice.fa").read_bytes()


def test_pieces_do_not_matter(tmp_path, monkeypatch):
    generator = np.random.default_rng(4)
    source = written(tmp_path, {"a": "".join(generator.choice(list(LETTERS), 900)), "b": "ACGT"})
    spans = np.sort(generator.integers(0, 900, (12, 2)), axis=1)
    (tmp_path / "x.bed").write_text("".join(f"a\t{start}\t{end + 1}\n" for start, end in spans if end < 900))
    whole = mask.mask_genome(source, tmp_path / "whole.fa", bed=tmp_path / "x.bed")
    monkeypatch.setattr(index, "PIECE_BASES", 80)
    pieces = mask.mask_genome(source, tmp_path / "pieces.fa", bed=tmp_path / "x.bed")
    assert pieces.equals(whole)
    assert (tmp_path / "pieces.fa").read_bytes() == (tmp_path / "whole.fa").read_bytes()
    expected = list(reference(parsed(source), "keep")["a"])
    for start, end in spans:
        expected[start : end + 1] = "N" * (end + 1 - start)
    assert parsed(tmp_path / "whole.fa")["a"] == "".join(expected)


def test_memory_does_not_grow_with_the_genome(tmp_path):
    source = written(tmp_path, {"a": "ACGT" * 4_000_000, "b": "ACGT" * 1_000_000})
    tracemalloc.start()
    mask.mask_genome(source, tmp_path / "m.fa")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8e6  # bytes, of 20 Mb


def test_mask_is_many_times_as_fast_as_the_letter_loop(tmp_path):
    # benchmarks/mask_speed.py measures the ratio to a full loop (over 50); this only sees that no loop
    # over letters came back, with room for a loaded machine.
    contigs = {"a": "ACGTacgtNR" * 100_000}
    source = written(tmp_path, contigs)
    started = time.process_time()
    Counter(contigs["a"])
    expected = "".join(letter.upper() if letter in "ACGTacgt" else "N" for letter in parsed(source)["a"])
    slow = time.process_time() - started
    fast = []
    for _ in range(5):
        started = time.process_time()
        mask.mask_genome(source, tmp_path / "m.fa")
        fast.append(time.process_time() - started)
    assert parsed(tmp_path / "m.fa")["a"] == expected
    assert slow / min(fast) > 10
