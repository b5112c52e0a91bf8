"""Small segmentation runs whose probabilities are given base by base."""

import numpy as np
import toy_models

from dnalm import files
from dnalm.genome import Genome
from dnalm.tracks import to_levels, write_tracks

RESOLUTION = 0.01
OWN_STRAND = {"exon.plus.bw": ("exon", "+"), "exon.minus.bw": ("exon", "-")}


def values(text):
    """Probabilities of a text of digits (tenths) and dots (missing)."""
    return np.array([np.nan if letter == "." else int(letter) / 10 for letter in text])


def write_run(folder, contigs, tracks, regions=None, resolution=RESOLUTION):
    """Writes a genome and a run; returns the paths of both.

    Args:
        contigs: contig -> {track file: values}, all of one length.
        tracks: track file -> (feature, strand).
        resolution: None for float32 tracks.
    """
    lengths = {contig: len(next(iter(columns.values()))) for contig, columns in contigs.items()}
    sequences = {contig: toy_models.random_bases(length, 1) for contig, length in lengths.items()}
    species = folder / "species"
    run = species / "segmentation" / "run"
    run.mkdir(parents=True)
    genome = toy_models.write_fasta(species / "masked.fa", sequences)
    paths = [run / name for name in tracks]
    with write_tracks(paths, lengths, resolution) as writer:
        for contig, columns in contigs.items():
            stretch = np.stack([columns[name] for name in tracks], 1).astype(np.float32)
            writer.add(contig, 0, stretch if resolution is None else to_levels(stretch, resolution))
    about = {
        "labels": "own_strand" if len({strand for _, strand in tracks.values()}) == 2 else "either_strand",
        "resolution": resolution or "float32",
        "window_bp": 384,
        "regions": regions or [f"{contig}:0-{length}" for contig, length in lengths.items()],
        "tracks": {
            name: {"feature": feature, "strand": strand} for name, (feature, strand) in tracks.items()
        },
    }
    Genome(genome).close()  # writes the index
    files.write_manifest(run, "segment", {"genome": genome}, about, files=paths)
    return run, genome


def step_arguments(run, genome, *more):
    return ["--tracks", str(run), "--genome", str(genome), *map(str, more)]
