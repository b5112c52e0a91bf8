"""What the profiles come to once Snakemake has read them."""

import re
from pathlib import Path

import pytest
import yaml
from snakemake.cli import parse_args
from workflow.conftest import ROOT, TINY, snakemake

SLURM = yaml.safe_load((ROOT / "profiles" / "slurm-gpu" / "config.yaml").read_text())
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow" / "rules").glob("*.smk")))
BLOCKS = {block.split(":")[0]: block for block in re.split(r"^rule ", RULES, flags=re.M)[1:]}
MODEL_RULES = {name for name, block in BLOCKS.items() if "gpu=GPUS" in block}


@pytest.mark.parametrize(
    ("profile", "executor", "jobs", "config"),
    [("slurm-gpu", "slurm", 50, ["device=cuda"]), ("profiles/local", "local", None, None)],
)
def test_a_profile_ends_with_its_own_executor(monkeypatch, profile, executor, jobs, config):
    monkeypatch.chdir(ROOT)
    _, settings = parse_args(["--profile", profile])
    assert (settings.executor, settings.jobs, settings.config) == (executor, jobs, config)
    assert settings.rerun_incomplete and settings.keep_going


def test_no_profile_is_applied_unasked(monkeypatch):
    monkeypatch.chdir(ROOT)
    _, settings = parse_args(["--cores", "1"])
    assert settings.executor is None and settings.config is None
    assert not [path for path in ROOT.glob("**/profiles/default") if ".venv" not in path.parts]


def test_the_slurm_profile_names_every_rule_that_runs_a_model():
    assert set(SLURM["set-resources"]) == MODEL_RULES
    forms = [tuple(sorted(resources.items())) for resources in SLURM["set-resources"].values()]
    assert set(forms) == {(("gpu", 1), ("slurm_partition", "gpu"))}


def planned_resources(text: str) -> dict[str, set[tuple[str | None, str | None]]]:
    """Returns the partitions and GPUs that a dry run plans for each rule that has a script."""
    found = {}
    for name, block in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", text, re.M):
        values = dict(re.findall(r"\b(slurm_partition|gpu)=(\w+)", block.split("resources:")[-1]))
        found.setdefault(name, set()).add((values.get("slurm_partition"), values.get("gpu", "0")))
    return found


@pytest.mark.parametrize("profile", ["slurm-gpu", "profiles/local"])
def test_the_gpus_that_a_profile_asks_for(tmp_path: Path, profile):
    folder = tmp_path / "results"
    plan = snakemake(ROOT, "-n", "--profile", profile, "--configfile", TINY, "--directory", str(folder))
    assert plan.returncode == 0, plan.stdout[-3000:]
    planned = planned_resources(plan.stdout)
    cluster = profile == "slurm-gpu"
    expected = {
        name: {(("gpu", "1") if name in MODEL_RULES else ("cpu", "0")) if cluster else (None, "0")}
        for name in planned
    }
    assert planned == expected and len(set(planned) & MODEL_RULES) >= 2
