"""Tasks on a toy genome whose sites are known, checked window by window."""

import json

import make_task
import numpy as np
import pandas as pd
import pytest
from toy_tasks import GENE_BP, INTRON, LENGTH_BP, toy_genome

from dnalm import annotation, folds, tasks
from dnalm.errors import UserError
from dnalm.genome import Genome, reverse_complement_text
from dnalm.tasks import annotation as making
from dnalm.tasks import leakage
from dnalm.tasks.candidates import balance

GENES = 36


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    genome, table = toy_genome(tmp_path_factory.mktemp("toy"), genes=GENES)
    with Genome(genome) as opened:
        yield opened, annotation.load_annotation(table)


def true_sites(index, skip=()):
    """Returns (first base, strand) of each gene's site, `index` bases into the gene as read."""
    sites = set()
    for number in range(GENES):
        start = 1000 + 1040 * number
        anchor = start + index if number % 2 == 0 else start + GENE_BP - 1 - index
        if number not in skip:
            sites.add((anchor, "+-"[number % 2]))
    return sites


def anchors(task, index):
    """Returns (position of the window's base `index` as read, strand) of every row."""
    return [
        (row.start + index if row.strand == "+" else row.end - 1 - index, row.strand)
        for row in task.itertuples()
    ]


CASES = [
    ("splice_donor", 120, 60, "GT", true_sites(INTRON[0], skip=(2,))),  # the third gene has no GT
    ("splice_acceptor", 120, 60, "AG", true_sites(INTRON[1] - 2)),
    ("promoter", 300, 249, "", true_sites(0)),
]


@pytest.mark.parametrize(("kind", "length_bp", "index", "letters", "truth"), CASES, ids=[c[0] for c in CASES])
def test_every_row_is_what_it_says(toy, kind, length_bp, index, letters, truth):
    genome, table = toy
    task = tasks.make_annotation_task(kind, genome, table, (), length_bp, 4, 4000)
    assert tuple(task.columns) == tasks.TASK_COLUMNS and task["name"].is_unique
    assert task["label"].value_counts().to_dict() == {1: len(truth), 0: len(truth)}
    found = anchors(task, index)
    assert {site for site, label in zip(found, task["label"], strict=True) if label} == truth
    for row, site in zip(task.itertuples(), found, strict=True):
        text = genome.fetch(row.contig, row.start, row.end)
        assert row.sequence == (text if row.strand == "+" else reverse_complement_text(text))
        assert len(row.sequence) == length_bp and set(row.sequence) <= set("ACGT")
        assert row.sequence[index : index + len(letters)] == letters
        assert row.label or row.contig != "c1" or site not in truth
    assert task["fold"].nunique() == 4
    folds.check_leaks(task, task["fold"].to_numpy(), task["sequence"].tolist())


def test_decoys_lie_in_genes_and_elsewhere_alike(toy):
    task = tasks.make_annotation_task("splice_donor", *toy, ["c1"], 120, 4, 60)
    decoys = task[task["label"] == 0]
    sites = anchors(decoys, 60)
    inside = [
        any(start <= site < start + GENE_BP for start in range(1000 + 1040 * odd, 1000 + 1040 * GENES, 2080))
        for site, strand in sites
        for odd in ["+-".index(strand)]
    ]
    assert len(decoys) == 30 and sum(inside) == 15


def test_background_overlaps_no_start_of_any_transcript(toy):
    genome, table = toy
    extra = table[(table["gene_id"] == "g0") & (table["type"] == "transcript")]
    extra = extra.assign(start=extra["start"] + 450, transcript_id="g0.2")
    table = pd.concat([table, extra], ignore_index=True)
    task = tasks.make_annotation_task("promoter", genome, table, ["c1:0-3000", "c1:9000-37000"], 300, 3, 4000)
    starts = [start for start, _ in true_sites(0)] + [1450]
    strands = dict(true_sites(0)) | {1450: "+"}
    for row in task[task["label"] == 0].itertuples():
        for tss in starts:
            left = tss - 249 if strands[tss] == "+" else tss - 50
            assert row.end <= left or row.start >= left + 300


