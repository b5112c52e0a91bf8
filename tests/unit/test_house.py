"""The rules of the house that a machine can check."""

import ast
import re
from pathlib import Path

import pytest
import step_closures
import yaml

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "workflow" / "scripts"
LIBRARY = SCRIPTS / "dnalm"
RULES = sorted((ROOT / "workflow" / "rules").rglob("*.smk"))

# Bottom up; a module imports only from rows above its own (or from its own package).
ROWS = (
    ("errors", "versions"),
    ("leases",),
    ("files", "cli", "device"),
    ("download",),
    ("genome",),
    ("annotation",),
    ("tokens", "suites"),
    ("mask", "windows", "labels"),
    ("models", "sequences"),
    ("checkpoints",),
    ("config",),
    ("engine",),
    ("bigwig",),
    ("stitching", "tracks", "metrics"),
    ("segmentation", "embeddings"),
    ("attention",),
    ("training",),
    ("vocabulary",),
    ("folds", "baselines"),
    ("tasks",),
    ("cost",),
    ("probe", "expression"),
    ("finetuning",),
    ("leaderboard",),
    ("figures",),
    ("elements",),
    ("report",),
    ("browser",),
    ("pretrained",),
)


def row_of(module: str) -> int:
    for number, row in enumerate(ROWS):
        if module in row:
            return number
    raise AssertionError(f"dnalm.{module} has no row: add it here and to docs/architecture.md")


def imports_of(path: Path) -> set[str]:
    """Returns the library modules that a file imports anywhere, by their first name below dnalm."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "dnalm":
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dnalm."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("dnalm.")}
    return found - {"__version__"}


@pytest.mark.parametrize(
    "path", sorted(LIBRARY.rglob("*.py")), ids=lambda path: str(path.relative_to(LIBRARY))
)
def test_a_module_imports_only_from_rows_above(path):
    own = path.relative_to(LIBRARY).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for module in imports_of(path) - {own}:
        assert row_of(module) < row_of(own), f"{own} imports {module}"


@pytest.mark.parametrize("path", sorted(SCRIPTS.glob("*.py")), ids=lambda path: path.name)
def test_a_script_is_thin(path):
    tree = ast.parse(path.read_text())
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert ast.get_docstring(tree) and {"parse_arguments", "main"} <= names
    docstring = tree.body[0].end_lineno  # the program's help
    assert len(path.read_text().splitlines()) - docstring <= 80


def rules():
    for path in RULES:
        for block in re.split(r"\n(?=rule )", path.read_text())[1:]:
            name = block.split(":")[0].removeprefix("rule ")
            if "shell:" in block:
                yield pytest.param(block, id=name)


@pytest.mark.parametrize("block", list(rules()))
def test_a_rule_has_every_part(block):
    for part in ("output", "log", "benchmark", "conda", "threads", "resources", "params", "shell"):
        assert re.search(rf"^    {part}:", block, re.M), part
    assert "version=VERSIONS[" in block and "2> {log:q}" in block


@pytest.mark.parametrize(
    "path", sorted((ROOT / "workflow" / "envs").glob("*.yaml")), ids=lambda path: path.stem
)
def test_environments_have_the_versions_of_the_lock(path):
    lock = (ROOT / "requirements.txt").read_text()
    environment = yaml.safe_load(path.read_text())
    assert set(environment) == {"channels", "dependencies"}
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    pinned = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    for line in pinned:
        name, version = re.fullmatch(r"([\w.-]+)(?:\[\w+\])?==([\w.]+)", line).groups()
        assert re.search(rf"^{re.escape(name)}=={re.escape(version)}( |$)", lock, re.M), line


PACKAGES = {
    "Bio": "biopython",
    "haiku": "dm-haiku",
    "huggingface_hub": "huggingface-hub",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "pyBigWig": "pybigwig",
}
STEPS_OF = {
    "genome": ("genome", "annotation", "mask", "windows"),
    "model": (
        "checkpoint",
        "dataset",
        "embed",
        "segment",
        "pretrain",
        "train_segmentation",
        "finetune",
        "tokenizer",
        "tokens",
        "attention",
        "export",
    ),
    "gpu": (
        *("checkpoint", "dataset", "embed", "segment", "pretrain", "train_segmentation", "finetune"),
        *("tokens", "attention"),
    ),
    "analysis": (
        "evaluate",
        "elements",
        "task",
        "probe",
        "leaderboard",
        "expression",
        "figures",
        "papers",
        "report",
        "browser",
        "cost",
    ),
}
NEVER_RUN = {
    "analysis": {"dm-haiku", "tokenizers"},
    "genome": {"tokenizers"},
}  # behind names that these steps share with the models


@pytest.mark.parametrize("name", STEPS_OF)
def test_environments_hold_what_their_steps_import(name):
    modules = set().union(*(step_closures.third_party(step) for step in STEPS_OF[name]))
    needed = {PACKAGES.get(module, module) for module in modules} - NEVER_RUN.get(name, set())
    text = (ROOT / "workflow" / "envs" / f"{name}.yaml").read_text()
    assert not {package for package in needed if not re.search(rf"- {re.escape(package)}(\[\w+\])?==", text)}


def test_every_environment_is_used():
    used = set(re.findall(r"envs/(\w+)\.yaml", "".join(path.read_text() for path in RULES)))
    assert used == {path.stem for path in (ROOT / "workflow" / "envs").glob("*.yaml")}


def test_no_default_profile():
    # Snakemake would apply it over --profile: executor and cores of slurm-gpu would be lost.
    assert not list(ROOT.glob("**/profiles/default"))
    assert (ROOT / "slurm-gpu").resolve() == ROOT / "profiles" / "slurm-gpu"


def test_the_lock_names_no_index():
    for name in ("requirements.txt", "requirements-cuda.txt"):
        assert "://" not in (ROOT / name).read_text() and "--hash=sha256:" in (ROOT / name).read_text()


def test_examples_are_valid_configurations():
    from dnalm import config as configuration

    schema = ROOT / "workflow" / "schemas" / "config.schema.yaml"
    for path in [ROOT / "config" / "config.yaml", *sorted((ROOT / "config" / "examples").glob("*.yaml"))]:
        data = yaml.safe_load(path.read_text())
        if "species" in data:
            configuration.check_schema(data, schema, configuration.locator([path]))


def test_every_key_is_documented():
    text = (ROOT / "config" / "README.md").read_text()
    schema = yaml.safe_load((ROOT / "workflow" / "schemas" / "config.schema.yaml").read_text())

    def keys(node):
        if isinstance(node, dict):
            yield from node.get("properties", {})
            for value in node.values():
                yield from keys(value)
        elif isinstance(node, list):
            for value in node:
                yield from keys(value)

    missing = {key for key in keys(schema) if not re.search(rf"\b{key}\b", text)}
    assert not missing
