"""Less context around the same examples, in the same folds."""

import numpy as np
import pandas as pd
import pytest
from toy_tasks import toy_genome

from dnalm import annotation, folds, leaderboard, tasks
from dnalm.errors import UserError
from dnalm.genome import Genome, reverse_complement_text
from dnalm.tasks import context
from dnalm.tasks.records import Record, Records

SETTINGS = {"fold_count": 3, "max_examples": 48}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    genome, table = toy_genome(tmp_path_factory.mktemp("context"))
    with Genome(genome) as opened:
        yield opened, annotation.load_annotation(table)


@pytest.mark.parametrize(
    ("length", "kept", "span"),
    [
        (600, 60, (270, 330)),
        (10, 4, (3, 7)),
        (11, 4, (3, 7)),
        (11, 5, (3, 8)),
        (10, 5, (3, 8)),
        (4, 9, (0, 4)),
        (5, 1, (2, 3)),
    ],
)
def test_the_middle_keeps_the_site_in_its_middle(length, kept, span):
    start, end = context.centre(length, kept)
    assert (start, end) == span
    assert start + min(kept, length) // 2 == length // 2


@pytest.mark.parametrize("kept", [30, 31])
def test_the_same_examples_and_folds_with_less_around_them(toy, kept):
    genome, table = toy
    whole = tasks.make_annotation_task("splice_donor", genome, table, length_bp=120, **SETTINGS)
    part = tasks.make_annotation_task(
        "splice_donor", genome, table, length_bp=120, context_bp=kept, **SETTINGS
    )
    assert len(part) == len(whole) and set(part["strand"]) == {"+", "-"}
    assert part["name"].tolist() == whole["name"].tolist()
    assert part["label"].tolist() == whole["label"].tolist()
    assert part["fold"].tolist() == whole["fold"].tolist()
    for row in part.itertuples():
        text = genome.fetch(row.contig, row.start, row.end).upper()
        assert row.sequence == (reverse_complement_text(text) if row.strand == "-" else text)
        assert len(row.sequence) == kept and row.sequence[kept // 2 :].startswith("GT")


def test_rows_with_the_same_middle_share_a_group():
    draw = np.random.default_rng(1)
    flanks = ["".join(draw.choice(list("ACGT"), 40)) for _ in range(8)]
    texts = [f"{flanks[2 * n]}GGATTT{flanks[2 * n + 1]}" for n in range(2)]
    texts += [f"{flanks[4]}AAATCC{flanks[5]}", f"{flanks[6]}ACGTAA{flanks[7]}"]  # the first turned round
    group = np.arange(4)
    assert context.join_alike(group, texts, None).tolist() == [0, 1, 2, 3]
    assert context.join_alike(group, texts, 6).tolist() == [0, 0, 0, 1]


def records(rows=40):
    draw = np.random.default_rng(2)
    texts = ["".join(draw.choice(list("ACGT"), 90)) for _ in range(rows)]
    kept = [
        Record(name=f"r{n}", sequence=text, labels=(str(n % 2),), place="", split="train")
        for n, text in enumerate(texts)
    ]
    return Records(kept=kept, read={"train": rows}, iupac_letters=0)


def test_imported_tasks_are_cut_after_their_folds():
    whole = tasks.assemble(records(), "binary", fold_count=4)
    part = tasks.assemble(records(), "binary", fold_count=4, context_bp=30)
    assert part.table["fold"].tolist() == whole.table["fold"].tolist()
    assert part.table["sequence"].tolist() == [text[30:60] for text in whole.table["sequence"]]
    pd.testing.assert_frame_equal(part.leaks, whole.leaks)


@pytest.mark.parametrize("kept", [0, -6])
def test_no_context_at_all_is_refused(toy, kept):
    with pytest.raises(UserError, match=rf"--context-bp: found {kept}, expected at least 1\. Leave it out"):
        tasks.make_annotation_task("splice_donor", *toy, length_bp=120, context_bp=kept, **SETTINGS)
    with pytest.raises(UserError, match=r"--context-bp: found"):
        tasks.assemble(records(), "binary", context_bp=kept)


def test_windows_are_whole_tokens(toy):
    with pytest.raises(UserError, match=r"--length-bp: found 100, expected a multiple of 6"):
        tasks.make_annotation_task("splice_donor", *toy, length_bp=100, **SETTINGS)


def test_published_scores_do_not_stand_beside_less_context():
    content = {
        "suite": "nt_revised",
        "task": "enhancers",
        "read": {"test": 3000},
        "settings": {"context_bp": 60},
    }
    assert leaderboard.other_data(content) == "60 bases of each sequence, by context_bp"
    assert leaderboard.other_data({**content, "settings": {}}) == ""


def test_sequences_without_strand_keep_their_positions_in_step():
    table = pd.DataFrame({
        "name": ["a", "b"], "contig": "c", "start": [100, 200], "end": [110, 209],
        "strand": [".", "-"], "sequence": ["AACCGGTTAA", "ACGTACGTA"],
    })  # fmt: skip
    cut = context.keep_centre(table, 4)
    assert cut["sequence"].tolist() == ["CGGT", "GTAC"]
    assert cut["start"].tolist() == [103, 203] and cut["end"].tolist() == [107, 207]
    assert folds.canonical("CGGT") == "ACCG"
