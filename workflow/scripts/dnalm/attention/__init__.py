"""What a model attends to: maps of chosen heads, a landscape along the genome, motifs where it is high."""

LANDSCAPE_COLUMNS = ("contig", "start", "end", "attention", "attention_random", "n_windows")
MOTIF_COLUMNS = (
    "kmer", "count_in", "count_all", "p", "q", "log2_enrichment",
    "count_in_random", "q_random", "log2_enrichment_random",
)  # fmt: skip
RANDOM_SEED = 1  # of the weights that a landscape is compared with
