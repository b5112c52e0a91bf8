"""Models whose output can be worked out by hand, a small genome, and small real checkpoints."""

from contextlib import contextmanager

import jax
import numpy as np

from dnalm.checkpoints import write_checkpoint
from dnalm.models import ModelConfig, init_params

ORDER = np.frombuffer(b"ATCG", np.uint8)  # digits 0 to 3 of the tokens
FEATURES = ("exon", "splice_donor")


def config(features=(), labels="", max_tokens=33, **changes):
    """A model of two layers with 16 dimensions; 32 tokens are 192 bp."""
    sizes = {
        "vocabulary_size": 4107,
        "max_tokens": max_tokens,
        "embed_dim": 16,
        "num_layers": 2,
        "attention_heads": 2,
        "key_size": 8,
        "ffn_embed_dim": 32,
    }
    return ModelConfig(
        "v2_6mer", features=features, labels=labels, lm_head=not features, **{**sizes, **changes}
    )


def language_model(folder, seed=0, **changes):
    """Writes a random language model and returns its folder."""
    settings = config(**changes)
    write_checkpoint(folder, init_params(settings, seed), settings)
    return folder


def segmentation_model(folder, labels="own_strand", seed=0):
    """Writes a random segmentation model and returns its folder."""
    settings = config(FEATURES, labels)
    write_checkpoint(folder, init_params(settings, seed), settings)
    return folder


def random_bases(length_bp, seed=0):
    """ASCII codes of random A, C, G, T."""
    return ORDER[np.random.default_rng(seed).integers(0, 4, length_bp)]


def write_fasta(path, contigs):
    """Writes contigs (name -> ASCII codes or text) as FASTA of 60 columns."""
    lines = []
    for name, bases in contigs.items():
        text = bases if isinstance(bases, str) else bases.tobytes().decode()
        lines += [f">{name}", *(text[at : at + 60] for at in range(0, len(text), 60))]
    path.write_text("\n".join(lines) + "\n")
    return path


def digits_of(tokens, first_kmer_id=6, k=6):
    """Tokens (B, L) -> digit of each base (B, k * (L - 1)), as a jax function."""
    import jax.numpy as jnp

    powers = 4 ** jnp.arange(k - 1, -1, -1)
    return ((tokens[:, 1:, None] - first_kmer_id) // powers % 4).reshape(tokens.shape[0], -1)


def letter_probabilities(params, tokens):
    """Probability (digit + 1) / 10 for the first feature, half of it for the second."""
    import jax.numpy as jnp

    values = (digits_of(tokens) + 1) / 10
    return jnp.stack([values, values / 2], axis=-1).astype(jnp.float32)


def edge_probabilities(params, tokens):
    """1 / (distance to the nearest edge of the window + 1), twice: wrong wherever it is not 0."""
    import jax.numpy as jnp

    place = jnp.arange(6 * (tokens.shape[1] - 1))
    error = 1 / (jnp.minimum(place, place[::-1]) + 1)
    return jnp.broadcast_to(error[None, :, None], (tokens.shape[0], len(place), 2)).astype(jnp.float32)


@contextmanager
def compiled_once(folder):
    """Keeps compiled programs in a folder meanwhile: runs of one shape compile once."""
    names = {"jax_compilation_cache_dir": str(folder), "jax_persistent_cache_min_compile_time_secs": 0.0}
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in names.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
