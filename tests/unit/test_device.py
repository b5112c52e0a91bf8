"""What a job says of its devices, and where it keeps compiled programs."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import jax
import jaxlib
import pytest

from dnalm import device

SCRIPTS = Path(__file__).parents[2] / "workflow" / "scripts"
COMPILED = """
import sys
from pathlib import Path
import jax
from dnalm import device
device.keep_compiled(sys.argv[1], Path(sys.argv[2]))
jax.jit(lambda x: (x @ x.T).sum())(jax.numpy.ones((8, 8))).block_until_ready()
"""


def test_the_first_line_of_a_log_names_devices_and_builds(caplog):
    with caplog.at_level(logging.INFO, "dnalm"):
        assert device.select_device("cpu") == "cpu"
    count = len(jax.local_devices())
    expected = f"{count} x cpu; jax {jax.__version__}, jaxlib {jaxlib.__version__} (cpu)"
    assert caplog.messages[0] == expected


def compile_in(folder, platform, **environment):
    inherited = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    subprocess.run(
        [sys.executable, "-c", COMPILED, platform, str(folder)],
        env={
            **inherited,
            "PYTHONPATH": str(SCRIPTS),
            "JAX_PLATFORMS": "cpu",
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            **environment,
        },
        check=True,
        timeout=120,
    )


@pytest.mark.parametrize(("platform", "kept"), [("gpu", True), ("cpu", False)])
def test_programs_for_gpus_are_kept_beside_the_shards(platform, kept, tmp_path):
    compile_in(tmp_path, platform)
    assert any((tmp_path / "compiled").glob("jit_*")) == kept


def test_a_folder_named_by_the_user_is_taken(tmp_path):
    compile_in(tmp_path / "work", "gpu", JAX_COMPILATION_CACHE_DIR=str(tmp_path / "own"))
    assert any((tmp_path / "own").glob("jit_*")) and not (tmp_path / "work").exists()
