"""Labels worked out by hand on one contig of 40 bases."""

import numpy as np
import pandas as pd
import pytest

from dnalm import labels
from dnalm.errors import UserError

COLUMNS = ["contig", "start", "end", "strand", "type", "gene_id", "transcript_id", "cds_verified"]
# Forward: t1 has exons 2-6, 9-12, 15-18 (introns 6-9, 12-15); t2 skips the middle exon (intron 6-15).
# Reverse: t3 has exons 20-24, 24-25 (touching: no intron) and 30-35 (intron 25-30).
ROWS = [
    ("c", 2, 18, "+", "gene", "g1", None, True),
    ("c", 2, 6, "+", "exon", "g1", "t1", True),
    ("c", 15, 18, "+", "exon", "g1", "t1", True),
    ("c", 9, 12, "+", "exon", "g1", "t1", True),
    ("c", 4, 6, "+", "CDS", "g1", "t1", True),
    ("c", 2, 4, "+", "five_prime_utr", "g1", "t1", True),
    ("c", 2, 6, "+", "exon", "g1", "t2", False),
    ("c", 15, 18, "+", "exon", "g1", "t2", False),
    ("c", 15, 17, "+", "CDS", "g1", "t2", False),
    ("c", 20, 24, "-", "exon", "g2", "t3", True),
    ("c", 24, 25, "-", "exon", "g2", "t3", True),
    ("c", 30, 35, "-", "exon", "g2", "t3", True),
    ("c", 20, 22, "-", "three_prime_utr", "g2", "t3", True),
    ("d", 0, 40, "+", "exon", "g3", "t4", True),
]
TABLE = pd.DataFrame(ROWS, columns=COLUMNS).assign(biotype="")
TABLE.loc[0, "biotype"] = "protein_coding"
TABLE.loc[len(TABLE)] = ("c", 20, 36, "-", "gene", "g2", None, True, "lincRNA")


def bases(*pieces):
    return sorted({base for start, end in pieces for base in range(start, end)})


def positives(feature, strand, **options):
    track, _ = labels.label_track(TABLE, "c", 40, [feature], strand, **options)
    assert track.shape == (40, 1)
    return np.flatnonzero(track[:, 0]).tolist()


@pytest.mark.parametrize(
    ("feature", "strand", "expected"),
    [
        ("protein_coding_gene", "+", bases((2, 18))),
        ("protein_coding_gene", "-", []),
        ("lncRNA", "either", bases((20, 36))),
        ("exon", "+", bases((2, 6), (9, 12), (15, 18))),
        ("exon", "-", bases((20, 25), (30, 35))),
        ("exon", "either", bases((2, 6), (9, 12), (15, 18), (20, 25), (30, 35))),
        ("intron", "+", bases((6, 15))),  # t2's intron covers t1's middle exon: both labels there
        ("intron", "-", bases((25, 30))),
        ("splice_donor", "+", [6, 12]),
        ("splice_acceptor", "+", [8, 14]),
        ("splice_donor", "-", [29]),
        ("splice_acceptor", "-", [25]),
        ("splice_acceptor", "either", [8, 14, 25]),
        ("CDS", "+", bases((4, 6), (15, 17))),
        ("5UTR", "+", [2, 3]),
        ("5UTR", "-", []),
        ("3UTR", "-", [20, 21]),
    ],
)
def test_label_track_marks_each_feature_by_its_definition(feature, strand, expected):
    assert positives(feature, strand) == expected


def test_unverified_coding_truth_is_neither_a_positive_nor_scored():
    track, scored = labels.label_track(TABLE, "c", 40, ["exon", "CDS", "5UTR"], "+", verified_only=True)
    assert np.flatnonzero(track[:, 1]).tolist() == [4, 5]
    assert scored[:, 0].all()
    unknown = bases((2, 6), (15, 18))  # exons of t2
    for column in (1, 2):
        assert np.flatnonzero(~scored[:, column]).tolist() == unknown


def test_everything_is_scored_where_verification_is_not_asked_for():
    _, scored = labels.label_track(TABLE, "c", 40, ["CDS"], "either")
    assert scored.all()


@pytest.mark.parametrize("strand", ["+", "-", "either"])
def test_a_stretch_equals_the_cut_of_the_whole_contig(strand):
    whole, _ = labels.label_track(TABLE, "c", 40, labels.FEATURES, strand)
    part, _ = labels.label_track(TABLE, "c", 21, labels.FEATURES, strand, start=5)
    np.testing.assert_array_equal(part, whole[5:26])


def test_a_contig_without_rows_has_no_positive():
    track, scored = labels.label_track(TABLE, "missing", 7, labels.FEATURES)
    assert not track.any()
    assert scored.all()


def test_a_transcript_with_exons_on_both_strands_has_introns_on_each_strand_alone():
    rows = [
        ("c", a, b, strand, "exon", "g", "t", True)
        for a, b, strand in [(0, 2, "+"), (4, 6, "-"), (8, 9, "+")]
    ]
    gaps = labels.introns(pd.DataFrame(rows, columns=COLUMNS))
    assert gaps[["start", "end", "strand"]].to_numpy().tolist() == [[2, 8, "+"]]


@pytest.mark.parametrize("unknown", ["", None])
def test_exons_that_name_no_transcript_have_no_introns(unknown):
    rows = [("c", a, b, "+", "exon", "g", unknown, True) for a, b in [(0, 2), (4, 6)]]
    assert labels.introns(pd.DataFrame(rows, columns=COLUMNS)).empty


def test_slugs_are_unique_and_fit_for_file_names():
    slugs = [labels.slug(feature) for feature in labels.FEATURES]
    assert slugs == [
        "protein_coding_gene",
        "lncrna",
        "exon",
        "intron",
        "splice_donor",
        "splice_acceptor",
        "cds",
        "five_prime_utr",
        "three_prime_utr",
    ]
    assert labels.slug("CTCF-bound") == "ctcf_bound"
    assert labels.slug("polyA_signal") == "polya_signal"


@pytest.mark.parametrize(
    ("features", "strand", "message"),
    [
        (
            ["enhancer"],
            "+",
            r"feature 'enhancer': has no label \(expected one of protein_coding_gene, lncRNA, exon",
        ),
        (["exon"], ".", r"strand '\.': is none of"),
    ],
)
def test_what_has_no_label_is_refused(features, strand, message):
    with pytest.raises(UserError, match=message):
        labels.label_track(TABLE, "c", 40, features, strand)


def test_types_of_genes_are_known_where_genes_have_one():
    assert labels.known_features(TABLE) == list(labels.FEATURES)
    untyped = labels.known_features(TABLE.assign(biotype=""))
    assert untyped == [feature for feature in labels.FEATURES if feature not in labels.GENES]
