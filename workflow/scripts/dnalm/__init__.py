"""DNA language models from genomes to figures: the library behind the workflow's scripts."""

__version__ = "0.1.0"
