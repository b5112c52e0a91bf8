"""Every hostile file is refused by name, in one line, without side effect or large allocation."""

import json
import pickle
import re
import tracemalloc
from pathlib import Path

import convert_checkpoint
import pytest
from checkpoint_makers import HYPERPARAMS, TORCH_CONFIG

import dnalm.models.apply  # noqa: F401 (its imports are no allocation of the reader)

FILES = Path(__file__).parent / "files"
PLACES = {
    ".joblib": ("jax_model/pytree_ckpt.joblib", "jax_model/hyperparams.json", HYPERPARAMS),
    ".bin": ("pytorch_model.bin", "config.json", TORCH_CONFIG),
    ".safetensors": ("model.safetensors", "config.json", TORCH_CONFIG),
}
SYSTEM = r"refused: (it asks for )?(posix|nt|os)\.system"
MESSAGES = {
    "reduce.joblib": SYSTEM,
    "stack_global.joblib": SYSTEM,
    "top_level.joblib": SYSTEM,
    "object_array.joblib": r"refused: it asks for an array of object",
    "nested_pickle.joblib": r"refused: it asks for _pickle\.loads",
    "eval.joblib": r"refused: it asks for builtins\.eval",
    "instance.joblib": r"refused: it asks for an outdated or unknown instruction",
    "object.joblib": SYSTEM,
    "attribute_of_numpy.joblib": r"refused: it asks for numpy\.f2py\.os\.system",
    "attribute_of_a_stand_in.joblib": r"refused: it asks for numpy\.dtype\.__init__",
    "extension.joblib": r"refused: it asks for extension 1",
    "state_for_a_class.joblib": r"refused: it asks for a state for type",
    "call_of_data.joblib": r"refused: it asks for a call of str",
    "persistent_id.joblib": r"refused: it asks for an outdated or unknown instruction",
    "keyword_arguments.joblib": r"refused: it asks for an outdated or unknown instruction",
    "jax_array.joblib": SYSTEM,
    "numpy_array.joblib": r"refused: it asks for an array inside the pickle",
    "huge_bytes.joblib": r"truncated or damaged \(EOFError 1099511627776 bytes declared, 2 left\)",
    "huge_text.joblib": r"truncated or damaged \(|damaged \(",
    "huge_frame.joblib": r"holds a NoneType, expected a dictionary of modules",
    "huge_memo.joblib": r"holds a NoneType, expected a dictionary of modules",
    "huge_shape.joblib": r"EOFError inside an array of shape \(3, 1099511627776\)",
    "negative_shape.joblib": r"ValueError shape \(3, -1\)",
    "reduce.bin": SYSTEM,
    "stack_global.bin": SYSTEM,
    "compressed.bin": r"refused: (it asks for )?a compressed member",
    "huge_shape.bin": r"ValueError tensor of shape \(3, 1099511627776\) reaches beyond its storage",
    "strides.bin": r"ValueError tensor of shape \(3, 1099511627776\) reaches beyond its storage",
    "missing_storage.bin": r"truncated or damaged \(KeyError .*archive/data/0",
    "storage_called.bin": r"refused: it asks for a call of _Storage",
    "huge_header.safetensors": r"no usable safetensors file",
    "huge_shape.safetensors": r"no usable safetensors file",
    "beyond_the_end.safetensors": r"no usable safetensors file",
    "overlap.safetensors": r"no usable safetensors file",
    "deep_json.safetensors": r"no usable safetensors file",
}
LARGEST_ALLOCATION = 2 << 20  # bytes beyond the file's size: the reader's own objects


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """The file that a hostile one would make."""
    monkeypatch.setenv("DNALM_ATTACK_MARKER", str(tmp_path / "it_ran"))
    return tmp_path / "it_ran"


def test_every_file_has_its_message():
    assert {path.name for path in FILES.iterdir()} == set(MESSAGES)


@pytest.mark.parametrize("name", MESSAGES)
def test_refused_by_name_without_side_effect_or_allocation(name, marker, tmp_path, capsys):
    place, settings, record = PLACES[Path(name).suffix]
    folder = tmp_path / "checkpoint"
    (folder / place).parent.mkdir(parents=True)
    (folder / place).write_bytes((FILES / name).read_bytes())
    (folder / settings).write_text(json.dumps(record))
    target = tmp_path / "converted"
    tracemalloc.start()
    try:
        status = convert_checkpoint.main(["--checkpoint", str(folder), "--output-dir", str(target)])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    errors = capsys.readouterr().err
    assert status == 2 and "Traceback" not in errors
    line = errors.rstrip("\n").splitlines()[-1]
    assert Path(place).name in line and re.search(MESSAGES[name], line), line
    assert not marker.exists() and not target.exists()
    assert peak < (FILES / name).stat().st_size + LARGEST_ALLOCATION


@pytest.mark.parametrize(
    "name", ["reduce.joblib", "stack_global.joblib", "top_level.joblib", "nested_pickle.joblib"]
)
def test_the_files_are_dangerous_elsewhere(name, marker):
    pickle.loads((FILES / name).read_bytes())  # noqa: S301
    assert marker.exists()
