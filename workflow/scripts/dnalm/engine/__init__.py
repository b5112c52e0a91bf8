"""Running a model over many token sequences: devices, batches, resumable shards, the embeddings' file.

Only what runs a model imports JAX, and only once it is called.
"""

from dnalm.engine.h5ad import embedding_layers, read_embeddings
from dnalm.engine.runner import Runner, check_finite

__all__ = ["Runner", "check_finite", "embedding_layers", "read_embeddings"]
