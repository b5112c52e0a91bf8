"""How the results came about: models, their cards and licences, steps with time and device, software."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dnalm import __version__
from dnalm.checkpoints.registry import read_models
from dnalm.errors import UserError
from dnalm.files import read_json, require_file
from dnalm.report import markdown
from dnalm.report.sources import Sources
from dnalm.report.text import Table, count, duration, listing

PACKAGES = (
    "snakemake", "jax", "jaxlib", "dm-haiku", "numpy", "scipy", "pandas", "scikit-learn", "anndata", "h5py",
    "pyranges", "pysam", "pyBigWig", "safetensors", "matplotlib",
)  # fmt: skip
STEP_NAMES = {
    "genome": "genome", "annotation": "annotation", "mask": "mask", "windows": "windows",
    "checkpoint": "checkpoint", "embed": "embed", "segment": "segment", "evaluate": "evaluate elements",
    "task": "make task", "probe": "probe", "expression": "expression",
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """What the page says of one model."""

    name: str
    facts: list[tuple[str, str]]
    excerpt: str  # HTML
    card: str  # HTML, empty without a card


def describe_models(sources: Sources) -> list[Model]:
    """Returns the models that runs use: facts of their configuration and the table of models, their cards.

    Raises:
        UserError: a converted model's config.json or a card is missing.
    """
    table = read_models().set_index("model")
    models = []
    for name in sources.models():
        path = sources.file(f"models/{name}/config.json")
        config = read_json(path).get("model")
        if not isinstance(config, dict):
            raise UserError(path, "describes no model", "Convert the checkpoint again.")
        row = table.loc[name] if name in table.index else {}
        facts = [
            ("Family", str(row.get("family", ""))),
            ("Tokens", f"{config.get('tokenizer', '')}, at most {count(config.get('max_tokens'))}"),
            ("Size", f"{config.get('num_layers')} layers of {config.get('embed_dim')} dimensions"),
            ("Elements", listing([str(feature) for feature in config.get("features", [])])),
            ("Strand convention", str(config.get("labels", ""))),
            ("Licence of the weights", str(row.get("licence", "")) or "see its source"),
        ]
        facts = [(key, value) for key, value in facts if value not in ("", "none")]
        text = ""
        if name in sources.cards:
            text = require_file(sources.cards[name], "model card").read_text(encoding="utf-8")
        models.append(Model(name, facts, markdown.excerpt(text), markdown.to_html(text)))
    return models


def manifests(sources: Sources) -> list[Path]:
    """Returns the manifests of everything made for the species, models and tasks of the configuration."""
    tasks = [f"tasks/{run.folder}" for run in sources.runs("tasks")]
    species = [f"species/{name}" for name in sources.config["species"]]
    folders = [*species, *(f"models/{name}" for name in sources.models()), *tasks]
    return [path for folder in folders for path in sorted((sources.results / folder).rglob("*manifest.json"))]


def device_name(run: Mapping[str, object]) -> str:
    """Returns what a step ran on, as its manifest says: the kind of the accelerator, else CPU."""
    kind, devices = str(run.get("kind", "cpu")), run.get("devices", 1)
    many = f"{devices} " if isinstance(devices, int) and devices > 1 else ""
    return many + ("CPU" if kind.lower() == "cpu" else kind)


def step_table(sources: Sources) -> Table | None:
    """Returns one row per step: how many results, their total time, where they ran."""
    steps: dict[str, list[dict[str, object]]] = {}
    for path in manifests(sources):
        manifest = read_json(path)
        steps.setdefault(str(manifest["content"]["step"]), []).append(manifest.get("run", {}))
    rows = []
    for step, name in STEP_NAMES.items():
        if step in steps:
            seconds = sum(float(run.get("seconds", 0.0)) for run in steps[step])  # type: ignore[arg-type]
            devices = listing(sorted({device_name(run) for run in steps[step]}))
            rows.append([name, devices, count(len(steps[step])), duration(seconds)])
    if not rows:
        return None
    return Table(
        "Steps", ["Step", "Device", "Results", "Time"], rows, text_columns=2, note="Times add up over jobs."
    )


def software() -> list[tuple[str, str]]:
    """Returns the versions of this library and of the packages that the results depend on."""
    found = [("dnalm", __version__)]
    for package in PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:  # an environment of its own per step need not hold them all
            continue
    return found
