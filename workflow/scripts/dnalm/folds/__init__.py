"""Cross-validation folds that keep related windows together: overlaps, neighbours, near-identical ones."""

from dnalm.folds.deal import check_classes, grouped_folds
from dnalm.folds.groups import check_groups, check_leaks, clusters, group_windows, join_groups
from dnalm.folds.similar import (
    JACCARD,
    KMER,
    canonical,
    kmer_set,
    near_identical_pairs,
    reverse_complement_upper,
)

__all__ = [
    "JACCARD",
    "KMER",
    "canonical",
    "check_classes",
    "check_groups",
    "check_leaks",
    "clusters",
    "group_windows",
    "grouped_folds",
    "join_groups",
    "kmer_set",
    "near_identical_pairs",
    "reverse_complement_upper",
]
