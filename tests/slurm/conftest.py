"""The cluster of the Slurm tests, and what they compare with."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from slurm.cluster import Cluster, start_cluster, what_is_missing
from workflow.conftest import TINY, copy_checkout, snakemake


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of one node; without Slurm or root the tests are skipped, and fail where CI=true."""
    if reason := what_is_missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    # munge's socket: a short path, below folders that only root writes to.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, start_cluster(Path(folder)) as cluster:
        yield cluster


@pytest.fixture(scope="session")
def copy(tmp_path_factory) -> Callable[[Path], Path]:
    """Makes checkouts that are all of one moment: edits made while the tests run do not matter."""
    source = copy_checkout(tmp_path_factory.mktemp("source") / "checkout")
    return lambda folder: shutil.copytree(source, folder, symlinks=True)


@pytest.fixture(scope="session")
def plain(copy, tmp_path_factory) -> Path:
    """A checkout in which the tiny configuration has run on this machine, without a cluster."""
    folder = copy(tmp_path_factory.mktemp("plain") / "checkout")
    run = snakemake(folder, "--configfile", TINY, "--config", "device=cpu")
    assert run.returncode == 0, run.stdout[-4000:]
    return folder


def make_fail_once(checkout: Path, script: str, before: str = "raise SystemExit('fails once')") -> None:
    """Edits a checkout so that the first call of a script does something else; later calls are as ever."""
    path = checkout / "workflow" / "scripts" / script
    real = path.rename(path.with_name(f"real_{script}"))
    path.write_text(
        "import os, runpy, sys, time\n"
        f"try:\n    os.close(os.open({str(checkout / 'called')!r}, os.O_CREAT | os.O_EXCL))\n"
        f"except FileExistsError:\n    runpy.run_path({str(real)!r}, run_name='__main__')\n"
        f"else:\n    {before}\n"
    )
