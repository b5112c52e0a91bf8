"""Settings of the whole suite: shapes and types are checked at run time in every test."""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

from jaxtyping import install_import_hook

# Must come before the first import of the library: annotations become run-time checks.
install_import_hook("dnalm", "beartype.beartype")
