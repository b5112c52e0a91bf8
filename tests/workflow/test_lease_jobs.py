"""Jobs that Snakemake starts on one machine without a profile never share a GPU."""

import os
import subprocess
import sys

import pytest
from unit.test_leases import JOB, SCRIPTS, assert_never_shared, intervals

pytestmark = pytest.mark.workflow

SNAKEFILE = """
rule all:
    input: expand("{number}.txt", number=range(6))

rule job:
    output: "{number}.txt"
    resources: gpu=1
    shell: "{config[python]} job.py locks auto 0.4 held.txt > {output}"
"""


@pytest.mark.parametrize("limits", [(), ("--resources", "gpu=2")], ids=["plain", "gpu=2"])
def test_snakemakes_jobs_never_share_a_gpu(tmp_path, limits):
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    (tmp_path / "job.py").write_text(JOB)
    (tmp_path / "locks").mkdir()
    given = ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID", "SLURM_STEP_GPUS")
    environment = {name: value for name, value in os.environ.items() if name not in given}
    command = [sys.executable, "-m", "snakemake", "--cores", "16", *limits]
    done = subprocess.run(
        [*command, "--config", f"python={sys.executable}"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(SCRIPTS), "PYTHONWARNINGS": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    found = intervals(tmp_path)
    assert len(found) == 6 and {gpu for gpu, *_ in found} == {"0", "1"}
    assert_never_shared(found)
    waited = done.stdout.count("waiting for 1 of 2 GPUs")
    assert waited == 0 if limits else waited > 0
