"""What the model runs of a configuration take, before anything is computed: tokens, hours, memory, disk.

An estimate: tokens times operations per token, over what a device reaches. Operations per token are two for
each parameter, and half as many again for attention and the segmentation head.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from dnalm.config import RANDOM, ModelFacts, embedding_runs
from dnalm.suites import SUITES, suite_task
from dnalm.tasks import task_row

OPERATIONS = 3.0  # per token and parameter
PARAMETERS = 500_000_000  # of a model that does not say
# Operations per second in units of 10^12. CPU: one core, as measured with this library on AVX2 (the 16-bit
# types are computed in float32 there). cuda: not measured; a third of an NVIDIA A100's 19.5 and 312.
RATES = {
    ("cpu", "float32"): 0.035,
    ("cpu", "bfloat16"): 0.03,
    ("cpu", "float16"): 0.03,
    ("cuda", "float32"): 6.5,
    ("cuda", "bfloat16"): 100.0,
    ("cuda", "float16"): 100.0,
}
START_MINUTES, MARGIN, LEAST_MINUTES = (
    20,
    3,
    60,
)  # of a job's time limit: loading and compiling; error of above
GENOME_MINUTES_PER_GB = 240  # of a step that reads a whole genome's tracks or windows once
ASSUMED_BP = 1_000_000_000  # of a genome that is not here and has no genome_mb
GZIP_RATIO = 4  # bases per byte of a compressed FASTA
FINE_TUNING = {"steps": 10_000, "batch_size": 8, "accumulation": 1}  # as finetune.py's
BACKWARD = 3  # a step forwards and backwards, in steps forwards
GENES, GENE_BP = 30_000, 3_000  # windows of kind tss: so many, or one per so many bases
ROWS, ROW_BP = 30_000, 1_000  # of a published task that does not say; bases per row of one's own
TRACK_BYTES, SHARD_BYTES = 1.0, 2.0  # per base of one track: a bigWig at resolution 0.001, an unfinished run
COLUMNS = (
    "species",
    "run",
    "model",
    "precision",
    "genome_mb",
    "size_from",
    "million_tokens",
    "jobs",
    "hours",
    "hours_per_job",
    "memory_gb",
    "disk_gb",
    "done",
)


@dataclass(frozen=True)
class Work:
    """One run of a model over one species.

    Args:
        jobs: that share it.
        disk_bytes: of its result and, until it is finished, of its shards.
    """

    tokens: float
    jobs: int
    disk_bytes: float

    def hours(self, facts: ModelFacts, precision: str, device: str, cores: int = 2) -> float:
        """Returns the hours of all its jobs together, each on one GPU or so many cores."""
        rate = RATES["cuda" if device == "cuda" else "cpu", precision] * 1e12
        workers = 1 if device == "cuda" else cores
        return self.tokens * OPERATIONS * (facts.parameters or PARAMETERS) / (rate * workers) / 3600

    def limit_minutes(self, facts: ModelFacts, precision: str, device: str, cores: int = 2) -> int:
        """Returns the time limit of one of its jobs."""
        needed = MARGIN * 60 * self.hours(facts, precision, device, cores) / self.jobs
        return max(LEAST_MINUTES, math.ceil(START_MINUTES + needed))


def genome_size(entry: Mapping[str, Any], masked: Path, resource: Callable[[str], str]) -> tuple[int, str]:
    """Returns a species' bases and where the number comes from.

    Args:
        masked: the masked genome, if it is there already.
        resource: name in the configuration -> path.
    """
    index = masked.with_name(masked.name + ".fai")
    if index.exists():
        return sum(int(line.split("\t")[1]) for line in index.read_text().splitlines()), "genome"
    if entry.get("genome_mb"):
        return int(entry["genome_mb"] * 1e6), "genome_mb"
    path = Path(resource(entry["genome"])) if isinstance(entry["genome"], str) else Path("-")
    if path.is_file():
        return path.stat().st_size * (GZIP_RATIO if path.suffix == ".gz" else 1), "file"
    return ASSUMED_BP, "assumed"


def genome_minutes(bases: int) -> int:
    """Returns the time limit of a step that reads a genome's results once."""
    return max(LEAST_MINUTES, math.ceil(bases / 1e9 * GENOME_MINUTES_PER_GB))


