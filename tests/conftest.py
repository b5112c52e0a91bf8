"""Settings of the whole suite: shapes and types are checked at run time in every test."""

import os
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
# Compiling takes most of the suite's time: what one test or job compiled serves the others, and the next run.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".cache" / "jax-tests"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")

from jaxtyping import install_import_hook

# Must come before the first import of the library: annotations become run-time checks.
install_import_hook("dnalm", "beartype.beartype")


import pytest  # noqa: E402 (after the hook)


def pytest_collection_modifyitems(items):
    """Files marked `long` are dealt first: none must keep one worker busy when the others have finished."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


@pytest.fixture(scope="module")
def quick_programs():
    """Programs that compile sooner and run slower: for tests of many small models."""
    import jax

    name = "jax_disable_most_optimizations"
    before = jax.config.values[name]
    jax.config.update(name, True)
    yield
    jax.config.update(name, before)
