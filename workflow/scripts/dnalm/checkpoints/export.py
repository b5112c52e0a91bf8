"""Writes a model of ours as the published ones lie on the hub: for transformers, or for the JAX code."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dnalm import files
from dnalm.checkpoints import registry
from dnalm.checkpoints.hub import (
    CONFIG,
    HYPERPARAMS,
    PYTREE,
    TORCH_WEIGHTS,
    VOCABULARIES,
    HubFiles,
    read_hub_config,
)
from dnalm.checkpoints.hub_config import OWN_KEY, OWN_SETTINGS
from dnalm.checkpoints.load import Checkpoint, Source, find, load_checkpoint
from dnalm.checkpoints.published import (
    jax_record,
    jax_tensors,
    tokenizer_files,
    torch_record,
    torch_tensors,
    unused_tensors,
    zeros,
)
from dnalm.checkpoints.safetensors_file import ALIGNMENT, LENGTH_BYTES, cast_finite, write_safetensors
from dnalm.checkpoints.tensors import BFLOAT16, Tensor, Tensors, check_shapes, iterate, read_finite
from dnalm.errors import UserError
from dnalm.models.config import ModelConfig
from dnalm.tokens import KmerTokenizer

LAYOUTS = ("transformers", "jax")
# Rows of models.tsv whose repositories hold the PyTorch code for a form that transformers does not know.
CODE = {"rotary": "50M_multi_species_v2", "segment": "segment_nt", "alibi": "dnabert_2"}
CARD = "MODEL_CARD.md"
log = logging.getLogger("dnalm")


def export_checkpoint(source: Source, layout: str, output_dir: Path, dtype: str = "float32") -> Path:
    """Writes a checkpoint into a new folder in a published layout, whole or not at all; returns the folder.

    Args:
        source: as `load_checkpoint` takes it.
        layout: one of LAYOUTS.
        dtype: of the weights on disk; JAX's file takes no bfloat16.

    Raises:
        UserError: unknown layout, a folder that is not empty, or a model that the layout cannot say.
    """
    if layout not in LAYOUTS:
        raise UserError("--layout", f"{layout!r} not known (expected one of {', '.join(LAYOUTS)})")
    if layout == "jax" and dtype == BFLOAT16:
        raise UserError(
            "--dtype", "bfloat16 is no type of the published JAX file", "Take float32 or float16."
        )
    checkpoint, row = load_checkpoint(source), find(source).row
    config = checkpoint.config
    if config.architecture == "esm" and not isinstance(config.tokens, KmerTokenizer):
        raise UserError(
            checkpoint.source,
            f"no published layout has this architecture with the tokenizer {config.tokenizer}",
            "Pretrain with architecture: bert to export.",
        )
    with _new_folder(Path(output_dir)) as folder:
        if layout == "jax":
            written, notes = _write_jax(folder, checkpoint, dtype)
        else:
            written, notes = _write_torch(folder, checkpoint, dtype)
        files.write_text(folder / "README.md", _readme(checkpoint, layout, row, notes))
        below = [path for path in written if path.parent != folder]  # a manifest names files of its folder
        details = {
            "parameters": checkpoint.size,
            "dtype": dtype,
            "layout": layout,
            **{path.relative_to(folder).as_posix(): files.sha256_of(path) for path in below},
        }
        listed: list[str | Path] = [path for path in written if path.parent == folder]
        files.write_manifest(folder, "checkpoint", checkpoint.files, details, [*listed, folder / "README.md"])
    for note in notes:
        log.warning("%s: %s", output_dir, note)
    return Path(output_dir)


@contextmanager
def _new_folder(folder: Path) -> Iterator[Path]:
    """Yields a temporary folder beside `folder`, moved there when the block ends well."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(folder, "exists and is no empty folder", "Name a new folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (NotADirectoryError, FileExistsError) as fault:
        raise UserError(folder.parent, "is a file, expected a folder", "Move it away.") from fault
    temporary = folder.parent / f".{folder.name}.{os.getpid()}-{uuid.uuid4().hex[:12]}.tmp"
    temporary.mkdir()
    try:
        yield temporary
        os.rename(temporary, folder)  # also onto an empty folder
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_jax(folder: Path, checkpoint: Checkpoint, dtype: str) -> tuple[list[Path], list[str]]:
    """Writes jax_model/; the weights with joblib, all of them in memory, as the published files were made."""
    import joblib

    config, place = checkpoint.config, folder / "jax_model"
    if config.architecture != "esm":
        raise UserError(
            f"{checkpoint.source}", f"no JAX layout of {config.architecture} models is published",
            "Export with --layout transformers.",
        )  # fmt: skip
    hub_files = HubFiles(place / HYPERPARAMS, (place / PYTREE,), is_jax=True)
    said = _write_settings(hub_files, jax_record(config), config)
    params, notes = _fitted(checkpoint, said)
    tree: dict[str, dict[str, np.ndarray]] = {}
    for module, name, tensor in iterate(jax_tensors(params, said)):
        where = f"{checkpoint.source}, {module}/{name}"
        tree.setdefault(module, {})[name] = cast_finite(read_finite(tensor, where), dtype, where)
    with files.atomic_path(place / PYTREE) as temporary, open(temporary, "wb") as handle:
        joblib.dump(tree, handle)
    return [place / HYPERPARAMS, place / PYTREE], notes


