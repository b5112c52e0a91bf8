"""What a step depends on in our code: the sha256 of its script and of all it imports from the library.

Snakemake does not see edits of scripts or library; the number in versions.py must be raised when a step's
output changes. `python tests/step_closures.py` records the present code as having unchanged output, or the
raised numbers.
"""

import ast
import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "workflow" / "scripts"
RECORD = ROOT / "tests" / "data" / "step_closures.json"
SCRIPTS_OF = {
    "genome": ["fetch_genome"],
    "annotation": ["read_annotation"],
    "mask": ["mask_genome"],
    "windows": ["make_windows"],
    "checkpoint": ["fetch_checkpoint", "convert_checkpoint"],
    "embed": ["embed"],
    "segment": ["segment"],
    "evaluate": ["evaluate_segmentation"],
    "elements": ["call_elements", "make_hub", "export_zarr"],
    "dataset": ["fetch_task"],
    "task": ["make_task", "import_task"],
    "probe": ["train_probe", "summarise_task"],
    "leaderboard": ["make_leaderboard"],
    "expression": ["predict_expression"],
    "figures": ["plot_tracks", "plot_expression", "plot_tasks", "plot_embedding_map", "plot_vocabulary"],
    "papers": [
        *("plot_nt_benchmark", "plot_agront_expression", "plot_agront_strength", "plot_segmentnt_tracks"),
        *("plot_segmentnt_metrics", "plot_grover_tokens", "plot_dnabert_attention", "plot_layers"),
        *("plot_context", "plot_attention"),
    ],
    "tokens": ["count_tokens"],
    "attention": ["read_attention"],
    "browser": ["make_browser"],
    "report": ["make_report"],
    "cost": ["estimate_cost"],
    "pretrain": ["pretrain"],
    "tokenizer": ["train_tokenizer"],
    "train_segmentation": ["train_segmentation"],
    "finetune": ["finetune"],
    "export": ["export_checkpoint"],
}
NO_OUTPUT = {"errors", "versions", "cli"}  # messages, numbers, the command line's form


def library_files(name: str) -> list[Path]:
    """Returns the files of a dotted module below dnalm: itself and the packages above it."""
    path = SCRIPTS / "dnalm" / Path(*name.split("."))
    if path.with_suffix(".py").exists():
        return [path.with_suffix(".py")]
    return [path / "__init__.py"] if path.is_dir() else []


def imported(path: Path) -> set[Path]:
    """Returns the library files that a file imports anywhere."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dnalm":
            module = ".".join((node.module or "").split(".")[1:])
            names = [f"{module}.{name.name}".strip(".") for name in node.names]
            for name in [module, *names] if module else names:
                found |= set(library_files(name))
    return found


def without_docstrings(tree: ast.AST) -> str:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                node.body = body[1:]
    return ast.dump(tree)


def files_of(step: str) -> list[Path]:
    """Returns a step's scripts and the library files that they import, directly or not."""
    waiting, seen = [SCRIPTS / f"{name}.py" for name in SCRIPTS_OF[step]], set()
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += imported(path)
    return sorted(seen)


def third_party(step: str) -> set[str]:
    """Returns the modules that a step's code imports from neither the library nor Python itself."""
    found = set()
    for path in files_of(step):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {name.name.split(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names) - {"dnalm"}


def closure(step: str) -> str:
    """Returns the sha256 of a step's code, docstrings and comments left out."""
    code = [
        f"{path.relative_to(SCRIPTS)} {without_docstrings(ast.parse(path.read_text()))}"
        for path in files_of(step)
        if path.stem not in NO_OUTPUT
    ]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()


def record() -> None:
    sys.path.insert(0, str(SCRIPTS))
    from dnalm.versions import VERSIONS

    steps = {step: {"version": VERSIONS[step], "sha256": closure(step)} for step in SCRIPTS_OF}
    RECORD.write_text(json.dumps(steps, indent=2) + "\n")


if __name__ == "__main__":
    record()
