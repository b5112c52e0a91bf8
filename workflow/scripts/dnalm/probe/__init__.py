"""Cross-validated probes on frozen features."""

from dnalm.probe.run import (
    FOLD_COLUMNS,
    INVERSE_PENALTY,
    METRICS,
    PREDICTION_COLUMNS,
    SUMMARY_COLUMNS,
    cross_validate,
    embedding_rows,
    feature_sets,
    run_probe,
    score_folds,
    standardise,
    summarise,
)

__all__ = [
    "FOLD_COLUMNS",
    "INVERSE_PENALTY",
    "METRICS",
    "PREDICTION_COLUMNS",
    "SUMMARY_COLUMNS",
    "cross_validate",
    "embedding_rows",
    "feature_sets",
    "run_probe",
    "score_folds",
    "standardise",
    "summarise",
]
