"""Faults of expression: each ends predict_expression.py with status 2 and one clear line."""

import gzip
import warnings

import numpy as np
import pytest
import toy_expression as toy
from step_faults import assert_refused


def _rename(folder):
    toy.write_embeddings(folder / "e.h5ad", names=[f"FBtr{number}" for number in range(toy.GENES)])


def _other_table(folder):
    text = (folder / "expression.tsv").read_text()
    (folder / "expression.tsv").write_text(text.replace("\ng", "\nENSG"))


def _truncate(folder):
    data = gzip.compress((folder / "expression.tsv").read_bytes())
    (folder / "expression.tsv").write_bytes(data[:-20])


def _twice(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        toy.write_embeddings(folder / "e.h5ad", names=["g1"] * toy.GENES)


def _one_group(folder):
    toy.write_windows(folder, toy.windows(step=100))


def _nothing(folder):
    """Changes no file."""


CASES = [
    ("table missing", lambda f: (f / "expression.tsv").unlink(), {}, r"expression table not found"),
    ("table empty", lambda f: (f / "expression.tsv").write_text(""), {}, r"expression table is empty"),
    ("table truncated", _truncate, {}, r"expression\.tsv: the gzip stream ends early"),
    ("genes of another species", _other_table, {}, r"no gene matches .*here: ENSG0, .*; windows: g0, g1, g2"),
    ("66 embeddings of other ids", _rename, {}, r"e\.h5ad: no name matches .*here: FBtr0.*windows: g0"),
    ("66 embeddings repeat an id", _twice, {}, r"e\.h5ad: holds the name 'g1' more than once"),
    ("66 all rows NaN", lambda f: toy.write_embeddings(f / "e.h5ad", {1: np.full((60, 4), np.nan)}), {},
     r"no gene has features in every set"),
    ("embeddings are no HDF5", lambda f: (f / "e.h5ad").write_text("x"), {}, r"e\.h5ad: is no HDF5 file"),
    ("65 all windows overlap", _one_group, {}, r"too few groups .*found 1, expected at least 5"),
    ("no such column", _nothing, {"value_columns": "tpm"}, r"no column 'tpm' \(it has value, reads\)"),
    ("log2 called counts", _nothing, {"unit": "counts"}, r"in value, expected counts of at least 0"),
    ("unknown unit", _nothing, {"unit": "rpkm"}, r"--unit: found 'rpkm'"),
    ("embedding without a name", _nothing, {"embeddings": "e.h5ad"}, r"--embeddings: .*expected NAME=FILE"),
    ("held-out past the end", _nothing, {"held_out": "c1:0-999999"}, r"region .* ends after the contig"),
    ("held-out on no contig", _nothing, {"held_out": "chr9:0-10"}, r"names no contig of the genome"),
    ("no features", _nothing, {"embeddings": None, "baselines": []}, r"has no features"),
    ("windows of another genome", lambda f: (f / "genome.fa").write_text(">c1\nACGT\n"), {"held_out": None},
     r"leaves its 4 bases"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("spoil", "changes", "pattern"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_bad_input_is_refused(tmp_path, capsys, spoil, changes, pattern):
    toy.write_all(tmp_path)
    spoil(tmp_path)
    output = tmp_path / "out" / "e.tsv"
    assert_refused("predict_expression", toy.arguments(tmp_path, **changes), output, pattern, capsys)
    assert not (tmp_path / "out" / "e.parquet").exists()


def test_outputs_lie_together(tmp_path, capsys):
    toy.write_all(tmp_path)
    arguments = toy.arguments(tmp_path, predictions=tmp_path / "elsewhere" / "p.parquet")
    pattern = r"--predictions: lies in another folder than --output"
    assert_refused("predict_expression", arguments, tmp_path / "out" / "e.tsv", pattern, capsys)
