"""Colours and the names of baselines, for figures and report; imports nothing."""

# Okabe and Ito's colours, told apart with every common colour vision.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
MINUS, DASH = "\u2212", "\u2013"  # typographic minus and en dash
INK, MUTED, PALE = "#222222", "#6B6B6B", "#D9D9D9"
MODEL_COLOURS = (BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY)
# Baselines recede behind the models: greys, named as in the tables of the probes.
BASELINES = {
    "random_weights": ("Random weights", "#B8B8B8"),
    "kmer": ("k-mer counts", "#8A8A8A"),
    "one_hot": ("One-hot", "#5E5E5E"),
    "gc_length": ("GC and length", "#474747"),
    "constant": ("Majority or mean", "#CFCFCF"),
    "shuffled": ("Shuffled genes", "#9C9C9C"),
}
