"""GPUs of one machine: no two jobs hold one at a time, whatever they ask for and however they end."""

import os
import signal
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest

from dnalm import device, leases
from dnalm.errors import UserError

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"

# Arguments: folder of locks, GPUs asked for, seconds to hold them, file of what was held and when.
JOB = """
import fcntl, logging, os, sys, time
from pathlib import Path
from dnalm import device, leases
logging.basicConfig(level=logging.INFO, format="%(message)s")
leases.count_gpus = lambda: 2
leases.lease_folder = lambda: Path(sys.argv[1])
leases.PAUSE_S, leases.REPEAT_S = 0.02, 0.3
lease = leases.lease_gpus(leases.parse_devices(sys.argv[2]))
assert "jax" not in sys.modules
seen, start = os.environ[leases.VISIBLE], time.monotonic()
print(seen, flush=True)
time.sleep(float(sys.argv[3]))
with open(sys.argv[4], "a") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    file.write(f"{seen} {start} {time.monotonic()}\\n")
"""


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No GPUs given, whatever the machine of the tests."""
    for name in (leases.VISIBLE, leases.ORDER, *leases.SCHEDULED, "JAX_PLATFORMS"):
        monkeypatch.setenv(name, "")  # so that what a test leaves there is undone
        monkeypatch.delenv(name)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    """A machine with four GPUs."""
    monkeypatch.setattr(leases, "count_gpus", lambda: 4)
    monkeypatch.setattr(leases, "lease_folder", lambda: tmp_path)
    monkeypatch.setattr(leases, "PAUSE_S", 0.01)
    held = []
    yield lambda number: held.append(leases.lease_gpus(number)) or held[-1]
    for lease in held:
        if lease is not None:
            lease.release()


def start(folder, number="auto", seconds=0.3):
    return subprocess.Popen(
        [sys.executable, "-c", JOB, folder, number, str(seconds), folder / "held.txt"],
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(jobs):
    """Waits for jobs; returns their stderr."""
    errors = []
    for job in jobs:
        errors.append(job.communicate(timeout=60)[1])
        assert job.returncode == 0, errors[-1]
    return errors


def intervals(folder):
    """Returns (GPU, start, end) of each GPU that a job held."""
    rows = [line.split() for line in (folder / "held.txt").read_text().splitlines()]
    return [(gpu, float(start), float(end)) for names, start, end in rows for gpu in names.split(",")]


def assert_never_shared(found):
    for (gpu, start, end), (other, other_start, other_end) in combinations(found, 2):
        assert gpu != other or end <= other_start or other_end <= start, found


@pytest.mark.parametrize("count", [2, 3, 6])
def test_jobs_never_share_a_gpu(tmp_path, count):
    errors = finish([start(tmp_path) for _ in range(count)])
    found = intervals(tmp_path)
    assert len(found) == count and {gpu for gpu, *_ in found} == {"0", "1"}
    assert_never_shared(found)
    waited = [text for text in errors if "waiting for 1 of 2 GPUs; in use: 0 by process" in text]
    assert len(waited) >= max(0, count - 4)  # how many wait depends on when each one starts


def test_jobs_for_two_gpus_and_for_one_all_come_to_their_turn(tmp_path):
    finish([start(tmp_path, number, 0.1) for number in ("2", "2", "auto", "2", "1", "auto")])
    found = intervals(tmp_path)
    assert len(found) == 9
    assert_never_shared(found)


def test_a_killed_job_frees_its_gpus_and_the_others_hear_of_the_wait(tmp_path):
    holder = start(tmp_path, "2", 60)
    try:
        assert holder.stdout.readline() == "0,1\n"
        waiting = start(tmp_path, "auto", 0)
        told = [waiting.stderr.readline() for _ in range(2)]
        pid = holder.pid
        assert told[0] == f"waiting for 1 of 2 GPUs; in use: 0 by process {pid}, 1 by process {pid}\n"
        assert told[1].startswith("still waiting after 0 min for 1 of 2 GPUs")
        assert waiting.poll() is None
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
    assert "running on GPU 0" in finish([waiting])[0]


CHILD = "import subprocess; subprocess.Popen(['sleep', '20']); print('child', flush=True); "


def test_a_child_of_a_killed_job_does_not_keep_its_gpu(tmp_path):
    program = JOB.replace("time.sleep", CHILD + "time.sleep")
    command = [sys.executable, "-c", program, tmp_path, "2", "60", tmp_path / "held.txt"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, start_new_session=True) as holder:
        try:
            assert holder.stdout.readline() == b"0,1\n"
            assert holder.stdout.readline() == b"child\n"  # only now there is one
            holder.kill()
            holder.wait()
            finish([start(tmp_path, "2", 0)])
        finally:
            os.killpg(holder.pid, signal.SIGKILL)


def test_one_gpu_after_the_other_is_leased(machine):
    for expected in ("0", "1,2"):
        number = len(expected.split(","))
        lease = machine(number)
        assert os.environ.pop(leases.VISIBLE) == ",".join(lease.locks) == expected
    assert os.environ[leases.ORDER] == "PCI_BUS_ID"
    assert list(machine(None).locks) == ["3"]


@pytest.mark.parametrize(
    "given",
    [
        {"CUDA_VISIBLE_DEVICES": "2,3"},
        {"CUDA_VISIBLE_DEVICES": ""},
        {"CUDA_VISIBLE_DEVICES": "GPU-8f6a"},
        {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": "0"},
        {"SLURM_JOB_ID": "7"},
        {"SLURM_STEP_GPUS": "1"},
    ],
    ids=str,
)
def test_what_the_user_or_slurm_gives_is_used_as_it_is(machine, monkeypatch, given):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    assert machine(None) is None
    assert dict(os.environ) == before


def test_a_number_is_leased_out_of_what_is_given(machine, monkeypatch):
    taken = []
    for _ in range(2):
        monkeypatch.setenv(leases.VISIBLE, "GPU-a/1, 3")
        machine(1)
        taken.append(os.environ[leases.VISIBLE])
    assert taken == ["GPU-a/1", "3"]
    monkeypatch.delenv(leases.VISIBLE)
    assert list(machine(3).locks) == ["0", "1", "2"]


def test_numbers_of_one_slurm_job_mean_nothing_to_another(machine, monkeypatch):
    for job in ("7", "8"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv(leases.VISIBLE, "0")
        assert list(machine(1).locks) == ["0"]


def test_more_gpus_than_there_are_and_no_number_are_refused(machine, monkeypatch):
    with pytest.raises(UserError, match=r"--devices: found 5, this machine gives 4\. Ask for fewer\."):
        machine(5)
    monkeypatch.setenv(leases.VISIBLE, "1")
    with pytest.raises(UserError, match="found 2, this machine gives 1"):
        machine(2)
    for text in ("0", "-1", "two", ""):
        with pytest.raises(UserError, match=f"--devices: found '{text}', expected auto or a number from 1"):
            leases.parse_devices(text)
    assert (leases.parse_devices("auto"), leases.parse_devices("8")) == (None, 8)


def test_without_gpus_nothing_is_leased(machine, monkeypatch):
    monkeypatch.setattr(leases, "count_gpus", lambda: 0)
    assert machine(2) is None
    assert leases.VISIBLE not in os.environ


def test_without_locks_there_is_one_warning(machine, monkeypatch, caplog):
    def refuse(handle, operation):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(leases.fcntl, "flock", refuse)
    assert machine(2) is None
    assert leases.VISIBLE not in os.environ
    assert [record.message for record in caplog.records] == [
        "GPUs cannot be locked ([Errno 37] No locks available): jobs beside this one may use the same"
    ]


def test_the_folder_is_this_users_own_and_does_not_follow_the_environment(monkeypatch, tmp_path):
    folder = leases.lease_folder()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert leases.lease_folder() == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(leases.os, "access", lambda *_: False)
    monkeypatch.setattr(leases.tempfile, "gettempdir", lambda: str(tmp_path))
    place = tmp_path / f"dnalm-gpus-{os.getuid()}"
    place.symlink_to(folder)
    with pytest.raises(PermissionError, match="belongs to someone else"):
        leases.lease_folder()
    place.unlink()
    assert leases.lease_folder() == place
    place.rmdir()


LISTED = """#!/bin/sh
echo "GPU 0: Some Model (UUID: GPU-1)"
echo "  MIG 1g.10gb     Device  0: (UUID: MIG-1)"
echo "GPU 1: Some Model (UUID: GPU-2)"
"""


def test_gpus_are_counted_by_the_drivers_tool_else_by_device_files(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    for name in ("nvidia0", "nvidia1", "nvidia10", "nvidiactl", "nvidia-uvm"):
        (tmp_path / name).touch()
    assert leases.count_gpus(tmp_path) == 3
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "nvidia-smi"
    tool.write_text(LISTED)
    tool.chmod(0o755)
    assert leases.count_gpus(tmp_path) == 2
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert leases.count_gpus(tmp_path) == 3
    assert leases.count_gpus(tmp_path / "bin") == 0


@pytest.mark.parametrize(
    ("wanted", "platforms", "plugin", "expected"),
    [
        ("cpu", "", True, False),
        ("tpu", "", True, False),
        ("cuda", "cpu", False, True),
        ("auto", "", True, True),
        ("auto", "", False, False),
        ("auto", "cuda,cpu", True, True),
        ("auto", "cpu", True, False),
    ],
)
def test_only_what_may_run_on_a_gpu_takes_one(monkeypatch, tmp_path, wanted, platforms, plugin, expected):
    if platforms:
        monkeypatch.setenv("JAX_PLATFORMS", platforms)
    (tmp_path / ("xla_cuda12" if plugin else "other")).mkdir()
    (tmp_path / ("xla_cuda12" if plugin else "other") / "__init__.py").touch()
    found = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr(device.importlib.util, "find_spec", lambda name: found)
    assert device.may_use_cuda(wanted) is expected


def test_a_job_that_ends_up_on_the_cpu_gives_its_gpu_back(machine, monkeypatch, caplog):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setattr(device, "may_use_cuda", lambda name: True)
    assert device.select_device("auto", "4") == "cpu"
    monkeypatch.delenv(leases.VISIBLE)
    assert len(machine(4).locks) == 4
