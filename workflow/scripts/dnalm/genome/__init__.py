"""Genomes as FASTA: checked copies, random access, letters and strands.

Positions are 0-based and half-open everywhere.
"""

from dnalm.genome.bed import BED_COLUMNS, read_bed
from dnalm.genome.copy import copy_fasta, read_contig_names
from dnalm.genome.index import Genome, write_index
from dnalm.genome.letters import count_letters, reverse_complement, reverse_complement_text

__all__ = [
    "BED_COLUMNS",
    "Genome",
    "copy_fasta",
    "count_letters",
    "read_bed",
    "read_contig_names",
    "reverse_complement",
    "reverse_complement_text",
    "write_index",
]
