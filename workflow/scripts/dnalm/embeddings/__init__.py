"""Embeddings of windows and sequences: what is read, what is taken from the model, the whole run."""
