"""What runs are expected to take: counted by hand for small settings, and kept as a table by the script."""

import json

import estimate_cost
import pandas as pd
import pytest

from dnalm import cost
from dnalm.config import ModelFacts

FACTS = ModelFacts("m", "v2_6mer", 1000, 29, ("exon", "intron"), "either_strand", 100_000_000, 1024)
TILES = {"kind": "tiles", "length_bp": 600, "overlap_bp": 0}
EMBED = {
    "layers": [1, 2],
    "pooling": "mean",
    "dtype": "float16",
    "reverse_complement": False,
    "parts": 1,
    "model": "m",
    "windows": "tiles",
    "precision": "float32",
    "species": ["a"],
}
SEGMENT = {
    "regions": "all",
    "overlap": 0.5,
    "frames": 2,
    "reverse_complement": True,
    "resolution": 0.001,
    "parts": 4,
    "model": "m",
    "precision": "bfloat16",
    "species": ["a"],
}


TASK = {
    "layers": ["last"],
    "models": ["demo_nt"],
    "baselines": ["random_weights"],
    "precision": "float32",
    "pooling": ["mean"],
}


def test_an_embedding_run_takes_its_windows_tokens():
    work = cost.embedding_work(EMBED, TILES, FACTS, 60_000, str)
    assert work == cost.Work(100.0 * 101, 1, 2.0 * 100 * 1024 * 2 * 2)
    both = cost.embedding_work({**EMBED, "reverse_complement": True}, TILES, FACTS, 60_000, str)
    assert both.tokens == 2 * work.tokens
    every = cost.embedding_work({**EMBED, "pooling": "none"}, TILES, FACTS, 60_000, str)
    assert every.disk_bytes == 101 * work.disk_bytes
    halves = cost.embedding_work(EMBED, {**TILES, "overlap_bp": 300}, FACTS, 60_000, str)
    assert halves.tokens == 2 * work.tokens


def test_windows_of_a_file_are_counted(tmp_path):
    (tmp_path / "r.bed").write_text("a\t0\t300\na\t600\t1500\n")
    windows = {"kind": "regions", "bed": "r.bed"}
    work = cost.embedding_work(EMBED, windows, FACTS, 10**9, lambda name: str(tmp_path / name))
    assert work.tokens == 2 * (600 / 6 + 1)
    assert cost.embedding_work(EMBED, {**windows, "bed": "none"}, FACTS, 10**9, str).tokens == 0


def test_a_segmentation_run_takes_its_overlap_frames_and_strands():
    work = cost.segmentation_work(SEGMENT, [], FACTS, 60_000, str)
    assert work.tokens == 60_000 / 6 * 2 * 2 * 2 and work.jobs == 4
    assert work.disk_bytes == 60_000 * 2 * 3
    part = cost.segmentation_work({**SEGMENT, "regions": ["a:0-600", "a:900-1500"]}, [], FACTS, 60_000, str)
    assert part.tokens == pytest.approx(work.tokens / 50)
    held = cost.segmentation_work({**SEGMENT, "regions": "held_out"}, ["a:0-6000"], FACTS, 60_000, str)
    assert held.tokens == pytest.approx(work.tokens / 10)
    nothing_held = cost.segmentation_work({**SEGMENT, "regions": "held_out"}, [], FACTS, 60_000, str)
    assert nothing_held == work


