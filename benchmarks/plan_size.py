"""How long Snakemake takes to plan a configuration of many species.

Writes configurations with small local genomes, an annotation, an embedding and a segmentation each, plans
them with `snakemake -n`, and prints seconds and jobs; nothing is run.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
TINY = ROOT / "resources" / "demo" / "tiny"


def configuration(count: int) -> dict:
    genome = str(next(TINY.glob("*.fa.gz")))
    return {
        "species": {f"species_{number:04d}": {"genome": genome} for number in range(count)},
        "defaults": {"windows": {"tiles": {"kind": "tiles"}}},
        "embeddings": {"tiles": {"model": "demo_nt", "windows": "tiles"}},
        "segmentation": {"elements": {"model": "demo_segment_nt"}},
    }


def plan(folder: Path, count: int) -> tuple[float, int]:
    """Returns the seconds of one dry run, and the jobs that it plans."""
    config = folder / f"{count}.yaml"
    config.write_text(yaml.safe_dump(configuration(count)))
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "rules", "--cores", "2"]
    command += [
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(folder),
        "--configfile",
        str(config),
    ]
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(done.stdout[-2000:] + done.stderr[-2000:])
    jobs = re.search(r"^total +(\d+)", done.stdout + done.stderr, re.M)
    return seconds, int(jobs[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--species", type=int, nargs="+", default=[10, 100, 1000])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        for count in arguments.species:
            seconds, jobs = plan(Path(name), count)
            print(f"{count} species: {jobs} jobs planned in {seconds:.1f} s", flush=True)


if __name__ == "__main__":
    main()
