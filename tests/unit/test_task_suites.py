"""The tables of published suites: complete, in order, and unknown things left empty."""

import shutil

import pytest

from dnalm import suites
from dnalm.errors import UserError

NUMBERS = {"nt_revised": 18, "nt_original": 18, "pgb": 31, "gue": 28}


@pytest.mark.parametrize("suite", suites.SUITES)
def test_a_suite_is_whole(suite):
    tasks = suites.read_suite(suite)
    assert len(tasks) == NUMBERS[suite] and len({task.path for task in tasks.values()}) == len(tasks)
    for name, task in tasks.items():
        assert task.task == name and task.suite == suite and task.hub_repository.count("/") == 1
        assert bool(task.classes) == (task.type in suites.CLASSIFICATIONS)
        assert task.type != "binary" or task.classes == 2
        assert task.type != "multiclass" or task.classes > 2
        assert bool(task.sources["sizes"]) == bool(task.sizes)
        assert not task.sizes or {"train", "test"} <= set(task.sizes)
        assert task.shortest_bp and task.shortest_bp <= task.longest_bp
        assert task.revision in ("", "78ec8156c2ffb3e5475277fdb7eb603294224e53")
        files = task.file_sets()
        assert all("train" in names and "test" in names for names in files)


def test_what_is_known_of_some_tasks():
    task = suites.suite_task("nt_revised", "H3K9me3")
    assert (task.sizes, task.classes, task.longest_bp) == ({"train": 27438, "test": 850}, 2, 1000)
    assert task.sources == {"length": "verified", "classes": "verified", "sizes": "verified"}
    assert task.file_sets()[0] == {"train": "H3K9me3/train.fna", "test": "H3K9me3/test.fna"}
    task = suites.suite_task("pgb", "lncrna.z_mays")
    assert (task.shortest_bp, task.longest_bp, task.sizes["validation"]) == (101, 6000, 0)
    assert task.file_sets() == [
        {split: f"lncrna/z_mays_{split}.fa" for split in ("train", "validation", "test")}
    ]
    task = suites.suite_task("pgb", "chromatin_access.zea_mays")
    assert (task.type, task.outputs, task.sizes) == ("multilabel", None, {})
    assert suites.suite_task("pgb", "gene_exp.arabidopsis_thaliana").outputs == 56
    assert suites.suite_task("gue", "virus_covid").classes == 9


def test_the_original_tasks_are_marked_as_leaking():
    assert all(task.caution.startswith("leaks") for task in suites.read_suite("nt_original").values())
    assert not any("leaks" in task.caution for task in suites.read_suite("nt_revised").values())


FAULTS = [
    ("type", "binary", "yes_no", r"gue\.tsv:2: type is 'yes_no', expected one of binary, multiclass"),
    ("layout", "gue", "zip", r"gue\.tsv:2: layout is 'zip', expected one of nt, pgb, gue"),
    ("size", "11971", "many", r"gue\.tsv:2: a number is none .*many"),
    ("mark", "verified", "certain", r"gue\.tsv:2: length_source is 'certain'"),
    ("columns", "caution", "warning", r"gue\.tsv: columns .*expected"),
]


@pytest.mark.parametrize(("old", "new", "pattern"), [case[1:] for case in FAULTS], ids=[c[0] for c in FAULTS])
def test_a_table_that_is_not_in_order(tmp_path, old, new, pattern):
    shutil.copytree(suites.FOLDER, tmp_path / "suites")
    path = tmp_path / "suites" / "gue.tsv"
    head, first, rest = path.read_text().split("\n", 2)
    changed = f"{head}\n{first}".replace(f"\t{old}", f"\t{new}", 1)
    path.write_text(f"{changed}\n{rest}")
    with pytest.raises(UserError, match=pattern):
        suites.read_suite("gue", tmp_path / "suites")


def test_unknown_names():
    with pytest.raises(UserError, match=r"suite 'nt' is not known|suite 'nt': is not known .*nt_revised"):
        suites.read_suite("nt")
    with pytest.raises(UserError, match=r"task 'promoter': is not in suite nt_revised \(nearest: promoter_"):
        suites.suite_task("nt_revised", "promoter")
