"""What Slurm does to a job, and what becomes of the run: limits, preemption, a killed Snakemake, `gres`."""

import os
import signal
from pathlib import Path

import pytest
from slurm.cluster import Cluster, Job
from slurm.conftest import make_fail_once
from workflow.conftest import TINY

pytestmark = [pytest.mark.slurm, pytest.mark.limits]
TARGET = "results/species/macaque_piece/masked.fa"
RULE = "mask_genome"
ARGUMENTS = (TARGET, "--configfile", TINY)
SLEEP = "time.sleep(300)"
LIMIT_S = 420


@pytest.fixture
def checkout(copy, tmp_path) -> Path:
    return copy(tmp_path / "checkout")


def run(cluster: Cluster, checkout: Path, before: str, *arguments: str) -> list[Job]:
    """Runs one rule whose first call goes wrong, and returns its jobs."""
    make_fail_once(checkout, f"{RULE}.py", before=before)
    known = {job.number for job in cluster.jobs()}
    with cluster.snakemake(checkout, *ARGUMENTS, *arguments) as process:
        process.wait(LIMIT_S)
    assert process.returncode == 0, (checkout / "run.log").read_text()[-3000:]
    assert (checkout / TARGET).exists()
    return [job for job in cluster.jobs(RULE) if job.number not in known]


def test_out_of_time(cluster, checkout):
    first, second = run(cluster, checkout, SLEEP, "--set-resources", f"{RULE}:runtime=1")
    assert (first.state, second.state) == ("TIMEOUT", "COMPLETED")


def test_out_of_memory(cluster, checkout):
    # Touches 3 GB where the rule asks for 2: without cgroups Slurm sees it at the next sample.
    first, second = run(cluster, checkout, f"kept = b'x' * 3_000_000_000; {SLEEP}")
    assert first.state in ("FAILED", "OUT_OF_MEMORY") and second.state == "COMPLETED"
    assert (first.memory, second.memory) == ("2000M", "4000M")


def test_the_other_form_of_the_request_for_a_gpu(cluster, checkout):
    form = ("--set-resources", f"{RULE}:gpu=0", f"{RULE}:gres=gpu:1", f"{RULE}:slurm_partition=gpu")
    jobs = run(cluster, checkout, "raise SystemExit('fails once')", *form)
    assert [(job.gpus, job.partition) for job in jobs] == [(1, "gpu"), (1, "gpu")]


def test_preempted_and_put_back(cluster, checkout):
    make_fail_once(checkout, f"{RULE}.py", before=SLEEP)
    known = {job.number for job in cluster.jobs()}
    with cluster.snakemake(checkout, *ARGUMENTS, "--set-resources", f"{RULE}:slurm_partition=gpu") as process:
        cluster.wait_for((checkout / "called").exists, process)
        cluster.call("sbatch", "--partition=urgent", "--exclusive", "--output=/dev/null", "--wrap", "sleep 5")
        process.wait(LIMIT_S)
    assert process.returncode == 0, (checkout / "run.log").read_text()[-3000:]
    (job,) = [job for job in cluster.jobs(RULE) if job.number not in known]
    assert (job.state, job.restarts) == ("COMPLETED", 1) and (checkout / TARGET).exists()


def test_a_killed_snakemake_leaves_an_orphan(cluster, checkout):
    make_fail_once(checkout, f"{RULE}.py", before=SLEEP)
    known = {job.number for job in cluster.jobs()}
    with cluster.snakemake(checkout, *ARGUMENTS) as process:
        cluster.wait_for((checkout / "called").exists, process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    (orphan,) = [job for job in cluster.jobs() if job.number not in known]
    assert orphan.state == "RUNNING"
    cluster.call("scancel", str(orphan.number))

    for arguments in (("--unlock",), ARGUMENTS):
        with cluster.snakemake(checkout, *arguments) as process:
            process.wait(LIMIT_S)
        assert process.returncode == 0, (checkout / "run.log").read_text()[-3000:]
    assert (checkout / TARGET).exists()
