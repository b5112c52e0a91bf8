"""Gene annotation: GTF, GFF3 and GenBank into one table, 0-based and half-open.

This package is the only place that turns 1-based closed positions into 0-based half-open ones.
"""

from dnalm.annotation.read import read_annotation
from dnalm.annotation.sites import transcription_start_sites
from dnalm.annotation.table import ANNOTATION_COLUMNS, fit_to_genome, load_annotation, write_annotation

__all__ = [
    "ANNOTATION_COLUMNS",
    "fit_to_genome",
    "load_annotation",
    "read_annotation",
    "transcription_start_sites",
    "write_annotation",
]
