"""Downloads that are complete and verified, or absent: plain URLs, Ensembl, NCBI."""

from dnalm.download.options import add_source_arguments, obtained, provenance, source_from
from dnalm.download.sources import Source, obtain
from dnalm.download.transfer import fetch

__all__ = ["Source", "add_source_arguments", "fetch", "obtain", "obtained", "provenance", "source_from"]
