# What all rules share: the checked configuration, paths, and how a job calls a script.
# Only this file reads `config`.
import functools
import re
import sys
from pathlib import Path
from shlex import quote

RULES = Path(workflow.current_basedir.get_path_or_uri(secret_free=True))
ROOT = RULES.parent.parent
SCRIPTS = RULES.parent / "scripts"
sys.path.insert(0, str(SCRIPTS))

from dnalm import config as configuration
from dnalm import cost
from dnalm.errors import UserError
from dnalm.labels import slug
from dnalm.training.facts import trained_facts
from dnalm.versions import VERSIONS


def resource(name):
    """Returns a path as the jobs use it: from the working directory, else from the repository."""
    if "://" in str(name) or Path(name).exists():
        return str(name)
    return str(ROOT / name) if (ROOT / name).exists() else str(name)


def stop(fault):
    """Ends with one clear line and exit status 2, before any job."""
    print(fault, file=sys.stderr)
    raise SystemExit(2)


# --configfile replaces the demo's configuration (Snakemake itself would merge the two).
if not workflow.overwrite_configfiles:

    configfile: resource("config/config.yaml")


DEVICE = config.get(
    "device", "auto"
)  # the machine's, from a profile or --config, never the science's
CONTAINER = config.get("container")  # the image of all jobs, with --sdm apptainer
MACHINE_KEYS = ("device", "container")


def load_configuration():
    science = {key: value for key, value in config.items() if key not in MACHINE_KEYS}
    if DEVICE not in ("auto", "cpu", "cuda", "tpu"):
        raise UserError(
            "--config device",
            f"found '{DEVICE}', expected auto, cpu, cuda or tpu",
            "Mend it.",
        )
    where = configuration.locator(
        workflow.overwrite_configfiles or [resource("config/config.yaml")]
    )
    configuration.check_schema(
        science, RULES.parent / "schemas" / "config.schema.yaml", where
    )
    return configuration.resolve(science, model_facts, where)


@functools.cache  # asked once for every job
def model_facts(name):
    """Returns what the configuration must know of a model: a row of models.tsv, of `models:` or of `training:`."""
    trained = config.get("training", {}).get(name)
    if trained:
        initial = trained.get("initial")
        before = model_facts(initial) if initial else None
        settings = resource(trained["settings"])
        validation = trained.get("validation")
        learned = "tokenizer" in trained
        return trained_facts(
            name, trained["kind"], settings, before, validation, learned
        )
    source = config.get("models", {}).get(name)
    return configuration.model_facts(name, resource(source) if source else None)


try:
    SETTINGS = load_configuration()
except UserError as fault:
    stop(fault)

SPECIES = SETTINGS["species"]
GPUS = 1 if DEVICE == "cuda" else 0
MODEL_ENV = "../envs/gpu.yaml" if DEVICE == "cuda" else "../envs/model.yaml"

# The prefix replaces Snakemake's own strict mode, so it repeats it. `python` is the one that runs Snakemake,
# or the conda environment's, or the container's. PYTHONSAFEPATH would hide the library beside the scripts. The
# malloc settings keep XLA's buffers mapped on CPU: each step would otherwise fault its pages in again (about 2x in time).
methods = {
    str(method.name).lower()
    for method in workflow.deployment_settings.deployment_method
}
own_python = "conda" in methods or bool(CONTAINER and "apptainer" in methods)
PYTHON_PATH = (
    ""
    if own_python
    else f"export PATH={quote(str(Path(sys.executable).parent))}:$PATH; "
)
shell.prefix(
    f"set -euo pipefail; {PYTHON_PATH}SCRIPTS={quote(str(SCRIPTS))}; DEVICE={DEVICE}; "
    "unset PYTHONSAFEPATH; export PYTHONUNBUFFERED=1; "
    "export GLIBC_TUNABLES=glibc.malloc.hugetlb=1:glibc.malloc.mmap_max=0:glibc.malloc.arena_max=1"
    ":glibc.malloc.trim_threshold=16000000000:glibc.malloc.top_pad=67108864; "
)


def one_of(names):
    """Returns a wildcard constraint that admits just these names."""
    return "|".join(re.escape(name) for name in sorted(names)) or "(?!)"


def options(**values):
    """Returns command-line options: None and False left out, True as a bare flag, lists repeated behind one flag."""
    words = []
    for key, value in values.items():
        if value is None or value is False or value == []:
            continue
        words.append(f"--{key.replace('_', '-')}")
        if value is not True:
            words += (
                [str(item) for item in value]
                if isinstance(value, (list, tuple))
                else [str(value)]
            )
    return words


def output_stem(wildcards, output):
    """Returns a figure's path without its suffix."""
    return str(Path(output[0]).with_suffix(""))


def output_folder(wildcards, output):
    """Returns the folder of a result of several files."""
    return str(Path(output[0]).parent)


def print_results():
    figures = (
        sorted(Path("results/figures").glob("*.svg"))
        if Path("results/figures").exists()
        else []
    )
    if figures and Path("results/report.html").exists():
        print(
            f"Figures: results/figures/ ({len(figures)} as SVG, PNG and TSV)\nReport:  results/report.html"
        )


def repeat_faults(snakemake_logs):
    """Repeats the last line of each failed job's log at the end of the run."""
    paths = [snakemake_logs] if isinstance(snakemake_logs, str) else snakemake_logs
    text = "\n".join(Path(path).read_text(errors="replace") for path in paths)
    for name in dict.fromkeys(re.findall(r"log: (results/logs/\S+) \(check", text)):
        lines = (
            Path(name).read_text(errors="replace").splitlines()
            if Path(name).exists()
            else []
        )
        if lines:
            print(f"{name}: {lines[-1]}", file=sys.stderr)


def model_memory(model, precision):
    """Returns the memory in MB of a job that runs a model."""
    return model_facts(model).memory_mb(precision)


def genome_bp(species):
    """Returns a genome's bases: of the masked genome, or what is expected before it is there."""
    masked = Path(f"results/species/{species}/masked.fa")
    return cost.genome_size(SPECIES[species], masked, resource)[0]


def genome_runtime(wildcards, attempt):
    """Returns the time limit in minutes of a step that reads a genome, or its tracks, once."""
    return cost.genome_minutes(genome_bp(wildcards.species)) * attempt


SMALL_GENOME_BYTES = 2_000_000  # its jobs are mostly compilation, which uses one core


def model_threads(species):
    """Returns the cores of a job that runs a model on a species: one where compilation is most of it, else two."""
    genome = SPECIES[species]["genome"]
    path = Path(resource(genome)) if isinstance(genome, str) else Path("-")
    return 1 if path.is_file() and path.stat().st_size < SMALL_GENOME_BYTES else 2


wildcard_constraints:
    species=one_of(SPECIES),
