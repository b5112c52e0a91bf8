"""Time and peak memory of segmenting a whole chromosome arm, and of scoring its held-out region.

Segments the demo's arm (chr2R of the fly, 21 Mb) with the demo's checkpoint through segment.py on all cores,
and its first quarter as a contig of its own: the peak memory must not grow with the contig. Then scores the
held-out region with evaluate_segmentation.py. The model marks one strand's elements and always reads both:
every base is predicted twice, and bases per second count both.

With --against, the first quarter is also segmented with other options, in turn with the default ones:
--against="--overlap 0" shows what the overlap costs.
"""

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path

import pandas as pd
from checkpoint_conversion import ROOT, SCRIPTS, measured  # puts the library on the path

from dnalm import annotation, mask
from dnalm.files import read_manifest
from dnalm.genome import Genome, copy_fasta

DATA = ROOT / "resources/demo/dmel_chr2R"
CHECKPOINT = ROOT / "resources/demo/models/demo_segment_nt"
CONTIG, HELD_OUT = "chr2R", (2_000_000, 7_000_000)
SCORES = ["base_rate", "auprc", "auroc", "mcc", "best_mcc"]
MOST_GROWTH = 1.1  # of the peak, from a quarter of the contig to all of it


def write_genomes(folder: Path, bases: int | None) -> list[Path]:
    """Writes the masked arm, or its first bases, and the first quarter of that, each as a genome."""
    copy_fasta(DATA / "dm3_chr2R.fa.gz", folder / "source.fa")
    mask.mask_genome(folder / "source.fa", folder / "masked.fa")
    with Genome(folder / "masked.fa") as genome:
        whole = min(bases or genome.lengths[CONTIG], genome.lengths[CONTIG])
        paths = []
        for length in (whole // 4, whole):
            text = genome.fetch(CONTIG, 0, length)
            lines = (text[at : at + 80] for at in range(0, length, 80))
            paths.append(folder / f"{length}.fa")
            paths[-1].write_text("\n".join([f">{CONTIG}", *lines, ""]))
    return paths


def write_annotation(genome: Path, output: Path) -> None:
    """Writes the annotation's rows that lie on a genome."""
    with Genome(genome) as opened:
        lengths = opened.lengths
    source = DATA / "dm3_chr2R.BDGP5.25.62.gtf.gz"
    table = annotation.read_annotation(source, ("cds_source", "FlyBase_protein_exact"))
    table = table[table["end"] <= lengths[CONTIG]].reset_index(drop=True)
    annotation.write_annotation(annotation.fit_to_genome(table, lengths, source), output)


def segment(genome: Path, output: Path, options: list[str]) -> tuple[float, float, int]:
    """Segments a genome; returns peak GB, seconds and predicted bases of both strands."""
    command = [str(SCRIPTS / "segment.py"), "--checkpoint", str(CHECKPOINT), "--genome", str(genome)]
    command += ["--output-dir", str(output), "--device", "cpu", *options]
    peak, seconds = measured(*command)
    return peak, seconds, 2 * read_manifest(output)["content"]["predicted_bases"]


def report(what: str, peak: float, seconds: float, bases: int) -> None:
    print(
        f"  {what}: {seconds:.0f} s, {bases / seconds:,.0f} bases/s (both strands), peak {peak:.2f} GB",
        flush=True,
    )


def compare(genome: Path, folder: Path, options: list[str], against: list[str], rounds: int) -> None:
    """Runs two sets of options in turn and prints the ratio of their times."""
    ratios = []
    for _ in range(rounds):
        seconds = [segment(genome, folder / "compared", [*options, *more])[1] for more in ([], against)]
        ratios.append(seconds[0] / seconds[1])
    shown = " ".join(f"{ratio:.2f}" for ratio in ratios)
    print(f"  default / {' '.join(against)}: {statistics.median(ratios):.2f} times the time ({shown})")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bases", type=int, help="of the arm, from its first (default: all)")
    parser.add_argument("--options", default="", help="of segment.py, for all runs")
    parser.add_argument("--against", help="options of segment.py to compare with on the first quarter")
    parser.add_argument("--rounds", type=int, default=3, help="how often each of the compared is run")
    arguments = parser.parse_args()
    options = arguments.options.split()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        genomes = write_genomes(folder, arguments.bases)
        print(f"{CHECKPOINT.name} on {os.cpu_count()} cores", flush=True)
        peaks = []
        for genome in genomes:
            peak, seconds, bases = segment(genome, folder / genome.stem, options)
            report(f"segment {int(genome.stem):,} bp", peak, seconds, bases)
            peaks.append(peak)
        print(f"  peak memory of four times the contig: {peaks[1] / peaks[0]:.2f} times")
        start, end = HELD_OUT[0], min(HELD_OUT[1], int(genomes[-1].stem))
        if start < end:
            write_annotation(genomes[-1], folder / "annotation.parquet")
            command = [str(SCRIPTS / "evaluate_segmentation.py"), "--tracks", str(folder / genomes[-1].stem)]
            command += ["--annotation", str(folder / "annotation.parquet"), "--genome", str(genomes[-1])]
            command += ["--regions", f"{CONTIG}:{start}-{end}", "--output", str(folder / "metrics.tsv")]
            peak, seconds = measured(*command)
            report(f"evaluate {CONTIG}:{start:,}-{end:,}", peak, seconds, 2 * (end - start))
            scores = pd.read_csv(folder / "metrics.tsv", sep="\t", index_col="feature")
            print(scores[SCORES].round(4).to_string())
        if arguments.against is not None:
            compare(genomes[0], folder, options, arguments.against.split(), arguments.rounds)
    if peaks[1] > MOST_GROWTH * peaks[0]:
        print(f"the peak grew by more than {MOST_GROWTH - 1:.0%}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