def _write_torch(folder: Path, checkpoint: Checkpoint, dtype: str) -> tuple[list[Path], list[str]]:
    config, path = checkpoint.config, folder / TORCH_WEIGHTS[0]
    texts = tokenizer_files(config)
    for name, content in texts.items():
        write = files.write_text if isinstance(content, str) else files.write_json
        write(folder / name, content)
    vocabulary = next(folder / name for name in VOCABULARIES if name in texts)
    code = _code(config)
    record = torch_record(config, dtype, code["hub_repository"] if code else "")
    said = _write_settings(HubFiles(folder / CONFIG, (path,), False, vocabulary), record, config)
    params, notes = _fitted(checkpoint, said)
    write_safetensors(path, {**torch_tensors(params, said), **unused_tensors(said, dtype)}, dtype)
    _say_format(path)
    return [path, folder / CONFIG, *(folder / name for name in texts)], notes


def _code(config: ModelConfig) -> dict[str, str] | None:
    """Returns the row of models.tsv whose repository has the PyTorch code, if transformers has not."""
    form = "segment" if config.features else config.positional_embedding
    return registry.model_row(CODE[form]) if form in CODE else None


def _write_settings(hub_files: HubFiles, record: dict[str, Any], config: ModelConfig) -> ModelConfig:
    """Writes the published settings, with what they cannot say under OWN_KEY; returns what they do say.

    Raises:
        UserError: they would describe another model.
    """
    files.write_json(hub_files.config, record)
    said = read_hub_config(hub_files)
    changed = {
        field.name: getattr(config, field.name)
        for field in dataclasses.fields(config)
        if getattr(config, field.name) != getattr(said, field.name)
    }
    allowed = {"labels", "layer_norm_eps", "max_tokens"}
    allowed |= {"lm_head"} if config.features else set()
    allowed |= set() if config.token_dropout else {"masking_ratio", "masking_prob"}
    for name in sorted(set(changed) - allowed):
        raise UserError(
            f"model config, {name}",
            f"this layout cannot say it (found {changed[name]!r}, it can say {getattr(said, name)!r})",
            "Export with the other --layout.",
        )
    if own := {name: changed[name] for name in OWN_SETTINGS if name in changed}:
        files.write_json(hub_files.config, {**record, OWN_KEY: own})
    return said


def _fitted(checkpoint: Checkpoint, said: ModelConfig) -> tuple[Tensors, list[str]]:
    """Returns the weights that the published settings ask for, and what was done to have them.

    The JAX SegmentNT has a language-model head, the PyTorch one none: zeros are added, or ours left out.
    """
    from dnalm.models import parameter_shapes

    ours, notes = checkpoint.tensors, []
    params: dict[str, dict[str, Tensor]] = {
        module: {name: ours.get(module, {}).get(name) or zeros(shape) for name, shape in leaves.items()}
        for module, leaves in parameter_shapes(said).items()
    }
    check_shapes(params, parameter_shapes(said), checkpoint.source)
    if said.lm_head and not checkpoint.config.lm_head:
        notes.append("the language-model head that the JAX SegmentNT needs is zeros; its logits say nothing")
    if checkpoint.config.lm_head and not said.lm_head:
        notes.append("the language-model head is left out: the PyTorch SegmentNT has none")
    return params, notes


def _say_format(path: Path) -> None:
    """Adds the entry that transformers asks for, `format: pt`, to the header of a safetensors file."""
    with open(path, "rb") as source, files.atomic_path(path) as temporary, open(temporary, "wb") as handle:
        header = json.loads(source.read(int.from_bytes(source.read(LENGTH_BYTES), "little")))
        text = json.dumps({"__metadata__": {"format": "pt"}, **header}, separators=(",", ":")).encode()
        text += b" " * (-len(text) % ALIGNMENT)
        handle.write(len(text).to_bytes(LENGTH_BYTES, "little") + text)
        shutil.copyfileobj(source, handle, files.CHUNK_BYTES)


def _readme(checkpoint: Checkpoint, layout: str, row: Mapping[str, str] | None, notes: list[str]) -> str:
    """Returns the model card with the hub's front matter, and how these files are read."""
    config, path = checkpoint.config, checkpoint.source / CARD
    card = path.read_text(encoding="utf-8") if path.exists() else f"# {checkpoint.source.name}\n"
    found = re.search(r"^Licence: (\S+)", card, re.MULTILINE)
    licence = found[1].rstrip(".,;") if found else (row or {}).get("licence", "unknown")
    kind = (
        "segment-nt"
        if config.features
        else {"bert": "bert"}.get(config.architecture, "nucleotide-transformer")
    )
    front = ["---", f"license: {licence.lower().replace(' ', '-')}"]
    front += ["library_name: transformers"] if layout == "transformers" else []
    front += ["tags:", *(f"- {tag}" for tag in ("biology", "genomics", "dna", kind)), "---"]
    lines = [_reading(config, layout), *(f"To know: {note}." for note in notes)]
    if config.labels == "own_strand":
        lines.append(
            "Its features are labelled on their own strand: the reverse complement gives the other strand's. "
            "The published SegmentNT's are of either strand, and its settings have no entry for it: "
            f"`{OWN_KEY}` says it here."
        )
    return "\n".join([*front, "", card.rstrip("\n"), "", "## These files", "", "\n\n".join(lines), ""])


def _reading(config: ModelConfig, layout: str) -> str:
    if layout == "jax":
        return (
            f"`jax_model/{PYTREE}` was written by joblib and is therefore a pickle: read it with joblib only "
            f"where you trust its source. `jax_model/{HYPERPARAMS}` holds the settings."
        )
    if code := _code(config):
        return (
            f"transformers does not know this form: it takes the code of {code['hub_repository']} "
            f'(`trust_remote_code=True, code_revision="{code["revision"]}"`), which has a licence of its own '
            f"({code['licence']}) and was written for transformers before version 5."
        )
    return "transformers reads these files without further code (`AutoModelForMaskedLM.from_pretrained`)."
