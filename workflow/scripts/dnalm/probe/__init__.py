"""Cross-validated probes on frozen features, with all that is chosen chosen inside the training rows."""

from dnalm.probe.linear import FIXED_PENALTY, PENALTIES
from dnalm.probe.run import CHOOSE, FOLD_COLUMNS, HEADS, Result, no_result, run_probe
from dnalm.probe.scores import METRICS
from dnalm.probe.summary import SUMMARY_COLUMNS, summarise
from dnalm.probe.tables import log_scores, read_folds, write_table

__all__ = [
    "CHOOSE",
    "FIXED_PENALTY",
    "FOLD_COLUMNS",
    "HEADS",
    "METRICS",
    "PENALTIES",
    "SUMMARY_COLUMNS",
    "Result",
    "log_scores",
    "no_result",
    "read_folds",
    "run_probe",
    "summarise",
    "write_table",
]
