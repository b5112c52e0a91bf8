"""A change of a step's code is a decision: raise its version, or record that its output is unchanged."""

import json

import pytest
import step_closures

from dnalm.versions import VERSIONS

RECORDED = json.loads(step_closures.RECORD.read_text())


def test_every_step_has_its_scripts():
    assert set(step_closures.SCRIPTS_OF) == set(VERSIONS) == set(RECORDED)


@pytest.mark.parametrize("step", VERSIONS)
def test_changed_code_was_decided_on(step):
    recorded = RECORDED[step]
    if recorded["version"] != VERSIONS[step]:
        pytest.fail(f"the version of {step} changed: record it with `python tests/step_closures.py`")
    assert recorded["sha256"] == step_closures.closure(step), (
        f"the code of step {step} changed: raise its number in dnalm/versions.py if its output changed for "
        "the same input; then record it with `python tests/step_closures.py`"
    )
