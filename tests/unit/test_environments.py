"""Conda environments, container recipes and the profiles of other engines: read as their tools read them."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from snakemake.cli import get_argument_parser
from test_profiles import MODEL_RULES
from workflow.conftest import ROOT

ENVIRONMENTS = sorted((ROOT / "workflow" / "envs").glob("*.yaml"))
IMAGE_LOCKS = {"genome": "requirements.txt", "model": "requirements.txt", "analysis": "requirements.txt"} | {
    "gpu": "requirements-cuda.txt"
}
DOCKERFILE = ROOT / "containers" / "Dockerfile"
DEFINITION = ROOT / "containers" / "dnalm.def"
GUIDE = (ROOT / "docs" / "containers.md").read_text()


@cache
def lock(name: str) -> dict[str, Requirement]:
    """Returns package -> pin of a lock file for the images' Python; all must be exact, hashed and unique."""
    version = base_image()[1]
    machine = {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux"}
    machine |= {"python_full_version": version, "python_version": version.rsplit(".", 1)[0]}
    entries = re.sub(r"\\\n", " ", (ROOT / name).read_text()).splitlines()
    pins = {}
    for entry in entries:
        text, *hashes = entry.split(" --hash=")
        pin = Requirement(text)
        assert len(pin.specifier) == 1 and str(pin.specifier).startswith("==") and hashes, entry
        if pin.marker is None or pin.marker.evaluate(machine):
            assert canonicalize_name(pin.name) not in pins, entry
            pins[canonicalize_name(pin.name)] = pin
    return pins


def dependencies(path: Path) -> tuple[list[str], list[str]]:
    """Returns an environment's conda specs and its pip requirements."""
    entries = yaml.safe_load(path.read_text())["dependencies"]
    pip = [line for entry in entries if isinstance(entry, dict) for line in entry["pip"]]
    return [entry for entry in entries if isinstance(entry, str)], pip


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_conda_reads_every_environment(path):
    rattler = pytest.importorskip("rattler")
    specs = [rattler.MatchSpec(text, strict=True) for text in dependencies(path)[0]]
    assert [spec.name.normalized for spec in specs] == ["python", "pip"]
    (python,) = [spec for spec in specs if spec.name.normalized == "python"]
    assert rattler.VersionSpec(python.version).matches(rattler.Version(base_image()[1]))
    channels = yaml.safe_load(path.read_text())["channels"]
    assert "defaults" not in channels
    assert rattler.Channel(channels[0]).base_url.endswith("/conda-forge/")


def test_every_environment_has_an_image():
    assert {path.stem for path in ENVIRONMENTS} == set(IMAGE_LOCKS)
    for name, source in IMAGE_LOCKS.items():
        assert re.search(rf"^\|.*`{name}`.*\| `{source}` \|", GUIDE, re.M), name


@pytest.mark.parametrize("path", ENVIRONMENTS, ids=lambda path: path.stem)
def test_an_image_holds_what_its_environment_pins(path):
    pins = lock(IMAGE_LOCKS[path.stem])
    for text in dependencies(path)[1]:
        wanted = Requirement(text)
        assert pins[canonicalize_name(wanted.name)].specifier == wanted.specifier, text
        if "cuda12" in wanted.extras:
            assert "jax-cuda12-plugin" in pins  # what the extra brings


def base_image() -> tuple[str, str]:
    """Returns the image that both recipes start from, pinned by digest, and its Python version."""
    first = re.search(r"^FROM (\S+) AS environment$", DOCKERFILE.read_text(), re.M)[1]
    second = re.search(r"^From: (\S+)$", DEFINITION.read_text(), re.M)[1]
    version = re.fullmatch(r"python:(3\.\d+\.\d+)-slim-\w+@sha256:[0-9a-f]{64}", first)[1]
    assert first == second
    return first, version


def test_the_base_images_python_is_one_that_the_workflow_supports():
    supported = re.search(r'^requires-python = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert base_image()[1] in SpecifierSet(supported)


def test_both_recipes_install_the_same_hash_checked_lock():
    docker, apptainer = DOCKERFILE.read_text(), DEFINITION.read_text()
    assert re.search(r"^ARG LOCK=(\S+)$", docker, re.M)[1] == IMAGE_LOCKS["model"]
    assert re.search(r"^%arguments\n    LOCK=(\S+)$", apptainer, re.M)[1] == IMAGE_LOCKS["model"]
    command = "python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r "
    assert docker.count(command) == apptainer.count(command) == 1
    copied = re.search(r"^COPY \$\{LOCK\} (\S+)$", docker, re.M)[1]
    assert f"{{{{ LOCK }}}} {copied}\n" in apptainer and f"{command}{copied}\n" in docker
    assert set(re.findall(r"LOCK=(requirements\S+)", GUIDE)) == {"requirements-cuda.txt"}


def test_what_the_image_copies_exists_and_reaches_docker():
    sources = re.findall(r"^COPY (\S+) \./\S*$", DOCKERFILE.read_text(), re.M)
    assert {"Snakefile", "workflow", "resources"} <= set(sources)
    kept = {line[1:] for line in (ROOT / "containers" / "Dockerfile.dockerignore").read_text().splitlines()}
    for source in [*sources, *IMAGE_LOCKS.values()]:
        assert (ROOT / source).exists() and source in kept, source
    included = re.findall(r'^include: "(\w+)/', (ROOT / "Snakefile").read_text(), re.M)
    assert set(included) <= set(sources)


# Options that a profile may use, as the plugins publish them, by the version that the profile names.
PLUGIN_OPTIONS = {
    "snakemake-executor-plugin-kubernetes==0.5.1": (
        "kubernetes",
        "namespace cpu-scalar service-account-name privileged persistent-volumes omit-job-cleanup",
    ),
    "snakemake-executor-plugin-aws-basic-batch==0.3.3": (
        "aws-basic-batch",
        "region job-queue job-definition coordinator coordinator-queue task-timeout tags",
    ),
    "snakemake-storage-plugin-s3==0.3.6": (
        "storage-s3",
        "endpoint-url region access-key secret-key token signature-version retries max-requests-per-second",
    ),
}
# What a plugin reads of a job's resources; tmpdir and the like are Snakemake's.
PLUGIN_RESOURCES = {
    "kubernetes": {"mem_mb", "disk_mb", "gpu", "gpu_manufacturer", "scale", "machine_type"},
    "aws-batch": {"aws_batch_vcpu", "aws_batch_mem_mb", "aws_batch_gpu", "aws_batch_task_timeout"},
}


def profile(name: str) -> tuple[str, dict]:
    text = (ROOT / "profiles" / name / "config.yaml").read_text()
    return text, yaml.safe_load(text)


@cache
def options_of_snakemake() -> frozenset[str]:
    actions = get_argument_parser()._actions
    return frozenset(name.removeprefix("--") for action in actions for name in action.option_strings)


@pytest.mark.parametrize("name", PLUGIN_RESOURCES)
def test_a_profile_uses_only_options_that_exist(name):
    text, settings = profile(name)
    plugins = re.findall(r"(snakemake-(?:executor|storage)-plugin-[\w-]+==[\d.]+)", text)
    assert len(plugins) == 2
    known = set(options_of_snakemake())
    for plugin in plugins:
        prefix, names = PLUGIN_OPTIONS[plugin]
        known |= {f"{prefix}-{option}" for option in names.split()}
    assert not set(settings) - known
    assert f"snakemake-executor-plugin-{settings['executor']}==" in text


@pytest.mark.parametrize("name", PLUGIN_RESOURCES)
def test_a_profile_gives_every_model_rule_a_gpu_and_fails_without_one(name):
    _, settings = profile(name)
    assert settings["config"] == profile("slurm-gpu")[1]["config"] == ["device=cuda"]
    assert set(settings["set-resources"]) == MODEL_RULES
    asked = set().union(settings["default-resources"], *settings["set-resources"].values())
    assert asked <= PLUGIN_RESOURCES[name]
    for resources in settings["set-resources"].values():
        assert resources["gpu" if name == "kubernetes" else "aws_batch_gpu"] == 1
        # Without these two the Kubernetes plugin refuses the job, or asks for a GPU without a limit.
        assert name != "kubernetes" or (resources["gpu_manufacturer"], resources["scale"]) == ("nvidia", 0)


@pytest.mark.parametrize("name", PLUGIN_RESOURCES)
def test_jobs_of_a_profile_share_a_folder_for_what_is_not_declared(name):
    _, settings = profile(name)
    shared = settings["remote-job-local-storage-prefix"]
    assert settings["local-storage-prefix"] == shared and settings["keep-storage-local-copies"]
    mounts = [volume.split(":")[1] for volume in settings.get("kubernetes-persistent-volumes", [])]
    assert name != "kubernetes" or any(Path(shared).is_relative_to(mount) for mount in mounts)
