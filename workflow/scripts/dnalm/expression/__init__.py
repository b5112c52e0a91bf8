"""Gene expression from windows around transcription start sites: tables, ridge regression, scores."""

from dnalm.expression.evaluate import METRIC_COLUMNS, PREDICTION_COLUMNS, Genes, evaluate
from dnalm.expression.features import FeatureSet, kmer_features, read_embedding_sets
from dnalm.expression.genes import gather_genes
from dnalm.expression.table import UNITS, Expression, read_expression

__all__ = [
    "METRIC_COLUMNS",
    "PREDICTION_COLUMNS",
    "UNITS",
    "Expression",
    "FeatureSet",
    "Genes",
    "evaluate",
    "gather_genes",
    "kmer_features",
    "read_embedding_sets",
    "read_expression",
]
