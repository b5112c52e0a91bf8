"""A Slurm of one node with two counted GPUs, and Snakemake runs on it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

HERE = Path(__file__).parent
GPUS = 2  # as in gres.conf.in

# What a test needs beyond the profile itself: no accounting here, and little patience.
OVERLAY = ("--config", "device=cpu", "--slurm-status-command", "squeue", "--latency-wait", "10")
PATIENCE = ("--slurm-init-seconds-before-status-checks", "2")


@dataclass(frozen=True)
class Job:
    """One Slurm job, as `scontrol show job` tells it."""

    number: int
    rule: str
    name: str  # rule and wildcards
    state: str
    partition: str
    gpus: int
    memory: str
    restarts: int
    start: datetime | None
    end: datetime | None


def parse_job(line: str) -> Job:
    """Reads a line of `scontrol -o show jobs`."""
    values = dict(re.findall(r"(\S+?)=(\S*)", line))
    name = values.get("Comment", "").removeprefix("rule_")
    gpus = re.search(r"Tres\w+=gres:gpu:(\d+)", line)

    def moment(key: str) -> datetime | None:
        return None if values[key] == "Unknown" else datetime.fromisoformat(values[key])

    return Job(
        number=int(values["JobId"]),
        rule=name.split("_wildcards_")[0],
        name=name,
        state=values["JobState"],
        partition=values["Partition"],
        gpus=int(gpus.group(1)) if gpus else 0,
        memory=values["MinMemoryNode"],
        restarts=int(values["Restarts"]),
        start=moment("StartTime"),
        end=moment("EndTime"),
    )


def what_is_missing() -> str:
    """Returns why no cluster can be started here, or an empty text."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    programs = ("munged", "slurmctld", "slurmd", "sbatch")
    missing = [name for name in programs if not shutil.which(name, path=path)]
    if missing:
        return f"not installed: {', '.join(missing)} (tests/slurm/install.sh, as root)"
    return "" if os.geteuid() == 0 else "Slurm's daemons need root"


@dataclass(frozen=True)
class Cluster:
    """A running cluster; its files lie below `folder`."""

    folder: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf"), "PYTHONWARNINGS": ""}

    def call(self, *command: str) -> str:
        """Runs one of Slurm's commands and returns what it says."""
        return subprocess.run(
            command, env=self.environment(), check=True, capture_output=True, text=True, timeout=30
        ).stdout

    def jobs(self, rule: str | None = None) -> list[Job]:
        """Returns all jobs, oldest first: ended ones stay known for an hour."""
        lines = self.call("scontrol", "-o", "show", "jobs").splitlines()
        jobs = sorted((parse_job(line) for line in lines if "JobId=" in line), key=lambda job: job.number)
        return [job for job in jobs if rule in (None, job.rule)]

    def wait_for(self, find: Callable[[], object], process: subprocess.Popen, limit_s: float = 90) -> object:
        """Waits until something is found while Snakemake runs, and returns it."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and process.poll() is None:
            if found := find():
                return found
            time.sleep(0.2)
        raise AssertionError(f"not seen in time: {self.jobs()}")

    def running(self, rule: str) -> Job | None:
        return next((job for job in self.jobs(rule) if job.state == "RUNNING"), None)

    @contextlib.contextmanager
    def snakemake(self, checkout: Path, *arguments: str) -> Iterator[subprocess.Popen]:
        """Starts `snakemake --profile slurm-gpu` in a checkout, its words in run.log; never left behind."""
        # A suite that a shell runs in the background has SIGINT ignored, and hands that on: Python, and so
        # Snakemake, would never see it.
        program = ("env", "--default-signal=INT", sys.executable, "-m", "snakemake", "--profile", "slurm-gpu")
        command = [*program, *arguments, *PATIENCE, *OVERLAY]
        with open(checkout / "run.log", "w") as log:
            process = subprocess.Popen(
                command, cwd=checkout, env=self.environment(), stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield process
        finally:
            # SIGTERM would let the jobs go on.
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


@contextlib.contextmanager
def start_cluster(folder: Path) -> Iterator[Cluster]:
    """Starts a cluster below a folder and ends its jobs and daemons, by their pids."""
    try:
        subprocess.run([HERE / "start.sh", folder], check=True, timeout=60)
        yield Cluster(folder)
    finally:
        subprocess.run([HERE / "stop.sh", folder], check=True, timeout=120)