def test_the_time_limit_grows_with_the_genome_and_the_model_and_shrinks_with_parts():
    def limit(bases, device="cuda", facts=FACTS, **changes):
        return cost.embedding_work({**EMBED, **changes}, TILES, facts, bases, str).limit_minutes(
            facts, "float32", device
        )

    assert limit(10_000) == cost.LEAST_MINUTES
    assert limit(10**10) > 9 * limit(10**9) / 2 > cost.LEAST_MINUTES
    assert limit(10**10, parts=8) < limit(10**10) / 4
    assert limit(10**9, "cpu") > 20 * limit(10**9)
    larger = ModelFacts("m", "v2_6mer", 1000, 29, (), "", 10**9, 1024)
    assert limit(10**10, facts=larger) > 5 * limit(10**10)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"genome": "x.fa", "genome_mb": 2.5}, (2_500_000, "genome_mb")),
        ({"genome": "x.fa"}, (6, "file")),
        ({"genome": "x.fa.gz"}, (40, "file")),
        ({"genome": {"ensembl": "zea_mays", "release": 60}}, (cost.ASSUMED_BP, "assumed")),
        ({"genome": "https://example.org/x.fa"}, (cost.ASSUMED_BP, "assumed")),
    ],
)
def test_the_genome_or_what_is_known_of_it_gives_the_size(entry, expected, tmp_path):
    (tmp_path / "x.fa").write_text(">a\nAC\n")
    (tmp_path / "x.fa.gz").write_bytes(bytes(10))
    resource = lambda name: str(tmp_path / name)  # noqa: E731 (one expression)
    assert cost.genome_size(entry, tmp_path / "masked.fa", resource) == expected
    (tmp_path / "masked.fa.fai").write_text("a\t70\t3\t60\t61\nb\t5\t80\t60\t61\n")
    assert cost.genome_size(entry, tmp_path / "masked.fa", resource) == (75, "genome")


def test_the_script_counts_what_is_left(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    species = {"genome": {"ensembl": "x", "release": 60}, "windows": {"tiles": TILES}, "held_out": []}
    settings = {
        "species": {"a": species, "b": {**species, "genome_mb": 10}},
        "models": {},
        "embeddings": {"tiles": {**EMBED, "model": "demo_nt"}},
        "expression": {},
        "tasks": {
            "h3": {**TASK, "suite": "gue", "task": "emp_H3"},
            "mine": {**TASK, "suite": "own", "data": "settings.json", "baselines": []},
        },
        "segmentation": {"elements": {**SEGMENT, "model": "demo_segment_nt", "species": ["a", "b"]}},
    }
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    done = tmp_path / "results/species/a/segmentation/elements"
    done.mkdir(parents=True)
    (done / "manifest.json").write_text("{}")
    words = ["--settings", "settings.json", "--device", "cuda", "--output", "cost.tsv"]
    assert estimate_cost.main(words) == 0
    table = pd.read_csv("cost.tsv", sep="\t")
    assert list(table.columns) == list(cost.COLUMNS)
    runs = ["embeddings/tiles", "segmentation/elements", "segmentation/elements", "tasks/h3", "tasks/mine"]
    assert table["run"].tolist() == runs
    assert table["done"].tolist() == ["no", "yes", "no", "no", "no"]
    assert table["jobs"].tolist() == [1, 4, 4, 2, 1]
    h3 = (11971 + 1497 + 1497) * (166 + 2 + 1)  # 500 bp: 166 3-mers, 2 letters, <cls>
    assert table["million_tokens"][3] == pytest.approx(2 * h3 / 1e6, rel=1e-4)
    printed = capsys.readouterr().out
    assert "4 of 5 runs to do: 8 jobs," in printed and "GPU hours" in printed
    assert "Sizes of 1 genomes are assumed (a)" in printed


def test_fine_tuning_reads_its_rows_forwards_and_backwards_in_every_fold():
    task = {
        **TASK, "suite": "annotation", "task": "splice_donor", "max_examples": 100, "folds": 5,
        "fine_tune": {"method": "ia3", "steps": 20, "batch_size": 4},
    }  # fmt: skip
    work = cost.fine_tune_work(task, FACTS, str)
    assert work.tokens == 5 * 20 * 4 * 3 * (600 / 6 + 1) and work.jobs == 1
    less = cost.fine_tune_work({**task, "context_bp": 60}, FACTS, str)
    assert less.tokens == 5 * 20 * 4 * 3 * (60 / 6 + 1)
    longer = cost.task_work({**task, "length_bp": 1200}, FACTS, str)
    assert longer.tokens == 100 * (1200 / 6 + 1)
