"""bigWig files, written in a single pass in memory that does not grow with the genome.

Format: W. J. Kent et al., BigWig and BigBed, Bioinformatics 26 (2010) 2204, supplement.
"""

from dnalm.bigwig.layout import MAGIC
from dnalm.bigwig.writer import BigWigWriter

__all__ = ["MAGIC", "BigWigWriter"]