def embedding_work(
    run: Mapping[str, Any],
    window_set: Mapping[str, Any],
    facts: ModelFacts,
    bases: int,
    resource: Callable[[str], str],
) -> Work:
    """Returns the work of an embedding run over a genome of so many bases."""
    rows, length_bp = _windows(window_set, bases, resource)
    tokens = float(rows * facts.spacing.tokens_of(round(length_bp)))
    layers = facts.num_layers if run["layers"] == "all" else len(run["layers"])
    values = tokens if run["pooling"] == "none" else rows
    item = 2 if run["dtype"] == "float16" else 4
    disk = 2.0 * values * facts.embed_dim * layers * item
    return Work(tokens * (1 + run["reverse_complement"]), run["parts"], disk)


def _windows(window_set: Mapping[str, Any], bases: int, resource: Callable[[str], str]) -> tuple[int, float]:
    """Returns the number of windows and their mean length."""
    if window_set["kind"] == "tiles":
        step = window_set["length_bp"] - window_set["overlap_bp"]
        return math.ceil(bases / step), float(window_set["length_bp"])
    if window_set["kind"] == "tss":
        length_bp = window_set["upstream_bp"] + window_set["downstream_bp"]
        return min(GENES, bases // GENE_BP), float(length_bp)
    rows, length_bp = _bed_size(resource(window_set["bed"]))
    return rows, length_bp / max(rows, 1)


def _bed_size(path: str) -> tuple[int, int]:
    """Returns a BED file's rows and bases; none of a file that is not there or is none (its step says so)."""
    try:
        table = pd.read_csv(path, sep="\t", header=None, comment="#", usecols=[1, 2])
        return len(table), int((table[2] - table[1]).sum())
    except (OSError, ValueError, TypeError):
        return 0, 0


def segmentation_work(
    run: Mapping[str, Any],
    held_out: Sequence[str],
    facts: ModelFacts,
    bases: int,
    resource: Callable[[str], str],
) -> Work:
    """Returns the work of a segmentation run over a genome of so many bases."""
    regions = held_out if run["regions"] == "held_out" else run["regions"]
    if run.get("bed"):
        rows, length_bp = _bed_size(resource(run["bed"]))
        bases = max(length_bp, rows * (run.get("window_bp") or facts.longest_window_bp))
    elif regions and regions != "all":
        bases = sum(_region_bp(region, bases) for region in regions)
    both = run["reverse_complement"] or facts.labels == "own_strand"
    tokens = bases / facts.spacing.bases_per_token / (1 - run["overlap"]) * run["frames"] * (1 + both)
    tracks = len(facts.features) * (1 + (facts.labels == "own_strand"))
    item = (TRACK_BYTES if run["resolution"] != "float32" else 4) + SHARD_BYTES
    return Work(tokens, run["parts"], float(bases * tracks * item))


def task_work(
    task: Mapping[str, Any], facts: ModelFacts, resource: Callable[[str], str], embeddings: int = 1
) -> Work:
    """Returns the work of embedding a task's sequences once, or several times in jobs of their own."""
    rows, length_bp = _task_size(task, resource)
    if task.get("max_examples"):
        rows = min(rows, task["max_examples"])
    layers = facts.num_layers if task["layers"] == "all" else len(task["layers"])
    disk = 2.0 * rows * facts.embed_dim * layers * 4
    tokens = float(rows * facts.spacing.tokens_of(round(length_bp)) * embeddings)
    return Work(tokens, embeddings, disk * embeddings)


def fine_tune_work(task: Mapping[str, Any], facts: ModelFacts, resource: Callable[[str], str]) -> Work:
    """Returns the work of fine-tuning a model on all folds of a task, if no fold ends before its last step.

    Each step reads its rows forwards and backwards, each fold its validation and test rows at every look.
    """
    _, length_bp = _task_size(task, resource)
    numbers = {**FINE_TUNING, **task["fine_tune"]}
    rows = float(numbers["steps"] * numbers["batch_size"] * numbers["accumulation"] * BACKWARD)
    tokens = task["folds"] * rows * facts.spacing.tokens_of(round(length_bp))
    return Work(tokens, 1, 0.0)


def _task_size(task: Mapping[str, Any], resource: Callable[[str], str]) -> tuple[int, float]:
    """Returns a task's sequences and their length, as far as they are known before it is there."""
    rows, length_bp = _whole_size(task, resource)
    return rows, min(length_bp, float(task.get("context_bp", length_bp)))


def _whole_size(task: Mapping[str, Any], resource: Callable[[str], str]) -> tuple[int, float]:
    if task["suite"] in SUITES:
        published = suite_task(task["suite"], task["task"])
        return sum(published.sizes.values()) or ROWS, float(published.longest_bp or ROW_BP)
    if task["suite"] == "annotation":
        length_bp = task.get("length_bp") or task_row(task["task"])["length_bp"]
        return task["max_examples"], float(length_bp)
    paths = [Path(resource(task[key])) for key in ("data", "validation_data", "test_data") if key in task]
    size = sum(path.stat().st_size for path in paths if path.is_file())
    return max(1, size // ROW_BP), float(ROW_BP)


def _region_bp(region: str, bases: int) -> int:
    _, _, span = region.rpartition(":")
    start, dash, end = span.partition("-")
    return int(end) - int(start) if dash and start.isdecimal() and end.isdecimal() else bases


def cost_table(
    settings: Mapping[str, Any],
    model_facts: Callable[[str], ModelFacts],
    device: str,
    results: Path,
    resource: Callable[[str], str] = str,
) -> pd.DataFrame:
    """Returns COLUMNS, one row per species, run and model.

    Args:
        settings: the resolved configuration.
        device: cuda counts GPU hours, anything else hours of two cores.
    """
    rows: list[tuple[Any, ...]] = []

    def add(
        place: tuple[str, str], model: str, precision: str, size: tuple[Any, Any], work: Work, done: Path
    ) -> None:
        facts = model_facts(model)
        hours = work.hours(facts, precision, device)
        rows.append(
            (
                *place,
                model,
                precision,
                *size,
                work.tokens / 1e6,
                work.jobs,
                hours,
                hours / work.jobs,
                facts.memory_mb(precision) / 1000,
                work.disk_bytes / 1e9,
                "yes" if done.exists() else "no",
            )
        )

    embeddings = embedding_runs(settings)
    for name, entry in settings["species"].items():
        folder = results / "species" / name
        bases, source = genome_size(entry, folder / "masked.fa", resource)
        size = (bases / 1e6, source)
        for run, wanted in embeddings.items():
            if name in wanted["species"]:
                model, window_set = wanted["model"], entry["windows"][wanted["windows"]]
                work = embedding_work(wanted, window_set, model_facts(model), bases, resource)
                ending = ".zarr/manifest.json" if wanted["pooling"] == "none" else ".h5ad.manifest.json"
                done = folder / "embeddings" / f"{run}{ending}"
                add((name, f"embeddings/{run}"), model, wanted["precision"], size, work, done)
        for run, wanted in settings["segmentation"].items():
            if name in wanted["species"]:
                model, done = wanted["model"], folder / "segmentation" / run / "manifest.json"
                work = segmentation_work(wanted, entry["held_out"], model_facts(model), bases, resource)
                add((name, f"segmentation/{run}"), model, wanted["precision"], size, work, done)
    for task, wanted in settings["tasks"].items():
        for species in wanted["species"] if wanted["suite"] == "annotation" else [None]:
            for model in wanted["models"]:
                times = (1 + (RANDOM in wanted["baselines"])) * len(wanted["pooling"])
                work = task_work(wanted, model_facts(model), resource, times)
                folder = results / "tasks" / (f"{task}.{species}" if species else task)
                place = (species or "-", f"tasks/{task}")
                add(place, model, wanted["precision"], (math.nan, "task"), work, folder / "summary.tsv")
                if tuning := wanted.get("fine_tune"):
                    work = fine_tune_work(wanted, model_facts(model), resource)
                    place, done = (species or "-", f"tasks/{task}/{tuning['method']}"), folder / "summary.tsv"
                    add(place, model, wanted["precision"], (math.nan, "task"), work, done)
    return pd.DataFrame(rows, columns=list(COLUMNS))