def test_windows_lie_wholly_in_the_regions(toy):
    regions = ["c1:1250-12000", "c1:20000-39999"]
    task = tasks.make_annotation_task("splice_donor", *toy, regions, 120, 3, 4000)
    assert ((task["start"] >= 1250) & (task["end"] <= 39_999)).all()
    assert not ((task["end"] > 12_000) & (task["start"] < 20_000)).any()
    assert not ((task["end"] > 39_000) & (task["start"] < 39_050)).any()  # N


@pytest.mark.parametrize("kind", tasks.registry.TYPES)
def test_the_seed_decides(toy, kind):
    make = [
        tasks.make_annotation_task(kind, *toy, (), 120, 3, 40, seed)["name"].tolist() for seed in (1, 1, 2)
    ]
    assert make[0] == make[1] != make[2] and len(make[0]) == 40


def test_near_identical_windows_share_a_fold(toy):
    genome, table = toy
    task = tasks.make_annotation_task("splice_donor", genome, table, ["c1"], 120, 4, 4000)
    copied = task.copy()
    copied.loc[5, "sequence"] = copied.loc[20, "sequence"]
    redone = making.add_folds(copied, 4, 0, "toy")
    assert (
        redone.loc[5, "fold"] == redone.loc[20, "fold"] and redone.loc[5, "group"] == redone.loc[20, "group"]
    )


def test_balance_takes_what_a_pool_lacks_from_the_other():
    pools = ["true"] * 6 + ["inside"] + ["elsewhere"] * 9
    found = pd.DataFrame({"contig": "c", "start": range(16), "strand": "+", "pool": pools})
    found["key"] = np.linspace(0, 1, 16)
    counts = balance(found, 100)["pool"].value_counts().to_dict()
    assert counts == {"true": 6, "inside": 1, "elsewhere": 5}


def test_the_table_of_tasks():
    table = tasks.read_tasks()
    assert tuple(table.columns) == ("task", "type", "metric", "length_bp", "description")
    for name in table["task"]:
        row = tasks.task_row(name)
        assert row["length_bp"] % 6 == 0 and row["metric"] == "mcc"
    with pytest.raises(UserError, match=r"has 0 rows in tasks\.tsv \(it has splice_donor"):
        tasks.task_row("enhancer")


def test_the_script_writes_the_same_bytes_again(tmp_path):
    genome, table = toy_genome(tmp_path)
    (tmp_path / "tasks.tsv").write_text(
        "task\ttype\tmetric\tlength_bp\tdescription\nt\tsplice_donor\tmcc\t120\t\n"
    )
    options = ["--genome", genome, "--annotation", table, "--task", "t", "--folds", "4"]
    options += [
        "--tasks-table",
        tmp_path / "tasks.tsv",
        "--regions",
        f"c1:0-{LENGTH_BP}",
        "--max-examples",
        "50",
    ]
    for name in ("a", "b"):
        output = tmp_path / name / "data.parquet"
        assert make_task.main([str(word) for word in [*options, "--output", output]]) == 0
    first, second = (tmp_path / name / "data.parquet" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    manifests = [
        json.loads(path.with_name("data.parquet.manifest.json").read_text()) for path in (first, second)
    ]
    assert manifests[0]["content"] == manifests[1]["content"]
    assert manifests[0]["content"]["examples"] == 50 and manifests[0]["content"]["true"] == 25
    assert set(manifests[0]["content"]["files"]) == {"data.parquet", "leakage.tsv"}
    report = pd.read_csv(first.with_name("leakage.tsv"), sep="\t")
    between = report[report["rows_of"] == "folds"]
    assert set(between["relation"]) == set(leakage.RELATIONS) and (between["rows"] == 0).all()
    task = tasks.read_task(first)
    assert len(task) == 50 and (task["split"] == "").all() and tasks.task_type(task) == "binary"
