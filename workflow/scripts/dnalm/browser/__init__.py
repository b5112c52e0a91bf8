"""One HTML page that shows a part of a run in a genome browser: sequence, genes, probabilities, elements."""
