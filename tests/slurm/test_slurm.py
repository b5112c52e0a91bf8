"""`snakemake --profile slurm-gpu` on a real Slurm: with a failed and a cancelled job, and interrupted."""

import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from slurm.cluster import GPUS, OVERLAY, Job
from slurm.conftest import make_fail_once
from workflow.conftest import TINY, fingerprints, snakemake

# Each job starts Snakemake anew: on slow cores the whole run takes more than the suite's ten minutes.
pytestmark = [pytest.mark.slurm, pytest.mark.timeout(1800)]
MODEL_RULES = {
    "embed",
    "embed_part",
    "embed_task",
    "segment",
    "segment_part",
}  # of those in the tiny configuration
LOCAL_RULES = {"default", "fetch_genome", "record_settings"}
LIMIT_S = 420


@dataclass(frozen=True)
class Run:
    """What is left of a run: its checkout, its words and its jobs."""

    checkout: Path
    log: str
    jobs: list[Job]
    cancelled: Job


@pytest.fixture(scope="module")
def run(cluster, copy, tmp_path_factory):
    """The tiny configuration on the cluster; the first job of one rule fails, one of another is cancelled."""
    checkout = copy(tmp_path_factory.mktemp("slurm") / "checkout")
    make_fail_once(checkout, "mask_genome.py")
    with cluster.snakemake(checkout, "--configfile", TINY) as process:
        cancelled = cluster.wait_for(lambda: cluster.running("embed_part"), process, limit_s=240)
        cluster.call("scancel", str(cancelled.number))
        process.wait(LIMIT_S)
    log = (checkout / "run.log").read_text()
    assert process.returncode == 0, log[-4000:]
    return Run(checkout, log, cluster.jobs(), cancelled)


def test_every_job_is_accounted_for(run):
    table = run.log.split("Job stats:")[1].split("total")[0]
    planned = {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", table, re.M)}
    for rule in LOCAL_RULES:
        planned.pop(rule, None)
    completed = Counter(job.rule for job in run.jobs if job.state == "COMPLETED")
    assert completed == planned and len(planned) > 10
    assert {job.name for job in run.jobs if job.state != "COMPLETED"} < {
        job.name for job in run.jobs if job.state == "COMPLETED"
    }


def test_jobs_that_run_a_model_ask_for_a_gpu(run):
    asked = {(job.rule in MODEL_RULES, job.partition, job.gpus) for job in run.jobs}
    assert asked == {(True, "gpu", 1), (False, "cpu", 0)}


def test_never_more_jobs_than_gpus(run):
    jobs = [job for job in run.jobs if job.gpus and job.start]
    at_once = [sum(other.start <= job.start < other.end for other in jobs) for job in jobs]
    assert len(jobs) > GPUS and max(at_once) == GPUS


def test_a_failed_job_runs_again_with_more_memory(run):
    (failed,) = [job for job in run.jobs if job.state == "FAILED"]
    (again,) = [job for job in run.jobs if job.name == failed.name and job.state == "COMPLETED"]
    assert failed.rule == "mask_genome" and (failed.memory, again.memory) == ("2000M", "4000M")


def test_a_cancelled_job_runs_again(run):
    states = [job.state for job in run.jobs if job.name == run.cancelled.name]
    assert states == ["CANCELLED", "COMPLETED"]


def test_the_results_are_those_of_one_machine(run, plain):
    assert fingerprints(run.checkout / "results") == fingerprints(plain / "results")


def test_a_second_run_has_nothing_to_do(run, cluster):
    with cluster.snakemake(run.checkout, "--configfile", TINY) as process:
        process.wait(90)
    assert process.returncode == 0 and "Nothing to be done" in (run.checkout / "run.log").read_text()
    assert len(cluster.jobs()) == len(run.jobs)


def test_an_interrupted_run_leaves_no_job(cluster, copy, tmp_path):
    checkout = copy(tmp_path / "checkout")
    make_fail_once(checkout, "mask_genome.py", before="time.sleep(300)")
    target = "results/species/macaque_piece/masked.fa"
    known = {job.number for job in cluster.jobs()}
    with cluster.snakemake(checkout, target, "--configfile", TINY) as process:
        cluster.wait_for((checkout / "called").exists, process)
        process.send_signal(signal.SIGINT)
        process.wait(180)  # 11 s at rest
    assert process.returncode != 0
    end = time.monotonic() + 60  # a cancelled job takes its time to leave the node
    while (mine := [job for job in cluster.jobs() if job.number not in known])[0].state == "COMPLETING":
        assert time.monotonic() < end, mine
        time.sleep(0.5)
    assert [(job.rule, job.state) for job in mine] == [("mask_genome", "CANCELLED")]
    assert not (checkout / target).exists()

    again = snakemake(checkout, target, "--configfile", TINY, *OVERLAY[:2])
    assert again.returncode == 0, again.stdout[-3000:]
